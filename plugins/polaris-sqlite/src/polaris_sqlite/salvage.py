"""What can still be read of a damaged database, copied into a new one, and an account of what cannot.

Rows are read from the pages themselves, so it is no matter what else of the file is damaged. A row counts if its checksum
holds. The feed says which records there were: one that is lost and was only ever created is made again from the change
that created it, and the others are named. Where something is lost, the feed of the new store begins after the last change
that tells of it, since it must tell the same story as the records.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from polaris_core import (
    InvalidLocationError,
    StoreFormatError,
    StoreNotFoundError,
    StoreUnavailableError,
    ValidationError,
)
from polaris_core.abc import FileLock, Finding, Head, SalvageReport, StorageOptions, flaws_of
from polaris_sqlite import attribute_indexes, schema
from polaris_sqlite.draft import Draft
from polaris_sqlite.failures import failures_of
from polaris_sqlite.integrity import sealed
from polaris_sqlite.locating import path_of
from polaris_sqlite.pages import Pages
from polaris_sqlite.remains import Remains
from polaris_sqlite.wal_index import is_mapped

if TYPE_CHECKING:
    from polaris_core.abc import Location

__all__ = ["salvage"]

_AS_TOLD = "as change {} has it, and a change that is lost may have written it again"

# Records that are there and were deleted, that are not there and were not, and those that were written again later.
_MISFITS = """
    SELECT told.id, told.last, change.kind, change.source, change.target, change.body
    FROM (SELECT max(seq) AS last, id FROM changes WHERE id > 0 GROUP BY id) AS told
    JOIN changes AS change ON change.seq = told.last LEFT JOIN {table} AS stored ON stored.id = told.id
    WHERE change.kind GLOB :kinds
    AND ((change.kind = :deleted) = (stored.id IS NOT NULL) OR stored.revision < told.last)
