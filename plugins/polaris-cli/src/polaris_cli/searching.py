"""The command `search`: the nodes that hold some words, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_cli.stores import open_state, open_store, store_url
from polaris_cli.terminal import plain, show, show_json
from polaris_core import to_json

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_core.abc import CommandContext

__all__ = ["search"]


def search(context: CommandContext, options: Namespace) -> int:
    """Search. As JSON each under `hits` has its `node`, `score` and `snippet`; `complete` and `scanned` are as in `Hits`."""
    # A store that is opened for reading only could not bring its index of words up to date.
    now = None if options.at is not None else open_store(context, store_url(context), create=False)
    with now or open_state(context, options) as graph:
        hits = graph.search(" ".join(options.words), type=options.type, limit=options.limit)
    if options.json:
        found = [{"node": to_json(hit.node), "score": hit.score, "snippet": hit.snippet} for hit in hits]
        show_json({"hits": found, "complete": hits.complete, "scanned": hits.scanned})
    else:
        from polaris_cli.tables import hit_table

        show(hit_table(hits))
        if not hits.complete:
            show(plain(f"Only the first {hits.scanned:,} nodes were looked at.", "bold"))
    return 0
