"""Nodes by name and edges by key, all that a read is asked for as one set each."""

from __future__ import annotations

from collections.abc import Sequence

from polaris_core.codec import decode_edge, decode_node
from polaris_core.errors import PolarisError
from polaris_core.model import Edge, EdgeKey, Node
from polaris_core.records import EdgeRecord, EdgeRef, Session
from polaris_core.storage.grounds import Found

__all__ = ["edge_records", "edges_of", "nodes_of"]


async def nodes_of(session: Session, names: Sequence[str], found: Found) -> dict[str, Node | PolarisError | None]:
    """Return the nodes of names; in place of one that cannot be decoded, the error for those who asked for it."""
    damaged: dict[str, PolarisError] = {}
    for name, record in zip(names, await session.nodes(names), strict=True):
        try:
            found.nodes[name] = None if record is None else decode_node(record)
        except PolarisError as error:
            damaged[name] = error
    return {**found.nodes, **damaged}


async def edges_of(
    session: Session, keys: Sequence[EdgeKey], found: Found
) -> dict[EdgeKey, Edge | PolarisError | None]:
    """Return the edges of keys; in place of one that cannot be decoded, the error for those who asked for it."""
    edges: dict[EdgeKey, Edge | PolarisError | None] = {}
    for key, record in zip(keys, await edge_records(session, keys), strict=True):
        try:
            edge = None if record is None else decode_edge(record, key.source, key.target)
            edges[key] = found.edges[key] = edge
        except PolarisError as error:
            edges[key] = error
    return edges


async def edge_records(session: Session, keys: Sequence[EdgeKey]) -> Sequence[EdgeRecord | None]:
    """Return the records of the edges of these keys, None where there is none."""
    names = tuple(dict.fromkeys(end for key in keys for end in (key.source, key.target)))
    ids = {record.name: record.id for record in await session.nodes(names) if record}
    refs: list[EdgeRef] = [
        (ids[key.source], key.type, ids[key.target]) if key.source in ids and key.target in ids else 0 for key in keys
    ]
    return await session.edges(refs)
