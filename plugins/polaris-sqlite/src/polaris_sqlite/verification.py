"""Looking for damage in everything a database holds: rows that nobody wrote, and rows that do not fit together.

The work is cut into parts, each in a transaction of its own, so that a long search keeps no log from beginning anew. Every
law that is looked at holds within one committed state, and no part compares what it saw with what another one did, so
commits in between are no matter. Only SQLite's own look at the file, which compares every index with its table, and the
look at the index of words are in one long part.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

from polaris_core import PolarisError
from polaris_core.abc import (
    ChangeRecord,
    EdgeRecord,
    Finding,
    Head,
    MetaRecord,
    NodeRecord,
    Progress,
    Receipt,
    VerifyReport,
    flaws_of,
)
from polaris_sqlite import attribute_indexes, schema, searching
from polaris_sqlite.database import Database
from polaris_sqlite.integrity import form
from polaris_sqlite.layout import Layout

__all__ = ["MAX_FINDINGS", "Examination", "verify"]

MAX_FINDINGS = 10_000
"""How many findings a report lists; what is beyond is counted."""

_ROWS = 2_000
_UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # the second where SQLite complains of a name that is damaged itself
_FAR = 1 << 40  # beyond every row: ids and changes are counted one by one
_BOOT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|unknown")


class Part(NamedTuple):
    """Rows of a table to be looked at: the next `rows` with a number above `after`."""

    table: str
    after: int
    rows: int = _ROWS


class Seen(NamedTuple):
    """What one part came to; `next` is the part that follows, None at the end of the table."""

    rows: int
    findings: list[Finding]
    next: Part | None


class _Table(NamedTuple):
    kind: str
    number: str
    make: Callable[[tuple[Any, ...]], Any]
    columns: str
    misfits: tuple[tuple[str, str], ...] = ()


# A record's last change has the record's revision as its number, unless one change, of a kind `graph.*`, brought many.
_UNTOLD = """
    SELECT id FROM (
        SELECT id, revision, (SELECT max(seq) FROM changes WHERE changes.id = {table}.id AND changes.id > 0) AS last
        FROM {table} WHERE id > :after AND id <= :upto
    ) WHERE last > revision OR coalesce(last, 0) < revision AND revision > :floor
        AND NOT EXISTS (SELECT 1 FROM changes WHERE seq = revision AND kind GLOB 'graph.*')
"""
_DANGLING = (
    "SELECT id FROM edges WHERE id > :after AND id <= :upto AND NOT EXISTS (SELECT 1 FROM nodes WHERE id = {end})"
)
_GHOST = """
    SELECT seq FROM changes AS told WHERE seq > :after AND seq <= :upto AND kind = '{kind}.deleted'
    AND EXISTS (SELECT 1 FROM {table} WHERE {table}.id = told.id)
"""
_GONE = """
    SELECT seq FROM changes AS told WHERE seq > :after AND seq <= :upto AND kind GLOB '{kind}.*' AND id > 0
    AND NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = told.id)
    AND NOT EXISTS (SELECT 1 FROM changes WHERE id = told.id AND id > 0 AND seq >= told.seq AND kind = '{kind}.deleted')
"""

_TABLES = {
    "nodes": _Table(
        "node",
        "id",
        NodeRecord._make,
        "id, name, type, revision, body",
        ((_UNTOLD.format(table="nodes"), "the feed tells of another revision of it"),),
    ),
    "edges": _Table(
        "edge",
        "id",
        EdgeRecord._make,
        "id, source, type, target, revision, body",
        (
            (_DANGLING.format(end="source"), "there is no node where it starts"),
            (_DANGLING.format(end="target"), "there is no node where it ends"),
            (_UNTOLD.format(table="edges"), "the feed tells of another revision of it"),
        ),
    ),
    "meta": _Table("meta", "rowid", MetaRecord._make, "key, revision, body"),
    "changes": _Table(
        "change",
        "seq",
        ChangeRecord._make,
        'seq, "commit", kind, id, source, target, body',
        tuple(
            (statement.format(kind=kind, table=table), sentence)
            for kind, table in (("node", "nodes"), ("edge", "edges"))
            for statement, sentence in (
                (_GHOST, f"it deleted a {kind} that is still there"),
                (_GONE, f"it wrote a {kind} that is not there, and nothing deleted it"),
            )
        ),
    ),
    "receipts": _Table("receipt", "rowid", Receipt._make, "key, digest, first, last, time, body"),
}

_COUNTS = """
    SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM edges), (SELECT count(*) FROM meta),
        (SELECT count(*) FROM changes), (SELECT count(*) FROM receipts)
