"""A search in breadth from one node: what is reached, how far away it is, and by which edge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from polaris_core.model import Edge, Node
from polaris_core.query import Filter
from polaris_core.records import NodeRef
from polaris_core.storage.grounds import Ground, Way

__all__ = ["Reached", "Traversal", "Traversing"]


@attrs.frozen
class Reached:
    """A node that a traversal came by, `depth` edges away; `edge` is the last of them, None where the traversal began."""

    node: Node
    depth: int
    edge: Edge | None


@attrs.frozen
class Traversal:
    """What a traversal came by, the nearest first. `complete` is False where it ended at its limit before it had seen all."""

    items: tuple[Reached, ...]
    complete: bool

    def __iter__(self) -> Iterator[Reached]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@attrs.frozen(kw_only=True)
class Traversing:
    """The exploration of a traversal: from `start`, `least` to `most` edges far, to `limit` nodes at most.

    It goes along edges that `edges` admits and on from nodes that `through` admits, and returns nodes that `where` admits.
    """

    start: str
    way: Way
    least: int
    most: int
    edges: Filter | None
    through: Filter | None
    where: Filter | None
    limit: int

    async def __call__(self, ground: Ground) -> Traversal:
        """Return what is reached; raises as `Ground.crossings` does."""
        reached: list[Reached] = []
        frontier: Sequence[NodeRef] = await ground.find((self.start,))
        arrivals: dict[NodeRef, Edge | None] = dict.fromkeys(frontier)
        for depth in range(self.most + 1):
            if depth:
                frontier = await self._further(ground, frontier, arrivals)
            if depth >= self.least:
                wanted = frontier if self.where is None else await ground.admitted(frontier, self.where)
                room = self.limit - len(reached)
                near = wanted[:room]
                nodes = await ground.nodes(near)
                reached += [Reached(node, depth, arrivals[one]) for one, node in zip(near, nodes, strict=True)]
                if len(wanted) > room:
                    return Traversal(tuple(reached), complete=False)
            if depth and self.through is not None:
                frontier = await ground.admitted(frontier, self.through)
            if not frontier:
                break
        return Traversal(tuple(reached), complete=True)

    async def _further(
        self, ground: Ground, frontier: Sequence[NodeRef], arrivals: dict[NodeRef, Edge | None]
    ) -> Sequence[NodeRef]:
        further: list[NodeRef] = []
        for _, far, edge in await ground.crossings(frontier, self.way, self.edges):
            if far not in arrivals:
                arrivals[far] = edge
                further.append(far)
        ground.bound(len(arrivals))
        return further
