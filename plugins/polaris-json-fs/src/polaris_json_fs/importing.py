"""Files of records without a manifest, such as a clone that left it out: they become a store of their own, as they are.

Nothing is written but a manifest and what belongs to it. Ids, revisions and the feed stay; the store and its epoch are new, so
nobody takes it for the one that the files came from.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from polaris_core import EditConflictError, StoreFormatError
from polaris_json_fs import checkpoint, written
from polaris_json_fs.edits import again
from polaris_json_fs.layout import DIRECTORIES, MANIFEST, META, block_at, block_of, block_path
from polaris_json_fs.lines import read_change, read_edge, read_meta, read_node, read_receipt, split_lines
from polaris_json_fs.manifest import Entry, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from polaris_core.abc import Head

__all__ = ["READERS", "adopt", "blocks", "importable", "unnamed"]

READERS: dict[str, Callable[[bytes], Any]] = {
    "nodes": read_node,
    "edges": read_edge,
    "changes": read_change,
    "receipts": read_receipt,
    META: read_meta,
}
"""What reads a line of a file, by the first part of its path."""


def importable(directory: Path) -> set[str]:
    """Return the names in a directory that belong to files of records, if there are nodes among them."""
    names = {name for name in DIRECTORIES if (directory / name).is_dir() and blocks(directory, name)}
    if "nodes" not in names:
        return set()
    return names | ({META} if (directory / META).is_file() else set())


def blocks(directory: Path, name: str) -> list[str]:
    """Return the paths of the files of records in a directory of a store."""
    paths = sorted(f"{name}/{path.name}" for path in (directory / name).glob("*.jsonl"))
    return [path for path in paths if path[-12:-6].isdecimal() and path == block_path(name, block_at(path))]


def unnamed(directory: Path, manifest: Manifest) -> list[str]:
    """Return the paths of files of records that a manifest does not name, as they are where somebody made one by hand.

    Polaris leaves none: what a checkpoint deletes is gone before its manifest is in force.
    """
    paths = [path for name in ("nodes", "edges") for path in blocks(directory, name)]
    paths += [META] if (directory / META).is_file() else []
    return [path for path in paths if path not in manifest.files and (directory / path).stat().st_size]


class _Import:
    """What is read of the files, and held against itself."""

    def __init__(self, directory: Path, location: str) -> None:
        self.entries: dict[str, Entry] = {}
        self.nodes: dict[int, str] = {}
        self.edges: dict[int, str] = {}
        self.seq = self.first = self.last = self.time = self.highest = 0
        self.latest = ""
        """Where the highest revision stands, which is `seq`."""
        self._directory = directory
        self._location = location
        self._taken: dict[Any, str] = {}

    def read(self, path: str) -> None:
        data = (self._directory / path).read_bytes()
        kind = path.partition("/")[0]
        last = -1
        for number, line in zip(count(1), split_lines(data), strict=False):
            where = f"{path}:{number}"
            try:
                if again(path, line) != line + b"\n":
                    raise self._refused(where, "is not as Polaris writes it")
                record = READERS[kind](line)
            except (ValueError, KeyError, TypeError) as error:
                raise self._refused(where, f"is no record: {error!r}") from error
            if kind in ("nodes", "edges", "changes"):
                place = record.seq if kind == "changes" else record.id
                if place <= last or block_of(place) != block_at(path):
                    raise self._refused(where, "stands out of its order")
                last = place
            for fault in self._faults(where, record):
                raise self._refused(where, fault)
        self.entries[path] = Entry.of(data)

    def _faults(self, where: str, record: Any) -> Iterator[str]:
        """Note a record, and return in what way it does not fit those before it."""
        match record:
            case (id, str(name), str(), int(revision), str()):
                self.nodes[id] = where
                self._reach(where, revision)
                yield from self._twice(where, ("name", name))
            case (id, int(source), str(type), int(target), int(revision), str()):
                self.edges[id] = where
                self._reach(where, revision)
                yield from self._twice(where, (source, type, target))
                if id in self.nodes:
                    yield f"has the id of {self.nodes[id]}"
                if source not in self.nodes or target not in self.nodes:
                    yield "has an end that is not there"
            case (int(seq), int(), str(), int(id), int(source), int(target), str()):
                self.highest = max(self.highest, id, source, target)
                if self.last and seq != self.last + 1:
                    yield f"should be change {self.last + 1}"
                self.first, self.last = self.first or seq, seq
            case (str(), str(), int(), int(last), int(time), str()):
                self._reach(where, last)
                self.time = max(self.time, time)
            case (str(), int(revision), str()):
                self._reach(where, revision)

    def _reach(self, where: str, revision: int) -> None:
        if revision > self.seq:
            self.seq, self.latest = revision, where

    def check_feed(self) -> None:
        """Raise where there is a feed, and it does not tell of everything: it would have to be left out."""
        if 0 < self.last < self.seq:
            raise self._refused(
                self.latest,
                f"is of change {self.seq}, and the feed ends with {self.last}; bring back what is missing of changes, or delete"
                " changes to leave the history behind",
            )

    def _twice(self, where: str, key: Any) -> Iterator[str]:
        first = self._taken.setdefault(key, where)
        if first != where:
            yield f"says what {first} says"

    def _refused(self, where: str, what: str) -> EditConflictError:
        return EditConflictError(
            f"{self._location}: {where} {what}; correct the line, so that the files can be imported",
            location=self._location,
            where=where,
        )


def adopt(directory: Path, location: str, fresh: Head) -> Manifest:
    """Make a store of files of records that have no manifest, for the holder of its locks; `fresh` is a new store's head.

    Raises `EditConflictError` with file and line, and `StoreFormatError` where there is a journal: it means nothing without
    its manifest.
    """
    if checkpoint.generations(directory):
        raise StoreFormatError(
            f"{location}: there is a journal and no {MANIFEST}: bring the manifest back, or delete the journals and lose"
            " the commits in them",
            location=location,
        )
    found = _Import(directory, location)
    for name in ("nodes", "edges", "changes", "receipts"):
        for path in blocks(directory, name):
            found.read(path)
    if (directory / META).is_file():
        found.read(META)
    found.check_feed()
    seq = max(found.seq, found.last)
    head = fresh._replace(
        seq=seq,
        next_id=max((found.highest, *found.nodes, *found.edges)) + 1,
        floor=found.first - 1 if found.last else seq,
        time=max(fresh.time, found.time),
    )
    before = Manifest(head=head, journal=head.epoch, files=found.entries)
    checkpoint.write(directory, before, attrs.evolve(before, generation=1), ())
    for path in found.entries:
        written.keep(directory, path, (directory / path).read_bytes(), directory / path)
        written.place(directory, path)
    made = checkpoint.finish(directory, location)
    assert made is not None  # noqa: S101 - it was written above
    return made
