"""The changes of a store: the latest in memory, those before them read from their files when somebody asks."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from polaris_json_fs.checkpoint import content
from polaris_json_fs.edits import edited
from polaris_json_fs.layout import block_of, block_path
from polaris_json_fs.lines import change_line, read_change, split_lines
from polaris_json_fs.manifest import Entry
from polaris_json_fs.pacing import in_slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from polaris_core.abc import ChangeRecord, Head

__all__ = ["History"]

_seq = attrgetter("seq")
_KEPT: Final = 4  # blocks whose lines stay in memory, some megabytes each


class History:
    """The feed. What is in memory starts with a block, so what is only on the disk is complete and final.

    The changes that a store was opened with stay lines until somebody asks for them.
    """

    def __init__(self, directory: Path, location: str, opened: Sequence[bytes] = ()) -> None:
        """`opened` are the lines of the last block, if it is not complete."""
        self._directory = directory
        self._location = location
        self._blocks: dict[int, Entry] = {}
        self._floor = 0
        self._opened = opened
        self._latest: list[ChangeRecord] = []
        self._read: OrderedDict[int, Sequence[bytes]] = OrderedDict()
        self._guard = threading.Lock()

    def extend(self, changes: Sequence[ChangeRecord]) -> None:
        """Append changes."""
        self._latest.extend(changes)

    def trim(self, floor: int) -> None:
        """Drop the changes up to a number."""
        if floor > self._floor:
            self._floor = floor
            start = bisect_right(self._latest, floor, key=_seq)
            if start:
                self._latest = self._latest[start:]

    def settle(self, blocks: Mapping[int, Entry], head: Head) -> Sequence[ChangeRecord]:
        """Let go of what a checkpoint with this head holds in complete files; `blocks` are its files.

        What was in memory is returned: to drop so many records takes a while, which nobody has to spend holding a lock.
        """
        before = self._latest
        open_block = block_of(head.seq + 1)
        self._blocks = {block: entry for block, entry in blocks.items() if block < open_block}
        if self._opened and block_of(_seq_of_line(self._opened[0])) < open_block:
            self._opened = ()
        start = bisect_left(self._latest, open_block, key=_block)
        if start:
            self._latest = self._latest[start:]
        return before

    def files(self, head: Head, guard: threading.Lock) -> Iterator[tuple[str, bytes]]:
        """Return path and content of the files of a checkpoint with this head that are not as they are to be.

        The block that the floor is in keeps what lies below it until all of it does.
        """
        first_kept = block_of(head.floor + 1)
        with guard:
            dropped = [block for block in self._blocks if block < first_kept]
            opened, latest = self._opened, self._latest
            end = bisect_right(latest, head.seq, key=_seq)
        for block in dropped:
            yield block_path("changes", block), b""
        start = 0
        while opened or start < end:
            block = block_of(_seq_of_line(opened[0]) if opened else latest[start].seq)
            stop = bisect_right(latest, block, 0, end, key=_block)
            lines = [line + b"\n" for line in opened if _seq_of_line(line) > head.floor]
            for some in in_slices(latest[start:stop]):
                lines += [change_line(change) for change in some if change.seq > head.floor]
            yield block_path("changes", block), b"".join(lines)
            opened, start = (), stop

    def stored(self, head: Head) -> Iterator[tuple[str, bytes]]:
        """Return path and content of the complete files that a copy of a state with this head needs."""
        for block in list(self._blocks):
            if block >= block_of(head.floor + 1):
                yield block_path("changes", block), self._content(block)

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order; with `id`, those it takes part in."""
        after = max(after, self._floor)
        found: list[ChangeRecord] = []
        for block in self._blocks:
            if block >= block_of(after + 1) and len(found) < limit:
                found += _chosen(self._lines(block), after, limit - len(found), id)
        found += _chosen(self._opened, after, limit - len(found), id)
        latest = self._latest
        for at in range(bisect_right(latest, after, key=_seq), len(latest)):
            if len(found) >= limit:
                break
            if _concerns(latest[at], id):
                found.append(latest[at])
        return found

    def _lines(self, block: int) -> Sequence[bytes]:
        with self._guard:
            lines = self._read.get(block)
            if lines is None:
                lines = self._read[block] = list(split_lines(self._content(block)))
                if len(self._read) > _KEPT:
                    self._read.popitem(last=False)
            else:
                self._read.move_to_end(block)
            return lines

    def _content(self, block: int) -> bytes:
        path, entry = block_path("changes", block), self._blocks[block]
        data = content(self._directory, path, entry)
        if data is None or Entry.of(data) != entry:
            raise edited(self._location, path, data, waiting=False)
        return data


def _chosen(lines: Sequence[bytes], after: int, limit: int, id: int | None) -> list[ChangeRecord]:
    """Return, of the lines of a block, the changes after a number that an id takes part in."""
    found: list[ChangeRecord] = []
    marks = () if id is None else tuple(b'"%b":%d,' % (name, id) for name in (b"id", b"source_id", b"target_id"))
    for at in range(bisect_right(lines, after, key=_seq_of_line), len(lines)):
        if len(found) >= limit:
            break
        if marks and not any(mark in lines[at] for mark in marks):
            continue
        change = read_change(lines[at])
        if _concerns(change, id):  # the marks may stand in the body too
            found.append(change)
    return found


def _block(change: ChangeRecord) -> int:
    return block_of(change.seq)


def _concerns(change: ChangeRecord, id: int | None) -> bool:
    return id is None or id in (change.id, change.source, change.target)


def _seq_of_line(line: bytes) -> int:
    return int(line[7 : line.index(b",")])  # {"seq":17,
