"""The graph without async, for scripts, notebooks and threads: the same verbs, run on an event loop in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from os import PathLike
from types import TracebackType
from typing import Literal, Self, TypeVar

from polaris_core.abc.capabilities import Index, Progress, VerifyReport
from polaris_core.abc.formats import FormatSpec, OnLoss
from polaris_core.abc.plugins import Plugins
from polaris_core.abc.storage import StorageOptions
from polaris_core.errors import PolarisError
from polaris_core.graph.blocking_reads import BlockingCommitted
from polaris_core.graph.blocking_transaction import BlockingTransaction, begun, transact_blocking
from polaris_core.graph.blocking_verbs import BlockingVerbs
from polaris_core.graph.files import File, Imported, importing
from polaris_core.graph.graph import Graph
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.graph.opening import Opening, open_graph
from polaris_core.graph.view import Moment, View
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor
from polaris_core.mutations import Batch, Mutation
from polaris_core.outcomes import Commit, Loaded
from polaris_core.planning import Loadable, OnDangling, OnExisting
from polaris_core.query import Kind
from polaris_core.storage.loading import pieces

__all__ = ["BlockingGraph", "BlockingView", "open_graph_blocking"]

T = TypeVar("T")


class BlockingView(BlockingCommitted[View]):
    """A `View` whose verbs wait for their answers."""


class BlockingGraph(BlockingCommitted[Graph], BlockingVerbs[Graph]):
    """A `Graph` whose verbs wait for their answers. Any number of threads may call it at one time; they travel together."""

    def __init__(self, thread: LoopThread, graph: Graph) -> None:
        super().__init__(thread, graph)
        self._closing = threading.Lock()

    @property
    def author(self) -> str | None:
        """Whose name the writes carry, unless they name another."""
        return self._state.author

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
            self._thread.call(self._state.close())
        except KeyboardInterrupt:
            self._thread.call(self._state.close())  # which has gone on; a second interrupt leaves it
            raise

    def at(self, moment: Moment) -> BlockingView:
        """As `Graph.at`."""
        return BlockingView(self._thread, self._state.at(moment))

    @contextmanager
    def snapshot(self) -> Iterator[BlockingView]:
        """As `Graph.snapshot`."""
        snapshot = self._state.snapshot()
        view = self._call(snapshot.__aenter__())
        try:
            yield BlockingView(self._thread, view)
        finally:
            self._call(snapshot.__aexit__(None, None, None))

    @contextmanager
    def transaction(self, *, author: str | None = None, validate: bool = True) -> Iterator[BlockingTransaction]:
        """As `Graph.transaction`; whatever is raised in the block, an interrupt too, abandons the transaction."""
        transaction = self._state._begin(author, validate=validate)  # noqa: SLF001 - as `Graph.transaction` itself
        with begun(self._thread, transaction) as blocking:
            yield blocking

    def transact(
        self,
        function: Callable[[BlockingTransaction], T],
        *,
        attempts: int = 8,
        author: str | None = None,
        validate: bool = True,
    ) -> T:
        """As `Graph.transact`, of a plain `def function(tx)`, which runs in the calling thread."""
        return transact_blocking(lambda: self.transaction(author=author, validate=validate), function, attempts)

    def undo(self, commit: Commit | Change | int) -> Commit:
        """As `Graph.undo`."""
        return self._call(self._state.undo(commit))

    def trim(self, moment: Moment, *, force: bool = False) -> Cursor:
        """As `Graph.trim`."""
        return self._call(self._state.trim(moment, force=force))

    def register_reader(self, name: str, place: Cursor | str | None = None) -> None:
        """As `Graph.register_reader`."""
        self._call(self._state.register_reader(name, place))

    def forget_reader(self, name: str) -> bool:
        """As `Graph.forget_reader`."""
        return self._call(self._state.forget_reader(name))

    def readers(self) -> dict[str, Cursor]:
        """As `Graph.readers`."""
        return self._call(self._state.readers())

    def acting_as(self, author: str | None) -> BlockingGraph:
        """As `Graph.acting_as`."""
        return BlockingGraph(self._thread, self._state.acting_as(author))

    def commit(self, batch: Batch | Mutation | Sequence[Mutation]) -> Commit:
        """As `Graph.commit`."""
        return self._call(self._state.commit(batch))

    def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """As `Graph.apply`."""
        return self._call(self._state.apply(batches))

    def create_index(self, kind: Kind, path: str | tuple[str, ...]) -> bool:
        """As `Graph.create_index`."""
        return self._call(self._state.create_index(kind, path))

    def drop_index(self, kind: Kind, path: str | tuple[str, ...]) -> bool:
        """As `Graph.drop_index`."""
        return self._call(self._state.drop_index(kind, path))

    def indexes(self) -> tuple[Index, ...]:
        """As `Graph.indexes`."""
        return self._call(self._state.indexes())

    def unfinished_migration(self) -> Cursor | None:
        """As `Graph.unfinished_migration`."""
        return self._call(self._state.unfinished_migration())

    def verify(self, progress: Progress | None = None) -> VerifyReport:
        """As `Graph.verify`."""
        return self._call(self._state.verify(progress))

    def backup(self, target: str | PathLike[str], progress: Progress | None = None) -> Cursor:
        """As `Graph.backup`."""
        return self._call(self._state.backup(target, progress))

    def restore(self, source: str | PathLike[str], progress: Progress | None = None) -> Cursor:
        """As `Graph.restore`."""
        return self._call(self._state.restore(source, progress))

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
                self._state.load(
                    records, on_existing=on_existing, on_dangling=on_dangling, author=author, progress=progress
                )
            )
        total = len(records) if isinstance(records, Sized) else None
        loading = self._call(
            self._state.service.load(
                on_existing=on_existing,
                on_dangling=on_dangling,
                author=self._state.author if author is None else author,
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

    def import_file(
        self,
        file: File,
        format: str | FormatSpec,
        *,
        on_existing: OnExisting = "merge",
        on_dangling: OnDangling = "error",
        on_loss: OnLoss = "skip",
        author: str | None = None,
        progress: Progress | None = None,
    ) -> Imported:
        """As `Graph.import_file`; the file is read in the calling thread."""
        with importing(file, format, on_loss) as source:
            loaded = self.load(
                source.records,
                on_existing=on_existing,
                on_dangling=on_dangling,
                author=author,
                progress=source.told(progress),
            )
            return source.outcome(loaded)


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
