"""What can be said to a graph, in and out of transactions: every verb becomes one mutation or one question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, TypeVar, cast

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
from polaris_core.model import Edge, EdgeKey, Node, Observation, Patch, Path, edge_key
from polaris_core.mutations import (
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Mutation,
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    Result,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.query import EdgeFilter, NodeFilter, Page
from polaris_core.records import Direction
from polaris_core.values import EMPTY, normalize_name, normalize_type

__all__ = ["Verbs"]

T = TypeVar("T")
Attributes = Mapping[str, Any]
Where = Mapping[str | Path, Any]
Observations = Iterable[str | Observation] | str


class Verbs(ABC):
    """The verbs that `Graph` and `Transaction` share. Nodes and edges are named; names are normalised to NFC."""

    limits: Limits

    @abstractmethod
    async def _ask(self, question: Question[T]) -> T:
        """Answer a question from one committed state."""

    @abstractmethod
    async def _write(self, mutation: Mutation) -> Result:
        """Carry a mutation out, or raise the error that refuses it."""

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

    async def create_node(
        self,
        name: str,
        type: str = "node",
        attributes: Attributes = EMPTY,
        observations: Observations = (),
    ) -> Node:
        """Create a node and return it; raises `NodeExistsError` where one of this name exists."""
        return await self._write_node(CreateNode(name, type, attributes, observations))

    async def put_node(self, name: str, type: str = "node", attributes: Attributes = EMPTY) -> Node:
        """Replace a node's type and attributes, or create it; observations stay."""
        return await self._write_node(PutNode(name, type, attributes))

    async def upsert_node(
        self,
        name: str,
        type: str | None = None,
        attributes: Attributes = EMPTY,
        observations: Observations = (),
    ) -> Node:
        """Create a node, or merge top-level attributes and new observations into it; a type of None keeps its own."""
        return await self._write_node(UpsertNode(name, type, attributes, observations))

    async def patch_node(
        self,
        name: str,
        *,
        set: Where | None = None,
        unset: Iterable[str | Path] = (),
        observe: Observations = (),
        forget: Observations = (),
        type: str | None = None,
    ) -> Node:
        """Change part of a node, as `Patch` says; raises `NodeNotFoundError`."""
        return await self._write_node(PatchNode(name, Patch(set or {}, unset, observe, forget, type)))

    async def observe(self, name: str, *observations: str | Observation) -> Node:
        """Add observations to a node; a text it has already is left as it is. Raises `NodeNotFoundError`."""
        return await self._write_node(PatchNode(name, Patch(observe=observations)))

    async def forget(self, name: str, *texts: str) -> Node:
        """Remove observations from a node by their texts; raises `NodeNotFoundError`."""
        return await self._write_node(PatchNode(name, Patch(forget=texts)))

    async def rename_node(self, name: str, to: str) -> Node:
        """Give a node another name; its edges and history stay. Raises `NodeNotFoundError` or `NodeExistsError`."""
        return await self._write_node(RenameNode(name, to))

    async def delete_node(self, name: str, *, detach: bool = False, missing_ok: bool = False) -> bool:
        """Delete a node, with `detach` its edges too; return whether it existed.

        Raises `NodeHasEdgesError` where it has edges and `detach` is False, `NodeNotFoundError` unless `missing_ok`.
        """
        return (await self._write(DeleteNode(name, detach=detach, missing_ok=missing_ok))).status == "deleted"

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

    async def create_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """Create an edge and return it; raises `EdgeExistsError`, or `NodeNotFoundError` for a missing end."""
        return await self._write_edge(CreateEdge(source, type, target, attributes))

    async def put_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """Replace an edge's attributes, or create it."""
        return await self._write_edge(PutEdge(source, type, target, attributes))

    async def upsert_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """Create an edge, or merge top-level attributes into it."""
        return await self._write_edge(UpsertEdge(source, type, target, attributes))

    async def patch_edge(
        self,
        source: str,
        type: str,
        target: str,
        *,
        set: Where | None = None,
        unset: Iterable[str | Path] = (),
    ) -> Edge:
        """Change part of an edge's attributes; raises `EdgeNotFoundError`."""
        return await self._write_edge(PatchEdge(source, type, target, Patch(set or {}, unset)))

    async def delete_edge(self, source: str, type: str, target: str, *, missing_ok: bool = False) -> bool:
        """Delete an edge; return whether it existed. Raises `EdgeNotFoundError` unless `missing_ok`."""
        return (await self._write(DeleteEdge(source, type, target, missing_ok=missing_ok))).status == "deleted"

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

    async def _write_node(self, mutation: Mutation) -> Node:
        return cast("Node", (await self._write(mutation)).value)

    async def _write_edge(self, mutation: Mutation) -> Edge:
        return cast("Edge", (await self._write(mutation)).value)
