"""Nodes, edges and counts as people read them."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from polaris_cli.terminal import plain, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from polaris_core import Edge, Hits, Index, Neighbor, Node, Page, Provenance, Row, Statistics

__all__ = [
    "edge_table",
    "hit_table",
    "index_table",
    "make_table",
    "more",
    "neighbor_table",
    "node_sheet",
    "node_table",
    "row_table",
    "statistics_table",
]

_BAR = 24


def make_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the style of all of them."""
    table = Table(
        box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _with_room(rest: str, *columns: tuple[str, int]) -> Table:
    """Return a table of columns as wide as what they hold, within bounds, and a last one that is cut where the room ends."""
    table = make_table()
    for column, most in columns:
        table.add_column(column, overflow="fold", max_width=most)
    table.add_column(rest, ratio=1, no_wrap=True, overflow="ellipsis")
    table.expand = True
    return table


def node_sheet(node: Node) -> RenderableType:
    """Return all there is to a node."""
    parts: list[RenderableType] = [Text.assemble(plain(node.name, "bold"), "  ", plain(node.type, "cyan"))]
    if node.attributes:
        parts.append(Padding(_attribute_grid(node.attributes), (1, 0, 0, 2)))
    if node.observations:
        grid = Table.grid(padding=(0, 1))
        for observation in node.observations:
            source = "" if observation.source is None else f"  ({printable(observation.source)})"
            grid.add_row("-", Text.assemble(plain(observation.text), (source, "dim")))
        parts.append(Padding(grid, (1, 0, 0, 2)))
    if node.provenance is not None:
        parts.append(Padding(plain(_written(node.provenance), "dim"), (1, 0, 0, 2)))
    return Group(*parts)


def node_table(nodes: Page[Node]) -> RenderableType:
    """Return nodes, one a row, each with the beginning of what is known of it."""
    if not nodes.items:
        return "nothing found"
    table = _with_room("about", ("name", 36), ("type", 18))
    for node in nodes:
        about = node.observations[0].text if node.observations else _pairs(node.attributes)
        table.add_row(plain(node.name, "bold"), plain(node.type, "cyan"), Text(printable(about), "dim"))
    return table


def hit_table(hits: Hits) -> RenderableType:
    """Return what a search found, one node a row, with the words around a match."""
    if not len(hits):
        return "nothing found"
    table = _with_room("found in", ("name", 36), ("type", 18))
    for hit in hits:
        snippet = plain(printable(" ".join(hit.snippet.split())), "dim")
        table.add_row(plain(hit.node.name, "bold"), plain(hit.node.type, "cyan"), snippet)
    return table


def edge_table(edges: Page[Edge]) -> RenderableType:
    """Return edges, one a row."""
    if not edges.items:
        return "nothing found"
    table = _with_room("on the edge", ("source", 30), ("edge", 18), ("target", 30))
    for edge in edges:
        table.add_row(
            plain(edge.source, "bold"),
            plain(f"{edge.type} →"),
            plain(edge.target, "bold"),
            Text(_pairs(edge.attributes), "dim"),
        )
    return table


def row_table(paths: Sequence[str], rows: Page[Row]) -> RenderableType:
    """Return rows, with a column for each path; a cell stays empty where nothing stands."""
    if not rows.items:
        return "nothing found"
    table = make_table(*(printable(path) for path in paths))
    for row in rows:
        table.add_row(*(plain(_value(row[path]) if path in row else "") for path in paths))
    return table


def index_table(indexes: Sequence[Index]) -> RenderableType:
    """Return indexes, one a row."""
    if not indexes:
        return "no indexes"
    table = make_table("of", "path")
    for index in indexes:
        table.add_row(f"{index.kind}s", plain(index.path, "bold"))
    return table


def neighbor_table(name: str, neighbors: Page[Neighbor]) -> RenderableType:
    """Return the edges of a node, one a row, with what is at their other end."""
    if not neighbors.items:
        return "no such edges"
    table = _with_room("on the edge", ("edge", 18), ("node", 30), ("type", 18))
    origin = unicodedata.normalize("NFC", name)  # as the graph spells it
    for neighbor in neighbors:
        table.add_row(
            _arrow(neighbor.edge, origin),
            plain(neighbor.node.name, "bold"),
            plain(neighbor.node.type, "cyan"),
            Text(_pairs(neighbor.edge.attributes), "dim"),
        )
    return table


def statistics_table(statistics: Statistics, title: str | None = None) -> RenderableType:
    """Return the counts of nodes and edges by type, with bars."""
    table = make_table("", "type", title=title)
    table.add_column("count", justify="right")
    table.add_column("")
    for kind, total, types in (
        ("nodes", statistics.nodes, statistics.node_types),
        ("edges", statistics.edges, statistics.edge_types),
    ):
        table.add_row(kind, "", f"{total:,}", style="bold")
        for type_, count in types.items():
            bar = "█" * max(1, round(_BAR * count / max(total, 1)))
            table.add_row("", plain(type_, "cyan"), f"{count:,}", Text(bar, "blue"))
    if statistics.complete:
        return table
    return Group(table, "There are more than the limit `scan` allows to count by type; the totals are right.")


def more(page: Page[Any], what: str) -> Sequence[RenderableType]:
    """Return how to ask for what a page left out, if it did."""
    if page.next is None:
        return ()
    return (plain(f"{len(page)} {what} so far, there may be more: --cursor {page.next}", "dim"),)


def _attribute_grid(attributes: Mapping[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(max_width=30, overflow="fold")
    grid.add_column(overflow="fold")
    for key, value in attributes.items():
        grid.add_row(plain(key, "dim"), plain(_value(value)))
    return grid


def _value(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pairs(attributes: Mapping[str, Any]) -> str:
    return printable("; ".join(f"{key}: {_value(value)}" for key, value in attributes.items()))


def _arrow(edge: Edge, origin: str) -> Text:
    return plain(f"{edge.type} →" if edge.source == origin else f"← {edge.type}")


def _written(provenance: Provenance) -> str:
    by = "" if provenance.author is None else f" by {provenance.author}"
    updated = "" if provenance.version == 1 else f", last {provenance.updated_at:%Y-%m-%d %H:%M} UTC"
    return f"version {provenance.version}, written {provenance.created_at:%Y-%m-%d %H:%M} UTC{updated}{by}"
