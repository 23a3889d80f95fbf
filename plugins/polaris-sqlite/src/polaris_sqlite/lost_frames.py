"""Whether frames are gone from a log that the last process to have it open had committed.

A log ends, for SQLite, before the first frame whose checksum is wrong. After a crash that is where the torn last write
begins; but a bit that flips in the middle takes all that follows with it, and nothing says so. The wal-index is what
knows better: it survives the death of its processes, and counts what was committed. It has to be asked before SQLite
opens the database, because that makes it anew. What it says after a power loss is old or nothing: never too much, unless
commits were acknowledged before they were synced.

Formats: https://www.sqlite.org/walformat.html, sections 1.2 and 2.1.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from polaris_sqlite.wal_index import header_of

__all__ = ["Remembered", "has_lost_frames", "remember", "remind"]

_VERSION = 3_007_000
_INDEX = struct.Struct("=I8xBxxxIIII8sII")  # version, made, frames, pages, the last frame's checksum, salts, checksum
_COPIED = struct.Struct("=I")
_HEADER_BYTES = 32
_MAGIC = (0x377F_0682, 0x377F_0683)


class Remembered(NamedTuple):
    """What the wal-index says: how many frames were committed, and copied back, in the log of these salts."""

    frames: int
    copied: int
    salts: bytes
    header: bytes


def remember(path: str) -> Remembered | None:
    """Return what the wal-index of a database says now; None where there is none, or it is not whole."""
    header = header_of(path)
    if header is None or header[:48] != header[48:96]:
        return None
    version, made, frames, _, _, _, salts, *_ = _INDEX.unpack_from(header)
    if version != _VERSION or not made or _checksum(header[:40], "=") != header[40:48]:
        return None
    (copied,) = _COPIED.unpack_from(header, 96)
    return Remembered(frames, copied, salts, header)


def remind(path: str, before: Remembered) -> None:
    """Let the wal-index say again what it said before, once nobody has the database open: it is the only witness."""
    index = os.open(f"{path}-shm", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(index, before.header, 0)
    finally:
        os.close(index)


def has_lost_frames(path: str, before: Remembered | None, frames: int) -> bool:
    """Return whether a log holds less than was committed, now that SQLite has found `frames` in it.

    `before` is what the wal-index said before SQLite opened the database. A log whose header is damaged is lost as a whole,
    unless all of it was copied back: then a crash may have torn the header with which it began anew.
    """
    try:
        with Path(f"{path}-wal").open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return False
    if len(header) < _HEADER_BYTES or not any(header):
        return False  # nobody has written to it, or it was emptied
    if not _is_whole(header):
        return before is None or before.copied < before.frames or _was_made_over(header, before)
    if before is None or header[16:24] != before.salts or frames >= before.frames:
        return False
    return frames > 0 or before.copied < before.frames  # a part of the log would go back on what was copied


def _was_made_over(header: bytes, before: Remembered) -> bool:
    """Return whether SQLite made the wal-index over this damaged header, as an attempt to open does: it is no witness then."""
    return not before.frames and before.salts in (bytes(8), header[16:24])


def _is_whole(header: bytes) -> bool:
    magic = int.from_bytes(header[:4], "big")
    return magic in _MAGIC and _swapped(_checksum(header[:24], ">" if magic & 1 else "<")) == header[24:32]


def _checksum(data: bytes, order: str) -> bytes:
    """Return SQLite's checksum of some words, in this machine's byte order."""
    first = second = 0
    for one, other in struct.iter_unpack(f"{order}II", data):
        first = (first + one + second) & 0xFFFF_FFFF
        second = (second + other + first) & 0xFFFF_FFFF
    return struct.pack("=II", first, second)


def _swapped(checksum: bytes) -> bytes:
    return struct.pack(">II", *struct.unpack("=II", checksum))
