"""Records that stay the lines of their files until somebody asks for them.

Of a line only what the indexes need is read when a file is taken in: ids, names and ends, each found for a whole file by one
regular expression. That costs a third of parsing it, and a line takes half the memory of a record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import attrs
import orjson

from polaris_core.abc import EdgeRecord, NodeRecord
from polaris_json_fs.lines import read_edge, read_node

__all__ = ["EdgeLines", "NodeLines", "Table", "Tables"]

T = TypeVar("T")
_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_NODE = re.compile(rb'\{"name":(' + _TEXT + rb'),"type":' + _TEXT + rb',"id":(\d+),[^\n]*\n')
_EDGE = re.compile(rb',"id":(\d+,"source_id":\d+,"target_id":\d+),"revision":[^\n]*\n')


class NodeLines(NamedTuple):
    """What is known of a file of nodes."""

    ids: Sequence[int]
    names: Sequence[str]
    lines: Sequence[bytes]

    @classmethod
    def of(cls, data: bytes) -> NodeLines:
        """Take in a file's content; raises `ValueError` where a line is no node's."""
        found, lines = _matched(_NODE, data)
        names, ids = zip(*found, strict=True)
        return cls(_parsed(ids), _parsed(names), lines)


class EdgeLines(NamedTuple):
    """What is known of a file of edges."""

    ids: Sequence[int]
    sources: Sequence[int]
    targets: Sequence[int]
    lines: Sequence[bytes]

    @classmethod
    def of(cls, data: bytes) -> EdgeLines:
        """Take in a file's content; raises `ValueError` where a line is no edge's."""
        found, lines = _matched(_EDGE, data)
        numbers = b",".join(found).replace(b'"source_id":', b"").replace(b'"target_id":', b"")
        flat = orjson.loads(b"[%b]" % numbers)  # a tuple an edge would be the garbage collector's, again and again
        return cls(flat[0::3], flat[1::3], flat[2::3], lines)


def _matched(pattern: re.Pattern[bytes], data: bytes) -> tuple[list[Any], list[bytes]]:
    found = pattern.findall(data)
    lines = data.split(b"\n")
    lines.pop()
    if len(found) != len(lines):
        raise ValueError("a line is no record of its kind")
    return found, lines


def _parsed(values: Iterable[bytes]) -> list[Any]:
    """Return the values of pieces of JSON, parsed in one go."""
    return orjson.loads(b"[%b]" % b",".join(values))  # type: ignore[no-any-return]


class Table(dict[int, T]):
    """Records by id, some of them still lines."""

    def __init__(self, read: Callable[[bytes], T]) -> None:
        super().__init__()
        self._read = read

    def fill(self, ids: Iterable[int], lines: Iterable[bytes]) -> None:
        """Take in lines."""
        super().update(zip(ids, lines, strict=True))  # type: ignore[arg-type]

    def line(self, id: int) -> bytes | None:
        """Return the line of a record that nobody has asked for yet, else None."""
        row: Any = super().get(id)
        return row if type(row) is bytes else None

    def __getitem__(self, id: int) -> T:
        row: Any = super().__getitem__(id)
        if type(row) is bytes:
            row = self[id] = self._read(row)
        return row  # type: ignore[no-any-return]

    def get(self, id: int, default: Any = None) -> Any:
        """Return the record of an id, or the default."""
        row: Any = super().get(id, default)
        if type(row) is bytes:
            row = self[id] = self._read(row)
        return row

    def pop(self, id: int) -> T:  # type: ignore[override]
        """Take a record out and return it."""
        row: Any = super().pop(id)
        return self._read(row) if type(row) is bytes else row


@attrs.frozen
class Tables:
    """The nodes and edges of a graph with their indexes, as `Image.adopt` takes them."""

    nodes: Table[NodeRecord] = attrs.Factory(lambda: Table(read_node))
    names: dict[str, int] = attrs.Factory(dict)
    edges: Table[EdgeRecord] = attrs.Factory(lambda: Table(read_edge))
    out: dict[int, list[int]] = attrs.Factory(dict)
    into: dict[int, list[int]] = attrs.Factory(dict)

    def add(self, part: NodeLines | EdgeLines) -> None:
        """Take in a file; those of a kind come in the order of their ids."""
        if isinstance(part, NodeLines):
            self.nodes.fill(part.ids, part.lines)
            self.names.update(zip(part.names, part.ids, strict=True))
            return
        self.edges.fill(part.ids, part.lines)
        for index, ends in ((self.out, part.sources), (self.into, part.targets)):
            for id, end in zip(part.ids, ends, strict=True):
                if end in index:
                    index[end].append(id)
                else:
                    index[end] = [id]
