"""What this distribution offers. Nothing heavy is imported before a file is read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from polaris_core.abc import FormatSpec, Losses, hookimpl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from polaris_core import Edge, Node, UpsertEdge, UpsertNode


def _read_debian(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    from polaris_formats.debian import read

    return read(file, losses)


def _read_graphml(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    from polaris_formats.graphml import read

    return read(file, losses)


def _write_graphml(records: AsyncIterator[Node | Edge], losses: Losses) -> AsyncIterator[bytes]:
    from polaris_formats.graphml import write

    return write(records, losses)


def _read_mcp_memory(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    from polaris_formats.mcp_memory import read

    return read(file, losses)


def _write_mcp_memory(records: AsyncIterator[Node | Edge], losses: Losses) -> AsyncIterator[bytes]:
    from polaris_formats.mcp_memory import write

    return write(records, losses)


def _read_node_link(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    from polaris_formats.node_link import read

    return read(file, losses)


def _write_node_link(records: AsyncIterator[Node | Edge], losses: Losses) -> AsyncIterator[bytes]:
    from polaris_formats.node_link import write

    return write(records, losses)


@hookimpl
def polaris_formats() -> tuple[FormatSpec, ...]:
    """Offer the formats."""
    return (
        FormatSpec(
            name="debian",
            sentence="A Debian Packages file, as `apt-cache dumpavail` prints it; for reading only.",
            read=_read_debian,
        ),
        FormatSpec(
            name="graphml",
            sentence="GraphML, for networkx, Gephi and yEd; the whole graph is held in memory.",
            read=_read_graphml,
            write=_write_graphml,
        ),
        FormatSpec(
            name="mcp-memory",
            sentence="The JSONL of the MCP server memory, which holds names, types and observations only.",
            read=_read_mcp_memory,
            write=_write_mcp_memory,
        ),
        FormatSpec(
            name="node-link",
            sentence="Node-link JSON, for networkx and D3; the whole graph is held in memory.",
            read=_read_node_link,
            write=_write_node_link,
        ),
    )
