"""A graph from a file and into one, in any format that a plugin brings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Protocol, TypeAlias, TypeVar, cast

import attrs

from polaris_core.abc.capabilities import Progress
from polaris_core.abc.formats import FormatSpec, Loss, Losses, OnLoss
from polaris_core.errors import InvalidValueError, UnsupportedError
from polaris_core.formats.destinations import Destination
from polaris_core.formats.sources import Source, open_source
from polaris_core.graph.questions import Statistics
from polaris_core.model import Edge, Node, Path
from polaris_core.mutations import UpsertEdge, UpsertNode
from polaris_core.outcomes import Loaded
from polaris_core.registry import default
from polaris_core.schema import TypeSchema
from polaris_core.storage.loading import pieces
from polaris_core.storage.own_files import OwnFiles

__all__ = ["Exported", "File", "Imported", "Importing", "exported", "importing"]

T = TypeVar("T")
_TOLD = 1_000  # records from one word of progress to the next
File: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A file by its name, packed if that ends in .gz or .xz, or one that is open for bytes."""


@attrs.frozen(kw_only=True)
class Imported(Loaded):
    """What an import did: what a load tells, and what the graph could not hold of the file, which was left out."""

    losses: tuple[Loss, ...] = ()


@attrs.frozen(kw_only=True)
class Exported:
    """How many nodes and edges a file has, and what the format could not hold of them, which was left out."""

    nodes: int
    edges: int
    losses: tuple[Loss, ...] = ()


class State(Protocol):
    """What is exported: the graph as it was at one moment."""

    def all_nodes(self) -> AsyncIterator[Node]:
        """Yield the nodes."""
        ...

    def all_edges(self) -> AsyncIterator[Edge]:
        """Yield the edges."""
        ...

    async def statistics(self) -> Statistics:
        """Count them."""
        ...

    async def schemas(self) -> tuple[TypeSchema, ...]:
        """Return the schemas of types."""
        ...

    async def searched_attributes(self) -> tuple[Path, ...]:
        """Return the paths that searches look at."""
        ...


class Importing:
    """A file that is being read: its `records`, to be loaded."""

    def __init__(self, records: Iterator[UpsertNode | UpsertEdge], losses: Losses, source: Source) -> None:
        self.records = records
        self._losses = losses
        self._source = source

    def told(self, progress: Progress | None) -> Progress | None:
        """Return what to tell a load, so that `progress` hears how many bytes of the file were read."""
        _check(progress)
        return progress and (lambda _done, _total: progress(self._source.position(), self._source.size))

    async def followed(self) -> AsyncIterator[UpsertNode | UpsertEdge]:
        """Yield the records as a thread reads them, for whoever is on an event loop."""
        some = pieces(self.records)
        while piece := await _in_thread(partial(next, some, [])):
            for record in piece:
                yield record

    def outcome(self, loaded: Loaded) -> Imported:
        """Return what the import did."""
        return Imported(**attrs.asdict(loaded, recurse=False), losses=self._losses.counted())


@contextmanager
def importing(file: File, format: str | FormatSpec, on_loss: OnLoss) -> Iterator[Importing]:
    """Open a file to import."""
    spec = _named(format)
    if spec.read is None:
        raise UnsupportedError(f"the format {spec.name!r} cannot be read", capability="read")
    losses = Losses("a graph", on_loss)
    with open_source(file) as source:
        yield Importing(spec.read(source.file, losses), losses, source)


async def exported(
    state: State, file: File, format: str | FormatSpec, on_loss: OnLoss, progress: Progress | None, own: OwnFiles
) -> Exported:
    """Write one state into a file, which is none of the `own` ones of the store."""
    spec = _named(format)
    if spec.write is None:
        raise UnsupportedError(f"the format {spec.name!r} cannot be written", capability="write")
    await _in_thread(partial(own.check_apart, file))
    losses = Losses(f"the format {spec.name!r}", on_loss)
    if await state.schemas():
        losses.add_of_graph("schemas")
    if await state.searched_attributes():
        losses.add_of_graph("choice of searched attributes")
    counts = {Node: 0, Edge: 0}
    total = None
    _check(progress)
    if progress is not None:
        statistics = await state.statistics()
        total = statistics.nodes + statistics.edges

    async def records() -> AsyncIterator[Node | Edge]:
        for all_of in (state.all_nodes, state.all_edges):
            async for record in all_of():
                counts[type(record)] += 1
                yield record
                if progress is not None and not (done := sum(counts.values())) % _TOLD:
                    progress(done, total)

    with Destination(file) as destination:
        async for piece in spec.write(records(), losses):
            await _in_thread(partial(destination.write, piece))
        await _in_thread(destination.finish)
    if progress is not None:
        progress(sum(counts.values()), total)
    return Exported(nodes=counts[Node], edges=counts[Edge], losses=losses.counted())


def _named(format: str | FormatSpec) -> FormatSpec:
    if isinstance(format, FormatSpec):
        return format
    if not isinstance(cast("object", format), str):
        raise InvalidValueError(f"a format is a name or a FormatSpec, not {type(format).__name__}")
    return default().format(format)


def _check(progress: Progress | None) -> None:
    if progress is not None and not callable(progress):
        raise InvalidValueError(f"progress is told to a function, not to {type(progress).__name__}")


async def _in_thread(function: Callable[[], T]) -> T:
    """Call a function in a thread. Whoever is cancelled meanwhile waits for it: the file it uses is about to be closed."""
    call = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait([call])
        call.exception()  # which nobody asks for any more
        raise
