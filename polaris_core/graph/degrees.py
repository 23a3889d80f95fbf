"""How many edges nodes have, and which nodes have the most."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import attrs

from polaris_core.codec import decode_node
from polaris_core.errors import LimitExceededError
from polaris_core.graph.finding import answering_itself
from polaris_core.graph.questions import Question, existing
from polaris_core.history import cursor_of
from polaris_core.model import Node
from polaris_core.mutations import Expect, ExpectLinks, ExpectRevision
from polaris_core.records import Direction, EdgeRecord, Session

__all__ = ["Degrees", "Hub", "Hubs"]

_LINKS = 10_000
_EDGES = 5_000
_NODES = 1_000


def _too_many(scan: int, size: int, what: str) -> LimitExceededError:
    return LimitExceededError(f"scan is limited to {scan}; {what}", limit="scan", size=size, maximum=scan)


@attrs.frozen
class Degrees(Question[dict[str, int]]):
    """How many edges each of these nodes has; looks at `scan` edges at most, where the backend does not count itself."""

    names: tuple[str, ...]
    direction: Direction
    types: tuple[str, ...] | None
    scan: int

    async def __call__(self, session: Session) -> dict[str, int]:
        """Return the numbers by name; raises `NodeNotFoundError` for a name that no node has, and `LimitExceededError`."""
        degrees: dict[str, int] = {}
        left = self.scan
        for record in await existing(session, self.names):
            degrees[record.name] = await self._degree(session, record.id, left)
            if answering_itself(session) is None:
                left -= degrees[record.name]
        return degrees

    async def _degree(self, session: Session, id: int, left: int) -> int:
        if (answering := answering_itself(session)) is not None:
            return await answering.degree(id, self.direction, self.types)
        found = after = 0
        while links := await session.links((id,), self.direction, self.types, _LINKS, after):
            found, after = found + len(links), links[-1].id
            if found > left:
                raise _too_many(self.scan, self.scan - left + found, "these nodes have more edges")
        return found

    async def expectations(self, session: Session) -> Sequence[Expect]:
        """Expect the edges of each node unchanged since, and that what is absent still is."""
        since = cursor_of(await session.head())
        return [
            ExpectLinks(name, since) if record else ExpectRevision(name, 0)
            for name, record in zip(self.names, await session.nodes(self.names), strict=True)
        ]


@attrs.frozen
class Hub:
    """A node, and how many edges it has."""

    node: Node
    degree: int


@attrs.frozen
class Hubs(Question[tuple[Hub, ...]]):
    """The nodes with the most edges, each with one at least: those with more first, of equal ones the older."""

    limit: int
    direction: Direction
    types: frozenset[str] | None
    type: str | None
    scan: int

    async def __call__(self, session: Session) -> tuple[Hub, ...]:
        """Return nodes and degrees; raises `LimitExceededError` where there are more than `scan` edges to count."""
        _, edges = await session.counts()
        if edges > self.scan:
            raise _too_many(self.scan, edges, f"the graph has {edges} edges, and all are counted")
        degrees = await self._degrees(session)
        hubs: list[Hub] = []
        for ids in self._in_order(degrees):
            for record in await session.nodes(ids):
                if record and self.type in (None, record.type):
                    hubs.append(Hub(decode_node(record), degrees[record.id]))
                    if len(hubs) == self.limit:
                        return tuple(hubs)
        return tuple(hubs)

    async def _degrees(self, session: Session) -> dict[int, int]:
        degrees: dict[int, int] = {}
        after = 0
        while records := await session.scan("edge", after, _EDGES):
            for record in records:
                if self.types is None or record.type in self.types:
                    for id in self._ends(record):
                        degrees[id] = degrees.get(id, 0) + 1
            after = records[-1].id
        return degrees

    def _ends(self, edge: EdgeRecord) -> tuple[int, ...]:
        if self.direction == "out":
            return (edge.source,)
        if self.direction == "in" or edge.source == edge.target:  # an edge from a node to itself counts once
            return (edge.target,)
        return (edge.source, edge.target)

    def _in_order(self, degrees: dict[int, int]) -> Iterator[list[int]]:
        """Yield ids, a page at a time; of all types no more than are asked for."""
        most = len(degrees) if self.type is not None else self.limit
        best = heapq.nsmallest(most, degrees, key=lambda node: (-degrees[node], node))
        for start in range(0, len(best), _NODES):
            yield best[start : start + _NODES]
