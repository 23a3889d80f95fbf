"""`sqlite:///file`: a graph in one SQLite database."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, TypeVar

import attrs

from polaris_core import InvalidLocationError, StoreFormatError
from polaris_core.abc import (
    BlockingSession,
    BlockingStorage,
    Head,
    Index,
    Location,
    Program,
    Progress,
    StorageOptions,
    VerifyReport,
    allows_network,
    run_program,
)
from polaris_sqlite import attribute_indexes, power, schema, searching
from polaris_sqlite.copying import backup, restore
from polaris_sqlite.database import Database
from polaris_sqlite.locating import path_of
from polaris_sqlite.session import NOTHING_KNOWN, Known, Searching, SqliteSession
from polaris_sqlite.staging import SqliteStage
from polaris_sqlite.verification import verify

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["SqliteStorage"]

T = TypeVar("T")

_READERS = 2  # so that a long scan does not keep a short read waiting


class SqliteStorage(BlockingStorage):
    """A graph in one SQLite database, for any number of callers, threads and processes of one machine.

    A commit is one hop to the thread of the one connection that writes, a read one to that of a connection that reads.
    Raises `InvalidLocationError` for a location that is not a file or has options other than `network=allow`.
    """

    capabilities: frozenset[str] = frozenset({"backup", "indexes", "load", "query", "search", "verify"})

    def __init__(self, location: Location, options: StorageOptions) -> None:
        path = path_of(location)
        _check_graph(location)
        if location.mode == "ro":
            options = attrs.evolve(options, read_only=True)
        self._options = options
        self._file = _GraphFile(
            path,
            schema.GRAPH,
            options=options,
            location=str(location),
            readers=_READERS,
            network=allows_network(location),
        )
        self._stages = count(1)
        self._known: tuple[int | None, Known] = None, NOTHING_KNOWN  # by the stamp of the state that it is about

    def __repr__(self) -> str:
        return f"SqliteStorage({self._file.location!r})"

    async def open(self) -> Head:
        """Open the file, make it where there is none and it may be made, and return where the graph stands."""
        return await self._file.open(self._begin, partial(schema.fill, head=self._options.new_head()))

    def _begin(self, database: sqlite3.Connection) -> Head:
        if not searching.has_fts(database):
            self.capabilities = self.capabilities - {"search"}
        try:
            head = schema.read_head(database)
        except StoreFormatError as error:
            raise StoreFormatError(f"{self._file.location}: {error}", location=self._file.location) from error
        if self._options.read_only:
            return head
        self._file.boot = power.boot()
        power.renew_after_loss(database, self._file.boot, self._options.unique)
        return schema.read_head(database)

    async def close(self) -> None:
        """Copy what the log holds into the database and close it."""
        await self._file.close()

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        """Return a context whose session sees one committed state; with `write` nobody else commits meanwhile."""
        if not write:
            with self._file.reading() as database:
                yield SqliteSession(database, self._searching(write=False))
            return
        with self._file.writing() as database:
            stamp, known = self._known
            if stamp is None or stamp != self._file.stamp():
                known = NOTHING_KNOWN
            session = SqliteSession(database, self._searching(write=True), known)
            yield session
        self._known = self._file.left_at, session.known()

    def _searching(self, *, write: bool) -> Searching:
        if "search" not in self.capabilities:
            return "scan"
        if self._options.read_only:
            return "index"
        return "now" if write else "later"

    async def read(self, program: Program[T]) -> T:
        """Run a program on one committed state, in one hop; more where it searches and the index of words is behind."""
        try:
            return await super().read(program)
        except searching.SearchBehind:
            while not await self._file.transact(_advance, write=True):
                pass

        def work() -> T:
            with self.session(write=True) as session:
                return run_program(program, session)

        return await self.run(work, write=True)

    async def run(self, function: Callable[[], T], *, write: bool) -> T:
        """Run a function on the thread of a connection, in one hop."""
        return await self._file.run(function, write=write)

    async def stage(self) -> SqliteStage:
        """Return a place where the records of a bulk load wait."""
        return await SqliteStage(self._file, f"load_{next(self._stages)}").begin()

    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        """Copy one committed state to a file where nothing is, while others read and write; the copy is a store too."""
        return await backup(self._file, target, progress)

    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        """Replace everything by what a backup holds, in one commit; a backup with damage in it is refused."""
        return await restore(self._file, source, progress)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Look for damage in everything that is stored, a part at a time, beside whoever reads and writes."""
        return await verify(self._file, progress)

    async def create_index(self, index: Index) -> bool:
        """Make an index of what is stored and of what will be, in one transaction; return whether it is new."""
        return await self._file.transact(partial(attribute_indexes.create, index=index), write=True)

    async def drop_index(self, index: Index) -> bool:
        """Delete an index; return whether it was there."""
        return await self._file.transact(partial(attribute_indexes.drop, index=index), write=True)

    async def indexes(self) -> list[Index]:
        """Return the indexes in the order in which they were made."""
        return await self._file.transact(attribute_indexes.listed, write=False)

    def stamp(self) -> int | None:
        """Return a number that every commit by any process changes."""
        return self._file.stamp()


class _GraphFile(Database):
    """The database of a graph, which keeps account of commits that a power loss could take."""

    boot = ""

    def may_have_lost(self, database: sqlite3.Connection) -> bool:
        return power.may_have_lost(database, power.boot())

    def before_write(self, database: sqlite3.Connection) -> None:
        if self.options.durability == "process":
            power.mark(database, self.boot)

    def after_last_checkpoint(self, database: sqlite3.Connection) -> None:
        power.clear(database)


def _advance(database: sqlite3.Connection) -> bool:
    return searching.advance(database, SqliteSession(database))


def _check_graph(location: Location) -> None:
    if location.graph not in (None, "default"):
        raise InvalidLocationError(
            f"a SQLite file holds one graph, called default, and none called {location.graph!r}", location=str(location)
        )
