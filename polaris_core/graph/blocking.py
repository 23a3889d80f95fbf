"""The graph without async, for scripts, notebooks and threads: the same verbs, run on an event loop in a thread of their own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from polaris_core.abc.plugins import Plugins
from polaris_core.abc.storage import StorageOptions
from polaris_core.errors import ForkedError, PolarisError, StoreClosedError
from polaris_core.graph.graph import Graph
from polaris_core.graph.opening import Opening, open_graph
from polaris_core.graph.questions import Neighbor, Statistics
from polaris_core.graph.reading import Where
from polaris_core.graph.writing import Attributes, Observations
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor, Edge, EdgeKey, Node, Observation, Path
from polaris_core.mutations import Batch, Commit, Mutation
from polaris_core.query import Page
from polaris_core.records import Direction
from polaris_core.values import EMPTY

__all__ = ["BlockingGraph", "open_graph_blocking"]

T = TypeVar("T")


class _LoopThread:
    """An event loop that runs in a daemon thread until it is stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self.loop.run_forever, name="polaris-graph", daemon=True)
        self._thread.start()

    @property
    def lives(self) -> bool:
        """Whether the loop runs: not once it is stopped, and not in a forked child, which has no such thread."""
        return not (self.loop.is_closed() or self._forked)

    @property
    def _forked(self) -> bool:
        return os.getpid() != self._process

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it; an interrupt cancels it."""
        if self._forked:
            coroutine.close()
            raise ForkedError("the process forked after this graph was opened; open it again in the child")
        if self.loop.is_closed():
            coroutine.close()
            raise StoreClosedError("the graph is closed")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and its thread."""
        if self.lives:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


