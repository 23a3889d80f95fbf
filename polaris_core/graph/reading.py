"""What can be asked of a graph, now, in a transaction or in its past: every verb becomes one question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar, cast, get_args

from polaris_core.errors import EdgeNotFoundError, InvalidValueError, NodeNotFoundError
from polaris_core.graph.arguments import Paths, Where, all_of, fields_at, names_of
from polaris_core.graph.around import Around
from polaris_core.graph.finding import Count, FindEdges, FindNodes, FindRows, HasAny, Row
from polaris_core.graph.questions import (
    Edges,
    Names,
    Nodes,
    Statistics,
    Stats,
)
from polaris_core.graph.schemas import OneSchema, Schemas, Violation, Violations
from polaris_core.graph.searching import Hits, SearchedAttributes, SearchNodes
from polaris_core.model import Edge, EdgeKey, Node, Path, edge_key
from polaris_core.query import Equal, Kind, Page
from polaris_core.schema import SchemaKind, TypeSchema, schema_kind
from polaris_core.search import TextQuery, parse_text
from polaris_core.storage.coherence import UNKNOWN
from polaris_core.values import each, normalize_name, normalize_type

__all__ = ["Reading"]

T = TypeVar("T")


class Reading(Around):
    """The verbs that read one committed state. Nodes and edges are named; names are normalised to NFC."""

    # --- nodes ----------------------------------------------------------------------------------------------------

    async def get_node(self, name: str, *, fresh: bool = False) -> Node:
        """Return a node, with `fresh` past the cache; raises `NodeNotFoundError`, which carries names that look alike."""
        if not fresh and type(name) is str and isinstance(node := self._remembered(name), Node):
            return node  # by its name as given, so that name is normalised
        name = normalize_name(name)
        node = UNKNOWN if fresh else self._remembered(name)
        if node is UNKNOWN:
            node = await self._node(name)
        if node is None:
            raise await self._explained(NodeNotFoundError(f"no node {name!r}", key=name))
        return cast("Node", node)

    async def get_nodes(self, names: Iterable[str]) -> dict[str, Node]:
        """Return those of the nodes that exist, by name, all from one committed state."""
        wanted = names_of(names)
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

    # --- all of it ------------------------------------------------------------------------------------------------

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