"""


class Examination:
    """A search through one database, which goes on with every `step`."""

    def __init__(self, layout: Layout, location: str) -> None:
        self.rows = 0
        self.total: int | None = None
        self._findings: list[Finding] = []
        self._more = 0
        self._layout = layout
        self._location = location
        self._waiting = [Part(table, 0) for table in reversed(_TABLES)]
        self._begun = False

    def step(self, database: sqlite3.Connection) -> bool:
        """Look at the next part, inside a transaction, and return whether there is more."""
        database.text_factory = _any_text
        if not self._begun:
            self._begun = True
            self._add(_examine_head(database, self._layout, self._location))
            self._add(_examine_file(database))
            self._add(_examine_indexes(database))
            self._add(_examine_words(database))
            self.total = _total(database)
            return True
        seen = _examine_part(database, self._waiting.pop())
        self.rows += seen.rows
        self._add(seen.findings)
        if seen.next is not None:
            self._waiting.append(seen.next)
        return bool(self._waiting)

    def _add(self, findings: list[Finding]) -> None:
        room = MAX_FINDINGS - len(self._findings)
        self._findings += findings[:room]
        self._more += len(findings[room:])

    def report(self) -> VerifyReport:
        """Return what was found so far."""
        more = [Finding("the database", f"there are {self._more} findings more")] if self._more else []
        return VerifyReport(self.rows, (*self._findings, *more))


async def verify(file: Database, progress: Progress | None = None) -> VerifyReport:
    """Look at everything, on a connection of its own; `progress` is told from the event loop."""
    examination = Examination(file.layout, file.location)

    def step(database: sqlite3.Connection) -> bool:
        with file.snapshot(database):
            return examination.step(database)

    async with file.aside() as connection:
        while await connection.run(step):
            if progress is not None:
                progress(examination.rows, examination.total)
    if progress is not None:
        progress(examination.rows, examination.total)
    return examination.report()


def _any_text(raw: bytes) -> str:
    """Return text of what may be no UTF-8; its checksum cannot be made, so it is taken for what it is."""
    return raw.decode("utf-8", "surrogateescape")


def _total(database: sqlite3.Connection) -> int | None:
    """Return how many rows there are to look at; None where they cannot be counted."""
    try:
        counts: tuple[int, ...] = database.execute(_COUNTS).fetchone()
    except _UNREADABLE:
        return None
    return sum(counts)


def _examine_head(database: sqlite3.Connection, layout: Layout, location: str) -> list[Finding]:
    """Look at what the file says about itself, and at where the store stands."""
    found = []
    try:
        layout.check(database, location)
        head = schema.read_head(database)
        (unsynced,) = database.execute("SELECT unsynced FROM head").fetchone()
        if unsynced is not None and not _BOOT.fullmatch(str(unsynced)):
            found.append(Finding("the head of store", "its mark of commits that are not on disk is none"))
        (last,) = database.execute("SELECT coalesce(max(seq), :floor) FROM changes", {"floor": head.floor}).fetchone()
        if last != head.seq:
            found.append(Finding("the head of store", f"it stands at change {head.seq}, and the last one is {last}"))
        if not 0 <= head.floor <= head.seq:
            found.append(Finding("the head of store", f"it says that changes up to {head.floor} were trimmed"))
    except PolarisError as error:
        found.append(Finding("the head of store", str(error)))
    except (sqlite3.Error, TypeError, ValueError) as error:
        found.append(Finding("the head of store", f"it cannot be read: {error}"))
    return found


def _examine_file(database: sqlite3.Connection) -> list[Finding]:
    """Let SQLite look at the structure of its file, and compare every index with its table."""
    try:
        rows = database.execute(f"PRAGMA integrity_check({MAX_FINDINGS:d})").fetchall()
    except _UNREADABLE as error:
        return [Finding("the database", f"SQLite cannot follow its structure: {error}")]
    return [Finding("the database", str(row[0])) for row in rows if row[0] != "ok"]


def _examine_indexes(database: sqlite3.Connection) -> list[Finding]:
    """Look whether the indexes on attributes have as many rows as they should; which rows is for each part to see."""
    try:
        wrong = attribute_indexes.miscounted(database)
    except _UNREADABLE as error:
        return [Finding("the indexes", f"they cannot be read: {error}")]
    return [Finding(f"the index on {path}", "it has rows for other records than there are") for path in wrong]


def _examine_words(database: sqlite3.Connection) -> list[Finding]:
    """Look whether the index of words, if there is one, holds the words of the texts it was made of."""
    where = "the index of words"
    try:
        wrong = searching.has_other_words(database)
    except (*_UNREADABLE, PolarisError, TypeError, AttributeError) as error:
        return [Finding(where, f"it cannot be read: {error}")]
    return [Finding(where, "it holds other words than the texts it was made of")] if wrong else []


def _examine_part(database: sqlite3.Connection, part: Part) -> Seen:
    """Look at the next rows of a table, inside a transaction of a connection that answers what is no UTF-8 too."""
    table = _TABLES[part.table]
    try:
        rows = _rows(database, part)
    except _UNREADABLE as error:
        if part.rows > 1:  # come as near as can be
            return Seen(0, [], part._replace(rows=part.rows // 2))
        return _beyond(database, part, error)
    # Where numbers are damaged, rows stand out of order; the next part is a later one all the same.
    upto = max((row[0] for row in rows if part.after < row[0] < _FAR), default=part.after + 1)
    following = Part(part.table, upto, min(2 * part.rows, _ROWS)) if len(rows) == part.rows else None
    try:
        head = schema.read_head(database)
    except (PolarisError, sqlite3.Error, TypeError, ValueError):  # which is found for itself
        head = Head("", "", _FAR, _FAR)
    records: list[Any] = []
    findings = list(_of_rows(table, rows, head, records))
    findings += _out_of_place(database, table.kind, records)
    if part.table == "changes":
        findings += _gaps([row[0] for row in rows], max(part.after, head.floor), head, ended=following is None)
    between = {"after": part.after, "upto": upto if rows else part.after, "floor": head.floor}
    for statement, sentence in table.misfits:
        try:
            misfits = database.execute(statement, between).fetchall()
        except _UNREADABLE as error:
            misfits = []
            findings.append(Finding(f"table {part.table}", f"it cannot be compared with others: {error}"))
        findings += [Finding(f"{table.kind} {key!r}", sentence) for (key,) in misfits]
    return Seen(len(rows), findings, following)


def _rows(database: sqlite3.Connection, part: Part) -> list[tuple[Any, ...]]:
    """Return the rows of a part, each with its number before its columns and its checksum behind them."""
    table = _TABLES[part.table]
    number = table.number
    select = (
        f"SELECT {number}, {table.columns}, checksum FROM {part.table} "  # noqa: S608
        f"WHERE {number} > :after ORDER BY {number} LIMIT :rows"
    )
    return database.execute(select, {"after": part.after, "rows": part.rows}).fetchall()


def _out_of_place(database: sqlite3.Connection, kind: str, records: list[Any]) -> Iterator[Finding]:
    if kind in ("node", "edge"):
        try:
            wrong = attribute_indexes.misplaced(database, kind, records)
        except (sqlite3.Error, PolarisError, ValueError, TypeError, KeyError) as error:
            yield Finding("the indexes", f"they cannot be compared with records: {error}")
        else:
            yield from (Finding(f"{kind} {id}", "an index has it under another value") for id in wrong)


def _of_rows(table: _Table, rows: list[tuple[Any, ...]], head: Head, sound: list[Any]) -> Iterator[Finding]:
    """Find what is wrong with each row alone, and collect the records that nothing is wrong with."""
    for _, *columns, checksum in rows:
        row = tuple(columns)
        where = f"{table.kind} {row[0]!r}"
        try:
            written = crc32(form(row).encode()) == checksum
        except UnicodeEncodeError:
            written = False
        if not written:
            yield Finding(where, "what is stored is not what was written")
            continue
        record = table.make(row)
        flaws = flaws_of(record, head)
        if not flaws:
            sound.append(record)
        for flaw in flaws:
            yield Finding(where, flaw)


def _gaps(found: list[int], after: int, head: Head, *, ended: bool) -> Iterator[Finding]:
    """Find the numbers that are missing among changes, which follow `after` and each other."""
    for seq in (*found, head.seq + 1) if ended and head.seq < _FAR else found:
        if seq > after + 1:
            yield Finding(f"change {after + 1}", f"it is missing, and so is every one before change {seq}")
        after = max(seq, after)


def _beyond(database: sqlite3.Connection, part: Part, error: Exception) -> Seen:
    """Say which rows cannot be read, and find the place where reading goes on."""
    lost, step = part.after, 1
    while not _readable(database, part.table, lost + step):
        lost, step = lost + step, step * 2
        if lost > _FAR:
            sentence = f"no row from {part.after + 1} on can be read: {error}"
            return Seen(0, [Finding(f"table {part.table}", sentence)], None)
    while step > 1:
        step //= 2
        if not _readable(database, part.table, lost + step):
            lost += step
    sentence = f"the rows {part.after + 1} to {lost + 1}, as far as they are there, cannot be read: {error}"
    return Seen(0, [Finding(f"table {part.table}", sentence)], Part(part.table, lost + 1, 1))


def _readable(database: sqlite3.Connection, table: str, after: int) -> bool:
    """Return whether the row that follows a number can be read, or it is known that there is none."""
    try:
        _rows(database, Part(table, after, 1))
    except _UNREADABLE:
        return False
    return True
