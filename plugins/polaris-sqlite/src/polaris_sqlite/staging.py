"""Where the records of a bulk load wait: temporary tables of the connection that writes.

They are in a file of SQLite's own that has no name, so the death of the process leaves nothing behind. Adding to them locks
nothing that another process could want. The commit moves the rows into the graph inside SQLite, statement by statement,
with checksums that were reckoned for the ids and the revision that an unchanged graph gives them; if it changed meanwhile,
they are reckoned again.
"""

from __future__ import annotations

from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from polaris_core import ProgramError
from polaris_core.abc import LoadPlan, StagedEdge, StagedNode, run_program
from polaris_sqlite import attribute_indexes, schema
from polaris_sqlite.integrity import checksum, sealed
from polaris_sqlite.session import SqliteSession

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Sequence

    from polaris_core.abc import Session, StagedRecords
    from polaris_sqlite.database import Database

__all__ = ["SqliteStage"]

Row = TypeVar("Row", StagedNode, StagedEdge)

# Rows as they will be stored, unless the graph changes meanwhile: then they move on by so many ids.
_NODES = "id INTEGER PRIMARY KEY, name TEXT, type TEXT, revision INTEGER, body TEXT, checksum INTEGER"
_EDGES = (
    "id INTEGER PRIMARY KEY, source INTEGER, type TEXT, target INTEGER, revision INTEGER, body TEXT, checksum INTEGER"
)
_MOVED_NODE = "id + :by, name, type, :revision, body"
_MOVED_EDGE = "id + :by, source + :by, type, target + :by, :revision, body"


class SqliteStage:
    """A `Stage` over the temporary tables of this name."""

    base: int

    def __init__(self, file: Database, name: str) -> None:
        self._file = file
        self.node_rows = f"temp.{name}_nodes"
        self.edge_rows = f"temp.{name}_edges"
        self.base = 0
        self._revision = 0

    async def begin(self) -> SqliteStage:
        """Make the tables, and look where the graph stands now."""
        await self._file.prepare(self._begin)
        return self

    def _begin(self, database: sqlite3.Connection) -> None:
        if not _in_use(database):
            database.execute("PRAGMA temp_store = FILE")  # what waits may be more than the memory holds
        database.create_function("polaris_checksum", -1, lambda *columns: checksum(columns), deterministic=True)
        database.execute(f"CREATE TABLE {self.node_rows} ({_NODES})")
        database.execute(f"CREATE TABLE {self.edge_rows} ({_EDGES})")
        head = schema.read_head(database)
        self.base = head.next_id
        self._revision = head.seq + 1

    async def put(self, nodes: Sequence[StagedNode], edges: Sequence[StagedEdge]) -> None:
        """Add records, or replace those of the same numbers."""
        await self._file.prepare(partial(self._put, nodes, edges))

    def _put(self, nodes: Sequence[StagedNode], edges: Sequence[StagedEdge], database: sqlite3.Connection) -> None:
        base, revision = self.base, self._revision
        node_rows = [(base + number, name, type_, revision, body) for number, name, type_, body in nodes]
        edge_rows = [
            (base + number, base + source, type_, base + target, revision, body)
            for number, source, type_, target, body in edges
        ]
        database.execute("BEGIN")
        database.executemany(f"INSERT OR REPLACE INTO {self.node_rows} VALUES (?, ?, ?, ?, ?, ?)", sealed(node_rows))  # noqa: S608
        database.executemany(f"INSERT OR REPLACE INTO {self.edge_rows} VALUES (?, ?, ?, ?, ?, ?, ?)", sealed(edge_rows))  # noqa: S608
        database.execute("COMMIT")

    async def nodes(self, numbers: Sequence[int]) -> Sequence[StagedNode | None]:
        """Return staged nodes."""
        return await self._file.prepare(lambda database: _Rows(self, database).read_nodes(numbers))

    async def edges(self, numbers: Sequence[int]) -> Sequence[StagedEdge | None]:
        """Return staged edges."""
        return await self._file.prepare(lambda database: _Rows(self, database).read_edges(numbers))

    async def commit(self, program: Callable[[Session, StagedRecords], Awaitable[LoadPlan]]) -> LoadPlan:
        """Run a program and store what it returns together with the staged records, in one hop and one transaction."""
        return await self._file.transact(partial(self._commit, program), write=True)

    def _commit(
        self, program: Callable[[Session, StagedRecords], Awaitable[LoadPlan]], database: sqlite3.Connection
    ) -> LoadPlan:
        session, rows = SqliteSession(database), _Rows(self, database)
        load = run_program(lambda asked: program(asked, rows), session)
        if load.plan.writes:
            if load.plan.expected != session.head():
                raise ProgramError("a plan is stored into the state it was made from, or not at all")
            self._move(database, load)
            attribute_indexes.enter_from(database, load.base)
            session.store(load.plan)
        return load

    def _move(self, database: sqlite3.Connection, load: LoadPlan) -> None:
        by = load.base - self.base
        as_expected = by == 0 and load.revision == self._revision
        left_out = orjson.dumps([self.base + number for number in load.left_out]).decode()
        parameters = {"by": by, "revision": load.revision, "left_out": left_out}
        kept = " WHERE id NOT IN (SELECT value FROM json_each(:left_out))" if load.left_out else ""
        for table, staged, moved in (("nodes", self.node_rows, _MOVED_NODE), ("edges", self.edge_rows, _MOVED_EDGE)):
            columns = "*" if as_expected else f"{moved}, polaris_checksum({moved})"
            database.execute(f"INSERT INTO {table} SELECT {columns} FROM {staged}{kept}", parameters)  # noqa: S608

    async def discard(self) -> None:
        """Drop the tables."""
        await self._file.prepare(self._discard)

    def _discard(self, database: sqlite3.Connection) -> None:
        database.execute(f"DROP TABLE IF EXISTS {self.node_rows}")
        database.execute(f"DROP TABLE IF EXISTS {self.edge_rows}")
        if not _in_use(database):
            database.execute("PRAGMA temp_store = MEMORY")  # which gives the file's room back


