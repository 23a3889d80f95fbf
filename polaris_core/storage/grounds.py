"""What walks go over: names and their neighbours, read from one committed state, or remembered of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from itertools import chain, pairwise
from typing import Final, NamedTuple, NoReturn, Protocol, TypeAlias, TypeVar, cast

from polaris_core.codec import decode_edge, decode_node
from polaris_core.errors import LimitExceededError, NodeNotFoundError, StoreDamagedError
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node
from polaris_core.query import Facts, Filter, predicate
from polaris_core.records import Direction, Link, NodeRecord, NodeRef, Session

__all__ = [
    "MOST_LINKS",
    "Crossing",
    "Exploration",
    "Found",
    "Ground",
    "NotRemembered",
    "SessionGround",
    "Way",
]

T = TypeVar("T")

MOST_LINKS: Final = 1_000
"""Neighbours of more links than that are not remembered."""

_NODES = 1_000  # whose links, or which, are asked for at a time
_LINKS = 10_000  # that are read at a time
_MOST_NAMED = 1_000  # nodes whose names are read only to be remembered


class NotRemembered(LookupError):  # noqa: N818 - nobody's error: what is not remembered is read
    """What was asked for is not remembered, and has to be read."""


class Way(NamedTuple):
    """Which links to go along: `out` from their sources, `in` from their targets, or `both`; of these types only, if given."""

    direction: Direction
    types: tuple[str, ...] | None


class Crossing(NamedTuple):
    """An edge, gone along from the node `near` to the node `far`."""

    near: NodeRef
    far: NodeRef
    edge: Edge


class Found:
    """What a read has found, all of one state: nodes by name and edges by key, None for none, and neighbours by way and name.

    `keys` are those of the first edges along which one comes from one node to another, by way and the two names.
    """

    __slots__ = ("edges", "keys", "links", "nodes")

    def __init__(self) -> None:
        self.nodes: dict[str, Node | None] = {}
        self.edges: dict[EdgeKey, Edge | None] = {}
        self.links: dict[tuple[Way, str], tuple[str, ...]] = {}
        self.keys: dict[tuple[Way, str, str], EdgeKey] = {}

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges or self.links or self.keys)


class Ground(Protocol):
    """One committed state, to walk over.

    It speaks of nodes as it likes, by id or by name; a walk takes them as it gets them. The first come from `find`, and only of
    nodes that came from here is anything asked.
    """

    async def find(self, names: Sequence[str]) -> Sequence[NodeRef]:
        """Return the nodes of some names; raises `NodeNotFoundError` for one that no node has, here or when it is gone on from."""
        ...

    async def neighbors(self, nodes: Collection[NodeRef], way: Way) -> Mapping[NodeRef, Sequence[NodeRef]]:
        """Return the nodes one link away, once each, in the order of the first link; maybe of other nodes, too.

        Raises `LimitExceededError` where more links have been looked at than `Limits.walk`.
        """
        ...

    async def crossings(self, nodes: Collection[NodeRef], way: Way, filter: Filter | None) -> Sequence[Crossing]:
        """Return the edges to go along that a filter admits, in the order they were created; raises as `neighbors` does."""
        ...

    async def keys(self, nodes: Sequence[NodeRef], way: Way) -> tuple[EdgeKey, ...]:
        """Return, for each node and the next, the key of the first edge along which one comes from the one to the other.

        The neighbours of one of the two, that way or back, have been asked for before.
        """
        ...

    async def names(self, nodes: Sequence[NodeRef]) -> tuple[str, ...]:
        """Return the names of nodes."""
        ...

    async def nodes(self, nodes: Sequence[NodeRef]) -> Sequence[Node]:
        """Return nodes; raises `NodeNotFoundError` where one was found by a name that no node has."""
        ...

    async def admitted(self, nodes: Sequence[NodeRef], filter: Filter) -> list[NodeRef]:
        """Return those of the nodes that a filter admits, in the order given."""
        ...

    def bound(self, nodes: int) -> None:
        """Raise `LimitExceededError` where so many nodes are more than `Limits.walk`."""
        ...


Exploration: TypeAlias = Callable[[Ground], Awaitable[T]]
"""A coroutine function that awaits nothing but its ground, and has no other effects."""


class SessionGround:
    """A ground that is read from a session, where nodes are ids: of those that are only passed no name is asked for."""

    def __init__(self, session: Session, limits: Limits) -> None:
        self._session = session
        self._most = self._left = limits.walk
        self._links: list[Sequence[Link]] = []
        self._near: dict[Way, dict[int, list[int]]] = {}
        self._names: dict[int, str] = {}
        self._nodes: dict[str, Node] = {}
        self._keys: dict[tuple[Way, str, str], EdgeKey] = {}

    async def find(self, names: Sequence[str]) -> Sequence[NodeRef]:
        """Read the ids of nodes."""
        ids: list[int] = []
        for start in range(0, len(names), _NODES):
            asked = names[start : start + _NODES]
            for name, record in zip(asked, await self._session.nodes(asked), strict=True):
                if record is None:
                    raise NodeNotFoundError(f"no node {name!r}", key=name)
                self._names[record.id] = name
                ids.append(record.id)
        return ids

    async def neighbors(self, nodes: Collection[NodeRef], way: Way) -> Mapping[NodeRef, Sequence[NodeRef]]:
        """Read the links of nodes."""
        ids = cast("Collection[int]", nodes)
        links = await self._links_of(ids, way)
        self._links.append(links)
        out, into = way.direction != "in", way.direction != "out"
        near: dict[int, dict[int, None]] = {id: {} for id in ids}
        for _, source, _, target in links:
            if out and source in near:
                near[source][target] = None
            if into and target in near:
                near[target][source] = None
        found = {id: list(others) for id, others in near.items()}
        self._near.setdefault(way, {}).update(found)
        return cast("Mapping[NodeRef, Sequence[NodeRef]]", found)

    async def crossings(self, nodes: Collection[NodeRef], way: Way, filter: Filter | None) -> Sequence[Crossing]:
        """Read the edges of nodes."""
        links = await self._links_of(cast("Collection[int]", nodes), way)
        await self._name({end for link in links for end in (link.source, link.target)})
        admits = None if filter is None else predicate(filter)
        names, crossings = self._names, list[Crossing]()
        for start in range(0, len(links), _NODES):
            asked = [link.id for link in links[start : start + _NODES]]
            for id, record in zip(asked, await self._session.edges(asked), strict=True):
                if record is None:
                    raise StoreDamagedError(f"edge {id} is linked, and is not there", where=f"edge {id}")
                source, target = names[record.source], names[record.target]
                if admits is not None and not admits(Facts(record, source, target)):
                    continue
                edge = decode_edge(record, source, target)
                if way.direction != "in" and record.source in nodes:
                    crossings.append(Crossing(record.source, record.target, edge))
                if way.direction != "out" and record.target in nodes:
                    crossings.append(Crossing(record.target, record.source, edge))
        return crossings

    async def keys(self, nodes: Sequence[NodeRef], way: Way) -> tuple[EdgeKey, ...]:
        """Look for the edges among the links that were read when the neighbours were asked for."""
        ids = cast("Sequence[int]", nodes)
        wanted = {ends for near, far in pairwise(ids) for ends in _ends(way, near, far)}
        first: dict[tuple[int, int], Link] = {}
        for link in chain.from_iterable(self._links):
            ends = link.source, link.target
            if ends in wanted and (ends not in first or link.id < first[ends].id):
                first[ends] = link
        await self._name(ids)
        names = self._names
        for near, far in pairwise(ids):
            link = min(first[ends] for ends in _ends(way, near, far) if ends in first)
            self._keys[way, names[near], names[far]] = EdgeKey(names[link.source], link.type, names[link.target])
        return tuple(self._keys[way, names[near], names[far]] for near, far in pairwise(ids))

    async def names(self, nodes: Sequence[NodeRef]) -> tuple[str, ...]:
        """Read the names of nodes."""
        ids = cast("Sequence[int]", nodes)
        await self._name(ids)
        return tuple([self._names[id] for id in ids])

    async def nodes(self, nodes: Sequence[NodeRef]) -> Sequence[Node]:
        """Read nodes."""
        found = [decode_node(record) async for record in self._records(cast("Sequence[int]", nodes))]
        self._nodes.update((node.name, node) for node in found)
        return found

    async def admitted(self, nodes: Sequence[NodeRef], filter: Filter) -> list[NodeRef]:
        """Read nodes, and look at them."""
        admits = predicate(filter)
        return [record.id async for record in self._records(cast("Sequence[int]", nodes)) if admits(Facts(record))]

    def bound(self, nodes: int) -> None:
        """Raise `LimitExceededError` where so many nodes are too many."""
        if nodes > self._most:
            self._too_far()

    async def tell(self, found: Found) -> None:
        """Tell what was found here, as far as it costs little to find out what it is called."""
        found.nodes.update(self._nodes)
        found.keys.update(self._keys)
        small = {
            way: {id: others for id, others in near.items() if len(others) <= MOST_LINKS}
            for way, near in self._near.items()
        }
        passed = {id for near in small.values() for one, others in near.items() for id in (one, *others)}
        if len(passed) > len(self._names) + _MOST_NAMED:
            return
        await self._name(passed)
        names = self._names
        for way, near in small.items():
            found.links.update(((way, names[id]), tuple([names[one] for one in near[id]])) for id in near)

    # --- reading --------------------------------------------------------------------------------------------------

    async def _records(self, ids: Sequence[int]) -> AsyncIterator[NodeRecord]:
        """Yield the records of nodes; no more than a page of them, which may be large, is in memory."""
        for start in range(0, len(ids), _NODES):
            asked = ids[start : start + _NODES]
            for id, record in zip(asked, await self._session.nodes(asked), strict=True):
                if record is None:
                    raise StoreDamagedError(f"an edge ends at node {id}, which is not there", where=f"node {id}")
                self._names[id] = record.name
                yield record

    async def _name(self, ids: Collection[int]) -> None:
        async for _ in self._records([id for id in ids if id not in self._names]):
            pass

    async def _links_of(self, ids: Collection[int], way: Way) -> Sequence[Link]:
        if len(ids) <= _NODES:
            return await self._pages(tuple(ids), way)
        every, links = tuple(ids), dict[int, Link]()
        for start in range(0, len(every), _NODES):  # a link between nodes that are asked for apart comes twice
            links.update((link.id, link) for link in await self._pages(every[start : start + _NODES], way))
        return [links[id] for id in sorted(links)]

    async def _pages(self, ids: Sequence[int], way: Way) -> Sequence[Link]:
        links, after = list[Link](), 0
        while True:
            page = await self._session.links(ids, way.direction, way.types, min(_LINKS, self._left + 1), after)
            self._left -= len(page)
            if self._left < 0:
                self._too_far()
            links += page
            if len(page) < _LINKS:
                return links
            after = page[-1].id

    def _too_far(self) -> NoReturn:
        raise LimitExceededError(
            f"a walk looks at no more than {self._most} links and nodes; go less far, along fewer types, or raise `Limits.walk`",
            limit="walk",
            size=self._most + 1,
            maximum=self._most,
        )


def _ends(way: Way, near: int, far: int) -> tuple[tuple[int, int], ...]:
    """Return between which source and target an edge leads that way from one node to another."""
    if way.direction == "both":
        return (near, far), (far, near)
    return ((near, far),) if way.direction == "out" else ((far, near),)
