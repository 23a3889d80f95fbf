"""The graph without async, for scripts, notebooks and threads: the same verbs, run on an event loop in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from os import PathLike
from types import TracebackType
from typing import Literal, Self

from polaris_core.abc.capabilities import Index, Progress, VerifyReport
from polaris_core.abc.plugins import Plugins
from polaris_core.abc.storage import StorageOptions
from polaris_core.errors import PolarisError
from polaris_core.graph.blocking_reads import BlockingReads
from polaris_core.graph.graph import Graph
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.graph.opening import Opening, open_graph
from polaris_core.graph.view import Moment
from polaris_core.graph.writing import Assigned, Attributes, Observations
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor, Edge, Node, Observation, Path
from polaris_core.mutations import Batch, Commit, Loaded, Mutation
from polaris_core.planning import Loadable, OnDangling, OnExisting
from polaris_core.query import Kind
from polaris_core.schema import SchemaKind, TypeSchema
from polaris_core.storage.loading import pieces
from polaris_core.values import EMPTY

__all__ = ["BlockingGraph", "BlockingView", "open_graph_blocking"]


class BlockingView(BlockingReads):
    """A `View` whose verbs wait for their answers."""


class BlockingGraph(BlockingReads):
    """A `Graph` whose verbs wait for their answers. Any number of threads may call it at one time; they travel together."""

    def __init__(self, thread: LoopThread, graph: Graph) -> None:
        super().__init__(thread, graph)
        self._graph = graph
        self._closing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the graph and end its thread. Closing twice is closing once; an interrupt waits until it is closed."""
        with self._closing:
            try:
                if self._thread.lives:
                    self._close()
            finally:
                self._thread.stop()

    def _close(self) -> None:
        try:
            self._thread.call(self._graph.close())
        except KeyboardInterrupt:
            self._thread.call(self._graph.close())  # which has gone on; a second interrupt leaves it
            raise

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
        set: Assigned | None = None,
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
        self, source: str, type: str, target: str, *, set: Assigned | None = None, unset: Iterable[str | Path] = ()
    ) -> Edge:
        """As `Graph.patch_edge`."""
        return self._call(self._graph.patch_edge(source, type, target, set=set, unset=unset))

    def delete_edge(self, source: str, type: str, target: str, *, missing_ok: bool = False) -> bool:
        """As `Graph.delete_edge`."""
        return self._call(self._graph.delete_edge(source, type, target, missing_ok=missing_ok))

    def set_schema(
        self,
        kind: SchemaKind,
        type: str,
        schema: Attributes = EMPTY,
        *,
        sources: Iterable[str] | None = None,
        targets: Iterable[str] | None = None,
    ) -> TypeSchema:
        """As `Graph.set_schema`."""
        return self._call(self._graph.set_schema(kind, type, schema, sources=sources, targets=targets))

    def delete_schema(self, kind: SchemaKind, type: str) -> bool:
        """As `Graph.delete_schema`."""
        return self._call(self._graph.delete_schema(kind, type))

    def at(self, moment: Moment) -> BlockingView:
        """As `Graph.at`."""
        return BlockingView(self._thread, self._graph.at(moment))

    @contextmanager
    def snapshot(self) -> Iterator[BlockingView]:
        """As `Graph.snapshot`."""
        snapshot = self._graph.snapshot()
        view = self._call(snapshot.__aenter__())
        yield BlockingView(self._thread, view)

    def undo(self, commit: Commit | Change | int) -> Commit:
        """As `Graph.undo`."""
        return self._call(self._graph.undo(commit))

    def trim(self, moment: Moment, *, force: bool = False) -> Cursor:
        """As `Graph.trim`."""
        return self._call(self._graph.trim(moment, force=force))

    def register_reader(self, name: str, place: Cursor | str | None = None) -> None:
        """As `Graph.register_reader`."""
        self._call(self._graph.register_reader(name, place))

    def forget_reader(self, name: str) -> bool:
        """As `Graph.forget_reader`."""
        return self._call(self._graph.forget_reader(name))

    def readers(self) -> dict[str, Cursor]:
        """As `Graph.readers`."""
        return self._call(self._graph.readers())

    def acting_as(self, author: str | None) -> BlockingGraph:
        """As `Graph.acting_as`."""
        return BlockingGraph(self._thread, self._graph.acting_as(author))

    def set_searched_attributes(self, *paths: str | Path) -> None:
        """As `Graph.set_searched_attributes`."""
        return self._call(self._graph.set_searched_attributes(*paths))

    def commit(self, batch: Batch | Mutation | Sequence[Mutation]) -> Commit:
        """As `Graph.commit`."""
        return self._call(self._graph.commit(batch))

    def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """As `Graph.apply`."""
        return self._call(self._graph.apply(batches))

    def create_index(self, kind: Kind, path: str | tuple[str, ...]) -> bool:
        """As `Graph.create_index`."""
        return self._call(self._graph.create_index(kind, path))

    def drop_index(self, kind: Kind, path: str | tuple[str, ...]) -> bool:
        """As `Graph.drop_index`."""
        return self._call(self._graph.drop_index(kind, path))

    def indexes(self) -> tuple[Index, ...]:
        """As `Graph.indexes`."""
        return self._call(self._graph.indexes())

    def verify(self, progress: Progress | None = None) -> VerifyReport:
        """As `Graph.verify`."""
        return self._call(self._graph.verify(progress))

    def backup(self, target: str | PathLike[str], progress: Progress | None = None) -> Cursor:
        """As `Graph.backup`."""
        return self._call(self._graph.backup(target, progress))

    def restore(self, source: str | PathLike[str], progress: Progress | None = None) -> Cursor:
        """As `Graph.restore`."""
        return self._call(self._graph.restore(source, progress))

    def load(
        self,
        records: AsyncIterable[Loadable] | Iterable[Loadable],
        *,
        on_existing: OnExisting = "error",
        on_dangling: OnDangling = "error",
        author: str | None = None,
        progress: Progress | None = None,
    ) -> Loaded:
        """As `Graph.load`; a plain iterable is read in the calling thread."""
        if isinstance(records, AsyncIterable):
            return self._call(
                self._graph.load(
                    records, on_existing=on_existing, on_dangling=on_dangling, author=author, progress=progress
                )
            )
        total = len(records) if isinstance(records, Sized) else None
        loading = self._call(
            self._graph.service.load(
                on_existing=on_existing,
                on_dangling=on_dangling,
                author=self._graph.author if author is None else author,
                progress=progress,
                total=total,
            )
        )
        try:
            for piece in pieces(records):
                self._call(loading.add(piece))
            return self._call(loading.finish())
        finally:
            self._call(loading.discard())


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
    opening = open_graph(
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
    thread = LoopThread()
    try:
        return BlockingGraph(thread, thread.call(_opened(opening)))
    except BaseException:
        thread.stop()
        raise


async def _opened(opening: Opening) -> Graph:
    return await opening
