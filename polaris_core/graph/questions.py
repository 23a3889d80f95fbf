"""Questions as programs: each reads one committed state, and says what a transaction that asked it must find unchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

import attrs

from polaris_core.abc.capabilities import QuerySession
from polaris_core.codec import decode_change, decode_edge, decode_node
from polaris_core.errors import NodeNotFoundError
from polaris_core.history import check_kept, cursor_of
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor, Edge, EdgeKey, Node
from polaris_core.mutations import Expect, ExpectLinks, ExpectRevision, ExpectUnchanged
from polaris_core.query import Page, Position, cursor_text, position_after
from polaris_core.records import Direction, Link, NodeRecord, Session
from polaris_core.storage.grounds import Exploration, SessionGround
from polaris_core.storage.lookups import edge_records

__all__ = [
    "Changes",
    "Edges",
    "Explored",
    "Names",
    "Neighbor",
    "Neighbors",
    "Nodes",
    "Place",
    "Question",
    "Statistics",
    "Stats",
    "existing",
]

T_co = TypeVar("T_co", covariant=True)

_CHUNK = 2_000


class Question(ABC, Generic[T_co]):
    """A read program as a value."""

    @abstractmethod
    async def __call__(self, session: Session) -> T_co:
        """Return the answer, from one committed state."""

    async def expectations(self, session: Session) -> Sequence[Expect]:
        """Return what must still hold when a transaction that relied on the answer commits; by default that nothing changed."""
        return (ExpectUnchanged(cursor_of(await session.head())),)


async def existing(session: Session, names: Sequence[str]) -> list[NodeRecord]:
    """Return the nodes of these names, in their order; raises `NodeNotFoundError` for the first that no node has."""
    records = []
    for name, record in zip(names, await session.nodes(names), strict=True):
        if record is None:
            raise NodeNotFoundError(f"no node {name!r}", key=name)
        records.append(record)
    return records


@attrs.frozen
class Nodes(Question[dict[str, Node]]):
    """The nodes of these names, as far as they exist."""

    names: tuple[str, ...]

    async def __call__(self, session: Session) -> dict[str, Node]:
        """Return nodes by name."""
        return {record.name: decode_node(record) for record in await session.nodes(self.names) if record}

    async def expectations(self, session: Session) -> Sequence[Expect]:
        """Expect each node at its revision, or absent."""
        records = await session.nodes(self.names)
        return [
            ExpectRevision(name, record.revision if record else 0)
            for name, record in zip(self.names, records, strict=True)
        ]


@attrs.frozen
class Edges(Question[dict[EdgeKey, Edge]]):
    """The edges of these keys, as far as they exist."""

    keys: tuple[EdgeKey, ...]

    async def __call__(self, session: Session) -> dict[EdgeKey, Edge]:
        """Return edges by key."""
        records = await edge_records(session, self.keys)
        return {
            key: decode_edge(record, key.source, key.target)
            for key, record in zip(self.keys, records, strict=True)
            if record
        }

    async def expectations(self, session: Session) -> Sequence[Expect]:
        """Expect each edge at its revision, or absent."""
        records = await edge_records(session, self.keys)
        return [
            ExpectRevision(key, record.revision if record else 0)
            for key, record in zip(self.keys, records, strict=True)
        ]


@attrs.frozen
class Explored(Question[T_co]):
    """What an exploration finds."""

    exploration: Exploration[T_co]
    limits: Limits

    async def __call__(self, session: Session) -> T_co:
        """Return what it finds; raises what it raises."""
        return await self.exploration(SessionGround(session, self.limits))


@attrs.frozen
class Neighbor:
    """A node one edge away, and that edge."""

    edge: Edge
    node: Node


@attrs.frozen
class Neighbors(Question[Page[Neighbor]]):
    """The nodes one edge away from a node, in the order their edges were created."""

    name: str
    direction: Direction = "both"
    types: tuple[str, ...] | None = None
    limit: int = 100
    cursor: str | None = None

    async def __call__(self, session: Session) -> Page[Neighbor]:
        """Return a page of neighbors; raises `NodeNotFoundError` where there is no such node."""
        (origin,) = await existing(session, (self.name,))
        links = await self._links(session, origin.id)
        far = {link.target if link.source == origin.id else link.source for link in links}
        nodes = {record.id: decode_node(record) for record in await session.nodes(tuple(far)) if record}
        names = {origin.id: origin.name, **{id: node.name for id, node in nodes.items()}}
        edges = await session.edges([link.id for link in links])
        return Page(
            tuple(
                Neighbor(
                    decode_edge(edge, names[edge.source], names[edge.target]),
                    nodes[edge.target if edge.source == origin.id else edge.source],
                )
                for edge in edges
                if edge
            ),
            cursor_text(self._asked, Position(links[-1].id)) if len(links) == self.limit else None,
        )

    @property
    def _asked(self) -> tuple[object, ...]:
        """What a cursor belongs to: a page of another size goes on where the one before ended."""
        return (self.name, self.direction, self.types)

    async def _links(self, session: Session, id: int) -> Sequence[Link]:
        after = position_after(self._asked, self.cursor).id if self.cursor is not None else 0
        return await session.links((id,), self.direction, self.types, self.limit, after)

    async def expectations(self, session: Session) -> Sequence[Expect]:
        """Expect the node's edges unchanged since, and itself and its neighbors at their revisions."""
        (origin,) = await session.nodes((self.name,))
        if origin is None:
            return (ExpectRevision(self.name, 0),)
        links = await self._links(session, origin.id)
        far = {link.target if link.source == origin.id else link.source for link in links} | {origin.id}
        nodes = await session.nodes(tuple(far))
        since = cursor_of(await session.head())
        return [
            ExpectLinks(self.name, since),
            *(ExpectRevision(record.name, record.revision) for record in nodes if record),
        ]


