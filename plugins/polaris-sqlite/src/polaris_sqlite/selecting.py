"""Queries answered in SQL: the capability `query` of a session."""

from __future__ import annotations

from functools import partial
from heapq import nlargest, nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from polaris_core import And, StorageError
from polaris_core.abc import (
    EdgeRecord,
    Facts,
    NodeRecord,
    Position,
    Selected,
    beyond,
    conjuncts,
    interpret,
    interpret_count,
    key_reader,
    needs_ends,
    predicate,
    run_program,
    too_many,
)
from polaris_sqlite.conditions import Parameters, condition
from polaris_sqlite.integrity import fetch_as, read
from polaris_sqlite.walks import Walk, Walks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from polaris_core.abc import Order, OrderKey, Query
    from polaris_sqlite.session import SqliteSession

__all__ = ["count", "degree", "select", "types"]

_COLUMNS = {
    "node": "r.id, r.name, r.type, r.revision, r.body, r.checksum",
    "edge": "r.id, r.source, r.type, r.target, r.revision, r.body, r.checksum",
}
_RECORD: dict[str, type[Any]] = {"node": NodeRecord, "edge": EdgeRecord}
_MOST_ROWS = 2_000
_ENDS = {"out": "source", "in": "target"}


def select(session: SqliteSession, database: sqlite3.Connection, query: Query) -> Selected:
    """Answer a query as the core does."""
    try:
        return _Selection(session, database, query).select()
    except StorageError as error:
        if not _is_malformed(error):
            raise
        return run_program(partial(interpret, query=query), session)  # which says what is damaged, if it gets there


def count(session: SqliteSession, database: sqlite3.Connection, query: Query) -> int:
    """Count what a filter admits as the core does."""
    try:
        return _Selection(session, database, query).count()
    except StorageError as error:
        if not _is_malformed(error):
            raise
        return run_program(partial(interpret_count, query=query), session)


def _is_malformed(error: StorageError) -> bool:
    """Return whether SQLite stumbled over a body that is no JSON."""
    return "malformed JSON" in str(error.__cause__)


def types(database: sqlite3.Connection, kind: str) -> list[tuple[str, int]]:
    """Return each type and how many have it."""
    table = "nodes" if kind == "node" else "edges"
    return read(database, f"SELECT type, count(*) FROM {table} GROUP BY type ORDER BY type")  # noqa: S608


def degree(database: sqlite3.Connection, id: int, direction: str, types: Sequence[str] | None) -> int:
    """Return how many links a node has; one to itself counts once."""
    among = "" if types is None else " AND type IN (SELECT value FROM json_each(:types))"
    terms = []
    for way, end in _ENDS.items():
        if direction in (way, "both"):
            repeated = " AND source <> :id" if direction == "both" and end == "target" else ""
            terms.append(f"(SELECT count(*) FROM edges WHERE {end} = :id{repeated}{among})")  # noqa: S608 - words from here
    wanted = {"id": id, "types": None if types is None else orjson.dumps(types).decode()}
    ((found,),) = read(database, f"SELECT {' + '.join(terms)}", wanted)
    return int(found)


class _Rest(NamedTuple):
    """What of a filter is left to ask of each record that a way leads past: in SQL, and whether that says it all."""

    sql: str
    exact: bool


_NOTHING_LEFT = _Rest("1", exact=True)


