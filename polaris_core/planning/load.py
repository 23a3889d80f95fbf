"""The stored state that a decision is made from, and the program that loads it: set by set, never row by row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import attrs

from polaris_core.limits import Limits
from polaris_core.mutations import Batch
from polaris_core.planning.footprint import Footprint, footprint
from polaris_core.records import EdgeRecord, Head, MetaRecord, NodeRecord, Receipt, Session

__all__ = ["Current", "load"]

_PAGE = 1_000


@attrs.frozen
class Current:
    """What the store holds of a footprint.

    `edges` holds every stored edge the group could touch, `names` the names of all their ends. `cut` lists nodes with more
    edges than were loaded. `touched` maps (node id, change number) to whether an edge of the node changed after that number.
    """

    head: Head
    nodes: dict[str, NodeRecord] = attrs.Factory(dict)
    edges: dict[tuple[int, str, int], EdgeRecord] = attrs.Factory(dict)
    names: dict[int, str] = attrs.Factory(dict)
    cut: frozenset[int] = frozenset()
    meta: dict[str, MetaRecord] = attrs.Factory(dict)
    receipts: dict[str, Receipt] = attrs.Factory(dict)
    touched: dict[tuple[int, int], bool] = attrs.Factory(dict)


async def load(session: Session, batches: Sequence[Batch], limits: Limits) -> Current:
    """Load, within one session, what `plan` needs to decide on these batches."""
    wanted = footprint(batches, limits)
    head = await session.head()
    nodes = {record.name: record for record in await session.nodes(wanted.names) if record} if wanted.names else {}
    edges, names, cut = await _edges(session, wanted, nodes)
    return Current(
        head=head,
        nodes=nodes,
        edges=edges,
        names=names,
        cut=cut,
        meta={record.key: record for record in await session.meta(wanted.meta) if record} if wanted.meta else {},
        receipts=(
            {receipt.key: receipt for receipt in await session.receipts(wanted.receipts) if receipt}
            if wanted.receipts
            else {}
        ),
        touched=await _touched(session, wanted, nodes, head),
    )


async def _edges(
    session: Session, wanted: Footprint, nodes: dict[str, NodeRecord]
) -> tuple[dict[tuple[int, str, int], EdgeRecord], dict[int, str], frozenset[int]]:
    def ids(name: str) -> list[int]:
        return [nodes[alias].id for alias in wanted.aliases_of(name) if alias in nodes]

    refs: dict[int | tuple[int, str, int], None] = {}
    for key in wanted.edges:
        for source, target in product(ids(key.source), ids(key.target)):
            refs[source, key.type, target] = None
    cut = set()
    for name, most in wanted.deleted.items():
        for id in ids(name):  # noqa: A001
            links = await session.links((id,), "both", None, most, 0)
            refs.update((link.id, None) for link in links)
            if len(links) >= most:
                cut.add(id)
    records = await session.edges(tuple(refs)) if refs else ()
    edges = {(record.source, record.type, record.target): record for record in records if record}
    names = {record.id: record.name for record in nodes.values()}
    unnamed = {end for source, _, target in edges for end in (source, target)} - names.keys()
    if unnamed:
        names.update((record.id, record.name) for record in await session.nodes(sorted(unnamed)) if record)
    return edges, names, frozenset(cut)


async def _touched(
    session: Session, wanted: Footprint, nodes: dict[str, NodeRecord], head: Head
) -> dict[tuple[int, int], bool]:
    touched = {}
    for expect in wanted.links:
        since = expect.since.seq
        if expect.since[:2] != (head.store, head.epoch) or not head.floor <= since <= head.seq:
            continue
        for alias in wanted.aliases_of(expect.name):
            if alias in nodes:
                id = nodes[alias].id  # noqa: A001
                touched[id, since] = await _edge_changed(session, id, since)
    return touched


async def _edge_changed(session: Session, id: int, since: int) -> bool:  # noqa: A002
    while changes := await session.changes(since, _PAGE, id):
        if any(id in (change.source, change.target) for change in changes):
            return True
        since = changes[-1].seq
    return False
