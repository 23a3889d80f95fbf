"""The command `import`: a file's mutations, some thousands at a time, through the graph's one door for writes."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs

from polaris_cli.progress import progress
from polaris_cli.sources import open_source
from polaris_cli.stores import masked, open_store, store_url
from polaris_cli.terminal import plain, show, show_json
from polaris_core import Batch, PolarisError, UnsupportedError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Generator, Iterable, Iterator

    from polaris_cli.progress import Progress
    from polaris_cli.sources import Source
    from polaris_core import BlockingGraph
    from polaris_core.abc import CommandContext

__all__ = ["Tally", "import_file"]

BATCH_MUTATIONS = 5_000
BATCH_BYTES = 8 << 20
IN_FLIGHT = 2
INTERRUPTED = 130
STATUSES = ("created", "updated", "unchanged")


@attrs.define
class Tally:
    """What became of the records that were imported: how many nodes, edges and others were created, updated, unchanged."""

    nodes: Counter[str] = attrs.Factory(Counter)
    edges: Counter[str] = attrs.Factory(Counter)
    others: Counter[str] = attrs.Factory(Counter)

    @property
    def records(self) -> int:
        """How many there were."""
        return self.nodes.total() + self.edges.total() + self.others.total()


def import_file(context: CommandContext, options: Namespace) -> int:
    """Import a file.

    As JSON: `format`, `file`, `store`, `records`, `nodes` and `edges` with a count for each of `created`, `updated` and
    `unchanged`, `seconds`, `records_per_second`, and whether it was `interrupted`. An interruption, an error in the file and
    a refused record leave the records before them in the store; importing the file again goes on from there.
    """
    url, read = store_url(context), context.plugins.format(options.format).read
    if read is None:
        raise UnsupportedError(f"the format {options.format!r} cannot be read", capability="read")
    started, tally = time.perf_counter(), Tally()
    with (
        open_source(options.file) as source,
        open_store(context, url) as graph,
        progress("importing", source.size) as tell,
        closing(_pieces(read(source.file), source)) as batches,
    ):
        interrupted = _import(graph, batches, tally, tell, source)
    seconds = time.perf_counter() - started
    report = {
        "format": options.format,
        "file": options.file,
        "store": masked(url),
        "records": tally.records,
        "nodes": {status: tally.nodes[status] for status in STATUSES},
        "edges": {status: tally.edges[status] for status in STATUSES},
        "seconds": round(seconds, 3),
        "records_per_second": round(tally.records / seconds),
        "interrupted": interrupted,
    }
    if options.json:
        show_json(report)
    else:
        _show(report)
    return INTERRUPTED if interrupted else 0


def _import(
    graph: BlockingGraph,
    batches: Iterable[list[Any]],
    tally: Tally,
    tell: Progress,
    source: Source,
) -> bool:
    """Commit batches in order and return whether that was interrupted; what is committed is always a prefix."""
    with ThreadPoolExecutor(1, "polaris-import") as pool:
        writer, waiting = _Writer(graph, tally), deque[Future[None]]()
        try:
            for batch in batches:
                if len(waiting) == IN_FLIGHT:
                    waiting.popleft().result()
                waiting.append(pool.submit(writer.commit, batch))
                tell(tally.records, source.position())
            while waiting:
                waiting.popleft().result()
                tell(tally.records, source.position())
        except KeyboardInterrupt:
            for future in waiting:
                future.cancel()
            return True
        except PolarisError:
            pool.shutdown()
            if tally.records:
                print(f"the first {tally.records:,} records were imported", file=sys.stderr)
            raise
    return False


class _Writer:
    """Commits one batch after the other, in a thread of its own, and none after one that failed."""

    def __init__(self, graph: BlockingGraph, tally: Tally) -> None:
        self._graph, self._tally, self._failed = graph, tally, False

    def commit(self, mutations: list[Any]) -> None:
        if self._failed:
            return
        self._failed = True  # unless it goes well
        (outcome,) = self._graph.apply([Batch(mutations)])
        if isinstance(outcome, PolarisError):
            raise outcome
        for result in outcome.results:
            kinds = self._tally
            of = kinds.nodes if isinstance(result.key, str) else kinds.edges if result.key else kinds.others
            of[result.status] += 1
        self._failed = False


def _pieces(mutations: Iterator[Any], source: Source) -> Generator[list[Any], None, None]:
    """Yield mutations in lists that are bounded in number and in how much of the file they stand for."""
    batch, start = list[Any](), 0
    for mutation in mutations:
        batch.append(mutation)
        if len(batch) == BATCH_MUTATIONS or source.unpacked() - start >= BATCH_BYTES:
            yield batch
            batch, start = [], source.unpacked()
    if batch:
        yield batch


def _show(report: dict[str, Any]) -> None:
    from polaris_cli.tables import make_table

    table = make_table("")
    for status in STATUSES:
        table.add_column(status, justify="right")
    for kind in ("nodes", "edges"):
        table.add_row(kind, *(f"{report[kind][status]:,}" for status in STATUSES))
    seconds, rate = report["seconds"], report["records_per_second"]
    show(table, plain(f"{report['records']:,} records in {seconds:,.1f} s, {rate:,} a second, into {report['store']}"))
    if report["interrupted"]:
        show(plain("Interrupted. What is counted here is in the store; the same command goes on from there.", "bold"))
