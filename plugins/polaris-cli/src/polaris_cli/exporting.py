"""The command `export`: a graph as a file, some records at a time."""

from __future__ import annotations

import asyncio
import gzip
import lzma
import os
import sys
import time
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import attrs

from polaris_cli.progress import progress
from polaris_cli.stores import masked, store_url
from polaris_cli.terminal import make_console, plain, show_json
from polaris_core import PolarisError, UnsupportedError, ValidationError, open_graph

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import AsyncIterator, Callable, Iterator

    from polaris_cli.progress import Progress
    from polaris_core import Edge, Graph, Node, View
    from polaris_core.abc import CommandContext

__all__ = ["export_file"]


def _gzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=file, mtime=0))


def _xz(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", lzma.LZMAFile(file, "wb"))


_PACKED = {".gz": _gzip, ".xz": _xz}


@attrs.define
class _Counts:
    nodes: int = 0
    edges: int = 0


def export_file(context: CommandContext, options: Namespace) -> int:
    """Export the graph, nodes before edges; a file appears under its name once it is whole, packed if that ends in .gz or .xz.

    As JSON: `format`, `file`, `store`, `nodes`, `edges`, `seconds`. With `-` the file is standard output, and the report goes
    to standard error. The file holds one state, whatever is written to the graph meanwhile.
    """
    url, write = store_url(context), context.plugins.format(options.format).write
    if write is None:
        raise UnsupportedError(f"the format {options.format!r} cannot be written", capability="write")
    started = time.perf_counter()
    counts = asyncio.run(_export(context, url, write, options))
    seconds = time.perf_counter() - started
    to_stderr = options.file == "-"
    if options.json:
        report = {"format": options.format, "file": options.file, "store": masked(url), **attrs.asdict(counts)}
        show_json({**report, "seconds": round(seconds, 3)}, stderr=to_stderr)
    else:
        where = "standard output" if to_stderr else options.file
        text = f"{counts.nodes:,} nodes and {counts.edges:,} edges in {seconds:,.1f} s, into {where}"
        make_console(stderr=to_stderr).print(plain(text))
    return 0


async def _export(
    context: CommandContext,
    url: str,
    write: Callable[[AsyncIterator[Node | Edge]], AsyncIterator[bytes]],
    options: Namespace,
) -> _Counts:
    settings = context.settings
    async with (
        open_graph(
            url,
            cache=None,
            create=False,
            read_only=True,
            busy_seconds=settings.busy_seconds,
            limits=settings.limits,
            plugins=context.plugins,
        ) as graph,
        _state(graph, options) as state,
    ):
        with _destination(options.file) as file, progress("exporting") as tell:
            counts = _Counts()
            async for piece in write(_records(state, counts, tell)):
                file.write(piece)
    return counts


def _state(graph: Graph, options: Namespace) -> AbstractAsyncContextManager[View]:
    return graph.snapshot() if options.at is None else nullcontext(graph.at(options.at))


async def _records(graph: View, counts: _Counts, tell: Progress) -> AsyncIterator[Node | Edge]:
    async for node in graph.all_nodes():
        counts.nodes += 1
        yield node
        tell(counts.nodes)
    async for edge in graph.all_edges():
        counts.edges += 1
        yield edge
        tell(counts.nodes + counts.edges)


@contextmanager
def _destination(name: str) -> Iterator[BinaryIO]:
    """Yield where to write: standard output for `-`, else a file that takes its name when all went well."""
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    special = path.exists() and not path.is_file()  # a pipe or a device, which nothing may replace
    target = path if special else Path(os.path.realpath(path))
    part = target if special else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with ExitStack() as stack:
            raw = stack.enter_context(part.open("wb"))
            if not special:
                stack.callback(part.unlink, missing_ok=True)
            pack = _PACKED.get(path.suffix.lower())
            with nullcontext(raw) if pack is None else pack(raw) as file:
                yield file
            raw.flush()
            if not special:
                os.fsync(raw.fileno())
                part.replace(target)
    except BrokenPipeError:  # a reader that has seen enough
        raise
    except (OSError, ValueError) as error:
        if isinstance(error, PolarisError):
            raise
        raise ValidationError(f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
