"""The host as a server of the Model Context Protocol, in both of its eras: with a handshake, and stateless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from polaris_core import thaw
from polaris_mcp import __version__

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from polaris_core.abc import Tool
    from polaris_mcp.host import Host

__all__ = ["make_server"]


def make_server(host: Host) -> Server[Any]:
    """Return the server of a host whose resources are open."""

    async def list_tools(
        _context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        after = _position(None if params is None else params.cursor, len(host.catalog))
        entries, following = host.catalog.page(after, host.bounds.page)
        return types.ListToolsResult(
            tools=[_described(entry.tool) for entry in entries],
            next_cursor=None if following is None else str(following),
        )

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        answer = await host.handle_operation(params.name, params.arguments, author=_client(context))
        # The text repeats the object, as the protocol asks: half of the clients show their model nothing else.
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=answer.text)],
            structured_content=answer.content,
            is_error=answer.is_error,
        )

    return Server(
        host.name,
        version=__version__,
        title="Polaris knowledge graph",
        instructions=" ".join(host.sentences) or None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _position(cursor: str | None, end: int) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 6 and 0 < int(cursor) < end):
        raise MCPError(types.INVALID_PARAMS, f"not a cursor of this list: {cursor[:80]!r}")
    return int(cursor)


def _described(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=thaw(tool.input_schema),
        output_schema=None if tool.output_schema is None else thaw(tool.output_schema),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent or tool.read_only,
        ),
    )


def _client(context: ServerRequestContext[Any]) -> str | None:
    """Return what the client calls itself, as far as it can be an author."""
    client = context.session.client_params
    if client is None:
        return None
    name = client.client_info.name.replace("\x00", "")[:200]
    return name.encode("utf-8", "replace").decode() or None
