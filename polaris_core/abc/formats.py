"""What a format plugin implements: reading a file as records, writing a graph as a file. Both stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import BinaryIO

import attrs

from polaris_core.model import Edge, Node
from polaris_core.mutations import UpsertEdge, UpsertNode

__all__ = ["FormatSpec"]


@attrs.frozen(kw_only=True)
class FormatSpec:
    """A file format. `read` yields what `Graph.load` takes, in any order; `write` yields the file's bytes.

    An upsert stands for a record; one whose type is None keeps the type that is there.

    What a file holds is not trusted: `read` bounds what it keeps in memory and raises `ValidationError` with the line for
    what it cannot understand. A format may do only one of the two.
    """

    name: str
    sentence: str
    suffixes: tuple[str, ...] = ()
    read: Callable[[BinaryIO], Iterator[UpsertNode | UpsertEdge]] | None = None
    write: Callable[[AsyncIterator[Node | Edge]], AsyncIterator[bytes]] | None = None
