"""What this distribution offers: the toolset `graph` and the command `serve`. Importing it loads neither of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_core.abc import CommandSpec, ToolsetSpec, hookimpl

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from polaris_core.abc import CommandContext, Tool, ToolHost

__all__ = ["polaris_commands", "polaris_toolsets"]

DEADLINE_SECONDS = 60.0


def _graph_tools(host: ToolHost) -> AbstractAsyncContextManager[Sequence[Tool]]:
    from polaris_mcp.graph_tools import open_tools

    return open_tools(host)


def _configure(parser: ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="open the store, list the tools and exit")
    parser.add_argument("--create", action="store_true", help="with --check: make the store where there is none")
    parser.add_argument("--read-only", action="store_true", help="hide and refuse every tool that writes")
    parser.add_argument(
        "--deadline",
        type=float,
        default=DEADLINE_SECONDS,
        metavar="SECONDS",
        help="give a call up after this long (default: %(default)g)",
    )


def _serve(context: CommandContext, arguments: Namespace) -> int:
    from polaris_mcp.command import serve

    return serve(context, arguments)


@hookimpl
def polaris_toolsets() -> tuple[ToolsetSpec, ...]:
    """Offer the tools that read and change a graph."""
    return (
        ToolsetSpec(
            name="graph",
            sentence="A knowledge graph that outlasts a conversation: nodes with observations, joined by typed edges.",
            open=_graph_tools,
        ),
    )


@hookimpl
def polaris_commands() -> tuple[CommandSpec, ...]:
    """Offer the server."""
    return (
        CommandSpec(
            name="serve",
            sentence="Serve a graph to an AI client over the Model Context Protocol, on stdin and stdout.",
            configure=_configure,
            run=_serve,
            shows_data=True,
        ),
    )
