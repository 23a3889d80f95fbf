"""The command `find`: nodes, edges, rows or a number."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from polaris_cli.stores import open_state
from polaris_cli.terminal import plain, show, show_json
from polaris_core import InvalidValueError, to_json

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from polaris_core import BlockingGraph, BlockingView, Edge, Node, Page, Row
    from polaris_core.abc import CommandContext

__all__ = ["find"]


def find(context: CommandContext, options: Namespace) -> int:
    """List nodes. As JSON they stand under `nodes`, `edges` or `rows`; `next` is the cursor that asks for more, or null.

    With `--count` the number stands under `count`.
    """
    order = _order(options)
    with open_state(context, options) as graph:
        if options.count:
            number = _count(graph, options)
            if options.json:
                show_json({"count": number})
            else:
                show(plain(str(number)))
        elif options.select:
            _show_rows(options, _rows(graph, options, order))
        elif options.edges:
            asked = _of_edges(options)
            _show_edges(options, graph.find_edges(**asked, order=order, limit=options.limit, cursor=options.cursor))
        else:
            asked = _of_nodes(options)
            _show_nodes(options, graph.find_nodes(**asked, order=order, limit=options.limit, cursor=options.cursor))
    return 0


def _order(options: Namespace) -> str | None:
    if options.order is None:
        if options.descending:
            raise InvalidValueError("--descending turns an order round: give one with --order")
        return None
    return f"-{options.order}" if options.descending else str(options.order)


def _of_nodes(options: Namespace) -> dict[str, Any]:
    where = {"$and": options.where} if options.where else None
    return {"type": options.type, "prefix": options.prefix, "where": where, "text": options.text}


def _of_edges(options: Namespace) -> dict[str, Any]:
    if options.prefix is not None or options.text is not None:
        raise InvalidValueError("--prefix and --text are of nodes; edges have no name")
    return {"type": options.type, "where": {"$and": options.where} if options.where else None}


def _count(graph: BlockingGraph | BlockingView, options: Namespace) -> int:
    return graph.count_edges(**_of_edges(options)) if options.edges else graph.count_nodes(**_of_nodes(options))


def _rows(graph: BlockingGraph | BlockingView, options: Namespace, order: str | None) -> Page[Row]:
    paging: dict[str, Any] = {"order": order, "limit": options.limit, "cursor": options.cursor}
    if options.edges:
        return graph.select_edges(options.select, **_of_edges(options), **paging)
    return graph.select_nodes(options.select, **_of_nodes(options), **paging)


def _show_nodes(options: Namespace, page: Page[Node]) -> None:
    if options.json:
        show_json({"nodes": [to_json(node) for node in page], "next": page.next})
        return
    from polaris_cli.tables import more, node_table

    show(node_table(page), *more(page, "nodes"))
    if not page.items:
        _suggest_values(options.where)


def _show_edges(options: Namespace, page: Page[Edge]) -> None:
    if options.json:
        show_json({"edges": [to_json(edge) for edge in page], "next": page.next})
        return
    from polaris_cli.tables import edge_table, more

    show(edge_table(page), *more(page, "edges"))


def _show_rows(options: Namespace, page: Page[Row]) -> None:
    if options.json:
        show_json({"rows": list(page), "next": page.next})
        return
    from polaris_cli.tables import more, row_table

    show(row_table(options.select, page), *more(page, "rows"))


def _suggest_values(filters: Sequence[Mapping[str, object]]) -> None:
    """Say how to ask for a number or another value, where a text that looks like one found nothing."""
    for path, text in (item for one in filters for item in one.items()):
        with suppress(ValueError, RecursionError):
            if isinstance(text, str) and not isinstance(json.loads(text), str):
                show(plain(f"{text} was compared as a text; --where {path}:={text} compares it as a value", "dim"))