class _Rows:
    """The staged records as a program inside the transaction reads them."""

    def __init__(self, stage: SqliteStage, database: sqlite3.Connection) -> None:
        self._stage = stage
        self._database = database

    async def nodes(self, numbers: Sequence[int]) -> Sequence[StagedNode | None]:
        return self.read_nodes(numbers)

    async def edges(self, numbers: Sequence[int]) -> Sequence[StagedEdge | None]:
        return self.read_edges(numbers)

    def read_nodes(self, numbers: Sequence[int]) -> list[StagedNode | None]:
        return self._read(f"SELECT id - ?, name, type, body FROM {self._stage.node_rows}", 1, numbers, StagedNode._make)  # noqa: S608

    def read_edges(self, numbers: Sequence[int]) -> list[StagedEdge | None]:
        columns = "id - ?, source - ?, type, target - ?, body"
        return self._read(f"SELECT {columns} FROM {self._stage.edge_rows}", 3, numbers, StagedEdge._make)  # noqa: S608

    def _read(self, select: str, columns: int, numbers: Sequence[int], make: Callable[[Any], Row]) -> list[Row | None]:
        base: int = self._stage.base
        wanted = orjson.dumps([base + number for number in numbers]).decode()
        statement = f"{select} WHERE id IN (SELECT value FROM json_each(?))"  # noqa: S608
        rows = self._database.execute(statement, (*repeat(base, columns), wanted)).fetchall()
        found = {row[0]: make(row) for row in rows}
        return [found.get(number) for number in numbers]


def _in_use(database: sqlite3.Connection) -> bool:
    """Return whether the connection has any temporary tables."""
    (tables,) = database.execute("SELECT count(*) FROM sqlite_temp_schema").fetchone()
    return bool(tables)
