"""A database file in WAL mode that many callers, threads and processes share: one writer a process, readers beside it.

SQLite before 3.51.3 can corrupt a database when one connection commits at the moment another one copies the log back.
So whatever commits, copies back or opens holds one file lock, `<database>.lock`; nothing is ever copied back on the
side; and readers have connections that cannot write.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from polaris_core import (
    OutcomeUnknownError,
    StorageError,
    StoreClosedError,
    StoreDamagedError,
    StoreFormatError,
    StoreReadOnlyError,
)
from polaris_core.abc import FileLock, StorageOptions
from polaris_sqlite.connection import Connection
from polaris_sqlite.database_file import DatabaseFile
from polaris_sqlite.failures import code_of, failures_of, of_sqlite, unwritable
from polaris_sqlite.lost_frames import has_lost_frames, remember, remind
from polaris_sqlite.wal_index import WalIndex, release_unlinked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from polaris_sqlite.layout import Layout

__all__ = ["Database"]

T = TypeVar("T")

CHECKPOINT_PAGES = 1_000
"""How many pages of the log wait before they are copied back; a longer log makes every commit slower."""
_PAGES_AT_ONCE = 1_000
_RESTART_PAGES = 4 * CHECKPOINT_PAGES
_RESTART_MILLISECONDS = 100


class Database:
    """One database file, open in this process.

    `path` may be relative or a symbolic link. `location` is what errors call it. Of `options`, `create`, `read_only`,
    `durability` and `busy_seconds` count. `readers` is how many reads may be under way at one time, each on a thread of
    its own. With `network` the file may be on a network file system.
    """

    def __init__(
        self,
        path: str,
        layout: Layout,
        *,
        options: StorageOptions,
        location: str = "",
        readers: int = 1,
        network: bool = False,
    ) -> None:
        self.location = location or path
        self.options = options
        self.layout = layout
        self._file = DatabaseFile(os.path.realpath(path), self.location, layout, options, network=network)
        self._readers_wanted = readers
        self._lock = FileLock(f"{self._file.path}.lock", seconds=options.busy_seconds, location=self.location)
        self._writer: Connection | None = None
        self._readers: list[Connection] = []
        self._reading: list[int] = []
        self._index: WalIndex | None = None
        self._here = threading.local()
        self._doubtful = False  # a commit failed in a way that a crash could still turn into success
        self._named = False  # whether this process knows the names of the file and its log to be on the disk
        self._checkpoint_due = False
        self._may_read = threading.Event()
        self._may_read.set()
        self._checked_at: int | None = None  # the stamp of a state that is known to be of this version
        self.left_at: int | None = None
        """The stamp that the last commit of this process left: what was known of it then still holds while it is the stamp."""

    @property
    def path(self) -> str:
        """The file's own path, free of symbolic links."""
        return self._file.path

    # --- opening --------------------------------------------------------------------------------------------------

    async def open(self, begin: Callable[[sqlite3.Connection], T], fill: Callable[[sqlite3.Connection], None]) -> T:
        """Open the file, recover what a crash left, and return what `begin` does in the first transaction.

        A file that does not exist is made, if it may be, and `fill` puts its first rows into the new tables in the same
        transaction. Raises `StoreNotFoundError`, `StoreFormatError`, `StoreBusyError`, `StoreReadOnlyError` or another
        `StoreUnavailableError`.
        """
        begun: list[T] = []
        first = Connection(lambda: self._open_first(begin, fill, begun), name="polaris-sqlite")
        opened: list[Connection] = []
        try:
            opened.append(await first)
            while len(opened) < self._readers_wanted + (not self.options.read_only):
                opened.append(await Connection(self._open_reader, name="polaris-sqlite-reader"))
        except BaseException:
            if self._index is not None:
                self._index.close()
            for connection in reversed(opened):
                connection.stop()
            raise
        if not self.options.read_only:
            self._writer = opened.pop(0)
        self._readers = opened
        self._reading = [0] * len(opened)
        return begun[0]

    def _open_first(
        self, begin: Callable[[sqlite3.Connection], T], fill: Callable[[sqlite3.Connection], None], begun: list[T]
    ) -> sqlite3.Connection:
        try:
            return self._open_alone(begin, fill, begun)
        except BaseException:
            self._lock.rest()  # here, on the thread that held it
            raise

    def _open_alone(
        self, begin: Callable[[sqlite3.Connection], T], fill: Callable[[sqlite3.Connection], None], begun: list[T]
    ) -> sqlite3.Connection:
        with failures_of(self.location):
            self._file.check()
            with self._exclusive():
                self._file.check_writable()
                self._check_log()
                database = self._file.connect(write=not self.options.read_only)
                try:
                    self._file.prepare(database, fill)
                    database.execute("BEGIN" if self.options.read_only else "BEGIN IMMEDIATE")
                    begun.append(begin(database))
                    database.execute("COMMIT")
                    self._set_durability(database)
                    self._index = WalIndex(self._file.path)
                    if self._index.stamp() is None and not self.options.read_only:
                        # Nothing tells how long the log is, so SQLite minds it, in the commits and under their lock.
                        database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES:d}")
                except BaseException:
                    database.close()
                    raise
                return database

    def _check_log(self) -> None:
        """Raise `StoreDamagedError` if commits are gone from the log that a crash left, and leave it as it is."""
        path = self._file.path
        log = Path(f"{path}-wal")
        if not Path(path).exists() or not log.exists() or not log.stat().st_size:
            return
        before = remember(path)
        reader = self._file.connect(write=False)  # one that cannot write never copies a log back or deletes it
        try:
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            now = remember(path)
            if not has_lost_frames(path, before, now.frames if now else 0):
                return
            with suppress(sqlite3.Error):  # what would tell is lost too
                if self.may_have_lost(reader):
                    return
        finally:
            reader.close()
        if before is not None:
            remind(path, before)
        raise StoreDamagedError(
            f"{log} is damaged: commits that were acknowledged cannot be read from it; restore a backup, or copy what"
            " can still be read into a new store with polaris-kg repair --salvage",
            location=self.location,
            where=str(log),
        )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        try:
            self._lock.acquire()
        except OSError as error:
            if not self.options.read_only:
                if isinstance(error, PermissionError) or error.errno == errno.EROFS:
                    raise unwritable(self.location, f"{error.strerror}: {error.filename}") from error
                raise
            yield  # on a medium that cannot be written to, so nobody else of us writes either
            return
        try:
            yield
        finally:
            self._lock.release()

    def _open_reader(self) -> sqlite3.Connection:
        with failures_of(self.location):
            return self._file.connect(write=False)

    # --- closing --------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Finish what is under way, copy the log back and close everything. Closing twice is closing once."""
        await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        readers, self._readers = self._readers, []
        writer, self._writer = self._writer, None
        if self._index is not None:
            self._index.close()
        for reader in readers:
            await reader.close()
        if writer is not None:
            await writer.run(self._finish)
            await writer.close()
        release_unlinked()
        self._lock.close()

    def _finish(self, database: sqlite3.Connection) -> None:
        try:
            with failures_of(self.location), self._lock:
                database.execute(f"PRAGMA busy_timeout = {_RESTART_MILLISECONDS:d}").fetchall()
                busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    self.after_last_checkpoint(database)
        except StorageError:  # another process has the store; the log stays and loses nothing
            return

    # --- what a kind of file may add ------------------------------------------------------------------------------

    def may_have_lost(self, database: sqlite3.Connection) -> bool:  # noqa: ARG002 - the base keeps no account
        """Return whether acknowledged commits may be missing without anything being damaged."""
        return True

    def before_write(self, database: sqlite3.Connection) -> None:
        """Do what must happen before every transaction that writes, under the lock."""

    def after_last_checkpoint(self, database: sqlite3.Connection) -> None:
        """Do what must happen when everything is in the database file and this process is about to close it."""

    # --- working --------------------------------------------------------------------------------------------------

    async def run(self, function: Callable[[], T], *, write: bool) -> T:
        """Call a function on the writer's thread or a reader's, in one hop; inside, `reading` and `writing` work.

        A caller who is cancelled meanwhile gets `CancelledError`, and the function is run to its end all the same.
        """
        if write:
            return await self._for_writing().run(partial(self._call, function))
        if not self._readers:
            raise StoreClosedError(f"{self.location} is not open")
        place = min(range(len(self._readers)), key=self._reading.__getitem__)
        self._reading[place] += 1
        try:
            return await self._readers[place].run(partial(self._call, function))
        finally:
            self._reading[place] -= 1

    async def prepare(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function on the writer's thread, in one hop and no transaction, for what only its connection knows."""
        return await self._for_writing().run(partial(self._prepare, function))

    def _prepare(self, function: Callable[[sqlite3.Connection], T], database: sqlite3.Connection) -> T:
        with failures_of(self.location):
            try:
                return function(database)
            finally:
                _undo(database)

    async def transact(self, function: Callable[[sqlite3.Connection], T], *, write: bool) -> T:
        """Call a function inside a transaction, in one hop; with `write` it is durable when this returns."""
        return await self.run(partial(self._transact, function, write), write=write)

    def _transact(self, function: Callable[[sqlite3.Connection], T], write: bool) -> T:
        with self.writing() if write else self.reading() as database:
            return function(database)

    def _for_writing(self) -> Connection:
        if self.options.read_only:
            raise StoreReadOnlyError(f"{self.location} was opened for reading only", location=self.location)
        if self._writer is None:
            raise StoreClosedError(f"{self.location} is not open")
        return self._writer

    def _call(self, function: Callable[[], T], database: sqlite3.Connection) -> T:
        self._here.database = database
        return function()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one committed state, inside a function that `run` calls."""
        database: sqlite3.Connection = self._here.database
        with self.snapshot(database):
            before = self.stamp()
            try:
                yield database
            finally:  # versions only grow: if the latest state has this one, so has every earlier one
                now = self.stamp()
                if now is None or now != self._checked_at:
                    self._check_version(database)
                    self._checked_at = now if now == before else None

    @contextmanager
    def snapshot(self, database: sqlite3.Connection) -> Iterator[None]:
        """A transaction that sees one committed state, on a connection that the caller has."""
        if not self._may_read.is_set():
            self._may_read.wait(_RESTART_MILLISECONDS / 1000)
        with failures_of(self.location, of_programs=True):
            database.execute("BEGIN")
            try:
                yield
            finally:
                _undo(database)

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[Connection]:
        """Open one more connection, which reads and keeps nobody waiting, for work that takes long."""
        if not self._readers:
            raise StoreClosedError(f"{self.location} is not open")
        connection = await Connection(self._open_reader, name="polaris-sqlite-aside")
        try:
            yield connection
        except BaseException:
            await connection.interrupt()
            raise
        finally:
            await connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else, in any process, commits beside; durable when it is left without an error.

        Raises `OutcomeUnknownError` when the commit failed and could not be taken back for certain.
        """
        database: sqlite3.Connection = self._here.database
        with failures_of(self.location):
            self._lock.acquire()
        try:
            if not self._named:
                self._sync_names()
            with failures_of(self.location, of_programs=True):
                _undo(database)
                self._settle(database)
                self.before_write(database)
                database.execute("BEGIN IMMEDIATE")
                left_at, self.left_at = self.left_at, None
                try:
                    if left_at is None or left_at != self.stamp():
                        self._check_version(database)
                    yield database
                except BaseException:
                    _undo(database)
                    raise
                self._commit(database, partial(database.execute, "COMMIT"))
                self.left_at = self._checked_at = self.stamp()  # under the lock: nobody else has committed since
        finally:
            self._lock.release()
        self._mind_the_log()

    def replace(
        self,
        source: sqlite3.Connection,
        prepare: Callable[[sqlite3.Connection], T],
        told: Callable[[int, int, int], object],
    ) -> T:
        """Replace everything by what another database holds, in one durable commit, inside a function that `run` calls.

        `prepare` sees the present state, which does not change any more, and may still write to `source`; what it returns is
        returned. `told` is what `sqlite3.Connection.backup` tells; what it raises leaves everything as it was.
        """
        database: sqlite3.Connection = self._here.database
        with failures_of(self.location), self._lock:
            _undo(database)
            self._settle(database)
            if not self._named:
                self._sync_names()
            self._check_version(database)
            result = prepare(database)
            database.execute("PRAGMA synchronous = FULL")
            try:
                self._commit(database, partial(source.backup, database, pages=_PAGES_AT_ONCE, progress=told))
            finally:
                self._set_durability(database)
        self._mind_the_log()
        return result

    def _set_durability(self, database: sqlite3.Connection) -> None:
        if self.options.durability == "process":
            database.execute("PRAGMA synchronous = NORMAL")

    def _check_version(self, database: sqlite3.Connection) -> None:
        if self.layout.has_moved(database):
            raise StoreFormatError(
                f"a newer release has changed {self.location} while it was open here: upgrade this one, and open it again",
                location=self.location,
            )

    def _commit(self, database: sqlite3.Connection, commit: Callable[[], object]) -> None:
        try:
            commit()
        except sqlite3.Error as error:
            _undo(database)
            if code_of(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY):
                raise  # the last frame, the one that commits, was not written
            self._doubtful = True
            try:
                self._settle(database)
            except sqlite3.Error:
                raise OutcomeUnknownError(
                    f"{self.location} failed while it committed: {of_sqlite(error, self.location)}"
                ) from error
            raise

    def _sync_names(self) -> None:
        with failures_of(self.location):
            self._file.sync_names()
        self._named = True

    def _settle(self, database: sqlite3.Connection) -> None:
        """Overwrite what a failed commit left in the log, which a recovery after a crash would take for a commit."""
        if self._doubtful:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version = {version:d}")
            self._doubtful = False

    def stamp(self) -> int | None:
        """Return a number that every commit by any process changes, from any thread; None where there is none."""
        index = self._index
        return None if index is None else index.stamp()

    # --- the log --------------------------------------------------------------------------------------------------

    def _mind_the_log(self) -> None:
        writer, index = self._writer, self._index
        if self._checkpoint_due or index is None or writer is None or index.frames()[1] < CHECKPOINT_PAGES:
            return
        with suppress(StoreClosedError):  # the process exits, and closing copies the log back too
            writer.post(self._checkpoint)  # after the answer; only a commit that comes while it runs waits for it
            self._checkpoint_due = True

    def _checkpoint(self, database: sqlite3.Connection) -> None:
        self._checkpoint_due = False
        try:
            with failures_of(self.location), self._lock:
                database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                if self._index is not None and self._index.frames()[0] >= _RESTART_PAGES:
                    self._restart_log(database)
        except StorageError:  # the log keeps everything; the next commit tries again
            return

    def _restart_log(self, database: sqlite3.Connection) -> None:
        """Let the log begin anew, which it cannot while any reader is in it: those of this process stand back."""
        self._may_read.clear()
        try:
            database.execute(f"PRAGMA busy_timeout = {_RESTART_MILLISECONDS:d}").fetchall()
            database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            database.execute(f"PRAGMA busy_timeout = {int(self.options.busy_seconds * 1000):d}").fetchall()
        finally:
            self._may_read.set()


def _undo(database: sqlite3.Connection) -> None:
    if database.in_transaction:
        database.execute("ROLLBACK")
