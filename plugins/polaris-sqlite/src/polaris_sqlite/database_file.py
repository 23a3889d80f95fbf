"""A database file before anybody works in it: whether it may be opened or made, and how a connection to it is set up."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from polaris_core import StoreNotFoundError, StoreReadOnlyError, StoreUnavailableError
from polaris_core.abc import check_local
from polaris_sqlite.failures import code_of, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable

    from polaris_core.abc import StorageOptions
    from polaris_sqlite.layout import Layout

__all__ = ["DatabaseFile"]

_OLDEST = (3, 37)  # the first with STRICT tables
_BESIDE = ("-wal", "-shm", "-journal")
_LOG_BYTES = 16 << 20  # what is kept of the log file after a commit that was larger
_SETTINGS = (
    "wal_autocheckpoint = 0",
    "synchronous = FULL",
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "cache_size = -16384",  # KiB
    f"journal_size_limit = {_LOG_BYTES:d}",
)


@attrs.frozen
class DatabaseFile:
    """A file by its path, free of symbolic links, and what errors call it."""

    path: str
    location: str
    layout: Layout
    options: StorageOptions
    network: bool = False

    @property
    def may_be_made(self) -> bool:
        """Whether a new one is made where there is none."""
        return self.options.create and not self.options.read_only

    def check(self) -> None:
        """Raise unless the file can be opened or made; the directories above one to be made are made."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise StoreUnavailableError(
                f"this Python has SQLite {sqlite3.sqlite_version}, and {'.'.join(map(str, _OLDEST))} is needed",
                location=self.location,
            )
        path = Path(self.path)
        self._check_name(path)
        if path.exists():
            if not path.is_file():
                raise StoreUnavailableError(f"{self.location} is not a file", location=self.location)
            if not os.access(path, os.R_OK):
                raise StoreUnavailableError(f"{self.location} may not be read by this user", location=self.location)
        elif not self.may_be_made:
            raise StoreNotFoundError(f"there is no {self.location}, and none was to be made", location=self.location)
        else:
            _make_directory(path.parent)
        if not self.network:
            check_local(self.path, self.location)

    def _check_name(self, path: Path) -> None:
        """Raise if SQLite keeps this beside a database: an empty log would pass for an empty file, and become a store."""
        for suffix in _BESIDE:
            name = path.name.removesuffix(suffix)
            if name not in ("", path.name) and (database := path.with_name(name)).is_file():
                raise StoreUnavailableError(
                    f"{self.location} is what SQLite keeps beside {database}: open {database} instead",
                    location=self.location,
                )

    def check_writable(self) -> None:
        """Raise `StoreReadOnlyError` if the file is there and may not be written, before SQLite makes anything beside it.

        What SQLite made beside it while it could only be read can only be read too, and would go on to stand in the way.
        """
        path = Path(self.path)
        if self.options.read_only or not path.exists():
            return
        if not os.access(path, os.W_OK):
            raise StoreReadOnlyError(
                f"{self.location} may only be read: make {path} writable, or open it with mode=ro",
                location=self.location,
            )
        for suffix in _BESIDE:
            beside = Path(f"{path}{suffix}")
            if beside.exists() and not os.access(beside, os.W_OK):
                with suppress(PermissionError):  # then it is somebody else's, and SQLite says what it cannot do
                    beside.chmod(path.stat().st_mode & 0o777)

    def connect(self, *, write: bool) -> sqlite3.Connection:
        """Return a connection, set up; without `write` it can change nothing of the file."""
        mode = "ro" if not write else "rwc" if self.may_be_made else "rw"
        if mode == "ro" and os.statvfs(self.path).f_flag & os.ST_RDONLY and not Path(f"{self.path}-wal").exists():
            mode = "ro&immutable=1"  # WAL mode needs a file beside the database, even to read, unless nobody can write
        database = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=self.options.busy_seconds,
            cached_statements=256,
        )
        try:
            for setting in _SETTINGS:
                database.execute(f"PRAGMA {setting}").fetchall()
            database.execute(
                "PRAGMA user_version"
            ).fetchall()  # a file that is missing beside it is missed here at last
        except BaseException as error:
            database.close()
            if isinstance(error, sqlite3.OperationalError) and self._lacks_room_beside(error):
                raise unwritable(self.location, error) from error
            raise
        return database

    def _lacks_room_beside(self, error: sqlite3.OperationalError) -> bool:
        """Return whether SQLite can read the file, and can neither find nor make those that it needs beside it."""
        readable, room = os.access(self.path, os.R_OK), os.access(Path(self.path).parent, os.W_OK)
        return code_of(error) == sqlite3.SQLITE_CANTOPEN and readable and not room

    def prepare(self, database: sqlite3.Connection, fill: Callable[[sqlite3.Connection], None]) -> None:
        """Check what the file is and bring an older one forward, or make a new one, whose first rows `fill` writes."""
        blank = self.layout.is_blank(database)
        if blank and not self.may_be_made:
            raise StoreNotFoundError(f"{self.location} is an empty file", location=self.location)
        if self.options.read_only:
            self.layout.check(database, self.location)
            return
        version = 0 if blank else self.layout.version_of(database, self.location)
        self._use_log(database)
        if not blank:
            self._write_log_again(database)
        if version < self.layout.version:
            database.execute("BEGIN IMMEDIATE")
            self.layout.bring_forward(database)
            if blank:
                fill(database)
            database.execute("COMMIT")
            self.sync_names(new=blank)

    def _write_log_again(self, database: sqlite3.Connection) -> None:
        """Make certain that what is taken from the log is on the disk, before anything is added to it.

        Whoever wrote it may have been told that a sync failed. The system says that once, keeps what it lost in memory as
        if it had been written, and every sync after that succeeds.
        """
        database.execute("BEGIN IMMEDIATE")  # nobody else writes to the log meanwhile
        try:
            log = os.open(f"{self.path}-wal", os.O_RDWR | os.O_CLOEXEC)
            try:
                place = 0
                while part := os.pread(log, 1 << 20, place):
                    place += os.pwrite(log, part, place)
                if place:
                    os.fdatasync(log)
            finally:
                os.close(log)
        finally:
            database.execute("ROLLBACK")

    def sync_names(self, *, new: bool = False) -> None:
        """Make certain that the names of the file and its log are on the disk; SQLite tries, and says nothing if it fails.

        For a new file those of all directories above it too, whoever made them, as far as they may be read.
        """
        directory = Path(self.path).parent
        _sync_directory(directory)
        for above in directory.parents if new else ():
            with suppress(PermissionError):
                _sync_directory(above)

    def _use_log(self, database: sqlite3.Connection) -> None:
        (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreUnavailableError(
                f"{self.location} is on a file system where SQLite cannot share memory between processes",
                location=self.location,
            )


def _make_directory(directory: Path) -> None:
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(exist_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
