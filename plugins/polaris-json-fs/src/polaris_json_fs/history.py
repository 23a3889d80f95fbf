"""The changes of a store: the latest in memory, those before them read from their files when somebody asks."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from polaris_json_fs.edits import edited
from polaris_json_fs.layout import block_of, block_path
from polaris_json_fs.lines import change_line, read_change, split_lines
from polaris_json_fs.manifest import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from polaris_core.abc import ChangeRecord

__all__ = ["History"]

_seq = attrgetter("seq")
_KEPT: Final = 4  # blocks whose lines stay in memory, some megabytes each


class History:
    """The feed. What is in memory starts with a block, so what is only on the disk is complete and final."""

    def __init__(self, directory: Path, location: str) -> None:
        self._directory = directory
        self._location = location
        self._blocks: dict[int, Entry] = {}
        self._latest: list[ChangeRecord] = []
        self._read: OrderedDict[int, Sequence[bytes]] = OrderedDict()
        self._guard = threading.Lock()

    def extend(self, changes: Sequence[ChangeRecord]) -> None:
        """Append changes."""
        self._latest.extend(changes)

    def settle(self, blocks: Mapping[int, Entry], seq: int) -> None:
        """Let go of what a checkpoint at change `seq` holds in complete files; `blocks` are its files."""
        open_block = block_of(seq + 1)
        self._blocks = {block: entry for block, entry in blocks.items() if block < open_block}
        self._latest = self._latest[bisect_left(self._latest, open_block, key=_block) :]

    def files(self) -> Iterator[tuple[int, bytes]]:
        """Return block and content of the files that hold what is in memory."""
        start = 0
        while start < len(self._latest):
            block = block_of(self._latest[start].seq)
            end = bisect_right(self._latest, block, key=_block)
            yield block, b"".join(map(change_line, self._latest[start:end]))
            start = end

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order; with `id`, those it takes part in."""
        found: list[ChangeRecord] = []
        for block in self._blocks:
            if block >= block_of(after + 1) and len(found) < limit:
                found += self._in_block(block, after, limit - len(found), id)
        latest = self._latest
        for at in range(bisect_right(latest, after, key=_seq), len(latest)):
            if len(found) >= limit:
                break
            if _concerns(latest[at], id):
                found.append(latest[at])
        return found

    def _in_block(self, block: int, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        found = []
        lines = self._lines(block)
        start = bisect_right(lines, after, key=_seq_of_line) if block == block_of(after + 1) else 0
        marks = () if id is None else tuple(b'"%b":%d,' % (name, id) for name in (b"id", b"source_id", b"target_id"))
        for at in range(start, len(lines)):
            line = lines[at]
            if marks and not any(mark in line for mark in marks):
                continue
            change = read_change(line)
            if _concerns(change, id):  # the marks may stand in the body too
                found.append(change)
                if len(found) == limit:
                    break
        return found

    def _lines(self, block: int) -> Sequence[bytes]:
        with self._guard:
            lines = self._read.get(block)
            if lines is None:
                path = block_path("changes", block)
                try:
                    data = (self._directory / path).read_bytes()
                except FileNotFoundError:
                    raise edited(self._location, path, None, waiting=False) from None
                if Entry.of(data) != self._blocks[block]:
                    raise edited(self._location, path, data, waiting=False)
                lines = self._read[block] = list(split_lines(data))
                if len(self._read) > _KEPT:
                    self._read.popitem(last=False)
            else:
                self._read.move_to_end(block)
            return lines


def _block(change: ChangeRecord) -> int:
    return block_of(change.seq)


def _concerns(change: ChangeRecord, id: int | None) -> bool:
    return id is None or id in (change.id, change.source, change.target)


def _seq_of_line(line: bytes) -> int:
    return int(line[7 : line.index(b",")])  # {"seq":17,
