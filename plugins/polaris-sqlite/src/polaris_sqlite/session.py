"""One committed state of a graph in SQLite, as the core's programs see it.

Values are parameters only, and every answer is fetched whole: a cursor that is half read would hold the log in place.
"""

from __future__ import annotations

from functools import partial
from heapq import merge
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar

import orjson

from polaris_core.abc import (
    ChangeRecord,
    CommitPlan,
    Direction,
    EdgeRecord,
    EdgeRef,
    Head,
    KeyKind,
    Link,
    MetaRecord,
    NodeRecord,
    NodeRef,
    Query,
    Receipt,
    Selected,
)
from polaris_sqlite import attribute_indexes, schema, searching, selecting
from polaris_sqlite.integrity import fetch_as, read, sealed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from polaris_core.abc import TextHits, TextQuery

__all__ = ["NOTHING_KNOWN", "Known", "Searching", "SqliteSession"]

Searching: TypeAlias = Literal["scan", "index", "later", "now"]
"""What a search does where the index of words is behind, or there is none."""

Row = TypeVar("Row", bound=tuple[Any, ...])

_NODE = "SELECT id, name, type, revision, body, checksum FROM nodes"
_EDGE = "SELECT id, source, type, target, revision, body, checksum FROM edges"
_META = "SELECT key, revision, body, checksum FROM meta"
_CHANGE = 'SELECT seq, "commit", kind, id, source, target, body, checksum FROM changes'
_RECEIPT = "SELECT key, digest, first, last, time, body, checksum FROM receipts"
# CROSS JOIN keeps the order: left to itself SQLite may look through all edges of a target that has millions.
_OF_TRIPLES = """
    SELECT edges.id, source, edges.type, target, revision, body, checksum FROM json_each(?) AS wanted CROSS JOIN edges
    ON source = json_extract(wanted.value, '$[0]') AND edges.type = json_extract(wanted.value, '$[1]')
    AND target = json_extract(wanted.value, '$[2]')
"""
_AMONG = "IN (SELECT value FROM json_each(?))"
_ENDS = {"out": ("source",), "in": ("target",), "both": ("source", "target")}
_KEYS = {
    "node": "SELECT name FROM nodes WHERE name > ? ORDER BY name LIMIT ?",
    "meta": "SELECT key FROM meta WHERE key > ? ORDER BY key LIMIT ?",
    "receipt": "SELECT key FROM receipts WHERE key > ? ORDER BY key LIMIT ?",
}
_CHANGES_OF = f"""
    {_CHANGE} WHERE id = :id AND id > 0 AND seq > :after
    UNION ALL {_CHANGE} WHERE source = :id AND source > 0 AND id <> :id AND seq > :after
    UNION ALL {_CHANGE} WHERE target = :id AND target > 0 AND id <> :id AND source <> :id AND seq > :after
    ORDER BY seq LIMIT :limit
"""
_INT64 = 2**63
_MOST_ABSENT = 1_000
_link: Callable[[tuple[Any, ...]], Link] = partial(tuple.__new__, Link)  # named tuples without a call in between
_SORTED_AT_ONCE = 20_000  # links of many nodes that are sorted in memory; more are merged, run by run


def _json(values: Iterable[object]) -> str:
    return orjson.dumps([value for value in values if _storable(value)]).decode()


def _storable(key: object) -> bool:
    """Return whether SQLite can be asked for a key at all; nothing stored has one it cannot be asked for."""
    if isinstance(key, int):  # first, as most are ids
        return -_INT64 <= key < _INT64
    if isinstance(key, str):
        if "\x00" in key:  # which ends the text for SQLite's JSON, so that another one would be found
            return False
        return key.isascii() or not any("\ud800" <= character <= "\udfff" for character in key)
    return isinstance(key, tuple) and all(map(_storable, key))


class Known(NamedTuple):
    """What a session knew when it ended, and the next one need not ask for if it finds the state that this one left."""

    head: Head | None = None
    indexes: attribute_indexes.Declared | None = None
    absent: frozenset[str] = frozenset()
    """Keys of records beside the graph that there are not, such as schemas of types that have none."""


