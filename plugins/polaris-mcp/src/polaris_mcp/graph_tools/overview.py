"""The tool to begin with: how large the graph is, what it is about, and where to go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import COUNT, NAMES, answer, closed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polaris_core import Graph

__all__ = ["TOOLS"]

_TYPES = 20
_SHOWN = 5
_EXAMPLES = 3


@explained(writes=False)
async def graph_overview(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001 - it has none
    """Sum the graph up."""
    graph = context.graph
    counted = await graph.statistics()
    common = list(counted.node_types.items())[:_TYPES]
    examples = await asyncio.gather(*(_examples(graph, type) for type, _ in common[:_SHOWN]))
    shown: list[dict[str, Any]] = [{"type": type, "count": count} for type, count in common]
    for row, names in zip(shown, examples, strict=False):
        row["examples"] = names
    overview: dict[str, Any] = {
        "nodes": counted.nodes,
        "edges": counted.edges,
        "node_types": shown,
        "edge_types": [{"type": type, "count": count} for type, count in list(counted.edge_types.items())[:_TYPES]],
    }
    for kind, types in (("node_types", counted.node_types), ("edge_types", counted.edge_types)):
        if len(types) > _TYPES:
            overview[f"more_{kind}"] = len(types) - _TYPES
    if not counted.complete:
        overview["note"] = "The graph is so large that the types of only a part of it were counted."
    overview["go_on"] = (
        "Find nodes by text, type or attributes with find_nodes; read them with get_nodes; follow edges with neighbors."
        if counted.nodes
        else "The graph is empty. Create nodes with create_nodes, then join them with create_edges."
    )
    return overview


async def _examples(graph: Graph, type: str) -> list[str]:
    return [node.name for node in await graph.find_nodes(type=type, limit=_EXAMPLES)]


_ROWS = {
    "type": "array",
    "items": answer({"type": {"type": "string"}, "count": COUNT, "examples": NAMES}, ["type", "count"]),
}

TOOLS = (
    Tool(
        name="graph_overview",
        title="Overview of the graph",
        description=(
            "Begin here when you do not know the graph: how many nodes and edges there are, of which types, with a few "
            "examples. It never lists everything."
        ),
        input_schema=closed({}),
        output_schema=answer(
            {
                "nodes": COUNT,
                "edges": COUNT,
                "node_types": _ROWS,
                "edge_types": _ROWS,
                "more_node_types": COUNT,
                "more_edge_types": COUNT,
                "note": {"type": "string"},
                "go_on": {"type": "string"},
            },
            ["nodes", "edges", "node_types", "edge_types", "go_on"],
        ),
        handler=graph_overview,
        read_only=True,
        scopes=("graph:read",),
    ),
)
