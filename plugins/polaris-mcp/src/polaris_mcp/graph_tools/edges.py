"""Tools that create and delete edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import Batch, CreateEdge, DeleteEdge, Transaction
from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import ATTRIBUTES, COUNT, EDGE_TYPE, IF_EXISTS, NAME, answer, closed, some

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TOOLS"]

_KEY = {"source": NAME, "type": EDGE_TYPE, "target": NAME}
_REQUIRED = ["source", "type", "target"]


@explained(writes=True)
async def create_edges(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Create edges, all or none."""
    wanted = [
        CreateEdge(edge["source"], edge["type"], edge["target"], edge.get("attributes", {}))
        for edge in arguments["edges"]
    ]
    if arguments.get("if_exists", "error") == "error":
        await context.graph.commit(Batch(wanted, author=context.author))
        return {"created": len(wanted)}

    async def create(transaction: Transaction) -> int:
        there = await transaction.get_edges([edge.key for edge in wanted])
        transaction.add(*{edge.key: edge for edge in wanted if edge.key not in there}.values())
        return len(there)

    skipped = await context.graph.transact(create, author=context.author)
    return {"created": len({edge.key for edge in wanted}) - skipped, "skipped": skipped}


@explained(writes=True)
async def delete_edges(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Delete edges, all or none."""
    missing_ok = arguments.get("missing_ok", False)
    mutations = [
        DeleteEdge(edge["source"], edge["type"], edge["target"], missing_ok=missing_ok) for edge in arguments["edges"]
    ]
    commit = await context.graph.commit(Batch(mutations, author=context.author))
    deleted = sum(result.status == "deleted" for result in commit.results)
    return {"deleted": deleted, "absent": len(mutations) - deleted}


TOOLS = (
    Tool(
        name="create_edges",
        title="Create edges",
        description=(
            "Join nodes that exist by typed, directed edges: Ada -[works_at]-> Acme. All are created or none; both "
            "ends have to exist, so create nodes first."
        ),
        input_schema=closed(
            {
                "edges": some(closed({**_KEY, "attributes": ATTRIBUTES}, _REQUIRED), "The edges to create."),
                "if_exists": IF_EXISTS,
            },
            ["edges"],
        ),
        output_schema=answer({"created": COUNT, "skipped": COUNT}, ["created"]),
        handler=create_edges,
        scopes=("graph:write",),
    ),
    Tool(
        name="delete_edges",
        title="Delete edges",
        description="Delete edges that no longer hold, all or none. The nodes stay.",
        input_schema=closed(
            {
                "edges": some(closed(_KEY, _REQUIRED), "The edges to delete, as neighbors shows them."),
                "missing_ok": {
                    "type": "boolean",
                    "default": False,
                    "description": "Pass over edges that do not exist.",
                },
            },
            ["edges"],
        ),
        output_schema=answer({"deleted": COUNT, "absent": COUNT}, ["deleted"]),
        handler=delete_edges,
        destructive=True,
        idempotent=True,
        scopes=("graph:write",),
    ),
)
