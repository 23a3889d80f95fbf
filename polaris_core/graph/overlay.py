"""A session as it will look once a plan is stored: what a transaction sees of its own writes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal

from polaris_core.history import merged_keys
from polaris_core.records import (
    ChangeRecord,
    CommitPlan,
    Direction,
    EdgeRecord,
    EdgeRef,
    Head,
    KeyKind,
    Link,
    MetaRecord,
    NodeRecord,
    NodeRef,
    Receipt,
    Session,
)

__all__ = ["Overlay"]


class Overlay:
    """The rows of a plan over a session. New ids are larger than stored ones, so what is new comes last where ids order."""

    def __init__(self, session: Session, plan: CommitPlan) -> None:
        self._session = session
        self._plan = plan
        self._nodes = {record.id: record for record in plan.put_nodes}
        self._ids = {record.name: record.id for record in plan.put_nodes}
        self._edges = {record.id: record for record in plan.put_edges}
        self._triples = {(record.source, record.type, record.target): record.id for record in plan.put_edges}
        self._no_nodes = frozenset(plan.delete_nodes)
        self._no_edges = frozenset(plan.delete_edges)

    async def head(self) -> Head:
        """Return the head the plan was made from: what is not committed is no history."""
        return self._plan.expected

    async def nodes(self, refs: Sequence[NodeRef]) -> Sequence[NodeRecord | None]:
        """Return nodes as they will be."""
        stored = await self._session.nodes(refs)
        return [self._node(ref, record) for ref, record in zip(refs, stored, strict=True)]

    def _node(self, ref: NodeRef, stored: NodeRecord | None) -> NodeRecord | None:
        written = self._nodes.get(self._ids.get(ref, 0) if isinstance(ref, str) else ref)
        if written is not None:
            return written
        if stored is None or stored.id in self._no_nodes or stored.id in self._nodes:  # the last: renamed away
            return None
        return stored

    async def edges(self, refs: Sequence[EdgeRef]) -> Sequence[EdgeRecord | None]:
        """Return edges as they will be."""
        stored = await self._session.edges(refs)
        return [self._edge(ref, record) for ref, record in zip(refs, stored, strict=True)]

    def _edge(self, ref: EdgeRef, stored: EdgeRecord | None) -> EdgeRecord | None:
        written = self._edges.get(self._triples.get(ref, 0) if isinstance(ref, tuple) else ref)
        return written or (None if stored is None or stored.id in self._no_edges else stored)

    async def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> Sequence[Link]:
        """Return links as they will be."""
        links: list[Link] = []
        at, wanted = after, set(ids)
        while len(links) < limit and (page := await self._session.links(ids, direction, types, limit, at)):
            links.extend(link for link in page if link.id not in self._no_edges)
            at = page[-1].id
        new = (
            Link(edge.id, edge.source, edge.type, edge.target)
            for edge in self._new(self._edges, after)
            if (types is None or edge.type in types)
            and ((direction != "in" and edge.source in wanted) or (direction != "out" and edge.target in wanted))
        )
        return list(islice((*links, *new), limit))

    async def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> Sequence[Any]:
        """Return records as they will be."""
        rows: list[Any] = []
        written: dict[int, Any] = self._nodes if kind == "node" else self._edges
        gone, at = (self._no_nodes if kind == "node" else self._no_edges), after
        while len(rows) < limit and (page := await self._session.scan(kind, at, limit)):
            rows.extend(written.get(row.id, row) for row in page if row.id not in gone)
            at = page[-1].id
        return list(islice((*rows, *self._new(written, after)), limit))

    def _new(self, written: dict[int, Any], after: int) -> list[Any]:
        first = self._plan.expected.next_id
        return [written[id] for id in sorted(written) if id >= first and id > after]

    async def keys(self, kind: KeyKind, after: str, limit: int) -> Sequence[str]:
        """Return names and keys as they will be."""
        if kind == "receipt":
            return await self._session.keys(kind, after, limit)
        written = self._ids if kind == "node" else {record.key for record in self._plan.put_meta}
        kept = self._kept_names if kind == "node" else self._kept_meta
        added = sorted(key for key in written if key > after)
        return await merged_keys(self._session, kind, after, limit, kept, added)

    async def _kept_meta(self, page: Sequence[str]) -> list[str]:
        gone = {*self._plan.delete_meta, *(record.key for record in self._plan.put_meta)}
        return [key for key in page if key not in gone]

    async def _kept_names(self, page: Sequence[str]) -> list[str]:
        return [
            name
            for name, record in zip(page, await self._session.nodes(page), strict=True)
            if record and record.id not in self._no_nodes and record.id not in self._nodes
        ]

    async def meta(self, keys: Sequence[str]) -> Sequence[MetaRecord | None]:
        """Return records beside the graph as they will be."""
        written = {record.key: record for record in self._plan.put_meta}
        stored = await self._session.meta(keys)
        return [
            written.get(key) or (None if key in self._plan.delete_meta else record)
            for key, record in zip(keys, stored, strict=True)
        ]

    async def changes(self, after: int, limit: int, id: int | None) -> Sequence[ChangeRecord]:
        """Return the stored changes."""
        return await self._session.changes(after, limit, id)

    async def receipts(self, keys: Sequence[str]) -> Sequence[Receipt | None]:
        """Return the stored receipts."""
        return await self._session.receipts(keys)

    async def counts(self) -> tuple[int, int]:
        """Return the counts as they will be."""
        nodes, edges = await self._session.counts()
        first = self._plan.expected.next_id
        return (
            nodes - len(self._no_nodes) + sum(id >= first for id in self._nodes),
            edges - len(self._no_edges) + sum(id >= first for id in self._edges),
        )
