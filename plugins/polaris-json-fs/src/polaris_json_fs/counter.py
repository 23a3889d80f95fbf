"""The numbers that every process with the store open shares: a file that all of them map into memory.

`position` counts the bytes that were ever committed and so moves with each commit, and with each turn to another journal.
It is also the stamp that caches compare. The file is worth something only while the machine runs: after that, opening the
store sets it right.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Final

from polaris_json_fs.files import sync_directory, write_all

__all__ = ["REPLACING", "UNSYNCED", "SharedCounter", "boot_id"]

_MAGIC: Final = 0x31_72_65_74_6E_75_6F_43  # "Counter1"
_SIZE: Final = 4_096
_POSITION, _GENERATION, _FLAGS = 1, 2, 3
_BOOT, _BOOT_END = 64, 128

UNSYNCED: Final = 2
"""Commits were acknowledged that a power loss may take back, during the boot that the file names."""
REPLACING: Final = 4
"""A restore is under way, or its process died or failed in it: nothing is committed before that is settled."""


def boot_id() -> bytes:
    """Return what tells this boot of the machine from the others; nothing where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except OSError:
        return b""


class SharedCounter:
    """The mapped file. Loads and stores are of eight bytes each, so nobody sees half of one."""

    def __init__(self, path: Path, *, write: bool) -> None:
        """Map a file, made where there is none if it is to be written; raises `OSError` or `ValueError`."""
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        self._descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
        try:
            if write and os.fstat(self._descriptor).st_size < _SIZE:
                write_all(self._descriptor, bytes(_SIZE), 0)  # real blocks: a full disk must not kill whoever stores
                os.fsync(self._descriptor)
                sync_directory(path.parent)
            self._map = mmap.mmap(self._descriptor, _SIZE, access=mmap.ACCESS_WRITE if write else mmap.ACCESS_READ)
        except BaseException:
            os.close(self._descriptor)
            raise
        self._cells = memoryview(self._map).cast("Q")
        self.stamps = self._cells[_POSITION : _POSITION + 1].toreadonly()
        """`position` as an array of one, for who loads it before every look into a cache."""

    @property
    def deleted(self) -> bool:
        """Whether somebody deleted the file, so that processes which come now share another one."""
        return not os.fstat(self._descriptor).st_nlink

    @property
    def known(self) -> bool:
        """Whether anybody has set it."""
        return self._cells[0] == _MAGIC

    @property
    def position(self) -> int:
        """How many bytes were ever committed."""
        return self._cells[_POSITION]

    @position.setter
    def position(self, value: int) -> None:
        self._cells[_POSITION] = value

    @property
    def generation(self) -> int:
        """The generation of the checkpoint in force."""
        return self._cells[_GENERATION]

    @generation.setter
    def generation(self, value: int) -> None:
        self._cells[_GENERATION] = value

    @property
    def flags(self) -> int:
        """`UNSYNCED` and `REPLACING`, or 0; changed only by the holder of the lock."""
        return self._cells[_FLAGS]

    @flags.setter
    def flags(self, value: int) -> None:
        self._cells[_FLAGS] = value

    def note_unsynced(self) -> None:
        """Write down, on the disk, that from now on commits are acknowledged before they are."""
        self._map[_BOOT:_BOOT_END] = boot_id().ljust(_BOOT_END - _BOOT, b"\0")
        self.flags |= UNSYNCED
        self._map.flush()
        os.fsync(self._descriptor)

    @property
    def lost_power(self) -> bool:
        """Whether the machine was started again since commits were acknowledged that it may have forgotten."""
        noted = self._map[_BOOT:_BOOT_END].rstrip(b"\0")
        return bool(self.flags & UNSYNCED) and noted != boot_id()

    def set(self, generation: int, position: int) -> None:
        """Set both numbers, when a history begins; whoever sees the new position sees the new generation."""
        self._cells[_GENERATION] = generation
        self._cells[_POSITION] = position
        self._cells[0] = _MAGIC

    def close(self) -> None:
        """Close the file. The mapping goes with the last reference: `stamp` may be under way in another thread."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Close the file and let go of the mapping at once; for a store that was never opened, so that nobody looks."""
        self.close()
        self.stamps.release()
        self._cells.release()
        self._map.close()