class _Selection:
    """One query on its way through the tables."""

    def __init__(self, session: SqliteSession, database: sqlite3.Connection, query: Query) -> None:
        self._session = session
        self._database = database
        self._query = query
        self._parameters = Parameters()
        self._walks = Walks(database, query, self._parameters, session.indexes()[query.kind])
        self._ends = query.kind == "edge" and needs_ends(
            query.filter, *(() if query.order is None else (query.order.field,))
        )

    def select(self) -> Selected:
        order = self._query.order
        if order is None:
            return self._page(self._walks.by_id(), None)
        walk = self._walks.by_key()
        return self._sorted(order) if walk is None else self._page(walk, order)

    def count(self) -> int:
        walk = self._walks.by_id()
        rest = self._rest(walk)
        if rest == _NOTHING_LEFT:
            tables, where = walk.counted or walk.tables, walk.where
        else:
            self._check_size(walk, "to count")
            if not rest.exact:
                return sum(1 for _ in self._admitted(walk, rest))
            tables, where = walk.tables, (*walk.where, rest.sql)
        statement = f"SELECT count(*) FROM {tables}{_where(where)}"  # noqa: S608
        ((found,),) = read(self._database, statement, self._parameters)
        return int(found)

    # --- pages in the order of a way ------------------------------------------------------------------------------

    def _page(self, walk: Walk, order: Order | None) -> Selected:
        query, rest = self._query, self._rest(walk)
        descending = order is not None and order.descending
        read = None if order is None else key_reader(order.field)

        def position(record: Any) -> Position:
            return Position(record.id, None if read is None else read(Facts(record)))

        after = query.after
        stop = None if rest == _NOTHING_LEFT else self._stop(walk, after, descending)
        found, rows = list[Any](), query.limit
        while True:
            records = self._rows(walk, rest, after, stop, rows, descending)
            found += islice(self._held(records, rest), query.limit - len(found))
            if len(found) == query.limit:
                return Selected(found, position(found[-1]))
            if len(records) < rows:
                return Selected(found, self._at(stop, order))
            after, rows = position(records[-1]), min(4 * rows, max(_MOST_ROWS, rows))

    def _rows(
        self,
        walk: Walk,
        rest: _Rest,
        after: Position | None,
        stop: tuple[Any, ...] | None,
        limit: int,
        descending: bool = False,
    ) -> list[Any]:
        parameters = Parameters(self._parameters)
        where = [*walk.where, *([] if rest.sql == "1" else [rest.sql])]
        if after is not None:
            where = [_aside(test, walk, "<" if descending else ">") for test in where]
            where.append(_compared(walk, "<" if descending else ">", walk.values(after), parameters))
        if stop is not None:
            where.append(_compared(walk, ">=" if descending else "<=", stop, parameters))
        statement = f"SELECT {_COLUMNS[self._query.kind]} FROM {walk.tables}{_where(where)}{_ordered(walk, descending)}"  # noqa: S608
        kind = self._query.kind
        return fetch_as(_RECORD[kind], self._database, kind, f"{statement} LIMIT {limit:d}", parameters)

    def _stop(self, walk: Walk, after: Position | None, descending: bool) -> tuple[Any, ...] | None:
        """Return the columns of the last record that may be looked at; None where all may be."""
        if self._session.head().next_id - 1 <= self._query.scan:
            return None
        parameters = Parameters(self._parameters)
        where = [*walk.where]
        if after is not None:
            where = [_aside(test, walk, "<" if descending else ">") for test in where]
            where.append(_compared(walk, "<" if descending else ">", walk.values(after), parameters))
        tables = walk.tables if any(column.startswith("r.") for column in walk.columns) else walk.counted
        statement = f"SELECT {', '.join(walk.columns)} FROM {tables}{_where(where)}{_ordered(walk, descending)}"  # noqa: S608
        rows = read(self._database, f"{statement} LIMIT 1 OFFSET {self._query.scan - 1:d}", parameters)
        return rows[0] if rows else None

    def _at(self, stop: tuple[Any, ...] | None, order: Order | None) -> Position | None:
        if stop is None:
            return None
        (record,) = self._session.nodes((stop[-1],)) if self._query.kind == "node" else self._session.edges((stop[-1],))
        return Position(stop[-1], None if order is None else key_reader(order.field)(Facts(record)))  # type: ignore[arg-type]

    # --- orders that no way has -----------------------------------------------------------------------------------

    def _sorted(self, order: Order) -> Selected:
        walk = self._walks.by_id()
        self._check_size(walk, f"to order by {order.field}")
        key, query = key_reader(order.field), self._query
        take = nlargest if order.descending else nsmallest
        found = ((key(facts), facts.record.id, facts.record) for facts in self._facts_of_all(walk))
        best: list[tuple[OrderKey, int, Any]] = take(
            query.limit, (row for row in found if beyond(query.after, order, row[0], row[1]))
        )
        rest = Position(best[-1][1], best[-1][0]) if len(best) == query.limit else None
        return Selected([record for _, _, record in best], rest)

    def _facts_of_all(self, walk: Walk) -> Iterator[Facts]:
        for record in self._admitted(walk, self._rest(walk)):
            yield from self._facts((record,))

    def _admitted(self, walk: Walk, rest: _Rest) -> Iterator[Any]:
        """Yield all records that a way leads past and the filter admits, in the order of their ids."""
        walk, after = walk._replace(columns=(walk.columns[-1],)), None
        while records := self._rows(walk, rest, after, None, _MOST_ROWS):
            yield from self._held(records, rest)
            after = Position(records[-1].id)

    def _check_size(self, walk: Walk, purpose: str) -> None:
        scan = self._query.scan
        if self._session.head().next_id - 1 > scan and self._walks.count(walk, scan + 1) > scan:
            raise too_many(self._query, purpose)

    # --- the filter -----------------------------------------------------------------------------------------------

    def _rest(self, walk: Walk) -> _Rest:
        left = tuple(one for one in conjuncts(self._query.filter) if not any(one is said for said in walk.said))
        return _Rest(*condition(And(left), self._parameters)) if left else _NOTHING_LEFT

    def _held(self, records: Sequence[Any], rest: _Rest) -> Iterator[Any]:
        if rest.exact:
            return iter(records)
        holds = predicate(self._query.filter)
        return (facts.record for facts in self._facts(records) if holds(facts))

    def _facts(self, records: Sequence[Any]) -> list[Facts]:
        if not self._ends:
            return list(map(Facts, records))
        ids = sorted({end for record in records for end in (record.source, record.target)})
        names = {record.id: record.name for record in self._session.nodes(ids) if record}
        return [Facts(record, names[record.source], names[record.target]) for record in records]


def _where(tests: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(tests)}" if tests else ""


def _ordered(walk: Walk, descending: bool) -> str:
    return " ORDER BY " + ", ".join(f"{column} DESC" if descending else column for column in walk.columns)


def _aside(test: str, walk: Walk, sign: str) -> str:
    """Keep SQLite from seeking a bound that lies behind the position: the plus hides it from the planner."""
    return f"+{test}" if test.startswith(f"{walk.columns[0]} {sign}") else test


def _compared(walk: Walk, sign: str, values: Sequence[Any], parameters: Parameters) -> str:
    names = [parameters.add(value) for value in values]
    if len(names) == 1:
        return f"{walk.columns[0]} {sign} {names[0]}"
    return f"({', '.join(walk.columns)}) {sign} ({', '.join(names)})"
