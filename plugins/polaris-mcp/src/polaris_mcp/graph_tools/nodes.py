"""Tools that create, read, change and delete nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import (
    Batch,
    CreateNode,
    DeleteNode,
    Node,
    NodeExistsError,
    Patch,
    PatchNode,
    RenameNode,
    ToolError,
    Transaction,
)
from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import (
    ATTRIBUTES,
    COUNT,
    IF_EXISTS,
    NAME,
    NAMES,
    NODE_IN_SHORT,
    NODE_TYPE,
    TEXTS,
    answer,
    closed,
    some,
)
from polaris_mcp.graph_tools.showing import brief, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TOOLS"]

_LISTED = 4_096
_NODE = closed(
    {"name": NAME, "type": {**NODE_TYPE, "default": "node"}, "attributes": ATTRIBUTES, "observations": TEXTS}, ["name"]
)


@explained(writes=True)
async def create_nodes(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Create nodes, all or none."""
    wanted = [
        CreateNode(node["name"], node.get("type", "node"), node.get("attributes", {}), node.get("observations", ()))
        for node in arguments["nodes"]
    ]
    if arguments.get("if_exists", "error") == "error":
        await context.graph.commit(Batch(wanted, author=context.author))
        return {"created": len(wanted)}

    async def create(transaction: Transaction) -> list[str]:
        there = await transaction.get_nodes([node.name for node in wanted])
        transaction.add(*{node.name: node for node in wanted if node.name not in there}.values())
        return list(there)

    skipped = await context.graph.transact(create, author=context.author)
    created = len({node.name for node in wanted}) - len(skipped)
    return {"created": created, "skipped": len(skipped), "skipped_names": listed(skipped, _LISTED)}


@explained(writes=True)
async def update_node(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Change a node's type and attributes."""
    changes = Patch(
        set=arguments.get("set_attributes", {}),
        unset=arguments.get("unset_attributes", ()),
        type=arguments.get("type"),
    )
    if not (changes.set or changes.unset or changes.type):
        raise ToolError("there is nothing to change.", hint="Pass type, set_attributes or unset_attributes.")
    commit = await context.graph.commit(Batch(PatchNode(arguments["name"], changes), author=context.author))
    return _after(commit.results[0].value)


@explained(writes=True)
async def rename_node(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a node another name."""
    try:
        commit = await context.graph.commit(
            Batch(RenameNode(arguments["name"], arguments["to"]), author=context.author)
        )
    except NodeExistsError as error:
        raise ToolError(
            f"{error}. Nothing was changed.", hint="Choose another name; or move what is said of one node to the other."
        ) from error
    return _after(commit.results[0].value)


@explained(writes=True)
async def delete_nodes(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Delete nodes, all or none."""
    detach, missing_ok = arguments.get("detach", False), arguments.get("missing_ok", False)
    mutations = [DeleteNode(name, detach=detach, missing_ok=missing_ok) for name in arguments["names"]]
    commit = await context.graph.commit(Batch(mutations, author=context.author))
    deleted = sum(result.status == "deleted" for result in commit.results)
    absent = [
        mutation.name for mutation, result in zip(mutations, commit.results, strict=True) if result.status == "absent"
    ]
    return {"deleted": deleted, **({"absent_names": listed(absent, _LISTED)} if absent else {})}


def _after(value: object) -> Mapping[str, Any]:
    return {"node": brief(value)} if isinstance(value, Node) else {}


TOOLS = (
    Tool(
        name="create_nodes",
        title="Create nodes",
        description=(
            "Remember new things: people, projects, ideas. Look with find_nodes first whether they are there under "
            "another name. All are created or none."
        ),
        input_schema=closed({"nodes": some(_NODE, "The nodes to create."), "if_exists": IF_EXISTS}, ["nodes"]),
        output_schema=answer({"created": COUNT, "skipped": COUNT, "skipped_names": NAMES}, ["created"]),
        handler=create_nodes,
        scopes=("graph:write",),
    ),
    Tool(
        name="update_node",
        title="Update a node",
        description=(
            "Change the type or attributes of one node; attributes that are not named stay. For observations use "
            "add_observations and remove_observations, for the name rename_node."
        ),
        input_schema=closed(
            {
                "name": NAME,
                "type": NODE_TYPE,
                "set_attributes": {**ATTRIBUTES, "description": "Attributes to add or replace."},
                "unset_attributes": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": 100,
                    "description": "Keys of attributes to remove.",
                },
            },
            ["name"],
        ),
        output_schema=answer({"node": NODE_IN_SHORT}, []),
        handler=update_node,
        destructive=True,
        idempotent=True,
        scopes=("graph:write",),
    ),
    Tool(
        name="rename_node",
        title="Rename a node",
        description="Give a node another name. Its edges, observations and history stay.",
        input_schema=closed({"name": NAME, "to": NAME}, ["name", "to"]),
        output_schema=answer({"node": NODE_IN_SHORT}, []),
        handler=rename_node,
        destructive=True,
        scopes=("graph:write",),
    ),
    Tool(
        name="delete_nodes",
        title="Delete nodes",
        description=(
            "Forget nodes for good, all or none. A node with edges is refused unless detach is true, which deletes its "
            "edges too."
        ),
        input_schema=closed(
            {
                "names": some(NAME, "The nodes to delete."),
                "detach": {"type": "boolean", "default": False, "description": "Delete their edges too."},
                "missing_ok": {
                    "type": "boolean",
                    "default": False,
                    "description": "Pass over names that do not exist.",
                },
            },
            ["names"],
        ),
        output_schema=answer({"deleted": COUNT, "absent_names": NAMES}, ["deleted"]),
        handler=delete_nodes,
        destructive=True,
        idempotent=True,
        scopes=("graph:write",),
    ),
)
