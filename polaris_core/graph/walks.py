"""Walks: from nodes along links, step by step, as values that are asked once they are complete.

What a step reaches is a set of nodes, in the order in which a search in breadth comes by them: first the nodes one link away, be
they among those where the step begins or not, then those further away that were not nearer. So each node stands there once,
however many ways lead to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast, get_args

from polaris_core.errors import InvalidValueError, LimitExceededError
from polaris_core.graph.arguments import Where, filter_of
from polaris_core.model import Node
from polaris_core.query import ANYTHING, Filter
from polaris_core.records import Direction, NodeRef
from polaris_core.storage.grounds import Ground, Way
from polaris_core.values import normalize_type

if TYPE_CHECKING:
    from polaris_core.graph.asking import Asking

__all__ = ["Depth", "Walk", "depth_of", "following"]

Depth: TypeAlias = int | tuple[int, int]
"""How many links to go: at most so many, or at least and at most."""

MAX_STEPS: Final = 100

_ANY_TYPE: Final = {direction: Way(direction, None) for direction in get_args(Direction)}


class _Along(NamedTuple):
    """A step along links, `least` to `most` of them."""

    way: Way
    least: int
    most: int
    edges: Filter | None


class _Admit(NamedTuple):
    """A step that stays at those nodes only that a filter admits."""

    filter: Filter


class _First(NamedTuple):
    """A step that goes on from so many nodes only."""

    nodes: int


_Step: TypeAlias = _Along | _Admit | _First


class Walk:
    """Nodes that are reached from others. Each step makes a longer walk of it; `await` it for the nodes at its end.

        await graph.walk("Ada").out("wrote", depth=(1, 3)).where(type="text").limit(50)

    A walk is one read of one committed state, and can be asked again. It comes by `Limits.walk` links and nodes at most.
    """

    __slots__ = ("_asking", "_starts", "_steps")

    def __init__(self, asking: Asking, starts: tuple[str, ...], steps: tuple[_Step, ...] = ()) -> None:
        self._asking = asking
        self._starts = starts
        self._steps = steps

    def __repr__(self) -> str:
        return f"<Walk from {', '.join(map(repr, self._starts[:3]))} in {len(self._steps)} steps>"

    # --- steps ----------------------------------------------------------------------------------------------------

    def out(self, *types: str, depth: Depth = 1, edges: Where | None = None) -> Walk:
        """Go along edges from their sources to their targets, of these types if any are given.

        `depth` is how many at most, or a pair of how many at least and at most; 0 is where the step begins. `edges` is a filter
        that the edges fit, as in `find_edges`.
        """
        return self._along("out", types, depth, edges)

    def in_(self, *types: str, depth: Depth = 1, edges: Where | None = None) -> Walk:
        """Go along edges from their targets to their sources; otherwise as `out`."""
        return self._along("in", types, depth, edges)

    def both(self, *types: str, depth: Depth = 1, edges: Where | None = None) -> Walk:
        """Go along edges whichever way they point; otherwise as `out`."""
        return self._along("both", types, depth, edges)

    def _along(self, direction: Direction, types: tuple[str, ...], depth: Depth, edges: Where | None) -> Walk:
        least, most = depth_of(depth)
        way = Way(direction, tuple(map(normalize_type, types))) if types else _ANY_TYPE[direction]
        return self._with(_Along(way, least, most, None if edges is None else filter_of("edge", where=edges)))

    def where(
        self, where: Where | None = None, *, type: str | None = None, prefix: str | None = None, text: str | None = None
    ) -> Walk:
        """Stay at those nodes only that fit all that is given, as in `find_nodes`."""
        return self._with(_Admit(filter_of("node", type=type, prefix=prefix, where=where, text=text) or ANYTHING))

    def limit(self, count: int) -> Walk:
        """Stay at the first so many nodes only."""
        if type(cast("object", count)) is not int or count < 1:
            raise InvalidValueError("a limit is a positive integer")
        return self._with(_First(count))

    def _with(self, step: _Step) -> Walk:
        if len(self._steps) >= MAX_STEPS:
            raise InvalidValueError(f"a walk has at most {MAX_STEPS} steps")
        return Walk(self._asking, self._starts, (*self._steps, step))

    # --- answers --------------------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, tuple[Node, ...]]:
        return self.nodes().__await__()

    def nodes(self) -> Coroutine[Any, Any, tuple[Node, ...]]:
        """Return the nodes at the end of the walk.

        Raises `NodeNotFoundError` where it begins at no node, and `LimitExceededError` beyond `Limits.walk`, or where it ends
        at more nodes than `Limits.page`: give it a limit, or ask for the names.
        """
        starts, steps, most = self._starts, self._steps, self._asking.limits.page

        async def exploration(ground: Ground) -> tuple[Node, ...]:
            ends = await _end(ground, starts, steps)
            if len(ends) > most:
                raise LimitExceededError(
                    f"the walk ends at {len(ends)} nodes, and a call returns no more than {most}; give it a limit, or ask "
                    "for the names",
                    limit="page",
                    size=len(ends),
                    maximum=most,
                )
            return tuple(await ground.nodes(ends))

        return self._asking._explore(exploration)  # noqa: SLF001 - a walk is part of the verbs that read

    def names(self) -> Coroutine[Any, Any, tuple[str, ...]]:
        """Return the names of the nodes at the end of the walk, however many; raises as `nodes` does otherwise."""
        starts, steps = self._starts, self._steps

        async def exploration(ground: Ground) -> tuple[str, ...]:
            return await ground.names(await _end(ground, starts, steps))

        return self._asking._explore(exploration)  # noqa: SLF001 - a walk is part of the verbs that read

    async def count(self) -> int:
        """Return at how many nodes the walk ends; raises as `names` does."""
        starts, steps = self._starts, self._steps

        async def exploration(ground: Ground) -> int:
            return len(await _end(ground, starts, steps))

        return await self._asking._explore(exploration)  # noqa: SLF001 - a walk is part of the verbs that read


def depth_of(depth: Depth) -> tuple[int, int]:
    """Return how many links to go at least and at most; raises `InvalidValueError` for what says no such thing."""
    if type(depth) is int and depth > 0:
        return 1, depth
    least, most = depth if isinstance(depth, tuple) and len(depth) == 2 else (1, depth)
    if type(least) is not int or type(most) is not int or not 0 <= least <= most or most < 1:
        raise InvalidValueError(f"a depth is how many links to go at most, or (at least, at most), not {depth!r}")
    return least, most


def following(
    ground: Ground, nodes: Collection[NodeRef], way: Way, edges: Filter | None
) -> Awaitable[Mapping[NodeRef, Sequence[NodeRef]]]:
    """Return the nodes one link away from nodes, along those edges only that a filter admits, if there is one."""
    return ground.neighbors(nodes, way) if edges is None else _across(ground, nodes, way, edges)


async def _across(
    ground: Ground, nodes: Collection[NodeRef], way: Way, edges: Filter
) -> Mapping[NodeRef, Sequence[NodeRef]]:
    near: dict[NodeRef, list[NodeRef]] = {node: [] for node in nodes}
    for crossing in await ground.crossings(nodes, way, edges):
        near[crossing.near].append(crossing.far)
    return near


async def _end(ground: Ground, starts: Sequence[str], steps: Sequence[_Step]) -> Sequence[NodeRef]:
    """Return the nodes at the end of a walk."""
    ground.bound(len(starts))
    nodes = await ground.find(starts)
    if not steps or not isinstance(steps[0], _Along):  # nothing else would notice that there is no such node
        await ground.nodes(nodes)
    for number, step in enumerate(steps, start=1):
        if not nodes:
            break
        match step:
            case _Along():
                after = steps[number] if number < len(steps) else None
                nodes = await _along(ground, nodes, step, after.nodes if isinstance(after, _First) else None)
            case _Admit(filter):
                nodes = await ground.admitted(nodes, filter)
            case _First(most):
                nodes = nodes[:most]
    return nodes


async def _along(ground: Ground, starts: Sequence[NodeRef], step: _Along, enough: int | None) -> Sequence[NodeRef]:
    """Return the nodes that a step reaches; where `enough` are enough, maybe not all of those beyond."""
    way, least, most, edges = step
    frontier = starts
    seen: set[NodeRef] = set() if least else {*starts}
    reached: list[NodeRef] = [] if least else [*starts]
    for depth in range(1, most + 1):
        if depth == 2:
            seen.update(starts)
        near = await following(ground, frontier, way, edges)
        further: list[NodeRef] = []
        for node in frontier:
            for other in near[node]:
                if other not in seen:
                    seen.add(other)
                    further.append(other)
        ground.bound(len(seen))
        if depth >= least:
            reached += further
        if not further or (enough is not None and len(reached) >= enough):
            break
        frontier = further
    return reached
