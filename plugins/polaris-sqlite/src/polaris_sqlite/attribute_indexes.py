"""Indexes on paths into the attributes: tables of Polaris's own, which every commit keeps up.

`indexes` lists them. `indexed` holds for each index and each record one row: the rank of the value's type and the value, as
the order of all JSON values has them, and the record's id. What is missing has a row too, so the rows of one index, in the
order of their primary key, are all records in the order of that path.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from polaris_core import Field
from polaris_core.abc import EdgeRecord, Facts, Index, NodeRecord, key_reader
from polaris_sqlite.integrity import fetch, read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from polaris_core.abc import CommitPlan

__all__ = [
    "STATEMENTS",
    "Declared",
    "create",
    "declared",
    "drop",
    "enter_from",
    "keep_up",
    "listed",
    "miscounted",
    "misplaced",
]

Declared: TypeAlias = "Mapping[str, Mapping[Field, int]]"
"""The numbers of the indexes that there are, by kind and field."""

STATEMENTS = (
    """CREATE TABLE indexes (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL, UNIQUE (kind, path)
    ) STRICT""",
    """CREATE TABLE indexed (
        number INTEGER NOT NULL, rank INTEGER NOT NULL, value ANY NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (number, rank, value, id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX indexed_id ON indexed (id)",
    # All of one type, ordered by id; and how many there are of each.
    "CREATE INDEX nodes_type ON nodes (type)",
    "CREATE INDEX edges_type ON edges (type)",
)

_ENTER = "INSERT INTO indexed (number, rank, value, id) VALUES (:number, :rank, :value, :id)"
_ROWS = 2_000
_SCANS = {
    "node": (
        "SELECT id, name, type, revision, body, checksum FROM nodes WHERE id > :after ORDER BY id LIMIT :limit",
        NodeRecord._make,
    ),
    "edge": (
        "SELECT id, source, type, target, revision, body, checksum FROM edges WHERE id > :after ORDER BY id LIMIT :limit",
        EdgeRecord._make,
    ),
}


def listed(database: sqlite3.Connection) -> list[Index]:
    """Return the indexes in the order in which they were made."""
    return [Index(kind, path) for kind, path in read(database, "SELECT kind, path FROM indexes ORDER BY number")]


def declared(database: sqlite3.Connection) -> Declared:
    """Return the indexes that there are."""
    return _by_field(tuple(read(database, "SELECT number, kind, path FROM indexes")))


@lru_cache(64)  # to parse the paths costs a query more than to read them
def _by_field(rows: tuple[tuple[int, str, str], ...]) -> Declared:
    found: dict[str, dict[Field, int]] = {"node": {}, "edge": {}}
    for number, kind, path in rows:
        found[kind][Field.of(path)] = number
    return found


def create(database: sqlite3.Connection, index: Index) -> bool:
    """Make an index of what is stored, inside the caller's transaction; return whether it is new."""
    made = database.execute(
        "INSERT INTO indexes (kind, path) VALUES (:kind, :path) ON CONFLICT DO NOTHING", index._asdict()
    )
    if not made.rowcount:
        return False
    _enter_stored(database, index.kind, {Field.of(index.path): int(made.lastrowid or 0)}, 0)
    return True


def drop(database: sqlite3.Connection, index: Index) -> bool:
    """Delete an index, inside the caller's transaction; return whether it was there."""
    rows = read(database, "SELECT number FROM indexes WHERE kind = :kind AND path = :path", index._asdict())
    for (number,) in rows:
        database.execute("DELETE FROM indexed WHERE number = :number", {"number": number})
        database.execute("DELETE FROM indexes WHERE number = :number", {"number": number})
    return bool(rows)


def keep_up(database: sqlite3.Connection, plan: CommitPlan, indexes: Declared) -> None:
    """Bring the indexes that there are to what a plan writes, inside its transaction."""
    for kind, gone, put in (
        ("node", plan.delete_nodes, plan.put_nodes),
        ("edge", plan.delete_edges, plan.put_edges),
    ):
        if not indexes[kind]:
            continue
        known = [*gone, *(record.id for record in put if record.id < plan.expected.next_id)]
        database.executemany("DELETE FROM indexed WHERE id = :id", [{"id": id} for id in known])
        _enter(database, indexes[kind], put)


def enter_from(database: sqlite3.Connection, id: int) -> None:
    """Enter all records from an id on, which no index has yet: what was stored without a plan."""
    for kind, fields in declared(database).items():
        if fields:
            _enter_stored(database, kind, fields, id - 1)


def _enter_stored(database: sqlite3.Connection, kind: str, fields: Mapping[Field, int], after: int) -> None:
    select, make = _SCANS[kind]
    while rows := fetch(database, kind, select, {"after": after, "limit": _ROWS}):
        _enter(database, fields, [make(row) for row in rows])
        after = rows[-1][0]


def _enter(database: sqlite3.Connection, fields: Mapping[Field, int], records: Sequence[Any]) -> None:
    database.executemany(_ENTER, [*_rows(fields, records)])


def _rows(fields: Mapping[Field, int], records: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Yield what stands in the indexes of these fields for each record."""
    readers = [(number, key_reader(field)) for field, number in fields.items()]
    for record in records:
        facts = Facts(record)
        for number, key in readers:
            rank, value = key(facts)
            yield {"number": number, "rank": rank, "value": value, "id": record.id}


def misplaced(database: sqlite3.Connection, kind: str, records: Sequence[Any]) -> list[int]:
    """Return the ids of records, in the order of which they are given, that an index has under something else."""
    fields = declared(database)[kind]
    if not fields or not records:
        return []
    between = {"first": records[0].id, "last": records[-1].id}
    found = {
        (number, id, rank, type(value), value)
        for number, id, rank, value in database.execute(
            "SELECT number, id, rank, value FROM indexed WHERE id BETWEEN :first AND :last", between
        )
    }
    wanted = _rows(fields, records)
    return [
        row["id"]
        for row in wanted
        if (row["number"], row["id"], row["rank"], type(row["value"]), row["value"]) not in found
    ]


def miscounted(database: sqlite3.Connection) -> list[str]:
    """Return the paths of indexes that have more or fewer rows than there are records."""
    counts = dict(database.execute("SELECT number, count(*) FROM indexed GROUP BY number").fetchall())
    totals = {
        "node": database.execute("SELECT count(*) FROM nodes").fetchone()[0],
        "edge": database.execute("SELECT count(*) FROM edges").fetchone()[0],
    }
    rows = database.execute("SELECT number, kind, path FROM indexes").fetchall()
    unlisted = [f"number {number}" for number in counts.keys() - {row[0] for row in rows}]
    return [path for number, kind, path in rows if counts.get(number, 0) != totals.get(kind)] + unlisted