"""


async def salvage(damaged: Location, new: Location) -> SalvageReport:
    """Copy what can be read of a damaged file into a new one, where nothing is; the damaged one stays as it is.

    Raises `StoreNotFoundError` where there is no damaged file, `StoreFormatError` where nothing in it is of a graph, and
    `StoreUnavailableError` where this process has it open, or something is where the new one is to be.
    """
    return await asyncio.to_thread(_salvage, damaged, new, StorageOptions())


def _salvage(damaged: Location, new: Location, options: StorageOptions) -> SalvageReport:
    if new.scheme != damaged.scheme:
        raise InvalidLocationError(f"what is salvaged from {damaged} is a {damaged.scheme} store", location=str(new))
    source, target = Path(os.path.realpath(path_of(damaged))), Path(path_of(new)).absolute()
    what = str(damaged)
    if not source.is_file():
        raise StoreNotFoundError(f"there is no {what}", location=what)
    if is_mapped(str(source)):  # to close a descriptor of it would take away the locks that SQLite has on it
        raise StoreUnavailableError(f"{what} is open in this process: close it first", location=what)
    with failures_of(str(new)), Draft(target, options.unique(), mode=source.stat().st_mode & 0o777) as draft:
        draft.check_free()
        with closing(sqlite3.connect(draft.path, isolation_level=None)) as database, ExitStack() as stack:
            for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
                database.execute(f"PRAGMA {setting}").fetchall()
            database.execute("BEGIN")
            schema.GRAPH.bring_forward(database, version=1)  # the tables of rows; what follows from them comes last
            lock = FileLock(f"{source}.lock", seconds=options.busy_seconds, location=what)
            with suppress(OSError):  # on a medium that cannot be written to, nobody else writes either
                lock.acquire()
                stack.callback(lock.close)
            remains = Remains(Pages(_read(source, stack), _read(Path(f"{source}-wal"), stack)), database)
            remains.collect()
            report = _Account(remains, database, what, options).settle()
            schema.GRAPH.bring_forward(database)
            for index in remains.indexes:
                with suppress(ValidationError):  # its path has no checksum, and may be none any more
                    attribute_indexes.create(database, index)
            database.execute("COMMIT")
        draft.publish()
    return report


def _read(path: Path, stack: ExitStack) -> bytes | mmap:
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return b""
    if not os.fstat(file.fileno()).st_size:
        return b""
    return stack.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ))


class _Account:
    """Brings the rows that were found together: what is lost, what can be made again, where the new store stands."""

    def __init__(self, remains: Remains, database: sqlite3.Connection, what: str, options: StorageOptions) -> None:
        self.remains = remains
        self.database = database
        self.what = what
        self.options = options
        self.lost: list[Finding] = []
        self.cut = 0  # the feed of the new store begins after this change
        self.sure = 0  # what was told later than this is told by the feed as it is

    def settle(self) -> SalvageReport:
        """Write what follows from the rows, and return the report."""
        head = self._head()
        self.cut = head.floor
        gaps = [*self._gaps(head)]
        bulk = self._one("SELECT coalesce(max(seq), 0) FROM changes WHERE kind GLOB 'graph.*'")
        complete = self.remains.head is not None
        self.sure = max([bulk, *(last for _, last in gaps)]) if complete else head.seq
        for first, last in gaps:
            self._lose(f"change {first}" if first == last else f"changes {first} to {last}", "cannot be read", last)
        if not complete:
            self._lose("the head of the store", "cannot be read: the new store has an identity of its own", 0)
        whole = complete and not (gaps or bulk or head.floor)
        self._settle_records(whole)
        self._settle_meta()
        self._add_findings(whole)
        self._drop_dangling()
        self._drop_flawed(head)
        return self._finish(head)

    def _add_findings(self, whole: bool) -> None:
        """Add what the pages say is lost, unless the feed is whole and has accounted for it."""
        for finding, of in self.remains.findings:
            if of != "head" and not (whole and of in ("nodes", "edges", "meta", "changes")):
                self._lose(*finding, 0 if whole or of == "receipts" else None)

    def _lose(self, where: str, what: str, last: int | None) -> None:
        """Note a loss of which the feed tells last in a change; None where that is not known."""
        self.lost.append(Finding(where, what))
        self.cut = max(self.cut, self._seq if last is None else last)

    def _head(self) -> Head:
        seq = self._one(
            "SELECT max(coalesce(max(seq), 0), (SELECT coalesce(max(revision), 0) FROM nodes),"
            " (SELECT coalesce(max(revision), 0) FROM edges), (SELECT coalesce(max(revision), 0) FROM meta)) FROM changes"
        )
        next_id = 1 + self._one(
            "SELECT max(coalesce(max(max(id, source, target)), 0), (SELECT coalesce(max(id), 0) FROM nodes),"
            " (SELECT coalesce(max(max(id, source, target)), 0) FROM edges)) FROM changes"
        )
        head = self.remains.head
        if head is None:
            if not self.remains.rows:
                raise StoreFormatError(f"nothing in {self.what} is of a Polaris graph", location=self.what)
            floor = self._one("SELECT coalesce(min(seq) - 1, :seq) FROM changes", {"seq": seq})
            head = self.options.new_head()._replace(floor=floor)
        self._seq = max(head.seq, seq)
        return head._replace(
            epoch=self.options.unique(),
            seq=self._seq,
            next_id=max(head.next_id, next_id),
            floor=min(head.floor, self._seq),
        )

    def _gaps(self, head: Head) -> Iterator[tuple[int, int]]:
        """Yield the first and last number of every run of changes that is missing."""
        self.database.execute("DELETE FROM changes WHERE seq <= :floor", {"floor": head.floor})
        after = head.floor
        for (seq,) in self.database.execute("SELECT seq FROM changes ORDER BY seq"):
            if seq > after + 1:
                yield after + 1, seq - 1
            after = seq
        if head.seq > after:
            yield after + 1, head.seq

    # --- what the feed tells --------------------------------------------------------------------------------------

    def _settle_records(self, whole: bool) -> None:
        """Hold nodes and edges against the last change that tells of each."""
        for table, kind in (("nodes", "node"), ("edges", "edge")):
            parameters = {"kinds": f"{kind}.*", "deleted": f"{kind}.deleted"}
            for id, last, told, source, target, body in self.database.execute(
                _MISFITS.format(table=table), parameters
            ).fetchall():
                self.database.execute(f"DELETE FROM {table} WHERE id = :id", {"id": id})  # noqa: S608
                if told == f"{kind}.deleted":
                    continue
                if told != f"{kind}.created" or not self._make_again(kind, id, last, source, target, body):
                    self._lose(f"{kind} {id}", f"{_named(body)} cannot be read", last)
                elif last <= self.sure:
                    self._lose(f"{kind} {id}", f"{_named(body)} is {_AS_TOLD.format(last)}", last)
            if whole:  # what nothing tells of was deleted, too, and its page is in use no more
                self.database.execute(
                    f"DELETE FROM {table} WHERE NOT EXISTS (SELECT 1 FROM changes WHERE id = {table}.id AND id > 0)"  # noqa: S608
                )

    def _make_again(self, kind: str, id: int, last: int, source: int, target: int, body: str) -> bool:
        """Write a record as the change that created it has it, and return whether there was room for it."""
        told = orjson.loads(body)
        record = orjson.dumps(told["record"], option=orjson.OPT_SORT_KEYS).decode()
        if kind == "node":
            statement = "INSERT OR IGNORE INTO nodes VALUES (?, ?, ?, ?, ?, ?)"
            row: tuple[Any, ...] = (id, told["key"], told["type"], last, record)
        else:
            statement = "INSERT OR IGNORE INTO edges VALUES (?, ?, ?, ?, ?, ?, ?)"
            row = (id, source, told["key"][1], target, last, record)
        return self.database.execute(statement, sealed([row])[0]).rowcount == 1

    def _settle_meta(self) -> None:
        """Hold what stands beside the graph against the last change of each key; the change has all of it."""
        told: dict[str, tuple[int, str, dict[str, Any]]] = {}
        statement = "SELECT seq, kind, body FROM changes WHERE kind IN ('meta.set', 'meta.deleted') ORDER BY seq"
        for seq, kind, body in self.database.execute(statement).fetchall():
            change = orjson.loads(body)
            told[change["key"]] = (seq, kind, change)
        for key, (seq, kind, change) in told.items():
            self.database.execute("DELETE FROM meta WHERE key = :key AND revision < :seq", {"key": key, "seq": seq})
            present = self._one("SELECT count(*) FROM meta WHERE key = :key", {"key": key})
            if kind == "meta.deleted" or present:
                continue
            if seq <= self.sure:
                self._lose(f"meta {key!r}", f"it is {_AS_TOLD.format(seq)}", seq)
            value = change["record"] if "record" in change else change["patch"]["value"]
            row = (key, seq, orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode())
            self.database.execute("INSERT INTO meta VALUES (?, ?, ?, ?)", sealed([row])[0])

    # --- what does not fit ----------------------------------------------------------------------------------------

    def _drop_dangling(self) -> None:
        rows = self.database.execute(
            """
            SELECT id, source, type, target, max(revision, coalesce((SELECT max(seq) FROM changes
                WHERE changes.id = edges.id AND changes.id > 0), 0)) FROM edges
            WHERE source NOT IN (SELECT id FROM nodes) OR target NOT IN (SELECT id FROM nodes)
            """
        ).fetchall()
        for id, source, type, target, last in rows:
            self._lose(f"edge {id}", f"from node {source} to node {target}, {type!r}, has lost an end", last)
        self.database.executemany("DELETE FROM edges WHERE id = ?", [(row[0],) for row in rows])

    def _drop_flawed(self, head: Head) -> None:
        """Drop rows whose checksum holds and which Polaris would not have written all the same."""
        for kind, table, rows in self.remains.records():
            for record in rows:
                for flaw in flaws_of(record, head)[:1]:
                    self._lose(f"{kind} {record[0]!r}", flaw, None)
                    column = "key" if table in ("meta", "receipts") else "seq" if table == "changes" else "id"
                    self.database.execute(f"DELETE FROM {table} WHERE {column} = :key", {"key": record[0]})  # noqa: S608

    # --- the end --------------------------------------------------------------------------------------------------

    def _finish(self, head: Head) -> SalvageReport:
        if self.cut > head.floor:
            (first,) = self.database.execute(
                "SELECT min(seq) FROM changes WHERE seq <= :cut", {"cut": self.cut}
            ).fetchone()
            if first is not None:
                what = f"changes {first} to {self.cut}"
                self.lost.append(
                    Finding(what, "are left out, as they tell of what is lost; the feed begins after them")
                )
            self.database.execute("DELETE FROM changes WHERE seq <= :cut", {"cut": self.cut})
            head = head._replace(floor=self.cut)
        schema.fill(self.database, head)
        nodes, edges, changes = (
            self._one(f"SELECT count(*) FROM {table}")  # noqa: S608
            for table in ("nodes", "edges", "changes")
        )
        return SalvageReport(nodes, edges, changes, tuple(self.lost))

    def _one(self, statement: str, parameters: dict[str, Any] | None = None) -> int:
        (value,) = self.database.execute(statement, parameters or {}).fetchone()
        return int(value)


def _named(body: str) -> str:
    key = orjson.loads(body)["key"]
    return repr(key) if isinstance(key, str) else " ".join(map(repr, key))