class BlockingGraph:
    """A `Graph` whose verbs wait for their answers. Any number of threads may call it at one time; they travel together."""

    def __init__(self, opening: Opening) -> None:
        self._thread = _LoopThread()
        try:
            self._graph: Graph = self._thread.call(_awaited(opening))
        except BaseException:
            self._thread.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the graph and end its thread. Closing twice is closing once."""
        try:
            if self._thread.lives:
                self._thread.call(self._graph.close())
        finally:
            self._thread.stop()

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

    def create_node(
        self, name: str, type: str = "node", attributes: Attributes = EMPTY, observations: Observations = ()
    ) -> Node:
        """As `Graph.create_node`."""
        return self._call(self._graph.create_node(name, type, attributes, observations))

    def put_node(self, name: str, type: str = "node", attributes: Attributes = EMPTY) -> Node:
        """As `Graph.put_node`."""
        return self._call(self._graph.put_node(name, type, attributes))

    def upsert_node(
        self, name: str, type: str | None = None, attributes: Attributes = EMPTY, observations: Observations = ()
    ) -> Node:
        """As `Graph.upsert_node`."""
        return self._call(self._graph.upsert_node(name, type, attributes, observations))

    def patch_node(
        self,
        name: str,
        *,
        set: Where | None = None,
        unset: Iterable[str | Path] = (),
        observe: Observations = (),
        forget: Observations = (),
        type: str | None = None,
    ) -> Node:
        """As `Graph.patch_node`."""
        return self._call(self._graph.patch_node(name, set=set, unset=unset, observe=observe, forget=forget, type=type))

    def observe(self, name: str, *observations: str | Observation) -> Node:
        """As `Graph.observe`."""
        return self._call(self._graph.observe(name, *observations))

    def forget(self, name: str, *texts: str) -> Node:
        """As `Graph.forget`."""
        return self._call(self._graph.forget(name, *texts))

    def rename_node(self, name: str, to: str) -> Node:
        """As `Graph.rename_node`."""
        return self._call(self._graph.rename_node(name, to))

    def delete_node(self, name: str, *, detach: bool = False, missing_ok: bool = False) -> bool:
        """As `Graph.delete_node`."""
        return self._call(self._graph.delete_node(name, detach=detach, missing_ok=missing_ok))

    def get_node(self, name: str) -> Node:
        """As `Graph.get_node`."""
        return self._call(self._graph.get_node(name))

    def get_nodes(self, names: Iterable[str]) -> dict[str, Node]:
        """As `Graph.get_nodes`."""
        return self._call(self._graph.get_nodes(names))

    def find_nodes(
        self,
        *,
        type: str | None = None,
        prefix: str | None = None,
        where: Where | None = None,
        text: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Node]:
        """As `Graph.find_nodes`."""
        return self._call(
            self._graph.find_nodes(type=type, prefix=prefix, where=where, text=text, limit=limit, cursor=cursor)
        )

    def all_nodes(
        self, *, type: str | None = None, prefix: str | None = None, where: Where | None = None, text: str | None = None
    ) -> Iterator[Node]:
        """As `Graph.all_nodes`."""
        return self._stream(self._graph.all_nodes(type=type, prefix=prefix, where=where, text=text))

    def names(self, after: str = "", limit: int = 100) -> tuple[str, ...]:
        """As `Graph.names`."""
        return self._call(self._graph.names(after, limit))

    def create_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """As `Graph.create_edge`."""
        return self._call(self._graph.create_edge(source, type, target, attributes))

    def put_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """As `Graph.put_edge`."""
        return self._call(self._graph.put_edge(source, type, target, attributes))

    def upsert_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """As `Graph.upsert_edge`."""
        return self._call(self._graph.upsert_edge(source, type, target, attributes))

    def patch_edge(
        self, source: str, type: str, target: str, *, set: Where | None = None, unset: Iterable[str | Path] = ()
    ) -> Edge:
        """As `Graph.patch_edge`."""
        return self._call(self._graph.patch_edge(source, type, target, set=set, unset=unset))

    def delete_edge(self, source: str, type: str, target: str, *, missing_ok: bool = False) -> bool:
        """As `Graph.delete_edge`."""
        return self._call(self._graph.delete_edge(source, type, target, missing_ok=missing_ok))

    def get_edge(self, source: str, type: str, target: str) -> Edge:
        """As `Graph.get_edge`."""
        return self._call(self._graph.get_edge(source, type, target))

    def get_edges(self, keys: Iterable[tuple[str, str, str]]) -> dict[EdgeKey, Edge]:
        """As `Graph.get_edges`."""
        return self._call(self._graph.get_edges(keys))

    def find_edges(
        self, *, type: str | None = None, where: Where | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[Edge]:
        """As `Graph.find_edges`."""
        return self._call(self._graph.find_edges(type=type, where=where, limit=limit, cursor=cursor))

    def all_edges(self, *, type: str | None = None, where: Where | None = None) -> Iterator[Edge]:
        """As `Graph.all_edges`."""
        return self._stream(self._graph.all_edges(type=type, where=where))

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
        return self._call(self._graph.neighbors(name, direction=direction, types=types, limit=limit, cursor=cursor))

    def statistics(self) -> Statistics:
        """As `Graph.statistics`."""
        return self._call(self._graph.statistics())

    def commit(self, batch: Batch | Mutation | Sequence[Mutation]) -> Commit:
        """As `Graph.commit`."""
        return self._call(self._graph.commit(batch))

    def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """As `Graph.apply`."""
        return self._call(self._graph.apply(batches))

    def cursor(self) -> Cursor:
        """As `Graph.cursor`."""
        return self._call(self._graph.cursor())

    def changes(self, after: Cursor | str | None = None, limit: int = 1000) -> tuple[Change, ...]:
        """As `Graph.changes`."""
        return self._call(self._graph.changes(after, limit))


async def _awaited(opening: Awaitable[T]) -> T:
    return await opening


def open_graph_blocking(
    url: str,
    *,
    cache: str | None = "lru",
    create: bool = True,
    read_only: bool = False,
    durability: Literal["power", "process"] = "power",
    busy_seconds: float = 10.0,
    limits: Limits | None = None,
    options: StorageOptions | None = None,
    plugins: Plugins | None = None,
) -> BlockingGraph:
    """Open a graph as `open_graph` does, for code without async: use it in a `with` block, or close it."""
    return BlockingGraph(
        open_graph(
            url,
            cache=cache,
            create=create,
            read_only=read_only,
            durability=durability,
            busy_seconds=busy_seconds,
            limits=limits,
            options=options,
            plugins=plugins,
        )
    )
