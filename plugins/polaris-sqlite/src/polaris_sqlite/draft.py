"""A file that is made beside its place, and has its name only once it is whole and on disk."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from polaris_core import StoreUnavailableError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Draft"]

_SUFFIX = ".part"


class Draft:
    """A new file next to `place`, hidden, removed at the end of a `with` block unless it was published.

    `unique` tells it from others that are made for the same place, and `mode` says who may read and write it. One whose
    process was killed is removed by the next.
    """

    def __init__(self, place: Path, unique: str, *, mode: int) -> None:
        self.place = place
        self.mode = mode
        self.path = place.parent / f".{place.name}.{unique}{_SUFFIX}"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._remove_abandoned()
        # The lock says that somebody works here. The descriptor stays open: SQLite's own locks end with any that is closed.
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, self.mode)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor < 0:  # it was never made
            return
        with suppress(OSError):  # the outcome stands already, and the next draft removes what is left of this one
            _remove(self.path)
            os.close(self._descriptor)

    def check_free(self) -> None:
        """Raise `StoreUnavailableError` where there is something at the place already."""
        if os.path.lexists(self.place):
            raise self._taken()

    def _taken(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"there is something at {self.place} already: a copy goes where nothing is", location=str(self.place)
        )

    def publish(self) -> None:
        """Give the file its name, durably; raises `StoreUnavailableError` where there is one of that name already."""
        os.fsync(self._descriptor)
        try:
            os.link(self.path, self.place)  # which, unlike a rename, replaces nothing
        except FileExistsError:
            raise self._taken() from None
        directory = os.open(self.place.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _remove_abandoned(self) -> None:
        for path in self.place.parent.iterdir():
            if path.name.startswith(f".{self.place.name}.") and path.name.endswith(_SUFFIX):
                with suppress(OSError):
                    _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    if (
        path.stat().st_nlink > 1
    ):  # it was published, and by now may be open as a store, where no descriptor may be closed
        path.unlink()
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a database with what SQLite keeps beside it."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