NOTHING_KNOWN = Known()


class SqliteSession:
    """A `BlockingSession` over a connection that is inside a transaction, of whose state something may be known."""

    def __init__(
        self, database: sqlite3.Connection, searching: Searching = "scan", known: Known = NOTHING_KNOWN
    ) -> None:
        self._database = database
        self._searching: Searching = searching
        self._head, self._indexes, self._absent = known

    # --- reading --------------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """Return where the store stands."""
        if self._head is None:
            self._head = schema.read_head(self._database)
        return self._head

    def indexes(self) -> attribute_indexes.Declared:
        """Return the indexes on attributes that there are."""
        if self._indexes is None:
            self._indexes = attribute_indexes.declared(self._database)
        return self._indexes

    def known(self) -> Known:
        """Return what has been asked for, and left."""
        return Known(self._head, self._indexes, self._absent)

    def nodes(self, refs: Sequence[NodeRef]) -> list[NodeRecord | None]:
        """Return the nodes of these ids or names."""
        wanted = set(refs)
        names = {ref for ref in wanted if isinstance(ref, str)}
        found: dict[NodeRef, NodeRecord] = {}
        for row in self._among("node", _NODE, "name", names, NodeRecord):
            found[row.name] = row
        for row in self._among("node", _NODE, "id", wanted - names, NodeRecord):
            found[row.id] = row
        return [*map(found.get, refs)]

    def edges(self, refs: Sequence[EdgeRef]) -> list[EdgeRecord | None]:
        """Return the edges of these ids or triples."""
        ids = {ref for ref in refs if not isinstance(ref, tuple)}
        triples = {ref for ref in refs if isinstance(ref, tuple)}
        found: dict[EdgeRef, EdgeRecord] = {}
        for row in self._among("edge", _EDGE, "id", ids, EdgeRecord):
            found[row.id] = row
        for row in self._of_triples(triples):
            found[row.source, row.type, row.target] = row
        return [found.get(ref) for ref in refs]

    def _among(self, kind: str, select: str, column: str, keys: set[Any], cls: type[Row]) -> list[Row]:
        if not keys:
            return []
        if len(keys) == 1 and _storable(only := next(iter(keys))):  # cheaper than to make and read JSON
            return fetch_as(cls, self._database, kind, f"{select} WHERE {column} = ?", (only,))
        return fetch_as(cls, self._database, kind, f"{select} WHERE {column} {_AMONG}", (_json(keys),))

    def _of_triples(self, triples: set[tuple[int, str, int]]) -> list[EdgeRecord]:
        if not triples:
            return []
        if len(triples) == 1 and _storable(only := next(iter(triples))):
            statement = f"{_EDGE} WHERE source = ? AND type = ? AND target = ?"
            return fetch_as(EdgeRecord, self._database, "edge", statement, only)
        return fetch_as(EdgeRecord, self._database, "edge", _OF_TRIPLES, (_json(triples),))

    def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> list[Link]:
        """Return the edges of these nodes, ordered by edge id; the work grows with the limit, not with their number."""
        unique = [id for id in dict.fromkeys(ids) if _storable(id)]
        if not unique or after >= _INT64 or (types is not None and not types):
            return []
        if len(unique) > 1:
            enough = max(2 * limit, _SORTED_AT_ONCE)
            rows = self._links(_json(unique), direction, types, after, f"LIMIT {enough:d}")
            if len(rows) < enough:
                rows.sort()
                return list(map(_link, rows[:limit]))
            return self._merged(unique, direction, types, limit, after)
        return list(map(_link, self._links(unique[0], direction, types, after, f"ORDER BY id LIMIT {limit:d}")))

    def _links(
        self, node: int | str, direction: Direction, types: Sequence[str] | None, after: int, tail: str
    ) -> list[tuple[Any, ...]]:
        statement, parameters = _links_statement(node, direction, types, after)
        return read(self._database, f"{statement} {tail}", parameters)

    def _merged(
        self, ids: list[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> list[Link]:
        """Merge one ordered run a node, each read as far as needed, where too many edges to sort are involved."""
        runs = []
        try:
            for id in ids:
                statement, parameters = _links_statement(id, direction, types, after)
                runs.append(self._database.execute(f"{statement} ORDER BY id", parameters))
            unique = _without_repeats(merge(*runs))
            return list(map(_link, islice(unique, limit)))
        finally:
            for run in runs:
                run.close()

    def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> list[Any]:
        """Return node or edge records ordered by id."""
        if after >= _INT64:
            return []
        select, cls = (_NODE, NodeRecord) if kind == "node" else (_EDGE, EdgeRecord)
        return fetch_as(cls, self._database, kind, f"{select} WHERE id > ? ORDER BY id LIMIT ?", (after, limit))

    def keys(self, kind: KeyKind, after: str, limit: int) -> list[str]:
        """Return names of nodes, or keys of meta records or receipts, in the order of their UTF-8 bytes."""
        return [key for (key,) in read(self._database, _KEYS[kind], (after, limit))]

    def meta(self, keys: Sequence[str]) -> list[MetaRecord | None]:
        """Return the records beside the graph with these keys."""
        wanted = set(keys) - self._absent
        found = {row.key: row for row in self._among("meta", _META, "key", wanted, MetaRecord)}
        if len(found) < len(wanted) and len(wanted) + len(self._absent) <= _MOST_ABSENT:
            self._absent |= wanted - found.keys()
        return [*map(found.get, keys)]

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order."""
        if after >= _INT64:
            return []
        statement, parameters = _changes_statement(after, limit, id)
        return fetch_as(ChangeRecord, self._database, "change", statement, parameters)

    def receipts(self, keys: Sequence[str]) -> list[Receipt | None]:
        """Return the receipts of these idempotency keys."""
        found = {row.key: row for row in self._among("receipt", _RECEIPT, "key", set(keys), Receipt)}
        return [found.get(key) for key in keys]

    def counts(self) -> tuple[int, int]:
        """Return how many nodes and how many edges there are."""
        counted = "SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM edges)"
        ((nodes, edges),) = read(self._database, counted)
        return nodes, edges

    # --- queries --------------------------------------------------------------------------------------------------

    def select(self, query: Query) -> Selected:
        """Return the records that answer a query."""
        return selecting.select(self, self._database, query)

    def count(self, query: Query) -> int:
        """Return how many records a query's filter admits."""
        return selecting.count(self, self._database, query)

    def types(self, kind: Literal["node", "edge"]) -> list[tuple[str, int]]:
        """Return each type that nodes or edges have, with how many have it."""
        return selecting.types(self._database, kind)

    def degree(self, id: int, direction: Direction, types: Sequence[str] | None) -> int:
        """Return how many links a node has."""
        return selecting.degree(self._database, id, direction, types)

    def search(self, query: TextQuery) -> TextHits | None:
        """Return the best matches by the index of words, which is brought up to date here if this session may write."""
        if self._searching == "scan":
            return None
        found = searching.search(self._database, self, query)
        if found is None and self._searching == "later":
            raise searching.SearchBehind
        if found is None and self._searching == "now":
            while not searching.advance(self._database, self):
                pass
            found = searching.search(self._database, self, query)
        return found

    # --- writing --------------------------------------------------------------------------------------------------

    def store(self, plan: CommitPlan) -> None:
        """Write a plan, in the order of its fields."""
        for table, ids in (("edges", plan.delete_edges), ("nodes", plan.delete_nodes), ("meta", plan.delete_meta)):
            if ids:
                column = "key" if table == "meta" else "id"
                self._each(f"DELETE FROM {table} WHERE {column} = ?", [(id,) for id in ids])  # noqa: S608
        if plan.renamed:  # a control character is in no name, so what is written meanwhile can meet no other name
            self._each("UPDATE nodes SET name = ? WHERE id = ?", [(f"\x1f{id}", id) for id in plan.renamed])
        self._insert(_PUT_NODES, plan.put_nodes)
        self._insert(_PUT_EDGES, plan.put_edges)
        if plan.put_meta:
            self._insert(_PUT_META, plan.put_meta)
            self._absent = frozenset()
        self._insert(_APPEND_CHANGES, plan.changes)
        if plan.forget_receipts:
            self._database.execute("DELETE FROM receipts WHERE time < ?", (plan.forget_receipts,))
        self._insert(_PUT_RECEIPTS, plan.receipts)
        if plan.head.floor > plan.expected.floor:
            self._database.execute("DELETE FROM changes WHERE seq <= ?", (plan.head.floor,))
        attribute_indexes.keep_up(self._database, plan, self.indexes())
        schema.write_head(self._database, plan.head)
        self._head = plan.head

    def _each(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if len(rows) == 1:
            self._database.execute(statement, rows[0])
        else:
            self._database.executemany(statement, rows)

    def _insert(self, insert: _Insert, records: Sequence[tuple[Any, ...]]) -> None:
        if not records:
            return
        rows = sealed(records)
        while len(rows) >= _TOGETHER:
            self._database.execute(insert.many, [*chain.from_iterable(rows[:_TOGETHER])])
            rows = rows[_TOGETHER:]
        if rows:
            self._each(insert.one, rows)


_TOGETHER = 32
"""Rows that one statement inserts where there are so many: in half the time that as many statements take."""


class _Insert(NamedTuple):
    """The statements that insert one row and `_TOGETHER` rows."""

    one: str
    many: str


def _insert_into(table: str, columns: Sequence[str], tail: str = "") -> _Insert:
    row = f"({', '.join('?' for _ in columns)})"
    begin = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - words from here
    return _Insert(f"{begin}{row}{tail}", f"{begin}{', '.join([row] * _TOGETHER)}{tail}")


def _put(table: str, key: str, columns: Sequence[str]) -> _Insert:
    """Return an insert that replaces the row of the same key and no other: a name that is taken makes it fail."""
    assigned = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
    return _insert_into(table, columns, f" ON CONFLICT ({key}) DO UPDATE SET {assigned}")


_PUT_NODES = _put("nodes", "id", (*NodeRecord._fields, "checksum"))
_PUT_EDGES = _put("edges", "id", (*EdgeRecord._fields, "checksum"))
_PUT_META = _put("meta", "key", (*MetaRecord._fields, "checksum"))
_PUT_RECEIPTS = _put("receipts", "key", (*Receipt._fields, "checksum"))
_APPEND_CHANGES = _insert_into("changes", ("seq", '"commit"', "kind", "id", "source", "target", "body", "checksum"))


def _changes_statement(after: int, limit: int, id: int | None) -> tuple[str, tuple[int, ...] | dict[str, int]]:
    """Return the select of changes after a number, of one record or of all."""
    if id is None:
        return f"{_CHANGE} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    if id > 0:
        return _CHANGES_OF, {"id": id, "after": after, "limit": limit}
    # what touches no record; the indexes leave it out
    return f"{_CHANGE} WHERE seq > ? AND ? IN (id, source, target) ORDER BY seq LIMIT ?", (after, id, limit)


def _links_statement(
    node: int | str, direction: Direction, types: Sequence[str] | None, after: int
) -> tuple[str, dict[str, Any]]:
    """Return the select of one node's links, or of those of a JSON array of nodes, each link once."""
    among = "= :node" if isinstance(node, int) else "IN (SELECT value FROM json_each(:node))"
    of_type = "" if types is None else " AND type IN (SELECT value FROM json_each(:types))"
    terms = []
    for end in _ENDS[direction]:
        repeated = f" AND NOT source {among}" if len(_ENDS[direction]) > 1 and end == "target" else ""
        where = f"{end} {among} AND id > :after{of_type}{repeated}"
        terms.append(f"SELECT id, source, type, target FROM edges WHERE {where}")  # noqa: S608
    parameters = {"node": node, "after": after, "types": None if types is None else _json(types)}
    return " UNION ALL ".join(terms), parameters


def _without_repeats(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    """Leave out what stands twice in a sorted run: an edge between two of the nodes that were asked for."""
    last = None
    for row in rows:
        if row != last:
            yield row
            last = row
