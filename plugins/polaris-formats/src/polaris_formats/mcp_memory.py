"""The format `mcp-memory`: the JSONL in which @modelcontextprotocol/server-memory keeps its graph.

::

    {"type":"entity","name":"Ada Lovelace","entityType":"person","observations":["wrote the first published program"]}
    {"type":"relation","from":"Ada Lovelace","to":"Note G","relationType":"wrote"}

An entity is a node, a relation an edge; what else stands on a line is kept as attributes. Written are the texts of
observations, in the form and order of that server, which knows nothing beside them: attributes, provenance, and the sources and
times of observations are lost, and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from polaris_core import Edge, UpsertEdge, UpsertNode, ValidationError
from polaris_core.abc import read_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from polaris_core import Node
    from polaris_core.abc import Losses

__all__ = ["read", "write"]

_CHUNK_BYTES = 1 << 16
_FIELDS = {"entity": ("name", "entityType", "observations"), "relation": ("from", "to", "relationType")}


def read(file: BinaryIO, _losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    """Return an iterator of a node or edge a line; empty lines are passed over. Nothing is lost.

    Raises `ValidationError` with the line's number for one that is too long, no JSON, or neither entity nor relation.
    """
    return read_lines(file, _record)


def _record(value: Any) -> UpsertNode | UpsertEdge:
    kind = value.pop("type", None) if isinstance(value, dict) else None
    if kind not in ("entity", "relation"):
        raise ValidationError('a line is a JSON object with "type": "entity" or "type": "relation"')
    fields = _FIELDS[kind]
    if missing := [field for field in fields if field not in value]:
        raise ValidationError(f"{'an' if kind == 'entity' else 'a'} {kind} without {missing[0]!r}")
    first, second, third = (value.pop(field) for field in fields)
    if kind == "relation":
        return UpsertEdge(first, third, second, value)
    if not isinstance(third, list) or not all(isinstance(text, str) for text in third):
        raise ValidationError("'observations' is a list of texts")
    return UpsertNode(first, _type(second), value, third)


def _type(value: object) -> Any:
    if value is None:  # which an upsert would take for "as it is"
        raise ValidationError("'entityType' is a text, not null")
    return value


async def write(records: AsyncIterator[Node | Edge], losses: Losses) -> AsyncIterator[bytes]:
    """Yield the file's bytes, some lines at a time; as the server does it, no line feed follows the last line."""
    chunk = bytearray()
    before = b""
    async for record in records:
        chunk += before + orjson.dumps(_line(record, losses))
        before = b"\n"
        if len(chunk) >= _CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _line(record: Node | Edge, losses: Losses) -> dict[str, Any]:
    for what in _lost(record):
        losses.add(record.key, what)
    if isinstance(record, Edge):
        return {"type": "relation", "from": record.source, "to": record.target, "relationType": record.type}
    texts = [observation.text for observation in record.observations]
    return {"type": "entity", "name": record.name, "entityType": record.type, "observations": texts}


def _lost(record: Node | Edge) -> Iterator[str]:
    if record.attributes:
        yield "attributes"
    if not isinstance(record, Edge):
        if any(observation.source is not None for observation in record.observations):
            yield "observation sources"
        if any(observation.recorded_at is not None for observation in record.observations):
            yield "observation times"
    if record.provenance is not None:
        yield "provenance"
