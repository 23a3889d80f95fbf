"""The command `migrate`: a graph with its history, from one store into another of any backend."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import attrs

from polaris_cli.importing import INTERRUPTED
from polaris_cli.progress import progress
from polaris_cli.stores import masked
from polaris_cli.terminal import make_console, plain, show, show_json
from polaris_core import migrate as copy_of

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_core import Migration
    from polaris_core.abc import CommandContext

__all__ = ["migrate"]

_KINDS = ("nodes", "edges", "meta", "receipts", "changes")


def migrate(context: CommandContext, options: Namespace) -> int:
    """Copy a store and compare the copy.

    As JSON: `source`, `target`, the cursors `from` of the state that was copied and `to` of the target, for each of `nodes`,
    `edges`, `meta`, `receipts` and `changes` its `count` and `digest`, `indexes` and `left_out`, each with `kind` and `path`,
    whether it was `resumed`, and `seconds`.
    """
    settings, started = context.settings, time.perf_counter()
    try:
        with progress("migrating") as tell:
            done = asyncio.run(
                copy_of(
                    options.source,
                    options.target,
                    progress=tell,
                    durability=settings.durability,
                    busy_seconds=settings.busy_seconds,
                    limits=settings.limits,
                    plugins=context.plugins,
                )
            )
    except KeyboardInterrupt:
        make_console(stderr=True).print(plain("Interrupted. The same command goes on from here."))
        return INTERRUPTED
    report = {"source": masked(options.source), "target": masked(options.target), **_report(done)}
    seconds = time.perf_counter() - started
    if options.json:
        show_json({**report, "seconds": round(seconds, 3)})
    else:
        _show(report, done, seconds)
    return 0


def _report(done: Migration) -> dict[str, Any]:
    return {
        "from": str(done.source),
        "to": str(done.target),
        **{kind: attrs.asdict(getattr(done, kind)) for kind in _KINDS},
        "indexes": [index._asdict() for index in done.indexes],
        "left_out": [index._asdict() for index in done.left_out],
        "resumed": done.resumed,
    }


def _show(report: dict[str, Any], done: Migration, seconds: float) -> None:
    from polaris_cli.tables import make_table

    table = make_table("")
    table.add_column("count", justify="right")
    table.add_column("SHA-256 of both, its beginning")
    for kind in _KINDS:
        table.add_row(kind, f"{report[kind]['count']:,}", report[kind]["digest"][:16])
    lines = [plain(f"no index on {index.path} of {index.kind}s: the target has none") for index in done.left_out]
    gone_on = ", gone on with" if done.resumed else ""
    show(
        table,
        *lines,
        plain(
            f"{report['source']} as of change {done.source.seq:,} is in {report['target']}{gone_on}, {seconds:,.1f} s"
        ),
    )
