"""The command `import`: a file's records, as one load: all of them, or nothing."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from polaris_cli.progress import progress
from polaris_cli.sources import open_source
from polaris_cli.stores import masked, open_store, store_url
from polaris_cli.terminal import plain, show, show_json
from polaris_core import Tally, UnsupportedError

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_cli.progress import Progress
    from polaris_cli.sources import Source
    from polaris_core import Loaded
    from polaris_core.abc import CommandContext

__all__ = ["import_file"]

INTERRUPTED = 130
STATUSES = ("created", "updated", "unchanged", "skipped")


def import_file(context: CommandContext, options: Namespace) -> int:
    """Import a file.

    As JSON: `format`, `file`, `store`, `records`, `nodes` and `edges` with a count for each of `created`, `updated`,
    `unchanged` and `skipped`, `missing`, which is how many names stood at the ends of edges only, `seconds`,
    `records_per_second`, and whether it was `interrupted`. An interruption, an error in the file and a refused record leave
    the store as it was.
    """
    url, read = store_url(context), context.plugins.format(options.format).read
    if read is None:
        raise UnsupportedError(f"the format {options.format!r} cannot be read", capability="read")
    started, loaded, stored = time.perf_counter(), None, False
    try:
        with (
            open_source(options.file) as source,
            open_store(context, url) as graph,
            progress("importing", source.size) as tell,
        ):
            before = graph.cursor()
            with suppress(KeyboardInterrupt):
                loaded = graph.load(
                    read(source.file),
                    on_existing=options.on_existing,
                    on_dangling=options.on_dangling,
                    progress=_told(tell, source),
                )
            stored = graph.cursor() != before  # an interruption in the middle of the commit comes too late
    except KeyboardInterrupt:
        if loaded is None:
            raise  # otherwise all is stored, and the store was being closed
    report = _report(loaded, time.perf_counter() - started)
    report = {"format": options.format, "file": options.file, "store": masked(url), **report}
    if options.json:
        show_json(report)
    else:
        _show(report, stored=stored, makes=options.on_dangling == "create")
    return 0 if loaded else INTERRUPTED


def _told(tell: Progress, source: Source) -> Any:
    def told(done: int, _total: int | None) -> None:
        tell(done, source.position())

    return told


def _report(loaded: Loaded | None, seconds: float) -> dict[str, Any]:
    nodes, edges = (loaded.nodes, loaded.edges) if loaded else (Tally(), Tally())
    records = sum((*attrs.astuple(nodes), *attrs.astuple(edges)))
    return {
        "records": records,
        "nodes": attrs.asdict(nodes),
        "edges": attrs.asdict(edges),
        "missing": loaded.missing if loaded else 0,
        "seconds": round(seconds, 3),
        "records_per_second": round(records / seconds),
        "interrupted": loaded is None,
    }


def _show(report: dict[str, Any], *, stored: bool, makes: bool) -> None:
    from polaris_cli.tables import make_table

    if report["interrupted"]:
        sentence = "The store has changed since it began." if stored else "The store is as it was."
        show(plain(f"Interrupted. {sentence}", "bold"))
        return
    statuses = [
        status for status in STATUSES if status != "skipped" or report["nodes"][status] + report["edges"][status]
    ]
    table = make_table("")
    for status in statuses:
        table.add_column(status, justify="right")
    for kind in ("nodes", "edges"):
        table.add_row(kind, *(f"{report[kind][status]:,}" for status in statuses))
    seconds, rate = report["seconds"], report["records_per_second"]
    lines = []
    if missing := report["missing"]:
        fate = "made, besides these" if makes else "left out with their edges"
        lines.append(plain(f"{missing:,} nodes that are ends of edges only were {fate}"))
    show(
        table,
        *lines,
        plain(f"{report['records']:,} records in {seconds:,.1f} s, {rate:,} a second, into {report['store']}"),
    )
