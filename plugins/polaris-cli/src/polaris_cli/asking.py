"""The commands that read what is named: `get`, `neighbors` and `stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_cli.stores import open_state
from polaris_cli.terminal import plain, show, show_json
from polaris_core import BlockingGraph, to_json

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_core.abc import CommandContext

__all__ = ["get", "neighbors", "stats"]


def get(context: CommandContext, options: Namespace) -> int:
    """Show a node. As JSON it is the node, as `to_json` writes it."""
    with open_state(context, options) as graph:
        node = graph.get_node(options.name)
    if options.json:
        show_json(to_json(node))
    else:
        from polaris_cli.tables import node_sheet

        show(node_sheet(node))
    return 0


def neighbors(context: CommandContext, options: Namespace) -> int:
    """List neighbors. As JSON each under `neighbors` has its `edge` and `node`; `next` is the cursor for more, or null."""
    with open_state(context, options) as graph:
        page = graph.neighbors(
            options.name,
            direction=options.direction,
            types=options.types,
            limit=options.limit,
            cursor=options.cursor,
        )
    if options.json:
        found = [{"edge": to_json(neighbor.edge), "node": to_json(neighbor.node)} for neighbor in page]
        show_json({"neighbors": found, "next": page.next})
    else:
        from polaris_cli.tables import more, neighbor_table

        show(neighbor_table(options.name, page), *more(page, "edges"))
    return 0


def stats(context: CommandContext, options: Namespace) -> int:
    """Count. As JSON: `nodes`, `edges`, `node_types`, `edge_types`, `complete` and `cursor`, as `Statistics` has them.

    `unfinished_migration` is there, with the cursor of what is copied, where a migration into the store has not ended.
    """
    with open_state(context, options) as graph:
        statistics = graph.statistics()
        copied = graph.unfinished_migration() if isinstance(graph, BlockingGraph) else None
    if options.json:
        show_json({**to_json(statistics), **({"unfinished_migration": str(copied)} if copied else {})})
    else:
        from polaris_cli.tables import statistics_table

        unfinished = "A migration into this store has not ended: run it again before the store is used."
        show(statistics_table(statistics), *([plain(unfinished, "bold")] if copied else ()))
    return 0
