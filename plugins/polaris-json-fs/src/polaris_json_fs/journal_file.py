"""The journal on the disk: appending so that the outcome is certain, and cutting off what was never committed."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from polaris_core import StoreDamagedError
from polaris_json_fs.files import sync_directory, write_all
from polaris_json_fs.layout import journal_name

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JournalFile", "UncertainError"]

_LEAST_ROOM: Final = 64 << 10
_MOST_ROOM: Final = 1 << 20


class UncertainError(Exception):
    """A frame could neither be written nor taken back; the failed attempt to take it back is the cause."""


class JournalFile:
    """One generation's journal. It is opened when it is first needed and made by the first commit.

    Its frames are tied to `seed`, and `base` bytes were ever committed before it. A process that has it open reads it to
    its end even after a checkpoint by another one has deleted it.

    Synced frames go where zeros were written in advance, as far as the disk has room for them: a file that does not grow is
    synced in half the time, because only its data has to reach the disk. So its length says nothing about what it holds.
    """

    def __init__(
        self, directory: Path, location: str, generation: int, *, seed: str = "", base: int = 0, write: bool
    ) -> None:
        self.path = directory / journal_name(generation)
        self.generation = generation
        self.seed = seed
        self.base = base
        self.frames = 0
        """How many frames this process has applied."""
        self._location = location
        self._flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC
        self._descriptor = -1
        self._size = 0  # as last seen; it shrinks only through `cut`
        self._named = False  # whether this process knows the file's name to be on the disk

    def exists(self) -> bool:
        """Open the file where there is one, and return whether there is."""
        if self._descriptor < 0:
            try:
                self._descriptor = os.open(self.path, self._flags)
            except FileNotFoundError:
                return False
        return True

    def size(self) -> int:
        """Return the length with its room; 0 where there is no file. Raises `StoreDamagedError` if somebody deleted it."""
        if not self.exists():
            return 0
        state = os.fstat(self._descriptor)
        if not state.st_nlink:
            raise StoreDamagedError(
                f"{self._location}: {self.path.name} was deleted while it was in use",
                location=self._location,
                where=self.path.name,
            )
        self._size = state.st_size
        return self._size

    def ends_at(self, offset: int) -> bool:
        """Whether nothing stands after the bytes before an offset: there the file ends, or zeros begin."""
        size = self.size()
        return size == offset or (size > offset and os.pread(self._descriptor, 1, offset) == b"\0")

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes between two offsets, fewer where the file is shorter."""
        parts = []
        while start < end and self.exists():
            part = os.pread(self._descriptor, min(end - start, 1 << 26), start)
            if not part:
                break
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def append(self, frame: bytes, offset: int, *, sync: bool) -> None:
        """Write a frame where the committed part ends and, with `sync`, wait until it is on the disk.

        Raises the `OSError` of the failed write or sync once the frame is certain to be gone, else `UncertainError`.
        """
        try:
            if not self.exists():
                self._descriptor = os.open(self.path, self._flags | os.O_CREAT, 0o666)
            write_all(self._descriptor, frame, offset)
            if sync:
                if offset + len(frame) > self._size:
                    self._make_room(offset + len(frame))
                os.fdatasync(self._descriptor)
                self._sync_name()
        except BaseException:
            try:
                self.cut(offset)
            except OSError as error:
                raise UncertainError(str(error)) from error
            raise

    def _make_room(self, end: int) -> None:
        """Write zeros after a frame, in one sync with it; where they do not fit, the frame is there and needs none."""
        room = min(max(end, _LEAST_ROOM), _MOST_ROOM)
        with suppress(OSError):
            write_all(self._descriptor, bytes(room), end)
        self._size = end + room

    def cut(self, offset: int) -> None:
        """Shorten the file, through a new handle: what a handle says after a failed sync is not to be believed."""
        self.close()
        self._size = offset
        if self.exists():
            os.ftruncate(self._descriptor, offset)
            os.fsync(self._descriptor)

    def sync(self) -> None:
        """Wait until everything in the file, and its name, is on the disk.

        It is written again first: whoever wrote it may have been told that a sync failed, and the system says that once and
        takes what it lost for written.
        """
        if self.exists():
            write_all(self._descriptor, self.read(0, self.size()), 0)
            os.fdatasync(self._descriptor)
            self._sync_name()

    def _sync_name(self) -> None:
        if not self._named:  # whoever made the file may have died, or not have waited
            sync_directory(self.path.parent)
            self._named = True

    def close(self) -> None:
        """Close the file; it opens again when it is needed."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
