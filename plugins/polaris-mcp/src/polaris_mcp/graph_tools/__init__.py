"""The tools that read and change a graph, named and bounded for models."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from polaris_mcp.graph_tools import edges, finding, history, nodes, observations, overview, reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from polaris_core.abc import Tool, ToolHost

__all__ = ["open_tools"]


@asynccontextmanager
async def open_tools(host: ToolHost) -> AsyncIterator[Sequence[Tool]]:  # noqa: ARG001 - they need nothing of it
    """Hand out the tools, those to begin with first."""
    yield (
        *overview.TOOLS,
        *finding.TOOLS,
        *reading.TOOLS,
        *history.TOOLS,
        *nodes.TOOLS,
        *observations.TOOLS,
        *edges.TOOLS,
    )
