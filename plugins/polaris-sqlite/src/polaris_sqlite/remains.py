"""The rows that the pages of a damaged database still hold, and the places where there should be more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

from polaris_core.abc import ChangeRecord, EdgeRecord, Finding, Head, Index, MetaRecord, NodeRecord, Receipt
from polaris_sqlite.integrity import form
from polaris_sqlite.pages import Cell, Pages, Row

__all__ = ["Remains"]

_CHUNK = 1_000


class _Table(NamedTuple):
    """A table as its rows look: `types` are those of its columns, `numbered` says that the first one is the row's number."""

    kind: str
    types: tuple[type | tuple[type, ...], ...]
    numbered: bool
    make: Callable[[Any], Any]


_NOTHING = type(None)
_TABLES = {
    "head": _Table("the head", (_NOTHING, str, str, int, int, int, int, int, int, (str, _NOTHING)), True, Head._make),
    "nodes": _Table("node", (_NOTHING, str, str, int, str, int), True, NodeRecord._make),
    "edges": _Table("edge", (_NOTHING, int, str, int, int, str, int), True, EdgeRecord._make),
    "meta": _Table("meta", (str, int, str, int), False, MetaRecord._make),
    "changes": _Table("change", (_NOTHING, int, str, int, int, int, str, int), True, ChangeRecord._make),
    "receipts": _Table("receipt", (str, str, int, int, int, str, int), False, Receipt._make),
}
_RECORDS = ("nodes", "edges", "meta", "changes", "receipts")
_KEYS = {"nodes": "id", "edges": "id", "meta": "key", "changes": "seq", "receipts": "key"}
_AGE = {"nodes": "revision", "edges": "revision", "meta": "revision", "changes": "seq", "receipts": "time"}


class Remains:
    """Collects rows into the tables of `database`, the newest of each, and what could not be read in `findings`."""

    def __init__(self, pages: Pages, database: sqlite3.Connection) -> None:
        self.head: Head | None = None
        self.rows = 0
        self.findings: list[tuple[Finding, str]] = []
        """What is lost, each with the table it is lost from, or nothing where that is not known."""
        self.indexes: list[Index] = []
        """The indexes on attributes that the damaged store had; they are to be made anew."""
        self._pages = pages
        self._database = database

    def collect(self) -> None:
        """Read every page."""
        if self._pages.log_is_damaged:
            self._note("the log", "commits at its end cannot be read", "")
        owners, known = self._owners()
        free = self._pages.free()
        strange = []
        for number in range(1, len(self._pages) + 1):
            owner = owners.get(number)
            if number in free or (known and owner is None):  # what it holds was deleted, or is the rest of a row
                continue
            if owner == "indexes" and self._pages.is_leaf_of_table(number):
                self._note_indexes(number)
            if owner is not None and owner not in _TABLES:  # what follows from the rows, and is made anew
                if not known and self._pages.is_leaf_of_table(number):
                    self._pages.cells(number)  # for the pages that its rows go on in
            elif self._pages.is_leaf_of_table(number):
                self._leaf(number, owner)
            elif self._pages.kind(number) is None and not self._pages.is_lock(number):
                strange.append((number, owner))
        for number, owner in strange:
            if owner is not None:
                self._note(f"page {number}", f"cannot be read, and rows of {owner} are lost with it", owner)
            elif number not in self._pages.overflow:
                self._note(f"page {number}", "cannot be read, and rows may be lost with it", "")

    def _note_indexes(self, number: int) -> None:
        for cell in self._pages.cells(number):
            match cell.row:
                case (_, "node" | "edge" as kind, str(path)):
                    self.indexes.append(Index(kind, path))

    def _note(self, where: str, what: str, table: str) -> None:
        self.findings.append((Finding(where, what), table))

    def _owners(self) -> tuple[dict[int, str], bool]:
        """Return which table or index each page is of, and whether every page of a tree is known to be one."""
        roots: dict[int, str] = {1: "sqlite_schema"}
        for number in [*self._pages.tree(1)]:
            if self._pages.is_leaf_of_table(number):
                for cell in self._pages.cells(number):
                    match cell.row:
                        case (str(), str(name), str(), int(root), _) if root > 0:
                            roots[root] = name
        owners = {page: name for root, name in roots.items() for page in self._pages.tree(root)}
        known = set(_TABLES) <= set(roots.values()) and all(self._pages.kind(page) is not None for page in owners)
        return owners, known

    def _leaf(self, number: int, owner: str | None) -> None:
        cells = self._pages.cells(number)
        tables = [_table_of(cell) for cell in cells]
        of = owner or next((table for table in tables if table is not None), None)
        if of is None:  # a table of something else, or nothing that can be told
            if any(cell.row is None for cell in cells):
                self._note(f"page {number}", "cannot be read, and rows may be lost with it", "")
            return
        for cell, table in zip(cells, tables, strict=True):
            if table == of:
                self._keep(of, _columns(cell, of))
            else:
                key = "" if cell.number is None or not _TABLES[of].numbered else f" {cell.number}"
                self._note(f"{_TABLES[of].kind}{key}", f"cannot be read, on page {number}", of)

    def _keep(self, table: str, row: Row) -> None:
        self.rows += 1
        if table == "head":
            self.head = Head._make(row[1:8])
            return
        marks = ", ".join("?" for _ in row)
        statement = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608
        try:
            self._database.execute(statement, row)
        except sqlite3.IntegrityError:  # an earlier version of it, on a page that is in use no more, or a later one
            self._replace(table, statement, row)

    def _replace(self, table: str, statement: str, row: Row) -> None:
        """Keep the newest of the rows that cannot stand beside each other."""
        fields: tuple[str, ...] = _TABLES[table].make(row[:-1])._fields
        key, age = _KEYS[table], _AGE[table]
        new = dict(zip(fields, row, strict=False))
        rivals = f"{key} = :{key}"
        rivals += " OR name = :name" if table == "nodes" else ""
        rivals += " OR source = :source AND type = :type AND target = :target" if table == "edges" else ""
        select = f"SELECT max({age}) FROM {table} WHERE {rivals}"  # noqa: S608
        (present,) = self._database.execute(select, new).fetchone()
        if present is None or present < new[age]:
            self._database.execute(f"DELETE FROM {table} WHERE {rivals}", new)  # noqa: S608
            self._database.execute(statement, row)

    def records(self) -> Iterator[tuple[str, str, list[Any]]]:
        """Yield what was collected, as records: their kind, their table, and some of them."""
        for table in _RECORDS:
            described = _TABLES[table]
            after = 0
            while rows := self._database.execute(
                f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608
                (after, _CHUNK),
            ).fetchall():
                after = rows[-1][0]
                yield described.kind, table, [described.make(row[1:-1]) for row in rows]


def _table_of(cell: Cell) -> str | None:
    """Return the table a row is of, by its columns and its checksum; None where it is of none, or damaged."""
    if cell.row is None or cell.number is None:
        return None
    for name, table in _TABLES.items():
        if len(cell.row) == len(table.types) and all(map(isinstance, cell.row, table.types)):
            row = _columns(cell, name)
            *columns, checksum = row[1:9] if name == "head" else row
            try:
                written = crc32(form(tuple(columns)).encode()) == checksum
            except UnicodeEncodeError:
                written = False
            if written:
                return name
    return None


def _columns(cell: Cell, table: str) -> Row:
    row = cell.row or ()
    return (cell.number, *row[1:]) if _TABLES[table].numbered else row
