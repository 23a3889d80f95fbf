"""Tools that add and remove what is known about nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import Batch, Observation, Patch, PatchNode
from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import COUNT, NAME, NAMES, TEXTS, answer, closed, some
from polaris_mcp.graph_tools.showing import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TOOLS"]

_LISTED = 4_096
_SOURCE = {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Where this comes from."}
_CHANGED = answer({"changed": COUNT, "unchanged": COUNT, "unchanged_names": NAMES}, ["changed"])


@explained(writes=True)
async def add_observations(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add observations, all or none."""
    return await _patch(
        context,
        [
            PatchNode(
                node["name"], Patch(observe=[Observation(text, node.get("source")) for text in node["observations"]])
            )
            for node in arguments["nodes"]
        ],
    )


@explained(writes=True)
async def remove_observations(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove observations, all or none."""
    return await _patch(
        context, [PatchNode(node["name"], Patch(forget=node["observations"])) for node in arguments["nodes"]]
    )


async def _patch(context: ToolContext, mutations: Sequence[PatchNode]) -> Mapping[str, Any]:
    commit = await context.graph.commit(Batch(mutations, author=context.author))
    unchanged = [
        mutation.name
        for mutation, result in zip(mutations, commit.results, strict=True)
        if result.status == "unchanged"
    ]
    changed = {"changed": len(mutations) - len(unchanged)}
    if not unchanged:
        return changed
    return {**changed, "unchanged": len(unchanged), "unchanged_names": listed(unchanged, _LISTED)}


TOOLS = (
    Tool(
        name="add_observations",
        title="Add observations",
        description=(
            "Remember new facts about nodes that exist. A fact a node has already, word for word, changes nothing. All "
            "are added or none."
        ),
        input_schema=closed(
            {
                "nodes": some(
                    closed({"name": NAME, "observations": TEXTS, "source": _SOURCE}, ["name", "observations"]),
                    "What to add to which node.",
                )
            },
            ["nodes"],
        ),
        output_schema=_CHANGED,
        handler=add_observations,
        idempotent=True,
        scopes=("graph:write",),
    ),
    Tool(
        name="remove_observations",
        title="Remove observations",
        description=(
            "Forget facts about nodes, when they turn out wrong or old. The text has to be that of the observation, "
            "word for word, as get_nodes shows it; a node without it is reported as unchanged."
        ),
        input_schema=closed(
            {
                "nodes": some(
                    closed({"name": NAME, "observations": TEXTS}, ["name", "observations"]),
                    "What to remove from which node.",
                )
            },
            ["nodes"],
        ),
        output_schema=_CHANGED,
        handler=remove_observations,
        destructive=True,
        idempotent=True,
        scopes=("graph:write",),
    ),
)
