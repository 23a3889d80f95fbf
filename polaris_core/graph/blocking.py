"""The graph without async, for scripts, notebooks and threads: the same verbs, run on an event loop in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import update_wrapper
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from polaris_core.errors import StoreClosedError
from polaris_core.graph.graph import Graph
from polaris_core.graph.opening import Opening, open_graph

__all__ = ["BlockingGraph", "open_graph_blocking"]

P = ParamSpec("P")
T = TypeVar("T")


class _LoopThread:
    """An event loop that runs in a daemon thread until it is stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="polaris-graph", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it; an interrupt cancels it."""
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
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


def _verb(
    verb: Callable[Concatenate[Graph, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[BlockingGraph, P], T]:
    """Return a verb of `Graph` as a blocking method of the same signature."""

    def blocking(self: BlockingGraph, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.call(verb(self._graph, *args, **kwargs))

    return update_wrapper(blocking, verb)


def _stream(
    verb: Callable[Concatenate[Graph, P], AsyncIterator[T]],
) -> Callable[Concatenate[BlockingGraph, P], Iterator[T]]:
    """Return an asynchronous iterator of `Graph` as a blocking one."""

    def blocking(self: BlockingGraph, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = verb(self._graph, *args, **kwargs)

        async def following() -> tuple[T] | None:
            try:
                return (await anext(items),)
            except StopAsyncIteration:
                return None

        while (item := self._thread.call(following())) is not None:
            yield item[0]

    return update_wrapper(blocking, verb)


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
            if not self._thread.loop.is_closed():
                self._thread.call(self._graph.close())
        finally:
            self._thread.stop()

    create_node = _verb(Graph.create_node)
    put_node = _verb(Graph.put_node)
    upsert_node = _verb(Graph.upsert_node)
    patch_node = _verb(Graph.patch_node)
    observe = _verb(Graph.observe)
    forget = _verb(Graph.forget)
    rename_node = _verb(Graph.rename_node)
    delete_node = _verb(Graph.delete_node)
    get_node = _verb(Graph.get_node)
    get_nodes = _verb(Graph.get_nodes)
    find_nodes = _verb(Graph.find_nodes)
    all_nodes = _stream(Graph.all_nodes)
    names = _verb(Graph.names)
    create_edge = _verb(Graph.create_edge)
    put_edge = _verb(Graph.put_edge)
    upsert_edge = _verb(Graph.upsert_edge)
    patch_edge = _verb(Graph.patch_edge)
    delete_edge = _verb(Graph.delete_edge)
    get_edge = _verb(Graph.get_edge)
    get_edges = _verb(Graph.get_edges)
    find_edges = _verb(Graph.find_edges)
    all_edges = _stream(Graph.all_edges)
    neighbors = _verb(Graph.neighbors)
    statistics = _verb(Graph.statistics)
    commit = _verb(Graph.commit)
    apply = _verb(Graph.apply)
    cursor = _verb(Graph.cursor)
    changes = _verb(Graph.changes)


async def _awaited(opening: Awaitable[T]) -> T:
    return await opening


def _opened(opening: Callable[P, Opening]) -> Callable[P, BlockingGraph]:
    def blocking(*args: P.args, **kwargs: P.kwargs) -> BlockingGraph:
        return BlockingGraph(opening(*args, **kwargs))

    return update_wrapper(blocking, opening)


open_graph_blocking = _opened(open_graph)
"""Open a graph for blocking use, with the arguments of `open_graph`: `with open_graph_blocking("sqlite:///kg.db") as graph`."""
