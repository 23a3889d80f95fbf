"""The command `export`: a graph as a file, some records at a time."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import attrs

from polaris_cli.losses import warn
from polaris_cli.progress import progress
from polaris_cli.stores import masked, open_state, store_url
from polaris_cli.terminal import make_console, plain, show_json

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_core.abc import CommandContext

__all__ = ["export_file"]


def export_file(context: CommandContext, options: Namespace) -> int:
    """Export the graph as `Graph.export_file` does; `-` is standard output, and then the report goes to standard error.

    As JSON: `format`, `file`, `store`, `nodes`, `edges`, `losses`, each with `of`, `what` and `count`, and `seconds`.
    """
    url, format = store_url(context), context.plugins.format(options.format)
    started = time.perf_counter()
    to_stdout = options.file == "-"
    with open_state(context, options) as state, progress("exporting") as tell:
        file = sys.stdout.buffer if to_stdout else options.file
        exported = state.export_file(file, format, on_loss=options.on_loss, progress=tell)
    seconds = time.perf_counter() - started
    if options.json:
        report = {"format": options.format, "file": options.file, "store": masked(url), **attrs.asdict(exported)}
        show_json({**report, "seconds": round(seconds, 3)}, stderr=to_stdout)
    else:
        where = "standard output" if to_stdout else options.file
        text = f"{exported.nodes:,} nodes and {exported.edges:,} edges in {seconds:,.1f} s, into {where}"
        make_console(stderr=to_stdout).print(plain(text))
        warn(f"the format {options.format}", exported.losses)
    return 0
