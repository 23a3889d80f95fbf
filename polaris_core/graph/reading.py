"""What can be asked of a graph, now, in a transaction or in its past: every verb becomes one question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast, get_args

from polaris_core.errors import EdgeNotFoundError, InvalidValueError, NodeNotFoundError
from polaris_core.graph.finding import Count, Degree, FindEdges, FindNodes, FindRows, HasAny, Row
from polaris_core.graph.questions import (
    Edges,
    Names,
    Neighbor,
    Neighbors,
    Nodes,
    Question,
    Statistics,
    Stats,
)
from polaris_core.graph.schemas import OneSchema, Schemas, Violation, Violations
from polaris_core.graph.searching import Hits, SearchedAttributes, SearchNodes
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node, Path, edge_key
from polaris_core.query import (
    And,
    Equal,
    Field,
    Filter,
    Kind,
    Mentions,
    Page,
    Query,
    StartsWith,
    field_of,
    parse_filter,
)
from polaris_core.records import Direction
from polaris_core.schema import SchemaKind, TypeSchema, schema_kind
from polaris_core.search import TextQuery, parse_text
from polaris_core.values import each, normalize_name, normalize_type

__all__ = ["Paths", "Reading", "Where"]

T = TypeVar("T")
Where: TypeAlias = Mapping[str | Path, Any] | Filter
"""A filter, or its JSON form; there a tuple of keys is a path into the attributes, too."""
Paths: TypeAlias = Sequence[str | Path]

MAX_PATHS = 100


class Reading(ABC):
    """The verbs that read one committed state. Nodes and edges are named; names are normalised to NFC."""

    limits: Limits

    @abstractmethod
    async def _ask(self, question: Question[T]) -> T:
        """Answer a question from one committed state."""

    def _node(self, name: str, *, fresh: bool) -> Awaitable[Node | None]:  # noqa: ARG002 - here nothing is cached
        """Return a node by its normalised name."""
        return self._asked(name)

    async def _asked(self, name: str) -> Node | None:
        return (await self._ask(Nodes((name,)))).get(name)

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
        node = await self._node(name, fresh=fresh)
        if node is None:
            raise await self._explained(NodeNotFoundError(f"no node {name!r}", key=name))
        return node

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
        asked = self._query("node", _all_of(type, prefix, where, text), order, limit)
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
        asked = self._query("node", _all_of(type, prefix, where, text), order, limit)
        return await self._ask(FindRows(asked.resumed(cursor), _fields("node", paths)))

    async def count_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> int:
        """Return how many nodes `find_nodes` would find; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(Count(self._query("node", _all_of(type, prefix, where, text))))

    async def has_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> bool:
        """Return whether `find_nodes` would find any; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(HasAny(self._query("node", _all_of(type, prefix, where, text), limit=1)))

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
        asked = self._query("node", _all_of(type, prefix, where, text), order, self.limits.page)
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

    async def get_edge(self, source: str, type: str, target: str) -> Edge:
        """Return an edge; raises `EdgeNotFoundError`."""
        key = EdgeKey.of(source, type, target)
        edges = await self._ask(Edges((key,)))
        if key not in edges:
            raise EdgeNotFoundError(f"no edge {key!s}", key=key)
        return edges[key]

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
        asked = self._query("edge", _all_of(type, None, where, None), order, limit)
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
        asked = self._query("edge", _all_of(type, None, where, None), order, limit)
        return await self._ask(FindRows(asked.resumed(cursor), _fields("edge", paths)))

    async def count_edges(self, *, type: str | None = None, where: Where | None = None) -> int:
        """Return how many edges `find_edges` would find; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(Count(self._query("edge", _all_of(type, None, where, None))))

    async def has_edges(self, *, type: str | None = None, where: Where | None = None) -> bool:
        """Return whether `find_edges` would find any; raises `LimitExceededError` beyond `Limits.scan`."""
        return await self._ask(HasAny(self._query("edge", _all_of(type, None, where, None), limit=1)))

    async def all_edges(
        self, *, type: str | None = None, where: Where | None = None, order: str | None = None
    ) -> AsyncIterator[Edge]:
        """Yield every edge that `find_edges` finds, page after page; each page is one committed state."""
        asked = self._query("edge", _all_of(type, None, where, None), order, self.limits.page)
        cursor = None
        while True:
            page = await self._ask(FindEdges(asked.resumed(cursor)))
            for edge in page:
                yield edge
            if (cursor := page.next) is None:
                return

    # --- around ---------------------------------------------------------------------------------------------------

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
        wanted = _types(types)
        return await self._ask(Neighbors(normalize_name(name), _way(direction), wanted, self._page(limit), cursor))

    async def degree(self, name: str, *, direction: Direction = "both", types: Iterable[str] | None = None) -> int:
        """Return how many edges `neighbors` would find; an edge from a node to itself counts once."""
        return await self._ask(Degree(normalize_name(name), _way(direction), _types(types)))

    async def statistics(self) -> Statistics:
        """Return how many nodes and edges there are, of which types."""
        return await self._ask(Stats(self.limits.scan))

    # --- schemas --------------------------------------------------------------------------------------------------

    async def schemas(self) -> tuple[TypeSchema, ...]:
        """Return the schemas of all types, ordered by kind and type."""
        return await self._ask(Schemas())

    async def get_schema(self, kind: SchemaKind, type: str) -> TypeSchema:
        """Return the schema of a node, edge or event type; raises `SchemaNotFoundError`."""
        return await self._ask(OneSchema(schema_kind(kind), normalize_type(type)))

    async def violations(self, kind: Kind, type: str) -> AsyncIterator[Violation]:
        """Yield the stored nodes or edges of a type that do not fit its schema, each with the fault that says most.

        They are looked at page after page; each page, and the schema with it, is of one committed state. Raises
        `SchemaNotFoundError`, and `InvalidValueError` for events, which are told once and not kept as records.
        """
        if kind not in get_args(Kind):
            raise InvalidValueError("violations are of nodes or of edges")
        type = normalize_type(type)
        asked = self._query(kind, Equal("type", type), limit=self.limits.page)
        cursor = None
        while True:
            page = await self._ask(Violations(type, asked.resumed(cursor), self.limits.schema_work))
            for violation in page:
                yield violation
            if (cursor := page.next) is None:
                return


def _all_of(type: str | None, prefix: str | None, where: Where | None, text: str | None) -> Filter:
    filters = list[Filter]()
    if type is not None:
        filters.append(Equal("type", normalize_type(type)))
    if prefix is not None:
        filters.append(StartsWith("name", prefix))
    if where is not None:
        filters.append(parse_filter(where))
    if text is not None:
        filters.append(Mentions(text))
    return filters[0] if len(filters) == 1 else And(filters)


def _fields(kind: Kind, paths: Paths) -> tuple[tuple[str, Field], ...]:
    if not isinstance(cast("object", paths), (list, tuple)) or not 0 < len(paths) <= MAX_PATHS:
        raise InvalidValueError(f"what to select is a list of 1 to {MAX_PATHS} paths")
    fields = tuple((path if isinstance(path, str) else str(field_of(path)), field_of(path)) for path in paths)
    for _, field in fields:
        field.check(kind)
    return fields


def _way(direction: Direction) -> Direction:
    if direction not in ("out", "in", "both"):
        raise InvalidValueError("a direction is out, in or both")
    return direction


def _types(types: Iterable[str] | None) -> tuple[str, ...] | None:
    if types is None:
        return None
    return tuple(map(normalize_type, (types,) if isinstance(types, str) else each(types, "types")))
