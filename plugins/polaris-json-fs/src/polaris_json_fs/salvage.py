"""What can still be read of a damaged store, as a new one: line by line, and frame by frame as far as the journal goes."""

from __future__ import annotations

import os
import shutil
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from polaris_core import (
    InvalidLocationError,
    StoreDamagedError,
    StoreFormatError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from polaris_core.abc import ChangeRecord, CommitPlan, Finding, Head, SalvageReport, StorageOptions, flaws_of
from polaris_json_fs import checkpoint, written
from polaris_json_fs.edits import again
from polaris_json_fs.faults import translated
from polaris_json_fs.files import make_directory, sync_directory, write_file
from polaris_json_fs.history import History
from polaris_json_fs.importing import READERS, blocks
from polaris_json_fs.journal import Turn, content, decode, scan
from polaris_json_fs.layout import GITIGNORE, IGNORED, MANIFEST, META, journal_name
from polaris_json_fs.lines import split_lines
from polaris_json_fs.manifest import Entry, Manifest
from polaris_json_fs.records import Records
from polaris_json_fs.tables import Tables

if TYPE_CHECKING:
    from polaris_core.abc import Location

__all__ = ["salvage"]

_ANYWHERE = Head("", "", seq=1 << 40, next_id=1 << 40)  # where the store stands may not be known yet
_KEYS = {"nodes": "id", "edges": "id", "changes": "seq", "receipts": "key", META: "key"}


def salvage(damaged: Location, new: Location) -> SalvageReport:
    """Copy what can be read of a store into a new one, where nothing is; the damaged one stays as it is.

    Nobody may write to it meanwhile. Raises `StoreNotFoundError` where there is no such directory, `StoreFormatError` where
    nothing in it is of a graph, and `StoreUnavailableError` where something is at the new place.
    """
    if new.scheme != damaged.scheme or not new.path or not damaged.path:
        raise InvalidLocationError(f"what is salvaged from {damaged} is a {damaged.scheme} store", location=str(new))
    source, target = Path.cwd() / damaged.path, Path.cwd() / new.path
    if not source.is_dir():
        raise StoreNotFoundError(f"there is no {damaged}", location=str(damaged))
    if os.path.lexists(target):
        raise StoreUnavailableError(
            f"there is something at {target} already: what is salvaged goes where nothing is", location=str(new)
        )
    remains = _Remains(source, str(damaged))
    remains.collect()
    options = StorageOptions()
    draft = target.with_name(f"{target.name}.{options.unique()}.new")
    with translated(str(new)):
        try:
            make_directory(target.parent)
            report = remains.write(draft, options)
            draft.rename(target)
            sync_directory(target.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return report


class _Remains:
    """The rows that were read, by kind and key, and what could not be."""

    def __init__(self, source: Path, location: str) -> None:
        self._source = source
        self._location = location
        self._rows: dict[str, dict[Any, Any]] = {kind: {} for kind in _KEYS}
        self._lost: list[Finding] = []
        self._manifest: Manifest | None = None
        self._head: Head | None = None

    def collect(self) -> None:
        """Read everything."""
        try:
            self._manifest = checkpoint.newest(self._source, self._location)
        except (StoreDamagedError, StoreFormatError) as error:
            self._lose(
                MANIFEST, f"{error}; which files there were is not known, nor whether a line is as it was written"
            )
        named = dict(self._manifest.files) if self._manifest else {}
        there = [path for kind in _KEYS for path in blocks(self._source, kind)]
        if (self._source / META).is_file():
            there.append(META)
        if not named and not there:
            raise StoreFormatError(f"{self._location} holds nothing of a graph", location=self._location)
        for path in sorted({*named, *there}):
            self._file(path, named.get(path))
        self._journals()

    def _lose(self, where: str, what: str) -> None:
        self._lost.append(Finding(where, what))

    def _file(self, path: str, entry: Entry | None) -> None:
        data = self._content(path, entry)
        kind = path.partition("/")[0]
        for number, line in zip(count(1), split_lines(data), strict=False):
            try:
                if again(path, line) != line + b"\n":
                    raise ValueError("it is not as Polaris writes it")
                record = READERS[kind](line)
                for flaw in flaws_of(record, _ANYWHERE):
                    raise ValueError(flaw)
            except (ValueError, KeyError, TypeError) as error:
                self._lose(f"{path}:{number}", f"this line cannot be read: {error}")
            else:
                self._rows[kind][getattr(record, _KEYS[kind])] = record

    def _content(self, path: str, entry: Entry | None) -> bytes:
        if entry is None:
            return (self._source / path).read_bytes()
        data = checkpoint.content(self._source, path, entry)
        if data is not None and Entry.of(data) == entry:
            return data
        copy = written.recall(self._source, path, entry)
        if copy is not None:  # what was written is all there
            return copy
        if data is None:
            self._lose(path, f"this file of {entry.size} bytes is missing")
            return b""
        self._lose(path, "this file is not as it was written; the lines that can be read were copied as they are")
        return data

    def _journals(self) -> None:
        if self._manifest is None:
            for generation in checkpoint.generations(self._source):
                self._lose(
                    journal_name(generation), "the commits in it cannot be told from damage without the manifest"
                )
            return
        self._head = self._manifest.head
        turn: Turn | None = Turn(self._manifest.generation, self._manifest.journal)
        while turn is not None:
            turn = self._journal(turn)

    def _journal(self, turn: Turn) -> Turn | None:
        assert self._head is not None  # noqa: S101 - it is the manifest's, or a later one
        path = self._source / journal_name(turn.generation)
        data = content(path.read_bytes()) if path.exists() else b""
        found = scan(data, 1, turn.seed)
        for frame in found.frames:
            said = decode(frame.payload, self._head)
            if isinstance(said, Turn):
                return said
            self._apply(said)
        if found.end < len(data):
            self._lose(
                f"{path.name}, byte {found.end}", f"{len(data) - found.end} bytes are no commits that can be read"
            )
        later = [other for other in checkpoint.generations(self._source) if other > turn.generation]
        for other in later:
            self._lose(journal_name(other), "the commits in it build on ones that are gone")
        return None

    def _apply(self, plan: CommitPlan) -> None:
        rows = self._rows
        for kind, gone in (("edges", plan.delete_edges), ("nodes", plan.delete_nodes), (META, plan.delete_meta)):
            for key in gone:
                rows[kind].pop(key, None)
        for kind, put in (
            ("nodes", plan.put_nodes),
            ("edges", plan.put_edges),
            (META, plan.put_meta),
            ("changes", plan.changes),
            ("receipts", plan.receipts),
        ):
            rows[kind].update({getattr(record, _KEYS[kind]): record for record in put})
        self._head = plan.head

    # --- the new store --------------------------------------------------------------------------------------------

    def write(self, draft: Path, options: StorageOptions) -> SalvageReport:
        """Write what there is as a store of its own, and return the report."""
        self._fit()
        rows = {kind: [record for _, record in sorted(found.items())] for kind, found in self._rows.items()}
        changes = self._gapless(rows["changes"])
        head = self._new_head(options, changes)
        records = Records(head, History(draft, str(draft)), 1, Tables())
        records.store(
            CommitPlan(
                expected=head,
                head=head,
                put_nodes=rows["nodes"],
                put_edges=rows["edges"],
                put_meta=rows[META],
                changes=changes,
                receipts=sorted(rows["receipts"], key=lambda receipt: receipt.time),
            )
        )
        draft.mkdir()
        write_file(draft / IGNORED, GITIGNORE.encode())
        before = Manifest(head=head, journal=head.epoch)
        files = records.freeze(threading.Lock(), whole=True).files()
        checkpoint.write(draft, before, attrs.evolve(before, generation=1), files)
        checkpoint.finish(draft, str(draft))
        return SalvageReport(len(rows["nodes"]), len(rows["edges"]), len(changes), tuple(self._lost))

    def _fit(self) -> None:
        """Let go of what does not fit together."""
        nodes, edges = self._rows["nodes"], self._rows["edges"]
        names: dict[str, int] = {}
        for id, node in sorted(nodes.items()):
            if names.setdefault(node.name, id) != id:
                self._lose(f"node {id}", f"it has the name of node {names[node.name]}: {node.name!r}")
                del nodes[id]
        triples: dict[tuple[int, str, int], int] = {}
        for id, edge in sorted(edges.items()):
            missing = [end for end in (edge.source, edge.target) if end not in nodes]
            first = triples.setdefault((edge.source, edge.type, edge.target), id)
            if missing or first != id:
                why = f"its end, node {missing[0]}, is gone" if missing else f"it stands for the same as edge {first}"
                self._lose(f"edge {id}", f"{why}: {edge.source} -[{edge.type}]-> {edge.target}")
                del edges[id]

    def _gapless(self, changes: list[ChangeRecord]) -> list[ChangeRecord]:
        """Return the latest changes that follow on each other, up to the last change that anything tells of."""
        seq, kept = self._seq(), list[ChangeRecord]()
        for change in reversed(changes):
            if change.seq != seq - len(kept):
                break
            kept.append(change)
        if len(kept) < len(changes):
            self._lose("changes", f"{len(changes) - len(kept)} changes before a gap are not gone on from")
        return kept[::-1]

    def _seq(self) -> int:
        rows = self._rows
        revisions = [record.revision for kind in ("nodes", "edges", META) for record in rows[kind].values()]
        told = self._head.seq if self._head else 0
        last = [receipt.last for receipt in rows["receipts"].values()]
        return int(max((told, *revisions, *rows["changes"], *last)))

    def _new_head(self, options: StorageOptions, changes: list[ChangeRecord]) -> Head:
        fresh, known, seq = options.new_head(), self._head, self._seq()
        ids = [id for change in self._rows["changes"].values() for id in (change.id, change.source, change.target)]
        highest = max((known.next_id - 1 if known else 0, *self._rows["nodes"], *self._rows["edges"], *ids))
        return fresh._replace(
            store=known.store if known else fresh.store,
            seq=seq,
            next_id=highest + 1,
            floor=seq - len(changes),
            time=max(fresh.time, known.time if known else 0),
        )
