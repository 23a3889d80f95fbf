"""What SQLite and the file system say, in Polaris' words."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

from polaris_core import (
    ProgramError,
    StorageError,
    StoreBusyError,
    StoreDamagedError,
    StoreFormatError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["code_of", "failures_of", "of_sqlite", "of_system", "unwritable"]

_UNWRITABLE = (
    "cannot be written to, nor can files beside it, which SQLite needs even to read; mode=ro reads it where its directory "
    "can be written, and a backup of it anywhere"
)
_LACKING = ("no such table", "no such column", "no such function")  # what we ask for is in every whole store
_SENTENCES: dict[int, tuple[type[StoreUnavailableError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreBusyError, "is held by a program that is not Polaris, or by one that stopped"),
    sqlite3.SQLITE_LOCKED: (StoreBusyError, "is held by a program that is not Polaris, or by one that stopped"),
    sqlite3.SQLITE_FULL: (StoreFullError, "has no room left: free some and try again; nothing was stored"),
    sqlite3.SQLITE_READONLY: (
        StoreReadOnlyError,
        _UNWRITABLE,
    ),
    sqlite3.SQLITE_NOTADB: (StoreFormatError, "is not a SQLite database"),
    sqlite3.SQLITE_CORRUPT: (StoreDamagedError, "is damaged: SQLite cannot follow its structure"),
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailableError, "cannot be opened"),
    sqlite3.SQLITE_IOERR: (StoreUnavailableError, "cannot be read or written, the system reports a fault"),
}


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def of_sqlite(error: sqlite3.Error, location: str) -> StorageError:
    """Return the error to raise for what SQLite raised."""
    if isinstance(error, sqlite3.IntegrityError):
        return ProgramError(f"{location} refused a plan that contradicts what it holds: {error}")
    if code_of(error) == sqlite3.SQLITE_ERROR and str(error).startswith(_LACKING):
        return StoreDamagedError(f"{location} lacks a part of what it is made of ({error})", location=location)
    if str(error).startswith("Could not decode to UTF-8"):
        return StoreDamagedError(f"{location} is damaged: a text in it is none ({error})", location=location)
    kind, sentence = _SENTENCES.get(code_of(error), (StoreUnavailableError, "failed"))
    return kind(f"{location} {sentence} ({error})", location=location)


def unwritable(location: str, why: object) -> StoreReadOnlyError:
    """Return the error to raise where a file, or one that has to be beside it, cannot be written."""
    return StoreReadOnlyError(f"{location} {_UNWRITABLE} ({why})", location=location)


def of_system(error: OSError, location: str) -> StoreUnavailableError:
    """Return the error to raise for what the file system said."""
    kind: type[StoreUnavailableError] = StoreUnavailableError
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        kind = StoreFullError
    elif error.errno == errno.EROFS:
        kind = StoreReadOnlyError
    return kind(f"{location} cannot be opened: {error.strerror} ({error.filename})", location=location)


class failures_of:  # noqa: N801 - used as a function; a generator would cost every transaction three times as much
    """A context that raises in Polaris' words what SQLite or the file system raises inside.

    With `of_programs` there is a program inside too: what the file system said was said to it, and comes out unchanged.
    """

    __slots__ = ("_location", "_of_programs")

    def __init__(self, location: str, *, of_programs: bool = False) -> None:
        self._location = location
        self._of_programs = of_programs

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            raise of_sqlite(error, self._location) from error
        if self._of_programs:
            return
        if isinstance(error, OSError):
            raise of_system(error, self._location) from error
        if isinstance(error, UnicodeDecodeError):  # SQLite complains of a name or a statement that is damaged itself
            raise StoreDamagedError(
                f"{self._location} is damaged: what SQLite says of it is no text ({error.object!r})",
                location=self._location,
            ) from error
