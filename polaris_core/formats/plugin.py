"""The built-in format, as a plugin like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from polaris_core.abc import FormatSpec, Losses, hookimpl

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from polaris_core.model import Edge, Node
    from polaris_core.mutations import UpsertEdge, UpsertNode


def _read(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    from polaris_core.formats.jsonl import read

    return read(file, losses)


def _write(records: AsyncIterator[Node | Edge], losses: Losses) -> AsyncIterator[bytes]:
    from polaris_core.formats.jsonl import write

    return write(records, losses)


@hookimpl
def polaris_formats() -> tuple[FormatSpec, ...]:
    """Offer `jsonl`."""
    return (
        FormatSpec(
            name="jsonl",
            sentence="One JSON object a line, a node or an edge each; what is written reads back equal.",
            read=_read,
            write=_write,
        ),
    )
