"""The stored state that a decision is made from, and the program that loads it: set by set, never row by row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from polaris_core.codec import loads
from polaris_core.limits import Limits
from polaris_core.mutations import Batch
from polaris_core.planning.footprint import Footprint, footprint
from polaris_core.planning.schemas import count_schemas, stored_schemas
from polaris_core.records import Direction, EdgeRecord, Head, Link, MetaRecord, NodeRecord, Receipt, Session
from polaris_core.schema import restricts_ends, schema_key

__all__ = ["Current", "load"]

_PAGE = 1_000
_OF_EDGES = schema_key("edge", "")
_TAKES_NAME = ("node.created", "node.renamed")


class Current(NamedTuple):
    """What the store holds of a footprint.

    `edges` holds every stored edge the group could touch, `names` the names of all their ends. `cut` lists nodes with more
    edges than were loaded. `touched` maps (node id, change number) to whether an edge of the node changed after that number.
    `meta` holds the schemas of all types that could be written, too; `schemas` is how many there are in the graph, looked at
    only where one could be set, and not beyond the limit.
    """

    head: Head
    nodes: dict[str, NodeRecord]
    edges: dict[tuple[int, str, int], EdgeRecord]
    names: dict[int, str]
    cut: frozenset[int]
    meta: dict[str, MetaRecord]
    receipts: dict[str, Receipt]
    touched: dict[tuple[int, int], bool]
    schemas: int


async def load(session: Session, batches: Sequence[Batch], limits: Limits) -> Current:
    """Load, within one session, what `plan` needs to decide on these batches."""
    wanted = footprint(batches, limits)
    head = await session.head()
    nodes = {record.name: record for record in await session.nodes(wanted.names) if record} if wanted.names else {}
    joining = await _joining(session, wanted, nodes) if nodes else {}
    edges, names, cut = await _edges(session, wanted, nodes, joining) if nodes else ({}, {}, frozenset[int]())
    meta = _meta_keys(wanted, nodes)
    return Current(
        head=head,
        nodes=nodes,
        edges=edges,
        names=names,
        cut=cut,
        meta={
            record.key: record for record in (*joining.values(), *(await session.meta(meta) if meta else ())) if record
        },
        receipts=(
            {receipt.key: receipt for receipt in await session.receipts(wanted.receipts) if receipt}
            if wanted.receipts
            else {}
        ),
        touched=await _touched(session, wanted, nodes, head) if wanted.links else {},
        schemas=await count_schemas(session, limits.schemas) if wanted.defines else 0,
    )


def _meta_keys(wanted: Footprint, nodes: dict[str, NodeRecord]) -> Sequence[str]:
    stored = {schema_key("node", record.type) for record in nodes.values()} if wanted.rewrites else ()
    return tuple(dict.fromkeys((*wanted.meta, *wanted.schemas, *stored)))


def _retyped(wanted: Footprint, nodes: dict[str, NodeRecord]) -> list[int]:
    return [nodes[name].id for name, types in wanted.retyped.items() if name in nodes and types != {nodes[name].type}]


async def _joining(session: Session, wanted: Footprint, nodes: dict[str, NodeRecord]) -> dict[str, MetaRecord | None]:
    """Return by type the schemas that could say what edges join, where a node that is stored could change its type."""
    if not _retyped(wanted, nodes):
        return {}
    found: dict[str, MetaRecord | None] = {
        key.removeprefix(_OF_EDGES): None for key in wanted.meta if key.startswith(_OF_EDGES)
    }
    for key, record in (await stored_schemas(session)).items():
        type_ = key.removeprefix(_OF_EDGES)
        if key.startswith(_OF_EDGES) and (type_ in found or restricts_ends(key, record.body)):
            found[type_] = record
    return found


async def _edges(
    session: Session, wanted: Footprint, nodes: dict[str, NodeRecord], joining: Collection[str]
) -> tuple[dict[tuple[int, str, int], EdgeRecord], dict[int, str], frozenset[int]]:
    refs: dict[int | tuple[int, str, int], None] = {
        (nodes[key.source].id, key.type, nodes[key.target].id): None
        for key in wanted.edges
        if key.source in nodes and key.target in nodes
    }
    detached = {nodes[name].id for name in wanted.detached if name in nodes}
    cut = set()
    for name, decisive in wanted.deleted.items():
        if name in nodes:
            links, more = await _links(session, nodes[name].id, decisive, wanted.most, detached)
            refs.update((link.id, None) for link in links)
            if more:
                cut.add(nodes[name].id)
    for id in _retyped(wanted, nodes) if joining else ():
        refs.update((link.id, None) for link in await _joined(session, id, wanted, detached, joining))
    records = await session.edges(tuple(refs)) if refs else ()
    edges = {(record.source, record.type, record.target): record for record in records if record}
    names = {record.id: record.name for record in nodes.values()}
    unnamed = {end for source, _, target in edges for end in (source, target)} - names.keys()
    if unnamed:
        names.update((record.id, record.name) for record in await session.nodes(sorted(unnamed)) if record)
    return edges, names, frozenset(cut)


async def _joined(
    session: Session, id: int, wanted: Footprint, detached: set[int], types: Collection[str]
) -> list[Link]:
    """Load links that decide whether a node may change its type: of each type and direction one that will stay."""
    links: list[Link] = []
    ways: tuple[Direction, ...] = ("out", "in")
    for way in ways:
        left = dict.fromkeys(types)
        while left and (first := await session.links((id,), way, tuple(left), 1, 0)):  # so only types that are there
            type_ = first[0].type
            del left[type_]
            links += (await _links(session, id, wanted.edge_deletes + 1, wanted.most, detached, way, (type_,)))[0]
    return links


async def _links(
    session: Session,
    id: int,
    decisive: int,
    most: int,
    detached: set[int],
    direction: Direction = "both",
    types: Sequence[str] | None = None,
) -> tuple[list[Link], bool]:
    """Load a node's links until so many are there that the group cannot delete them all, or there are no more."""
    links: list[Link] = []
    lasting = 0
    while lasting < decisive and len(links) < decisive + most:
        limit = max(decisive - lasting, _PAGE if links else 1)
        page = await session.links((id,), direction, types, limit, links[-1].id if links else 0)
        links += page
        lasting += sum(not detached & {link.source, link.target} - {id} for link in page)
        if len(page) < limit:
            return links, False
    return links, True


async def _touched(
    session: Session, wanted: Footprint, nodes: dict[str, NodeRecord], head: Head
) -> dict[tuple[int, int], bool]:
    touched = {}
    for name, expect in wanted.links:
        since = expect.since.seq
        if name in nodes and expect.since[:2] == (head.store, head.epoch) and head.floor <= since:
            id = nodes[name].id
            touched[id, since] = since < head.seq and await _edge_changed(session, nodes[name], since)
    return touched


async def _edge_changed(session: Session, node: NodeRecord, since: int) -> bool:
    """Return whether an edge of a node changed after a change number, or the node itself came, by a load or otherwise."""
    before = node.revision  # that of the node as it was before the changes which are still to be read
    for_itself = False
    place = since
    while changes := await session.changes(place, _PAGE, node.id):
        if any(node.id in (change.source, change.target) or change.kind in _TAKES_NAME for change in changes):
            return True
        if not for_itself:
            for_itself, before = True, loads(changes[0].body)["previous"]["revision"]
        place = changes[-1].seq
    return before > since
