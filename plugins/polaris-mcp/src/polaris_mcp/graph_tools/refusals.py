"""What the tools of a graph say when the graph refuses: in the words of their own arguments."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from polaris_core import (
    EdgeExistsError,
    EdgeNotFoundError,
    NodeExistsError,
    NodeHasEdgesError,
    NodeNotFoundError,
    PolarisError,
    ToolError,
)
from polaris_core.abc import ToolContext

__all__ = ["Handler", "explained"]

Handler = Callable[[ToolContext, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


def explained(*, writes: bool) -> Callable[[Handler], Handler]:
    """Decorate a handler: what the graph refuses becomes a `ToolError` that says what to call next."""

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def explaining(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            try:
                return await handler(context, arguments)
            except PolarisError as error:
                hint = _hint(error, creating_edges=handler.__name__ == "create_edges")
                if not hint:
                    raise
                unchanged = " Nothing was changed." if writes else ""
                text = str(error)
                raise ToolError(f"{text}{'' if text.endswith('?') else '.'}{unchanged}", hint=hint) from error

        return explaining

    return decorate


def _hint(error: PolarisError, *, creating_edges: bool) -> str:
    match error:
        case NodeNotFoundError() if creating_edges:
            return "Name a node that exists, or create the node first with create_nodes; then repeat the whole call."
        case NodeNotFoundError():
            return "Look for it with find_nodes, or create it first with create_nodes."
        case EdgeNotFoundError():
            return "See with neighbors which edges there are, and mind the direction; missing_ok=true passes over it."
        case NodeExistsError():
            return "Change it with update_node or add_observations, or pass if_exists='skip' to leave it as it is."
        case EdgeExistsError():
            return "Pass if_exists='skip' to leave the edges that exist alone."
        case NodeHasEdgesError():
            return "Pass detach=true to delete its edges with it, or delete them first with delete_edges."
        case _:
            return ""
