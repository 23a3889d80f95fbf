"""Looking for damage: everything on the disk against its digests, then the records against each other and the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from polaris_core import EditConflictError, StoreDamagedError
from polaris_core.abc import Finding, VerifyReport, flaws_of
from polaris_json_fs import checkpoint, written
from polaris_json_fs.edits import edited, first_difference
from polaris_json_fs.layout import DIRECTORIES
from polaris_json_fs.manifest import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from polaris_core.abc import BlockingSession, Progress
    from polaris_json_fs.manifest import Manifest

__all__ = ["files_findings", "verify"]

_PAGE: Final = 4_096
_ALL: Final = 1 << 62


def files_findings(directory: Path, location: str, manifest: Manifest) -> Iterator[tuple[int, Finding | None]]:
    """Return, file by file, how many lines were read and what is wrong, where something is."""
    for path, entry in manifest.files.items():
        data = checkpoint.content(directory, path, entry)
        if data is not None and Entry.of(data) == entry:
            yield data.count(b"\n"), None
        else:
            was = written.recall(directory, path, entry) if data is not None else None
            where = (
                first_difference(path, was, data)
                if was is not None and data is not None
                else edited(location, path, data, waiting=False).where
            )
            what = "is missing" if data is None else "is not as it was written"
            yield (data or b"").count(b"\n"), Finding(where, what)
    for name in DIRECTORIES:
        for found in sorted((directory / name).glob("*.jsonl")):
            path = f"{name}/{found.name}"
            if path not in manifest.files:
                yield 0, Finding(path, "is no file of this store: the manifest does not name it")


def verify(
    directory: Path, location: str, opened: Callable[[], BlockingSession], progress: Progress | None
) -> VerifyReport:
    """Verify a store nobody writes a checkpoint of; `opened` reads it from the disk once more.

    Of what differs from its digest the place is told, and then nothing of the rest is looked at more closely.
    """
    try:
        manifest = checkpoint.newest(directory, location)
    except StoreDamagedError as error:
        return VerifyReport(0, (Finding(error.where or location, str(error)),))
    if manifest is None:
        return VerifyReport(0, (Finding(location, "has no manifest"),))
    looked_at, findings = 0, []
    for lines, finding in files_findings(directory, location, manifest):
        looked_at += lines
        findings += [finding] if finding else []
    if findings:
        return VerifyReport(looked_at, tuple(findings))
    try:
        session = opened()
    except (StoreDamagedError, EditConflictError) as error:
        return VerifyReport(looked_at, (Finding(error.where or location, str(error)),))
    examination = _Examination(session, progress)
    examination.run()
    return VerifyReport(examination.looked_at, tuple(examination.findings))


class _Examination:
    """The records of one state, read from end to end."""

    def __init__(self, session: BlockingSession, progress: Progress | None) -> None:
        self.looked_at = 0
        self.findings: list[Finding] = []
        self._session = session
        self._head = session.head()
        self._progress = progress

    def run(self) -> None:
        """Look at everything."""
        names: dict[str, int] = {}
        for node in self._pages("node"):
            where = f"node {node.id}"
            self._look(where, node)
            if names.setdefault(node.name, node.id) != node.id:
                self._find(where, f"it has the name of node {names[node.name]}: {node.name!r}")
        self._edges(set(names.values()))
        session = self._session
        for meta in session.meta(session.keys("meta", "", _ALL)):
            self._look(f"meta {meta.key!r}" if meta else "meta", meta)
        for receipt in session.receipts(session.keys("receipt", "", _ALL)):
            self._look(f"receipt {receipt.key!r}" if receipt else "receipt", receipt)
        self._changes()

    def _edges(self, nodes: set[int]) -> None:
        triples: dict[tuple[int, str, int], int] = {}
        for edge in self._pages("edge"):
            where = f"edge {edge.id}"
            self._look(where, edge)
            for end in (edge.source, edge.target):
                if end not in nodes:
                    self._find(where, f"its end, node {end}, does not exist")
            first = triples.setdefault((edge.source, edge.type, edge.target), edge.id)
            if first != edge.id:
                self._find(where, f"it stands for the same as edge {first}")

    def _changes(self) -> None:
        expected = self._head.floor + 1
        while page := self._session.changes(expected - 1, _PAGE, None):
            for change in page:
                where = f"change {change.seq}"
                self._look(where, change)
                if change.seq != expected:
                    self._find(where, f"change {expected} should stand here")
                expected = change.seq + 1
        if expected != self._head.seq + 1:
            self._find("changes", f"they end with {expected - 1}, and the last change is {self._head.seq}")

    def _pages(self, kind: Any) -> Iterator[Any]:
        after = 0
        while page := self._session.scan(kind, after, _PAGE):
            yield from page
            after = page[-1].id

    def _look(self, where: str, record: Any) -> None:
        self.looked_at += 1
        for flaw in flaws_of(record, self._head):
            self._find(where, flaw)
        if self._progress is not None and self.looked_at % _PAGE == 0:
            self._progress(self.looked_at, None)

    def _find(self, where: str, what: str) -> None:
        self.findings.append(Finding(where, what))
