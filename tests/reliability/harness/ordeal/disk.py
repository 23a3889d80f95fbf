"""What a disk may hold after the power was cut, worked out from a recording of what a program did to its files.

The model is that of the papers on crash consistency (Pillai and others, "All File Systems Are Not Created Equal", OSDI 2014):
what was written to a file since its last fsync is there in any part, sector by sector and in any order, or not at all; a
name that was made, changed or deleted since the last fsync of its directory is as before or as after; an fsync that
failed has saved nothing, and a later one does not save it either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeAlias

from ordeal.interposer import Event, Kind

__all__ = ["Cut", "Disk", "Tree", "cuts", "put_down", "remains"]

SECTOR = 512
_MAPPED_KEPT = 4  # of the images of a mapped file that may be on the disk, the latest
_EACH = 10  # how many of the pending things are left out, kept or torn one at a time

Tree: TypeAlias = Mapping[str, bytes | None]
"""The files of a disk by their paths, None for a directory."""


class Write(NamedTuple):
    """Some bytes that were written, or with `data` None a new size; `doomed` where their fsync failed."""

    offset: int
    data: bytes | None
    doomed: bool = False


class File:
    """What of a file is on the disk for certain, and what may be."""

    def __init__(self, content: bytes = b"") -> None:
        self.certain = content
        self.pending: list[Write] = []

    def sync(self) -> None:
        self.certain = _applied(self.certain, (write for write in self.pending if not write.doomed))
        self.pending = []

    def doom(self) -> None:
        self.pending = [write._replace(doomed=True) for write in self.pending]


class Directory:
    """The names in a directory that are on the disk for certain."""

    def __init__(self) -> None:
        self.certain: dict[str, File | Directory] = {}


class Naming(NamedTuple):
    """Names given and taken in one step: (directory, name, what it names or None)."""

    edits: tuple[tuple[Directory, str, File | Directory | None], ...]


def _applied(content: bytes, writes: Iterable[Write]) -> bytes:
    result = bytearray(content)
    for offset, data, _ in writes:
        if data is None:
            del result[offset:]
            result.extend(bytes(offset - len(result)))
        else:
            result.extend(bytes(max(0, offset - len(result))))
            result[offset : offset + len(data)] = data
    return bytes(result)


def _sectors(write: Write) -> list[Write]:
    if write.data is None:
        return [write]
    parts = []
    place = 0
    while place < len(write.data):
        end = min(len(write.data), place + SECTOR - (write.offset + place) % SECTOR)
        parts.append(Write(write.offset + place, write.data[place:end]))
        place = end
    return parts


class Disk:
    """A directory and everything below it, as calls change it."""

    def __init__(self, root: Path) -> None:
        """Begin with what is in a directory now, all of it on the disk for certain."""
        self._root = root
        self._nodes: dict[int, File | Directory] = {}
        self.top = self._adopt(root)
        self._now: dict[Directory, dict[str, File | Directory]] = {}
        self.namings: list[Naming] = []

    def _adopt(self, path: Path) -> Directory:
        directory = Directory()
        self._nodes[path.stat().st_ino] = directory
        for child in path.iterdir():
            if child.is_dir():
                directory.certain[child.name] = self._adopt(child)
            else:
                file = directory.certain[child.name] = File(child.read_bytes())
                self._nodes[child.stat().st_ino] = file
        return directory

    def _names(self, directory: Directory) -> dict[str, File | Directory]:
        return self._now.setdefault(directory, dict(directory.certain))

    def _place(self, path: str) -> tuple[Directory, str]:
        directory = self.top
        *above, name = Path(path).relative_to(self._root).parts
        for part in above:
            found = self._names(directory)[part]
            assert isinstance(found, Directory)
            directory = found
        return directory, name

    def _name(self, *edits: tuple[Directory, str, File | Directory | None]) -> None:
        for directory, name, node in edits:
            if node is None:
                self._names(directory).pop(name, None)
            else:
                self._names(directory)[name] = node
        self.namings.append(Naming(edits))

    def take(self, event: Event) -> None:
        """Let an event happen."""
        node = self._nodes.get(event.inode)
        match event.kind:
            case Kind.CREATE | Kind.MKDIR:
                node = self._nodes[event.inode] = File() if event.kind is Kind.CREATE else Directory()
                self._name((*self._place(event.first), node))
            case Kind.LINK:
                assert node is not None
                self._name((*self._place(event.first), node))
            case Kind.RENAME:
                source, target = self._place(event.first), self._place(event.second)
                moved = self._names(source[0])[source[1]]
                self._name((*source, None), (*target, moved))
            case Kind.UNLINK:
                self._name((*self._place(event.first), None))
            case Kind.SYNC if isinstance(node, Directory):
                self._sync_names(node)
            case _ if isinstance(node, File):
                _change(node, event)

    def _sync_names(self, directory: Directory) -> None:
        durable = [naming for naming in self.namings if any(edit[0] is directory for edit in naming.edits)]
        self.namings = [naming for naming in self.namings if naming not in durable]
        for naming in durable:
            _rename(naming, lambda place: place.certain)

    def pending(self) -> list[tuple[File, int]]:
        """Return what may be on the disk, each as a file and its place in `pending`."""
        files = [node for node in self._nodes.values() if isinstance(node, File)]
        return [(file, place) for file in files for place in range(len(file.pending))]

    def tree(self, named: Sequence[Naming], written: Callable[[File], Iterable[Write]]) -> Tree:
        """Return what the disk holds if these namings, and these writes of each file, have reached it."""
        names: dict[Directory, dict[str, File | Directory]] = {}
        for naming in named:
            _rename(naming, lambda place: names.setdefault(place, dict(place.certain)))
        found: dict[str, bytes | None] = {}

        def walk(directory: Directory, prefix: str) -> None:
            for name, node in names.get(directory, directory.certain).items():
                if isinstance(node, Directory):
                    found[prefix + name] = None
                    walk(node, f"{prefix}{name}/")
                else:
                    found[prefix + name] = _applied(node.certain, written(node))

        walk(self.top, "")
        return found


def _rename(naming: Naming, names: Callable[[Directory], dict[str, File | Directory]]) -> None:
    for directory, name, node in naming.edits:
        if node is None:
            names(directory).pop(name, None)
        else:
            names(directory)[name] = node


def _change(file: File, event: Event) -> None:
    match event.kind:
        case Kind.WRITE:
            file.pending.append(Write(event.offset, event.data))
        case Kind.TRUNCATE:
            file.pending.append(Write(event.offset, None))
        case Kind.MAPPED:
            images = [
                write for write in file.pending if write.offset == 0 and len(write.data or b"") == len(event.data)
            ]
            if len(images) >= _MAPPED_KEPT:
                file.pending.remove(images[0])
            file.pending.append(Write(0, event.data))
        case Kind.SYNC:
            file.sync()
        case Kind.LOST_SYNC:
            file.doom()


class Cut(NamedTuple):
    """One thing that the disk may hold: how many events had happened, how much of what was pending is there, and the files."""

    events: int
    how: str
    tree: Tree

    @property
    def digest(self) -> bytes:
        """What tells this tree from others."""
        found = hashlib.sha256()
        for path, content in sorted(self.tree.items()):
            found.update(b"%d %b %d " % (len(path), path.encode(), -1 if content is None else len(content)))
            found.update(content or b"")
        return found.digest()


def _all(file: File) -> Iterable[Write]:
    return file.pending


def _none(file: File) -> Iterable[Write]:
    return ()


_Choice: TypeAlias = tuple[str, Sequence[Naming], Callable[[File], Iterable[Write]]]


def _choices(disk: Disk, chance: Random) -> Iterator[_Choice]:
    namings, pending = disk.namings, disk.pending()
    yield "everything", namings, _all
    yield "what is certain", (), _none
    yield "names", namings, _none
    yield "data", (), _all
    for place, (file, number) in enumerate(_some(pending, chance)):
        yield f"all but write {place}", namings, _chosen(file, lambda writes, n=number: [*writes[:n], *writes[n + 1 :]])
        yield f"only write {place}", namings, _alone(file, lambda writes, n=number: writes[n : n + 1])
        yield f"write {place} torn", namings, _chosen(file, lambda writes, n=number: _torn(writes, n, chance))
    for place in range(min(len(namings), _EACH)):
        yield f"{place} names", namings[:place], _all
        yield f"{place} names, no data", namings[:place], _none
        yield f"all but name {place}", [*namings[:place], *namings[place + 1 :]], _all
    for place in range(3):
        kept = [naming for naming in namings if chance.random() < 0.5]
        yield f"sectors by chance {place}", kept if place else namings, lambda file: _by_chance(file, chance)


def _some(pending: list[tuple[File, int]], chance: Random) -> list[tuple[File, int]]:
    return pending if len(pending) <= _EACH else chance.sample(pending, _EACH)


def _chosen(file: File, choose: Callable[[list[Write]], list[Write]]) -> Callable[[File], Iterable[Write]]:
    return lambda one: choose(one.pending) if one is file else one.pending


def _alone(file: File, choose: Callable[[list[Write]], list[Write]]) -> Callable[[File], Iterable[Write]]:
    return lambda one: choose(one.pending) if one is file else ()


def _torn(writes: list[Write], number: int, chance: Random) -> list[Write]:
    sectors = _sectors(writes[number])
    if len(sectors) == 1:
        return [*writes[:number], *writes[number + 1 :]]
    kept = [sector for sector in sectors if chance.random() < 0.5]
    return [*writes[:number], *kept, *writes[number + 1 :]]


def _by_chance(file: File, chance: Random) -> list[Write]:
    kept: list[Write] = []
    for write in file.pending:
        for sector in _sectors(write):
            if chance.random() < 0.5:
                kept.append(sector)
            elif chance.random() < 0.3 and sector.data is not None:  # the new size is there, the data is not
                kept.append(Write(sector.offset + len(sector.data), b""))
    return kept


def cuts(disk: Disk, events: Sequence[Event], chance: Random, *, wanted: int | None = None) -> Iterator[Cut]:
    """Yield what the disk may hold after each event, and so before the next one; `disk` is as before the first.

    With `wanted` about as many are picked by chance, from beginning to end.
    """
    share = 1.0
    if wanted is not None:
        share = wanted / sum(1 for _ in _moments(deepcopy(disk), events, chance))
    for number, (how, named, written) in _moments(disk, events, chance):
        if share >= 1.0 or chance.random() < share:
            yield Cut(number, how, disk.tree(named, written))


def _moments(disk: Disk, events: Sequence[Event], chance: Random) -> Iterator[tuple[int, _Choice]]:
    for number, event in enumerate(events, 1):
        disk.take(event)
        if event.kind is not Kind.NOTE or event.data.startswith(b"done"):  # the others change nothing and ask no more
            for choice in _choices(disk, chance):
                yield number, choice


def put_down(tree: Tree, folder: Path) -> None:
    """Make the files of a tree in an empty folder."""
    for path, content in tree.items():
        target = folder / path
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def remains(disk: Disk, events: Iterable[Event]) -> Tree:
    """Return what is on the disk for certain after events."""
    for event in events:
        disk.take(event)
    return disk.tree((), _none)
