"""The commands that read: `get`, `find`, `neighbors` and `stats`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from polaris_cli.stores import open_store, store_url
from polaris_cli.terminal import plain, show, show_json
from polaris_core import to_json

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from polaris_core.abc import CommandContext

__all__ = ["find", "get", "neighbors", "stats"]


def get(context: CommandContext, options: Namespace) -> int:
    """Show a node. As JSON it is the node, as `to_json` writes it."""
    with open_store(context, store_url(context), read_only=True) as graph:
        node = graph.get_node(options.name)
    if options.json:
        show_json(to_json(node))
    else:
        from polaris_cli.tables import node_sheet

        show(node_sheet(node))
    return 0


def find(context: CommandContext, options: Namespace) -> int:
    """List nodes. As JSON they stand under `nodes`; `next` is the cursor that asks for more, or null."""
    with open_store(context, store_url(context), read_only=True) as graph:
        page = graph.find_nodes(
            type=options.type,
            prefix=options.prefix,
            where=dict(options.where),
            text=options.text,
            limit=options.limit,
            cursor=options.cursor,
        )
    if options.json:
        show_json({"nodes": [to_json(node) for node in page], "next": page.next})
    else:
        from polaris_cli.tables import more, node_table

        show(node_table(page), *more(page, "nodes"))
        if not page.items:
            _suggest_values(options.where)
    return 0


def _suggest_values(conditions: Sequence[tuple[str, object]]) -> None:
    """Say how to ask for a number or another value, where a text that looks like one found nothing."""
    for key, text in conditions:
        with suppress(ValueError, RecursionError):
            if isinstance(text, str) and not isinstance(json.loads(text), str):
                show(plain(f"{text} was compared as a text; --where {key}:={text} compares it as a value", "dim"))


def neighbors(context: CommandContext, options: Namespace) -> int:
    """List neighbors. As JSON each under `neighbors` has its `edge` and `node`; `next` is the cursor for more, or null."""
    with open_store(context, store_url(context), read_only=True) as graph:
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
    """Count. As JSON: `nodes`, `edges`, `node_types`, `edge_types`, `complete` and `cursor`, as `Statistics` has them."""
    with open_store(context, store_url(context), read_only=True) as graph:
        statistics = graph.statistics()
    if options.json:
        show_json(to_json(statistics))
    else:
        from polaris_cli.tables import statistics_table

        show(statistics_table(statistics))
    return 0
