"""What every process can see of a database without asking it: the header of the wal-index, the `-shm` file.

Each commit writes the header last (https://www.sqlite.org/walformat.html, section 2), so its change counter and
checksum are a stamp that moves with every commit by any process before the commit returns, and reading them is two
loads from memory.

To close any descriptor of that file drops every lock SQLite holds on it in this process. So a mapping is shared by all
who open the same file and is given up only once the file is unlinked, which SQLite does when nobody has it open.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeAlias

__all__ = ["WalIndex", "header_of", "is_mapped", "release_unlinked"]

_SIZE = 32_768  # SQLite makes the file in regions of this many bytes
_CHANGE = struct.Struct("=Q24xQ")  # at 8: the change counter and how the file is laid out; at 40: the header's checksum
_FRAMES = struct.Struct("=I76xI")  # at 16: frames in the log; at 96: those that checkpoints have copied

_File: TypeAlias = tuple[int, int]
_guard = Lock()
_mappings: dict[_File, _Mapping] = {}


class _Mapping(NamedTuple):
    descriptor: int
    memory: mmap.mmap
    users: set[object]


class WalIndex:
    """The wal-index of an open database; `path` is the database's own, free of symbolic links.

    Made once the database was read from, and closed before it is. Every method may be called from any thread.
    """

    def __init__(self, path: str) -> None:
        self._memory: mmap.mmap | None = None
        try:
            self._file, self._memory = _share(f"{path}-shm", self)
        except (OSError, ValueError):  # no such file, or one that cannot be mapped: then there is no stamp
            return

    def stamp(self) -> int | None:
        """Return a number that every commit by any process changes; None where there is none."""
        memory = self._memory
        if memory is None:
            return None
        change, checksum = _CHANGE.unpack_from(memory, 8)
        return int(change << 64 | checksum)

    def frames(self) -> tuple[int, int]:
        """Return how many pages the log holds, and how many of them are not yet in the database itself."""
        memory = self._memory
        if memory is None:
            return 0, 0
        written, copied = _FRAMES.unpack_from(memory, 16)
        return written, max(written - copied, 0)

    def close(self) -> None:
        """Answer nothing from now on."""
        if self._memory is not None:
            self._memory = None
            with _guard:
                _mappings[self._file].users.discard(self)


def is_mapped(path: str) -> bool:
    """Return whether this process has a database open, by its path."""
    try:
        found = Path(f"{path}-shm").stat()
    except OSError:
        return False
    with _guard:
        mapping = _mappings.get((found.st_dev, found.st_ino))
        return mapping is not None and bool(mapping.users)


def header_of(path: str) -> bytes | None:
    """Return the first 136 bytes of a database's wal-index, whoever has it open or had; None where there is none."""
    user = object()
    try:
        file, _ = _share(f"{path}-shm", user)
    except (OSError, ValueError):
        return None
    with _guard:
        mapping = _mappings[file]
        mapping.users.discard(user)
        return os.pread(mapping.descriptor, 136, 0)  # not from memory, which SQLite takes away while it makes it anew


def _share(path: str, user: object) -> tuple[_File, mmap.mmap]:
    release_unlinked()
    with _guard:
        found = Path(path).stat()
        mapping = _mappings.get((found.st_dev, found.st_ino))
        if mapping is None:
            mapping = _map(path)
        opened = os.fstat(mapping.descriptor)
        mapping.users.add(user)
        return (opened.st_dev, opened.st_ino), mapping.memory


def _map(path: str) -> _Mapping:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    opened = os.fstat(descriptor)
    if opened.st_size < _SIZE:
        raise ValueError(f"{path} is no wal-index")  # its descriptor stays open, as every one does
    mapping = _Mapping(descriptor, mmap.mmap(descriptor, _SIZE, access=mmap.ACCESS_READ), set())
    return _mappings.setdefault((opened.st_dev, opened.st_ino), mapping)


def release_unlinked() -> None:
    """Close what is mapped of files that nobody has open any more: until then their disk cannot be unmounted."""
    with _guard:
        for file, mapping in list(_mappings.items()):
            if not mapping.users and os.fstat(mapping.descriptor).st_nlink == 0:
                del _mappings[file]
                mapping.memory.close()
                os.close(mapping.descriptor)
