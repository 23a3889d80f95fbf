"""The command `import`: a file's records, as one load: all of them, or nothing."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs

from polaris_cli.losses import warn
from polaris_cli.progress import progress
from polaris_cli.stores import masked, open_store, store_url
from polaris_cli.terminal import plain, show, show_json
from polaris_core import Tally, ValidationError

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_core import Imported
    from polaris_core.abc import CommandContext

__all__ = ["import_file"]

INTERRUPTED = 130
STATUSES = ("created", "updated", "unchanged", "skipped")


def import_file(context: CommandContext, options: Namespace) -> int:
    """Import a file.

    As JSON: `format`, `file`, `store`, `records`, `nodes` and `edges` with a count for each of `created`, `updated`,
    `unchanged` and `skipped`, `missing`, which is how many names stood at the ends of edges only, `losses`, each with `of`,
    `what` and `count`, `seconds`, `records_per_second`, and whether it was `interrupted`. An interruption, an error in the
    file and a refused record leave the store as it was.
    """
    url, format, file = store_url(context), context.plugins.format(options.format), _file(options.file)
    started, imported, stored = time.perf_counter(), None, False
    try:
        with open_store(context, url) as graph, progress("importing", "bytes") as tell:
            before = graph.cursor()
            with suppress(KeyboardInterrupt):
                imported = graph.import_file(
                    file,
                    format,
                    on_existing=options.on_existing,
                    on_dangling=options.on_dangling,
                    on_loss=options.on_loss,
                    progress=tell,
                )
            stored = graph.cursor() != before  # an interruption in the middle of the commit comes too late
    except KeyboardInterrupt:
        if imported is None:
            raise  # otherwise all is stored, and the store was being closed
    report = _report(imported, time.perf_counter() - started)
    report = {"format": options.format, "file": options.file, "store": masked(url), **report}
    if options.json:
        show_json(report)
    else:
        _show(report, stored=stored, makes=options.on_dangling == "create")
        warn("a graph", imported.losses if imported else ())
    return 0 if imported else INTERRUPTED


def _file(name: str) -> str | BinaryIO:
    """Return what to read; a slip in its name is told before a store is made."""
    if name == "-":
        return sys.stdin.buffer
    if not os.path.exists(name):  # noqa: PTH110 - which raises nothing, whatever the name
        raise ValidationError(f"{name}: cannot be read: there is no such file")
    return name


def _report(imported: Imported | None, seconds: float) -> dict[str, Any]:
    nodes, edges = (imported.nodes, imported.edges) if imported else (Tally(), Tally())
    records = sum((*attrs.astuple(nodes), *attrs.astuple(edges)))
    return {
        "records": records,
        "nodes": attrs.asdict(nodes),
        "edges": attrs.asdict(edges),
        "missing": imported.missing if imported else 0,
        "losses": [attrs.asdict(loss) for loss in imported.losses] if imported else [],
        "seconds": round(seconds, 3),
        "records_per_second": round(records / seconds),
        "interrupted": imported is None,
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
