"""Tools that find nodes and walk from one to those around it, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import Page
from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import (
    CURSOR,
    DIRECTION,
    EDGE_TYPE,
    FILTER,
    MOST,
    NAME,
    NEXT,
    NODE,
    NODE_IN_SHORT,
    NODE_TYPE,
    ORDER,
    answer,
    closed,
    limit,
)
from polaris_mcp.graph_tools.showing import brief, brief_attributes, fitting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polaris_core import Hit, Neighbor, Node

__all__ = ["TOOLS"]

_PAGE = 20


@explained(writes=False)
async def find_nodes(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find nodes."""

    async def fetch(most: int) -> Page[Node]:
        return await context.graph.find_nodes(
            type=arguments.get("type"),
            prefix=arguments.get("prefix"),
            where=arguments.get("where"),
            text=arguments.get("text"),
            order=arguments.get("order"),
            limit=most,
            cursor=arguments.get("cursor"),
        )

    rows, following = await fitting(fetch, brief, arguments.get("limit", _PAGE), context.answer_bytes)
    found: dict[str, Any] = {"nodes": rows}
    if following is not None:
        found["next"] = following
    elif not rows and "cursor" not in arguments:
        found["note"] = (
            "Nothing matches all of this. Text is looked for as it stands, so try one word of it, or fewer conditions; "
            "graph_overview tells which types there are."
        )
    return found


@explained(writes=False)
async def search_nodes(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Search nodes."""
    scan: dict[str, Any] = {}

    async def fetch(most: int) -> Page[Hit]:
        hits = await context.graph.search(arguments["query"], type=arguments.get("type"), limit=most)
        scan["complete"], scan["scanned"] = hits.complete, hits.scanned
        return Page(hits.items)

    rows, _ = await fitting(fetch, _hit, arguments.get("limit", _PAGE), context.answer_bytes)
    found: dict[str, Any] = {"hits": rows}
    if not scan["complete"]:
        found["note"] = f"Only the first {scan['scanned']} nodes were looked at."
    elif not rows:
        found["note"] = "No node holds all of this. Try fewer words, or beginnings of words such as prog*."
    return found


def _hit(hit: Hit) -> dict[str, Any]:
    return {"node": brief(hit.node, observations=1), "snippet": hit.snippet, "score": round(hit.score, 3)}


@explained(writes=False)
async def neighbors(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show the edges of a node and what is at their other ends."""
    name = arguments["name"]

    async def fetch(most: int) -> Page[Neighbor]:
        return await context.graph.neighbors(
            name,
            direction=arguments.get("direction", "both"),
            types=arguments.get("types"),
            limit=most,
            cursor=arguments.get("cursor"),
        )

    rows, following = await fitting(fetch, _neighbor, arguments.get("limit", _PAGE), context.answer_bytes)
    return {"neighbors": rows, **({} if following is None else {"next": following})}


def _neighbor(neighbor: Neighbor) -> dict[str, Any]:
    # Which end is the neighbor's is told by its name; of a loop both are.
    direction = "out" if neighbor.edge.target == neighbor.node.name else "in"
    edge = {"type": neighbor.edge.type, "direction": direction, **brief_attributes(neighbor.edge.attributes)}
    return {"edge": edge, "node": brief(neighbor.node, observations=1)}


TOOLS = (
    Tool(
        name="find_nodes",
        title="Find nodes",
        description=(
            "Find out what is known, and under which name, before you answer or create. Gives nodes in short that "
            "match all conditions; read them whole with get_nodes, and what they are joined to with neighbors."
        ),
        input_schema=closed(
            {
                "text": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1000,
                    "description": "Found anywhere in the name or an observation, upper or lower case.",
                },
                "type": NODE_TYPE,
                "prefix": {"type": "string", "maxLength": 1024, "description": "What the name begins with."},
                "where": FILTER,
                "order": ORDER,
                "limit": limit(_PAGE),
                "cursor": CURSOR,
            }
        ),
        output_schema=answer(
            {"nodes": {"type": "array", "items": NODE}, "next": NEXT, "note": {"type": "string"}}, ["nodes"]
        ),
        handler=find_nodes,
        read_only=True,
        scopes=("graph:read",),
    ),
    Tool(
        name="search_nodes",
        title="Search texts",
        description=(
            "Search what is known by words, the best matches first: in names, observations and the attributes that were "
            "chosen for it. All words must be there."
        ),
        input_schema=closed(
            {
                "query": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1000,
                    "description": 'Words; "a phrase" in double quotes; prog* for beginnings. Case does not count.',
                },
                "type": NODE_TYPE,
                "limit": limit(_PAGE),
            },
            ["query"],
        ),
        output_schema=answer(
            {
                "hits": {
                    "type": "array",
                    "items": answer(
                        {"node": NODE_IN_SHORT, "snippet": {"type": "string"}, "score": {"type": "number"}},
                        ["node", "snippet", "score"],
                    ),
                },
                "note": {"type": "string"},
            },
            ["hits"],
        ),
        handler=search_nodes,
        read_only=True,
        scopes=("graph:read",),
    ),
    Tool(
        name="neighbors",
        title="Neighbors of a node",
        description=(
            "See what a node is joined to: each edge with the node at its other end, a page at a time. Narrow it with "
            "direction and types where a node has many."
        ),
        input_schema=closed(
            {
                "name": NAME,
                "direction": DIRECTION,
                "types": {
                    "type": "array",
                    "items": EDGE_TYPE,
                    "minItems": 1,
                    "maxItems": MOST,
                    "description": "Only edges of these types.",
                },
                "limit": limit(_PAGE),
                "cursor": CURSOR,
            },
            ["name"],
        ),
        output_schema=answer(
            {
                "neighbors": {
                    "type": "array",
                    "items": answer(
                        {
                            "edge": answer(
                                {
                                    "type": {"type": "string"},
                                    "direction": {"enum": ["out", "in"]},
                                    "attributes": {"type": "object"},
                                },
                                ["type", "direction"],
                            ),
                            "node": NODE_IN_SHORT,
                        },
                        ["edge", "node"],
                    ),
                },
                "next": NEXT,
            },
            ["neighbors"],
        ),
        handler=neighbors,
        read_only=True,
        scopes=("graph:read",),
    ),
)
