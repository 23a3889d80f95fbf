"""The rows a backend keeps, and the session a program sees them through. Everything here is plain data or a protocol.

A backend knows ids, names, types, revisions and bodies; what a body says is the codec's business. Nodes and edges draw their
ids from one sequence, so an id alone says which record is meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from polaris_core.errors import PolarisError
    from polaris_core.outcomes import Commit, Loaded

__all__ = [
    "FORMAT",
    "ChangeRecord",
    "CommitPlan",
    "Direction",
    "EdgeRecord",
    "EdgeRef",
    "Head",
    "KeyKind",
    "Link",
    "LoadPlan",
    "MetaRecord",
    "NodeRecord",
    "NodeRef",
    "Program",
    "Receipt",
    "Session",
    "StagedEdge",
    "StagedNode",
]

FORMAT = 1
"""The meaning of bodies and changes; a store of a newer one is refused."""


class Head(NamedTuple):
    """Where a store stands: everything that is not a record.

    `seq` numbers the last change, `next_id` is the next id to give out, `floor` the last change that was trimmed, `time` the
    last commit's time in microseconds since 1970 UTC. `store` never changes; `epoch` does when history is replaced.
    """

    store: str
    epoch: str
    seq: int = 0
    next_id: int = 1
    floor: int = 0
    time: int = 0
    format: int = FORMAT


class NodeRecord(NamedTuple):
    """A node as stored: `body` is the codec's canonical JSON."""

    id: int
    name: str
    type: str
    revision: int
    body: str


class EdgeRecord(NamedTuple):
    """An edge as stored: `source` and `target` are node ids."""

    id: int
    source: int
    type: str
    target: int
    revision: int
    body: str


class MetaRecord(NamedTuple):
    """A record beside the graph, such as a schema."""

    key: str
    revision: int
    body: str


class Link(NamedTuple):
    """An edge without its body, for walking."""

    id: int
    source: int
    type: str
    target: int


class ChangeRecord(NamedTuple):
    """An entry of the feed: `id` is the record's, 0 where it has none; an edge's `source` and `target` are node ids, else 0."""

    seq: int
    commit: int
    kind: str
    id: int
    source: int
    target: int
    body: str


class Receipt(NamedTuple):
    """What a batch with an idempotency key answered: `digest` tells its request, `body` holds its results."""

    key: str
    digest: str
    first: int
    last: int
    time: int
    body: str


class CommitPlan(NamedTuple):
    """One durable commit. A backend stores it atomically, in the order of the fields, or not at all.

    `renamed` lists nodes whose stored names must be given up before `put_nodes` is written, so that names can be swapped. A
    `put_*` row replaces the row of the same id or key. `receipts` replace those of the same key; those of commits before the
    time `forget_receipts` are dropped, 0 for none. Where `head.floor` rises, the changes up to it are dropped. `outcomes` is
    not stored.
    """

    expected: Head
    head: Head
    delete_edges: Sequence[int] = ()
    delete_nodes: Sequence[int] = ()
    delete_meta: Sequence[str] = ()
    renamed: Sequence[int] = ()
    put_nodes: Sequence[NodeRecord] = ()
    put_edges: Sequence[EdgeRecord] = ()
    put_meta: Sequence[MetaRecord] = ()
    changes: Sequence[ChangeRecord] = ()
    receipts: Sequence[Receipt] = ()
    forget_receipts: int = 0
    outcomes: Sequence[Commit | PolarisError] = ()

    @property
    def writes(self) -> bool:
        """Whether there is anything to store. Records may be written where the head stays, as a copy of a store does."""
        return self.head != self.expected or any(self[2:-1])


class StagedNode(NamedTuple):
    """A node that waits to be loaded. Nodes and edges of one load are numbered from 0 in one sequence."""

    number: int
    name: str
    type: str
    body: str


class StagedEdge(NamedTuple):
    """An edge that waits to be loaded: `source` and `target` are the numbers of its ends."""

    number: int
    source: int
    type: str
    target: int
    body: str


class LoadPlan(NamedTuple):
    """One durable commit of what waits to be loaded: `plan`, and the staged records that are not `left_out`.

    The record of a number gets the id `base` plus that number, and `revision`; the ends of an edge likewise. `loaded` is not
    stored.
    """

    plan: CommitPlan
    base: int
    revision: int
    left_out: Collection[int]
    loaded: Loaded

    def node(self, staged: StagedNode) -> NodeRecord:
        """Return the row of a staged node."""
        return NodeRecord(self.base + staged.number, staged.name, staged.type, self.revision, staged.body)

    def edge(self, staged: StagedEdge) -> EdgeRecord:
        """Return the row of a staged edge."""
        number, source, type_, target, body = staged
        return EdgeRecord(self.base + number, self.base + source, type_, self.base + target, self.revision, body)


Direction: TypeAlias = Literal["out", "in", "both"]
KeyKind: TypeAlias = Literal["node", "meta", "receipt"]
NodeRef: TypeAlias = int | str
"""A node's id or its name."""
EdgeRef: TypeAlias = int | tuple[int, str, int]
"""An edge's id, or its source's id, its type and its target's id."""


class Session(Protocol):
    """One committed state of one graph, read by a program.

    `nodes`, `edges`, `meta` and `receipts` answer in the order of what was asked, None where nothing is. Everything else is
    ordered as said and bounded by `limit`, which is at least 1; the next page starts after the last row of this one.
    """

    async def head(self) -> Head:
        """Return where the store stands."""
        ...

    async def nodes(self, refs: Sequence[NodeRef]) -> Sequence[NodeRecord | None]:
        """Return the nodes of these ids or names."""
        ...

    async def edges(self, refs: Sequence[EdgeRef]) -> Sequence[EdgeRecord | None]:
        """Return the edges of these ids or triples."""
        ...

    async def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> Sequence[Link]:
        """Return the edges that leave or enter any of these nodes, ordered by edge id, of these types where given.

        An edge that touches two of the nodes, or one of them twice, stands there once.
        """
        ...

    async def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> Sequence[Any]:
        """Return node or edge records ordered by id."""
        ...

    async def keys(self, kind: KeyKind, after: str, limit: int) -> Sequence[str]:
        """Return the names of nodes, or the keys of meta records or receipts, that follow `after` in code point order.

        Code point order is the order of the bytes in UTF-8, whatever the locale; `''` starts at the first.
        """
        ...

    async def meta(self, keys: Sequence[str]) -> Sequence[MetaRecord | None]:
        """Return the records beside the graph with these keys."""
        ...

    async def changes(self, after: int, limit: int, id: int | None) -> Sequence[ChangeRecord]:
        """Return the changes after a number, in order; with `id`, which is at least 1, those whose id, source or target it is.

        Whether the number lies below the head's `floor` is for the program to ask.
        """
        ...

    async def receipts(self, keys: Sequence[str]) -> Sequence[Receipt | None]:
        """Return the receipts of these idempotency keys."""
        ...

    async def counts(self) -> tuple[int, int]:
        """Return how many nodes and how many edges there are."""
        ...


T = TypeVar("T")
Program: TypeAlias = Callable[[Session], Awaitable[T]]
"""A coroutine function that awaits nothing but its session and has no other effects, so that it may be run again."""
