"""From the files of a checkpoint to a graph in memory, block by block, in any order and over several tries.

Who reads the files is left open: opening a store streams them in, a process that fell behind reads them itself. A file
that is as the manifest says is kept between tries, so a checkpoint that another process writes meanwhile costs only
what it changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import StoreDamagedError
from polaris_core.abc import CommitPlan
from polaris_json_fs.edits import edited
from polaris_json_fs.history import History
from polaris_json_fs.layout import META, NEW, NEXT, block_of, block_path, journal_name
from polaris_json_fs.lines import read_change, read_edge, read_meta, read_node, read_receipt, split_lines
from polaris_json_fs.manifest import Entry
from polaris_json_fs.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polaris_json_fs.manifest import Manifest

__all__ = ["Loading"]

_READERS: dict[str, Callable[[bytes], Any]] = {
    "nodes": read_node,
    "edges": read_edge,
    "changes": read_change,
    "receipts": read_receipt,
    META: read_meta,
}


class Loading:
    """What was read so far of the files of a store."""

    def __init__(self, directory: Path, location: str, *, read_only: bool = False) -> None:
        """`read_only`: a checkpoint may count whose files lack their names, and this process may not finish it."""
        self._directory = directory
        self._location = location
        self._read_only = read_only
        self._parts: dict[str, tuple[Entry, list[Any]]] = {}

    def missing(self, manifest: Manifest) -> list[str]:
        """Return the paths, in order, of the files still to be taken in for this manifest."""
        needed = [path for path in manifest.files if not path.startswith("changes/")]
        open_block = block_path("changes", block_of(manifest.head.seq + 1))
        if open_block in manifest.files:
            needed.append(open_block)
        loaded = {path for path, (entry, _) in self._parts.items() if manifest.files.get(path) == entry}
        return sorted(set(needed) - loaded)

    def source(self, path: str) -> Path:
        """Return the file to read for a path of the manifest."""
        new = self._directory / (path + NEW)
        unfinished = self._read_only and (self._directory / NEXT).exists() and new.exists()
        return new if unfinished else self._directory / path

    def read(self, path: str) -> bytes | None:
        """Return the content of the file for a path of the manifest, None where there is none."""
        try:
            return self.source(path).read_bytes()
        except FileNotFoundError:
            return None

    def take(self, manifest: Manifest, path: str, data: bytes | None) -> None:
        """Take in a file's content, None where there is no file.

        Raises `EditConflictError` if it is not what the manifest says, `StoreDamagedError` if it is and makes no sense.
        """
        entry = manifest.files[path]
        if data is None or Entry.of(data) != entry:
            waiting = (self._directory / journal_name(manifest.generation)).exists()
            raise edited(self._location, path, data, waiting=waiting)
        reader = _READERS[path.partition("/")[0]]
        try:
            self._parts[path] = entry, list(map(reader, split_lines(data)))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamagedError(
                f"{self._location}: {path} holds a line that is no record: {error!r}",
                location=self._location,
                where=path,
            ) from error

    def build(self, manifest: Manifest) -> Records:
        """Return the graph of a manifest all of whose files were taken in."""
        history = History(self._directory, self._location)
        records = Records(manifest.head, history)
        rows: dict[str, list[Any]] = {kind: [] for kind in _READERS}
        for path in sorted(manifest.files):  # so ids come in order, and everything is appended
            if path in self._parts:
                rows[path.partition("/")[0]] += self._parts[path][1]
        records.fill(
            CommitPlan(
                expected=manifest.head,
                head=manifest.head,
                put_nodes=rows["nodes"],
                put_edges=rows["edges"],
                put_meta=rows[META],
                receipts=rows["receipts"],
            )
        )
        history.extend(rows["changes"])
        history.settle(manifest.blocks("changes"), manifest.head.seq)
        return records
