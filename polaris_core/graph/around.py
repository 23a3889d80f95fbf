"""What is around nodes: neighbours, degrees, walks, paths, and the part of a graph between some nodes."""

from __future__ import annotations

from collections.abc import Iterable
from sys import float_info

from polaris_core.errors import InvalidValueError
from polaris_core.graph.arguments import Where, direction_of, filter_of, names_of, types_of
from polaris_core.graph.asking import Asking
from polaris_core.graph.degrees import Degrees, Hub, Hubs
from polaris_core.graph.questions import Neighbor, Neighbors
from polaris_core.graph.routes import FewestEdges, LeastWeight, Route
from polaris_core.graph.subgraphs import Subgraph, SubgraphOf
from polaris_core.graph.traversal import Traversal, Traversing
from polaris_core.graph.walks import Depth, Walk, depth_of
from polaris_core.model import Path, path_of
from polaris_core.query import Page
from polaris_core.records import Direction
from polaris_core.storage.grounds import Way
from polaris_core.values import normalize_name, normalize_type

__all__ = ["Around"]


class Around(Asking):
    """The verbs that go along edges. Nodes are named; names are normalised to NFC."""

    def walk(self, *names: str) -> Walk:
        """Return a walk from these nodes, to be led on: `await graph.walk("Ada").out("wrote").where(type="text")`."""
        match names:
            case ():
                raise InvalidValueError("a walk begins at one node at least")
            case (name,):  # as nearly always
                return Walk(self, (normalize_name(name),))
            case _:
                return Walk(self, names_of(names))

    async def traverse(
        self,
        name: str,
        *,
        depth: Depth = 3,
        direction: Direction = "out",
        types: Iterable[str] | None = None,
        edges: Where | None = None,
        through: Where | None = None,
        type: str | None = None,
        where: Where | None = None,
        limit: int = 100,
    ) -> Traversal:
        """Return the nodes that a search in breadth comes by, the nearest first, each with its depth and the edge to it.

        `depth` is how many edges to go at most, or a pair of how many at least and at most; 0 is the node itself. It goes along
        edges of `types` that the filter `edges` admits, and on from nodes that `through` admits; of all it comes by, it
        returns those of a `type` that `where` admits. Raises `NodeNotFoundError`, and `LimitExceededError` where it comes
        by more links or nodes than `Limits.walk`.
        """
        least, most = depth_of(depth)
        traversing = Traversing(
            start=normalize_name(name),
            way=Way(direction_of(direction), types_of(types)),
            least=least,
            most=most,
            edges=filter_of("edge", where=edges),
            through=filter_of("node", where=through),
            where=filter_of("node", type=type, where=where),
            limit=self._page(limit),
        )
        return await self._explore(traversing)

    async def shortest_path(
        self,
        source: str,
        target: str,
        *,
        direction: Direction = "out",
        types: Iterable[str] | None = None,
        edges: Where | None = None,
        depth: int | None = None,
        weight: str | Path | None = None,
        missing: float | None = None,
    ) -> Route | None:
        """Return a path of the fewest edges from one node to another, or, with `weight`, one whose edges weigh least together.

        It goes along edges of `types` that the filter `edges` admits; None is returned where there is no path, or none of at
        most `depth` edges. `weight` is the path into the edges' attributes of a number of 0 or more, and `missing` what
        an edge weighs that has nothing there; without it such an edge raises `InvalidValueError`. Of paths that are as short, it
        is the same one each time. Raises `NodeNotFoundError`, and `LimitExceededError` where the search comes by more
        links or nodes than `Limits.walk`.
        """
        ends = normalize_name(source), normalize_name(target)
        way, filter = Way(direction_of(direction), types_of(types)), filter_of("edge", where=edges)
        most = None if depth is None else _most_of(depth)
        if weight is None:
            if missing is not None:
                raise InvalidValueError("what an edge weighs that has no weight is asked for together with a weight")
            return await self._explore(FewestEdges(source=ends[0], target=ends[1], way=way, edges=filter, most=most))
        if most is not None:
            raise InvalidValueError("a path is bounded by depth, or has the least weight, but not both")
        if missing is not None and (type(missing) not in (int, float) or not 0 <= missing <= float_info.max):
            raise InvalidValueError(f"what an edge weighs that has no weight is a number of 0 or more, not {missing!r}")
        path = path_of(weight)
        return await self._explore(
            LeastWeight(source=ends[0], target=ends[1], way=way, edges=filter, weight=path, missing=missing)
        )

    async def neighbors(
        self,
        name: str,
        *,
        direction: Direction = "both",
        types: Iterable[str] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Neighbor]:
        """Return a page of the edges of a node, each with the node at its other end, in the order they were created.

        `direction` is `out` for edges that leave it, `in` for those that enter, or `both`. Raises `NodeNotFoundError`.
        """
        wanted = types_of(types)
        return await self._ask(
            Neighbors(normalize_name(name), direction_of(direction), wanted, self._page(limit), cursor)
        )

    async def subgraph(self, names: Iterable[str], *, types: Iterable[str] | None = None) -> Subgraph:
        """Return some nodes and all edges between any two of them, of these types where given, from one committed state.

        Raises `NodeNotFoundError` for a name that no node has, and `LimitExceededError` for more names than `Limits.page`, or
        where more edges leave the nodes, wherever to, than `Limits.scan`.
        """
        wanted = self._at_most_a_page(names_of(names))
        asked = SubgraphOf(wanted, types_of(types), self.limits.scan)
        return await self._ask(asked) if wanted else Subgraph((), ())

    async def degree(self, name: str, *, direction: Direction = "both", types: Iterable[str] | None = None) -> int:
        """Return how many edges `neighbors` would find; an edge from a node to itself counts once.

        Raises `NodeNotFoundError`, and as `degrees` does `LimitExceededError`.
        """
        name = normalize_name(name)
        return (await self._ask(Degrees((name,), direction_of(direction), types_of(types), self.limits.scan)))[name]

    async def degrees(
        self, names: Iterable[str], *, direction: Direction = "both", types: Iterable[str] | None = None
    ) -> dict[str, int]:
        """Return how many edges each of some nodes has, by name, all from one committed state.

        Raises `NodeNotFoundError` for a name that no node has, and `LimitExceededError` for more names than `Limits.page`, or
        where they have more edges than `Limits.scan` and the backend does not count them itself.
        """
        wanted = self._at_most_a_page(names_of(names))
        asked = Degrees(wanted, direction_of(direction), types_of(types), self.limits.scan)
        return await self._ask(asked) if wanted else {}

    async def hubs(
        self,
        limit: int = 20,
        *,
        direction: Direction = "both",
        types: Iterable[str] | None = None,
        type: str | None = None,
    ) -> tuple[Hub, ...]:
        """Return the nodes with the most edges, and how many: those with more first, of equal ones the older.

        `direction` and `types` say which edges count, as in `degree`; `type` is the type of the nodes. Nodes without such an
        edge are left out. Looks at every edge; raises `LimitExceededError` where the graph has more than `Limits.scan`.
        """
        counted, of_type = types_of(types), None if type is None else normalize_type(type)
        edges = None if counted is None else frozenset(counted)
        return await self._ask(Hubs(self._page(limit), direction_of(direction), edges, of_type, self.limits.scan))


def _most_of(depth: object) -> int:
    if isinstance(depth, tuple):
        raise InvalidValueError("a path is bounded by how many edges it has at most, not at least")
    return depth_of(depth)[1]  # type: ignore[arg-type]
