"""From the files of a checkpoint to a graph in memory, block by block, in any order and over several tries.

Who reads the files is left open: opening a store streams them in, a process that fell behind reads them itself. A file
that is as the manifest says is kept between tries, so a checkpoint that another process writes meanwhile costs only
what it changed.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from polaris_core import StoreDamagedError
from polaris_json_fs import written
from polaris_json_fs.checkpoint import content
from polaris_json_fs.edits import edited
from polaris_json_fs.history import History
from polaris_json_fs.layout import META, block_of, block_path, journal_name
from polaris_json_fs.lines import read_meta, read_receipt, split_lines
from polaris_json_fs.manifest import Entry
from polaris_json_fs.records import Records
from polaris_json_fs.tables import EdgeLines, NodeLines, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from polaris_json_fs.manifest import Manifest

__all__ = ["Loading"]

_READERS: dict[str, Callable[[bytes], Any]] = {
    "nodes": NodeLines.of,
    "edges": EdgeLines.of,
    "changes": lambda data: list(split_lines(data)),
    "receipts": lambda data: list(map(read_receipt, split_lines(data))),
    META: lambda data: list(map(read_meta, split_lines(data))),
}


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the garbage collector from looking, several times over, at a great many lists none of which is garbage.

    It is the whole process' collector, for the tenths of a second that this takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Loading:
    """What was read so far of the files of a store."""

    def __init__(self, directory: Path, location: str) -> None:
        self._directory = directory
        self._location = location
        self._parts: dict[str, tuple[Entry, Any]] = {}

    def missing(self, manifest: Manifest) -> list[str]:
        """Return the paths, in order, of the files still to be taken in for this manifest."""
        needed = [path for path in manifest.files if not path.startswith("changes/")]
        open_block = block_path("changes", block_of(manifest.head.seq + 1))
        if open_block in manifest.files:
            needed.append(open_block)
        loaded = {path for path, (entry, _) in self._parts.items() if manifest.files.get(path) == entry}
        return sorted(set(needed) - loaded)

    def take(self, manifest: Manifest, path: str, data: bytes | None) -> None:
        """Take in what was read of a file, None where nothing was.

        Raises `EditConflictError` if the file is not as the manifest says, `StoreDamagedError` if it is and makes no sense.
        """
        entry = manifest.files[path]
        if data is None or Entry.of(data) != entry:
            data = content(self._directory, path, entry)
            if data is None or Entry.of(data) != entry:
                waiting = (self._directory / journal_name(manifest.generation)).exists()
                was = None if data is None else written.recall(self._directory, path, entry)
                raise edited(self._location, path, data, waiting=waiting, was=was)
        self.accept(manifest, path, data)

    def accept(self, manifest: Manifest, path: str, data: bytes) -> None:
        """Take in what the manifest says of a file; raises `StoreDamagedError` if it makes no sense."""
        reader = _READERS[path.partition("/")[0]]
        try:
            self._parts[path] = manifest.files[path], reader(data)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreDamagedError(
                f"{self._location}: {path} holds a line that is no record: {error!r}",
                location=self._location,
                where=path,
            ) from error

    def build(self, manifest: Manifest) -> Records:
        """Return the graph of a manifest all of whose files were taken in."""
        tables = Tables()
        rows: dict[str, list[Any]] = {"changes": [], "receipts": [], META: []}
        with _without_collections():
            for path in sorted(manifest.files):  # so ids come in order
                if path in self._parts:
                    part = self._parts[path][1]
                    if isinstance(part, list):
                        rows[path.partition("/")[0]] += part
                    else:
                        tables.add(part)
        history = History(self._directory, self._location, rows["changes"])
        history.trim(manifest.head.floor)
        history.settle(manifest.blocks("changes"), manifest.head)
        records = Records(manifest.head, history, manifest.generation, tables)
        records.fill(rows[META], rows["receipts"])
        return records
