"""Shortest paths: by the number of edges, searched from both ends; by a weight, with Dijkstra's algorithm.

Source: E. W. Dijkstra, A note on two problems in connexion with graphs, Numerische Mathematik 1 (1959), 269-271.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

import attrs

from polaris_core.errors import InvalidValueError
from polaris_core.graph.walks import following
from polaris_core.model import Edge, EdgeKey, Path
from polaris_core.query import Filter
from polaris_core.records import NodeRef
from polaris_core.storage.grounds import Ground, Way
from polaris_core.unchecked import unchecked

__all__ = ["FewestEdges", "LeastWeight", "Route"]

_BACK = {"out": "in", "in": "out", "both": "both"}


@attrs.frozen(weakref_slot=False)
class Route:
    """A shortest path: the names of its nodes, from the first to the last, the keys of the edges between them, and its length.

    `length` is the number of edges, or the sum of their weights.
    """

    nodes: tuple[str, ...]
    edges: tuple[EdgeKey, ...]
    length: int | float


_unchecked_route: Callable[[tuple[str, ...], tuple[EdgeKey, ...], float], Route] = unchecked(Route)


@attrs.frozen(kw_only=True)
class FewestEdges:
    """The exploration of a path of the fewest edges, at most `most` of them, None for any number."""

    source: str
    target: str
    way: Way
    edges: Filter | None
    most: int | None

    async def __call__(self, ground: Ground) -> Route | None:
        """Return a path, None where there is none."""
        source, target = ends = await ground.find((self.source, self.target))
        if source == target:
            await ground.nodes(ends)  # which refuses what is not there
            return Route((self.source,), (), 0)
        ahead: dict[NodeRef, NodeRef | None] = {source: None}
        behind: dict[NodeRef, NodeRef | None] = {target: None}
        nearest, farthest = [source], [target]
        back = Way(_BACK[self.way.direction], self.way.types)  # type: ignore[arg-type]
        length = 0
        while nearest and farthest and (self.most is None or length < self.most):
            length += 1
            if len(nearest) <= len(farthest):
                near = await following(ground, nearest, self.way, self.edges)
                nearest, met = _closer(nearest, near, ahead, behind)
            else:
                near = await following(ground, farthest, back, self.edges)
                farthest, met = _closer(farthest, near, behind, ahead)
            ground.bound(len(ahead) + len(behind))
            if met is not None:
                nodes = [*reversed(_chain(ahead, met)), *_chain(behind, met)[1:]]
                return _unchecked_route(await ground.names(nodes), await self._keys(ground, nodes), length)
        await ground.nodes(ends)  # there is none where an end is not there
        return None

    async def _keys(self, ground: Ground, nodes: Sequence[NodeRef]) -> tuple[EdgeKey, ...]:
        if self.edges is None:
            return await ground.keys(nodes, self.way)
        keys: list[EdgeKey] = []
        for near, far in pairwise(nodes):
            crossings = await ground.crossings((near,), self.way, self.edges)
            keys.append(next(crossing.edge.key for crossing in crossings if crossing.far == far))
        return tuple(keys)


def _closer(
    frontier: Sequence[NodeRef],
    near: Mapping[NodeRef, Sequence[NodeRef]],
    seen: dict[NodeRef, NodeRef | None],
    other: Collection[NodeRef],
) -> tuple[list[NodeRef], NodeRef | None]:
    """Go one edge from a frontier; return what is new there, and where the search from the other end has been."""
    further: list[NodeRef] = []
    for node in frontier:
        for one in near[node]:
            if one not in seen:
                seen[one] = node
                if one in other:
                    return further, one
                further.append(one)
    return further, None


def _chain(came_from: Mapping[NodeRef, NodeRef | None], node: NodeRef | None) -> list[NodeRef]:
    chain: list[NodeRef] = []
    while node is not None:
        chain.append(node)
        node = came_from[node]
    return chain


@attrs.frozen(kw_only=True)
class LeastWeight:
    """The exploration of a path whose edges weigh least together.

    What an edge weighs stands at the path `weight` of its attributes, and is `missing` where nothing stands there.
    """

    source: str
    target: str
    way: Way
    edges: Filter | None
    weight: Path
    missing: float | None

    async def __call__(self, ground: Ground) -> Route | None:
        """Return a path, None where there is none; raises `InvalidValueError` for an edge without a weight of 0 or more."""
        source, target = ends = await ground.find((self.source, self.target))
        await ground.nodes(ends)  # which refuses an end that is not there, wherever the search ends
        least: dict[NodeRef, float] = {source: 0}
        arrivals: dict[NodeRef, tuple[NodeRef, Edge] | None] = {}
        order = count()  # of two that are as near the one that was found first goes first
        waiting: list[tuple[float, int, NodeRef, tuple[NodeRef, Edge] | None]] = [(0, next(order), source, None)]
        while waiting:
            length, _, node, arrival = heappop(waiting)
            if node in arrivals:
                continue
            arrivals[node] = arrival
            if node == target:
                return await _route(ground, node, arrivals, length)
            for _, far, edge in await ground.crossings((node,), self.way, self.edges):
                total = length + self._weight(edge)
                if far not in arrivals and (far not in least or total < least[far]):
                    least[far] = total
                    heappush(waiting, (total, next(order), far, (node, edge)))
            ground.bound(len(least))
        return None

    def _weight(self, edge: Edge) -> int | float:
        value: Any = edge.attributes
        for key in self.weight:
            if not isinstance(value, Mapping) or key not in value:
                value = self.missing
                break
            value = value[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise InvalidValueError(f"edge {edge.key!s} has no weight of 0 or more", path=self.weight)
        return value


async def _route(
    ground: Ground, node: NodeRef, arrivals: Mapping[NodeRef, tuple[NodeRef, Edge] | None], length: float
) -> Route:
    nodes, edges = [node], list[EdgeKey]()
    while arrival := arrivals[nodes[-1]]:
        before, edge = arrival
        nodes.append(before)
        edges.append(edge.key)
    return Route(await ground.names(nodes[::-1]), tuple(reversed(edges)), length)
