"""The tables of a graph: STRICT, because an INTEGER column would take text, and indexed for what a session asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import StoreFormatError
from polaris_core.abc import FORMAT, Head
from polaris_sqlite import attribute_indexes
from polaris_sqlite.integrity import checksum, damaged, fetch
from polaris_sqlite.layout import Layout

if TYPE_CHECKING:
    import sqlite3

__all__ = ["GRAPH", "fill", "read_head", "write_head"]

_FIRST = (
    """CREATE TABLE head (
        only INTEGER PRIMARY KEY CHECK (only = 1), store TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
        next_id INTEGER NOT NULL, floor INTEGER NOT NULL, time INTEGER NOT NULL, format INTEGER NOT NULL,
        checksum INTEGER NOT NULL, unsynced TEXT
    ) STRICT""",
    """CREATE TABLE nodes (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, revision INTEGER NOT NULL,
        body TEXT NOT NULL, checksum INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE edges (
        id INTEGER PRIMARY KEY, source INTEGER NOT NULL, type TEXT NOT NULL, target INTEGER NOT NULL,
        revision INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL, UNIQUE (source, type, target)
    ) STRICT""",
    # A walk reads these two alone: each node's edges, ordered by id, without the table and its bodies.
    "CREATE INDEX edges_out ON edges (source, id, type, target)",
    "CREATE INDEX edges_in ON edges (target, id, type, source)",
    """CREATE TABLE meta (
        key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE changes (
        seq INTEGER PRIMARY KEY, "commit" INTEGER NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL,
        source INTEGER NOT NULL, target INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX changes_id ON changes (id) WHERE id > 0",
    "CREATE INDEX changes_source ON changes (source) WHERE source > 0",
    "CREATE INDEX changes_target ON changes (target) WHERE target > 0",
    """CREATE TABLE receipts (
        key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        time INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL
    ) STRICT""",
)
_SECOND = ("CREATE INDEX receipts_time ON receipts (time)", *attribute_indexes.STATEMENTS)

GRAPH = Layout(
    noun="a Polaris graph",
    application_id=0x506C_7247,  # "PlrG"
    steps=(_FIRST, _SECOND),
)

_COLUMNS = "store, epoch, seq, next_id, floor, time, format, checksum"


def fill(database: sqlite3.Connection, head: Head) -> None:
    """Write the first head into new tables."""
    database.execute(f"INSERT INTO head ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _sealed(head))  # noqa: S608


def read_head(database: sqlite3.Connection) -> Head:
    """Return where the store stands; raises `StoreFormatError` when a newer release wrote it."""
    rows = fetch(database, "the head of store", f"SELECT {_COLUMNS} FROM head")  # noqa: S608
    if len(rows) != 1:
        raise damaged("the head of the store")
    head = Head._make(rows[0])
    if head.format > FORMAT:
        raise StoreFormatError(
            f"the graph is of format {head.format}, and this release knows up to {FORMAT}: upgrade it"
        )
    return head


def write_head(database: sqlite3.Connection, head: Head) -> None:
    """Replace the head."""
    database.execute(
        "UPDATE head SET store = ?, epoch = ?, seq = ?, next_id = ?, floor = ?, time = ?, format = ?, checksum = ?",
        _sealed(head),
    )


def _sealed(head: Head) -> tuple[Any, ...]:
    return (*head, checksum(head))
