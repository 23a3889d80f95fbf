"""The verbs that read, without async: each waits for the answer of the verb of the same name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from typing import Any, Generic, TypeVar

from polaris_core.abc.capabilities import Progress
from polaris_core.abc.formats import FormatSpec, OnLoss
from polaris_core.graph.arguments import Paths, Where
from polaris_core.graph.blocking_walk import BlockingWalk
from polaris_core.graph.committed import Committed
from polaris_core.graph.degrees import Hub
from polaris_core.graph.files import Exported, File
from polaris_core.graph.finding import Row
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.graph.questions import Neighbor, Statistics
from polaris_core.graph.reading import Reading
from polaris_core.graph.routes import Route
from polaris_core.graph.schemas import Violation
from polaris_core.graph.searching import Hits
from polaris_core.graph.subgraphs import Subgraph
from polaris_core.graph.traversal import Traversal
from polaris_core.graph.walks import Depth
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor, Edge, EdgeKey, Node, Path
from polaris_core.query import Kind, Page
from polaris_core.records import Direction
from polaris_core.schema import SchemaKind, TypeSchema

__all__ = ["BlockingCommitted", "BlockingReads"]

T = TypeVar("T")
R = TypeVar("R", bound=Reading)
C = TypeVar("C", bound=Committed)


class BlockingReads(Generic[R]):
    """The verbs of `Reading`, run on an event loop in another thread."""

    def __init__(self, thread: LoopThread, state: R) -> None:
        self._thread = thread
        self._state: R = state

    @property
    def limits(self) -> Limits:
        """The limits that the graph was opened with."""
        return self._state.limits

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._thread.call(coroutine)

    def _stream(self, items: AsyncIterator[T]) -> Iterator[T]:
        async def following() -> tuple[T] | None:
            try:
                return (await anext(items),)
            except StopAsyncIteration:
                return None

        while (item := self._thread.call(following())) is not None:
            yield item[0]

    def get_node(self, name: str, *, fresh: bool = False) -> Node:
        """As `Graph.get_node`."""
        return self._call(self._state.get_node(name, fresh=fresh))

    def get_nodes(self, names: Iterable[str]) -> dict[str, Node]:
        """As `Graph.get_nodes`."""
        return self._call(self._state.get_nodes(names))

    def find_nodes(
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
        """As `Graph.find_nodes`."""
        return self._call(
            self._state.find_nodes(
                type=type, prefix=prefix, where=where, text=text, order=order, limit=limit, cursor=cursor
            )
        )

    def select_nodes(
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
        """As `Graph.select_nodes`."""
        return self._call(
            self._state.select_nodes(
                paths, type=type, prefix=prefix, where=where, text=text, order=order, limit=limit, cursor=cursor
            )
        )

    def count_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> int:
        """As `Graph.count_nodes`."""
        return self._call(self._state.count_nodes(type=type, prefix=prefix, where=where, text=text))

    def has_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> bool:
        """As `Graph.has_nodes`."""
        return self._call(self._state.has_nodes(type=type, prefix=prefix, where=where, text=text))

    def all_nodes(
        self,
        *,
        type: str | None = None,
        prefix: str | None = None,
        where: Where | None = None,
        text: str | None = None,
        order: str | None = None,
    ) -> Iterator[Node]:
        """As `Graph.all_nodes`."""
        return self._stream(self._state.all_nodes(type=type, prefix=prefix, where=where, text=text, order=order))

    def names(self, after: str = "", limit: int = 100) -> tuple[str, ...]:
        """As `Graph.names`."""
        return self._call(self._state.names(after, limit))

    def get_edge(self, source: str, type: str, target: str, *, fresh: bool = False) -> Edge:
        """As `Graph.get_edge`."""
        return self._call(self._state.get_edge(source, type, target, fresh=fresh))

    def get_edges(self, keys: Iterable[tuple[str, str, str]]) -> dict[EdgeKey, Edge]:
        """As `Graph.get_edges`."""
        return self._call(self._state.get_edges(keys))

    def find_edges(
        self,
        *,
        type: str | None = None,
        where: Where | None = None,
        order: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Edge]:
        """As `Graph.find_edges`."""
        return self._call(self._state.find_edges(type=type, where=where, order=order, limit=limit, cursor=cursor))

    def select_edges(
        self,
        paths: Paths,
        *,
        type: str | None = None,
        where: Where | None = None,
        order: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Row]:
        """As `Graph.select_edges`."""
        return self._call(
            self._state.select_edges(paths, type=type, where=where, order=order, limit=limit, cursor=cursor)
        )

    def count_edges(self, *, type: str | None = None, where: Where | None = None) -> int:
        """As `Graph.count_edges`."""
        return self._call(self._state.count_edges(type=type, where=where))

    def has_edges(self, *, type: str | None = None, where: Where | None = None) -> bool:
        """As `Graph.has_edges`."""
        return self._call(self._state.has_edges(type=type, where=where))

    def all_edges(
        self, *, type: str | None = None, where: Where | None = None, order: str | None = None
    ) -> Iterator[Edge]:
        """As `Graph.all_edges`."""
        return self._stream(self._state.all_edges(type=type, where=where, order=order))

    def search(self, text: str, *, type: str | None = None, limit: int = 20) -> Hits:
        """As `Graph.search`."""
        return self._call(self._state.search(text, type=type, limit=limit))

    def searched_attributes(self) -> tuple[Path, ...]:
        """As `Graph.searched_attributes`."""
        return self._call(self._state.searched_attributes())

    def neighbors(
        self,
        name: str,
        *,
        direction: Direction = "both",
        types: Iterable[str] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Neighbor]:
        """As `Graph.neighbors`."""
        return self._call(self._state.neighbors(name, direction=direction, types=types, limit=limit, cursor=cursor))

    def degree(self, name: str, *, direction: Direction = "both", types: Iterable[str] | None = None) -> int:
        """As `Graph.degree`."""
        return self._call(self._state.degree(name, direction=direction, types=types))

    def walk(self, *names: str) -> BlockingWalk:
        """As `Graph.walk`."""
        return BlockingWalk(self._thread, self._state.walk(*names))

    def traverse(
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
        """As `Graph.traverse`."""
        return self._call(
            self._state.traverse(
                name,
                depth=depth,
                direction=direction,
                types=types,
                edges=edges,
                through=through,
                type=type,
                where=where,
                limit=limit,
            )
        )

    def shortest_path(
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
        """As `Graph.shortest_path`."""
        return self._call(
            self._state.shortest_path(
                source,
                target,
                direction=direction,
                types=types,
                edges=edges,
                depth=depth,
                weight=weight,
                missing=missing,
            )
        )

    def degrees(
        self, names: Iterable[str], *, direction: Direction = "both", types: Iterable[str] | None = None
    ) -> dict[str, int]:
        """As `Graph.degrees`."""
        return self._call(self._state.degrees(names, direction=direction, types=types))

    def hubs(
        self,
        limit: int = 20,
        *,
        direction: Direction = "both",
        types: Iterable[str] | None = None,
        type: str | None = None,
    ) -> tuple[Hub, ...]:
        """As `Graph.hubs`."""
        return self._call(self._state.hubs(limit, direction=direction, types=types, type=type))

    def subgraph(self, names: Iterable[str], *, types: Iterable[str] | None = None) -> Subgraph:
        """As `Graph.subgraph`."""
        return self._call(self._state.subgraph(names, types=types))

    def statistics(self) -> Statistics:
        """As `Graph.statistics`."""
        return self._call(self._state.statistics())

    def schemas(self) -> tuple[TypeSchema, ...]:
        """As `Graph.schemas`."""
        return self._call(self._state.schemas())

    def get_schema(self, kind: SchemaKind, type: str) -> TypeSchema:
        """As `Graph.get_schema`."""
        return self._call(self._state.get_schema(kind, type))

    def violations(self, kind: Kind, type: str) -> Iterator[Violation]:
        """As `Graph.violations`."""
        return self._stream(self._state.violations(kind, type))


class BlockingCommitted(BlockingReads[C]):
    """The verbs of `Committed`: what `BlockingGraph` and `BlockingView` share."""

    def cursor(self) -> Cursor:
        """As `Graph.cursor`."""
        return self._call(self._state.cursor())

    def changes(self, after: Cursor | str | None = None, limit: int = 1000) -> tuple[Change, ...]:
        """As `Graph.changes`."""
        return self._call(self._state.changes(after, limit))

    def history(
        self,
        key: str | tuple[str, str, str],
        *,
        oldest_first: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Change]:
        """As `Graph.history`."""
        return self._call(self._state.history(key, oldest_first=oldest_first, limit=limit, cursor=cursor))

    def export_file(
        self, file: File, format: str | FormatSpec, *, on_loss: OnLoss = "skip", progress: Progress | None = None
    ) -> Exported:
        """As `Graph.export_file`."""
        return self._call(self._state.export_file(file, format, on_loss=on_loss, progress=progress))
