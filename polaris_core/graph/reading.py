"""What can be asked of a graph, now, in a transaction or in its past: every verb becomes one question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from polaris_core.errors import EdgeNotFoundError, InvalidValueError, NodeNotFoundError
from polaris_core.graph.questions import (
    Edges,
    FindEdges,
    FindNodes,
    Names,
    Neighbor,
    Neighbors,
    Nodes,
    Question,
    Statistics,
    Stats,
)
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node, Path, edge_key
from polaris_core.query import EdgeFilter, NodeFilter, Page
from polaris_core.records import Direction
from polaris_core.values import normalize_name, normalize_type

__all__ = ["Reading", "Where"]

T = TypeVar("T")
Where: TypeAlias = Mapping[str | Path, Any]


class Reading(ABC):
    """The verbs that read one committed state. Nodes and edges are named; names are normalised to NFC."""

    limits: Limits

    @abstractmethod
    async def _ask(self, question: Question[T]) -> T:
        """Answer a question from one committed state."""

    async def _node(self, name: str) -> Node | None:
        """Return a node by its normalised name."""
        return (await self._ask(Nodes((name,)))).get(name)

    async def _explained(self, error: NodeNotFoundError) -> NodeNotFoundError:
        """Return the error with what helps whoever reads it."""
        return error

    def _page(self, limit: int) -> int:
        if type(limit) is not int or limit < 1:
            raise InvalidValueError("a limit is a positive integer")
        return min(limit, self.limits.page)

    # --- nodes ----------------------------------------------------------------------------------------------------

    async def get_node(self, name: str) -> Node:
        """Return a node; raises `NodeNotFoundError`, which carries existing names that look alike."""
        name = normalize_name(name)
        node = await self._node(name)
        if node is None:
            raise await self._explained(NodeNotFoundError(f"no node {name!r}", key=name))
        return node

    async def get_nodes(self, names: Iterable[str]) -> dict[str, Node]:
        """Return those of the nodes that exist, by name, all from one committed state."""
        wanted = tuple(dict.fromkeys(map(normalize_name, names)))
        return await self._ask(Nodes(wanted)) if wanted else {}

    async def find_nodes(
        self,
        *,
        type: str | None = None,
        prefix: str | None = None,
        where: Where | None = None,
        text: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Node]:
        """Return a page of the nodes that match all that is given, in the order they were created.

        `prefix` is of the name; `where` maps attributes, or paths as tuples of keys, to the values they equal; `text` is found in
        the name or an observation without regard to case. `cursor` is a page's `next`.
        """
        asked = NodeFilter(type=type, prefix=prefix, where=where, text=text)
        return await self._ask(FindNodes(asked, self._page(limit), cursor, self.limits.scan))

    async def all_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> AsyncIterator[Node]:
        """Yield every node that `find_nodes` finds, page after page; each page is one committed state."""
        cursor, limit = None, self.limits.page
        while True:
            page = await self.find_nodes(type=type, prefix=prefix, where=where, text=text, limit=limit, cursor=cursor)
            for node in page:
                yield node
            if (cursor := page.next) is None:
                return

    async def names(self, after: str = "", limit: int = 100) -> tuple[str, ...]:
        """Return node names in code point order, those that follow `after`."""
        if not isinstance(cast("object", after), str):
            raise InvalidValueError(f"names follow a text, not {type(after).__name__}")
        return await self._ask(Names(after, self._page(limit)))

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
        wanted = tuple(dict.fromkeys(map(edge_key, keys)))
        return await self._ask(Edges(wanted)) if wanted else {}

    async def find_edges(
        self,
        *,
        type: str | None = None,
        where: Where | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Edge]:
        """Return a page of the edges that match all that is given, in the order they were created."""
        asked = EdgeFilter(type=type, where=where)
        return await self._ask(FindEdges(asked, self._page(limit), cursor, self.limits.scan))

    async def all_edges(self, *, type: str | None = None, where: Where | None = None) -> AsyncIterator[Edge]:
        """Yield every edge that `find_edges` finds, page after page; each page is one committed state."""
        cursor, limit = None, self.limits.page
        while True:
            page = await self.find_edges(type=type, where=where, limit=limit, cursor=cursor)
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
        if direction not in ("out", "in", "both"):
            raise InvalidValueError("a direction is out, in or both")
        wanted = None if types is None else tuple(map(normalize_type, (types,) if isinstance(types, str) else types))
        return await self._ask(Neighbors(normalize_name(name), direction, wanted, self._page(limit), cursor))

    async def statistics(self) -> Statistics:
        """Return how many nodes and edges there are, of which types."""
        return await self._ask(Stats(self.limits.scan))
