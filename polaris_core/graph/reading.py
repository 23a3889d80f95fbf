"""What can be asked of a graph, now, in a transaction or in its past: every verb becomes one question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any, TypeVar, cast

from polaris_core.errors import EdgeNotFoundError, InvalidValueError, NodeNotFoundError
from polaris_core.graph.arguments import Paths, Where, all_of, direction_of, fields_at, filter_of, types_of
from polaris_core.graph.finding import Count, Degree, FindEdges, FindNodes, FindRows, HasAny, Row
from polaris_core.graph.questions import (
    Edges,
    Explored,
    Names,
    Neighbor,
    Neighbors,
    Nodes,
    Question,
    Statistics,
    Stats,
)
from polaris_core.graph.routes import FewestEdges, LeastWeight, Route
from polaris_core.graph.searching import Hits, SearchedAttributes, SearchNodes
from polaris_core.graph.traversal import Traversal, Traversing
from polaris_core.graph.walks import Depth, Walk, depth_of
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node, Path, edge_key, path_of
from polaris_core.query import (
    Filter,
    Kind,
    Page,
    Query,
)
from polaris_core.records import Direction
from polaris_core.search import TextQuery, parse_text
from polaris_core.storage.coherence import UNKNOWN
from polaris_core.storage.grounds import Exploration, Way
from polaris_core.values import each, normalize_name, normalize_type

__all__ = ["Reading"]

T = TypeVar("T")


class Reading(ABC):
    """The verbs that read one committed state. Nodes and edges are named; names are normalised to NFC."""

    limits: Limits

    @abstractmethod
    async def _ask(self, question: Question[T]) -> T:
        """Answer a question from one committed state."""

    def _remembered(self, key: str | EdgeKey) -> Any:  # noqa: ARG002 - here nothing is remembered
        """Return the node of a normalised name or the edge of a key, None where there is none, or `UNKNOWN`."""
        return UNKNOWN

    def _node(self, name: str) -> Awaitable[Node | None]:
        """Read a node by its normalised name."""
        return self._asked_node(name)

    async def _asked_node(self, name: str) -> Node | None:
        return (await self._ask(Nodes((name,)))).get(name)

    def _edge(self, key: EdgeKey) -> Awaitable[Edge | None]:
        """Read an edge by its normalised key."""
        return self._asked_edge(key)

    async def _asked_edge(self, key: EdgeKey) -> Edge | None:
        return (await self._ask(Edges((key,)))).get(key)

    async def _explore(self, exploration: Exploration[T]) -> T:
        """Return what an exploration finds in one committed state."""
        return await self._ask(Explored(exploration, self.limits))

    async def _explained(self, error: NodeNotFoundError) -> NodeNotFoundError:
        """Return the error with what helps whoever reads it."""
        return error

    def _page(self, limit: int) -> int:
        if type(limit) is not int or limit < 1:
            raise InvalidValueError("a limit is a positive integer")
        return min(limit, self.limits.page)

    def _query(self, kind: Kind, filter: Filter, order: str | None = None, limit: int = 100) -> Query:
        return Query(kind=kind, filter=filter, order=order, limit=self._page(limit), scan=self.limits.scan)

    # --- nodes ----------------------------------------------------------------------------------------------------

    async def get_node(self, name: str, *, fresh: bool = False) -> Node:
        """Return a node, with `fresh` past the cache; raises `NodeNotFoundError`, which carries names that look alike."""
        name = normalize_name(name)
        node = UNKNOWN if fresh else self._remembered(name)
        if node is UNKNOWN:
            node = await self._node(name)
        if node is None:
            raise await self._explained(NodeNotFoundError(f"no node {name!r}", key=name))
        return cast("Node", node)

    async def get_nodes(self, names: Iterable[str]) -> dict[str, Node]:
        """Return those of the nodes that exist, by name, all from one committed state."""
        wanted = tuple(dict.fromkeys(map(normalize_name, (names,) if isinstance(names, str) else each(names, "names"))))
        return await self._ask(Nodes(wanted)) if wanted else {}

    async def find_nodes(
        self,
        *,
        type: str | None = None,
        prefix: str | None = None,
        where: Where | None = None,
        text: str | None = None,
        order: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Node]:
        """Return a page of the nodes that match all that is given.

        `prefix` is of the name; `where` is a filter, such as `{"born": {"$gt": 1800}}`; `text` is found in the name or an
        observation without regard to case. They come in the order they were created, or in that of the values at the path
        `order`; with `-` before it the other way round. `cursor` is a page's `next`. Raises `LimitExceededError` where an
        order needs a look at more records than `Limits.scan`.
        """
        asked = self._query("node", all_of(type, prefix, where, text), order, limit)
        return await self._ask(FindNodes(asked.resumed(cursor)))

    async def select_nodes(
        self,
        paths: Paths,
        *,
        type: str | None = None,
        prefix: str | None = None,
        where: Where | None = None,
        text: str | None = None,
        order: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Row]:
        """Return what stands at some paths of the nodes that `find_nodes` would return, a row a node.

        A row maps the paths to JSON values; where nothing stands, the path is left out.
        """
        asked = self._query("node", all_of(type, prefix, where, text), order, limit)
        return await self._ask(FindRows(asked.resumed(cursor), fields_at("node", paths)))

    async def count_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> int:
        """Return how many nodes `find_nodes` would find; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(Count(self._query("node", all_of(type, prefix, where, text))))

    async def has_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> bool:
        """Return whether `find_nodes` would find any; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(HasAny(self._query("node", all_of(type, prefix, where, text), limit=1)))

    async def all_nodes(
        self,
        *,
        type: str | None = None,
        prefix: str | None = None,
        where: Where | None = None,
        text: str | None = None,
        order: str | None = None,
    ) -> AsyncIterator[Node]:
        """Yield every node that `find_nodes` finds, page after page; each page is one committed state."""
        asked = self._query("node", all_of(type, prefix, where, text), order, self.limits.page)
        cursor = None
        while True:
            page = await self._ask(FindNodes(asked.resumed(cursor)))
            for node in page:
                yield node
            if (cursor := page.next) is None:
                return

    async def names(self, after: str = "", limit: int = 100) -> tuple[str, ...]:
        """Return node names in code point order, those that follow `after`."""
        if not isinstance(cast("object", after), str):
            raise InvalidValueError(f"names follow a text, not {type(after).__name__}")
        return await self._ask(Names(after, self._page(limit)))

    async def search(self, text: str, *, type: str | None = None, limit: int = 20) -> Hits:
        """Return the nodes whose name, observations or chosen attributes hold all that a text asks for, the best first.

        `ada "first program" comp*`: words, phrases in double quotes, and with `*` beginnings of words, in any case and with
        or without diacritics; every other sign stands between words. A backend without the capability `search` looks at
        nodes one by one, `Limits.scan` of them at most, and the answer says so. Raises `InvalidValueError` where there is no
        word in the text, or too much.
        """
        of_type = None if type is None else normalize_type(type)
        query = TextQuery(phrases=parse_text(text), type=of_type, limit=self._page(limit), scan=self.limits.scan)
        return await self._ask(SearchNodes(query))

    async def searched_attributes(self) -> tuple[Path, ...]:
        """Return the paths of the attributes that `search` looks at, none unless some were chosen."""
        return await self._ask(SearchedAttributes())

    # --- edges ----------------------------------------------------------------------------------------------------

    async def get_edge(self, source: str, type: str, target: str, *, fresh: bool = False) -> Edge:
        """Return an edge, with `fresh` past the cache; raises `EdgeNotFoundError`."""
        key = EdgeKey.of(source, type, target)
        edge = UNKNOWN if fresh else self._remembered(key)
        if edge is UNKNOWN:
            edge = await self._edge(key)
        if edge is None:
            raise EdgeNotFoundError(f"no edge {key!s}", key=key)
        return cast("Edge", edge)

    async def get_edges(self, keys: Iterable[tuple[str, str, str]]) -> dict[EdgeKey, Edge]:
        """Return those of the edges that exist, by key, all from one committed state."""
        wanted = tuple(dict.fromkeys(map(edge_key, each(keys, "the keys of edges"))))
        return await self._ask(Edges(wanted)) if wanted else {}

    async def find_edges(
        self,
        *,
        type: str | None = None,
        where: Where | None = None,
        order: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Edge]:
        """Return a page of the edges that match all that is given, as `find_nodes` does of nodes.

        In a filter `source` and `target` are the names of the ends.
        """
        asked = self._query("edge", all_of(type, None, where, None), order, limit)
        return await self._ask(FindEdges(asked.resumed(cursor)))

    async def select_edges(
        self,
        paths: Paths,
        *,
        type: str | None = None,
        where: Where | None = None,
        order: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Row]:
        """Return what stands at some paths of the edges that `find_edges` would return, as `select_nodes` does of nodes."""
        asked = self._query("edge", all_of(type, None, where, None), order, limit)
        return await self._ask(FindRows(asked.resumed(cursor), fields_at("edge", paths)))

    async def count_edges(self, *, type: str | None = None, where: Where | None = None) -> int:
        """Return how many edges `find_edges` would find; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(Count(self._query("edge", all_of(type, None, where, None))))

    async def has_edges(self, *, type: str | None = None, where: Where | None = None) -> bool:
        """Return whether `find_edges` would find any; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(HasAny(self._query("edge", all_of(type, None, where, None), limit=1)))

    async def all_edges(
        self, *, type: str | None = None, where: Where | None = None, order: str | None = None
    ) -> AsyncIterator[Edge]:
        """Yield every edge that `find_edges` finds, page after page; each page is one committed state."""
        asked = self._query("edge", all_of(type, None, where, None), order, self.limits.page)
        cursor = None
        while True:
            page = await self._ask(FindEdges(asked.resumed(cursor)))
            for edge in page:
                yield edge
            if (cursor := page.next) is None:
                return

    # --- around ---------------------------------------------------------------------------------------------------

    def walk(self, *names: str) -> Walk:
        """Return a walk from these nodes, to be led on: `await graph.walk("Ada").out("wrote").where(type="text")`."""
        if not names:
            raise InvalidValueError("a walk begins at one node at least")
        return Walk(
            self, tuple(dict.fromkeys(map(normalize_name, names))) if len(names) > 1 else (normalize_name(names[0]),)
        )

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
        most = None if depth is None else depth_of(depth)[1]
        if weight is None:
            if missing is not None:
                raise InvalidValueError("what an edge weighs that has no weight is asked for together with a weight")
            return await self._explore(FewestEdges(source=ends[0], target=ends[1], way=way, edges=filter, most=most))
        if most is not None:
            raise InvalidValueError("a path is bounded by depth, or has the least weight, but not both")
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

    async def degree(self, name: str, *, direction: Direction = "both", types: Iterable[str] | None = None) -> int:
        """Return how many edges `neighbors` would find; an edge from a node to itself counts once."""
        return await self._ask(Degree(normalize_name(name), direction_of(direction), types_of(types)))

    async def statistics(self) -> Statistics:
        """Return how many nodes and edges there are, of which types."""
        return await self._ask(Stats(self.limits.scan))