@attrs.frozen
class Names(Question[tuple[str, ...]]):
    """Node names that follow a text in code point order."""

    after: str
    limit: int

    async def __call__(self, session: Session) -> tuple[str, ...]:
        """Return names in order."""
        return tuple(await session.keys("node", self.after, self.limit))


@attrs.frozen(kw_only=True)
class Statistics:
    """What a graph holds. `complete` is False when a bound was reached before all types were counted."""

    nodes: int
    edges: int
    node_types: dict[str, int]
    edge_types: dict[str, int]
    complete: bool
    cursor: Cursor


@attrs.frozen
class Stats(Question[Statistics]):
    """Count nodes and edges, and how many there are of each type.

    Looks at `scan` records of each kind at most, where the backend does not count types itself.
    """

    scan: int = 1_000_000

    async def __call__(self, session: Session) -> Statistics:
        """Return the counts."""
        nodes, edges = await session.counts()
        node_types, edge_types = await self._types(session, "node"), await self._types(session, "edge")
        return Statistics(
            nodes=nodes,
            edges=edges,
            node_types=dict(sorted(node_types.items(), key=lambda item: (-item[1], item[0]))),
            edge_types=dict(sorted(edge_types.items(), key=lambda item: (-item[1], item[0]))),
            complete=isinstance(session, QuerySession) or max(nodes, edges) <= self.scan,
            cursor=cursor_of(await session.head()),
        )

    async def _types(self, session: Session, kind: Literal["node", "edge"]) -> dict[str, int]:
        if isinstance(session, QuerySession):
            return dict(await session.types(kind))
        counts: dict[str, int] = {}
        after = looked = 0
        while looked < self.scan and (records := await session.scan(kind, after, _CHUNK)):
            for record in records:
                counts[record.type] = counts.get(record.type, 0) + 1
            after, looked = records[-1].id, looked + len(records)
        return counts


@attrs.frozen
class Place(Question[Cursor]):
    """Where in history the state that is read stands."""

    async def __call__(self, session: Session) -> Cursor:
        """Return a cursor."""
        return cursor_of(await session.head())


@attrs.frozen
class Changes(Question[tuple[Change, ...]]):
    """The changes after a place in history, in order; None starts at the oldest change that is kept."""

    after: Cursor | None
    limit: int

    async def __call__(self, session: Session) -> tuple[Change, ...]:
        """Return changes; raises `HistoryReplacedError` or `HistoryTrimmedError` where the place is no more."""
        head = await session.head()
        start = self.after or Cursor(head.store, head.epoch, head.floor)
        check_kept(start, head)
        return tuple(decode_change(record, head) for record in await session.changes(start.seq, self.limit, None))
