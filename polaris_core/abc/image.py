"""All the records of one graph in this process's memory, as a session: for backends that keep their data there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge, nsmallest
from itertools import islice
from typing import Any, Literal

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
)

__all__ = ["Image"]

_MANY = 64


class Image:
    """The state of a graph as dictionaries and sorted lists. It is a `BlockingSession`; it locks nothing and keeps nothing."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._nodes: dict[int, NodeRecord] = {}
        self._ids: dict[str, int] = {}
        self._edges: dict[int, EdgeRecord] = {}
        self._targets: dict[int, dict[tuple[str, int], int]] = {}  # of the sources that were asked for by triple
        self._out: dict[int, list[int]] = {}
        self._in: dict[int, list[int]] = {}
        self._node_order: list[int] = []
        self._edge_order: list[int] = []
        self._sorted_names: list[str] | None = []
        self._meta: dict[str, MetaRecord] = {}
        self._changes: list[ChangeRecord] = []
        self._receipts: dict[str, Receipt] = {}

    # --- reading --------------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """Return where the store stands."""
        return self._head

    def nodes(self, refs: Sequence[NodeRef]) -> list[NodeRecord | None]:
        """Return the nodes of these ids or names."""
        ids = self._ids
        return [self._nodes.get(ids.get(ref, 0) if isinstance(ref, str) else ref) for ref in refs]

    def edges(self, refs: Sequence[EdgeRef]) -> list[EdgeRecord | None]:
        """Return the edges of these ids or triples."""
        return [self._edges.get(self._id_of(*ref) if isinstance(ref, tuple) else ref) for ref in refs]

    def _id_of(self, source: int, type: str, target: int) -> int:
        known = self._targets.get(source)
        if known is None:
            edges = map(self._edges.__getitem__, self._out.get(source, ()))
            known = self._targets[source] = {(edge.type, edge.target): edge.id for edge in edges}
        return known.get((type, target), 0)

    def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> list[Link]:
        """Return the edges of these nodes, ordered by edge id."""
        tables = {"out": (self._out,), "in": (self._in,), "both": (self._out, self._in)}[direction]
        runs = [self._after(run, after) for id in dict.fromkeys(ids) for table in tables if (run := table.get(id))]
        wanted = None if types is None else set(types)
        return list(islice(self._as_links(runs[0] if len(runs) == 1 else merge(*runs), wanted), limit))

    @staticmethod
    def _after(run: list[int], after: int) -> Iterator[int]:
        return map(run.__getitem__, range(bisect_right(run, after), len(run)))  # islice would walk to its start

    def _as_links(self, ids: Iterable[int], types: set[str] | None) -> Iterator[Link]:
        last = 0
        for id in ids:
            if id != last:
                last = id
                record = self._edges[id]
                if types is None or record.type in types:
                    yield Link(id, record.source, record.type, record.target)

    def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> list[Any]:
        """Return node or edge records ordered by id."""
        order, table = (self._node_order, self._nodes) if kind == "node" else (self._edge_order, self._edges)
        start = bisect_right(order, after)
        return [table[id] for id in order[start : start + limit]]

    def keys(self, kind: KeyKind, after: str, limit: int) -> list[str]:
        """Return the names of nodes, or the keys of meta records or receipts, in code point order."""
        if kind != "node":
            table = self._meta if kind == "meta" else self._receipts
            return nsmallest(limit, (key for key in table if key > after))
        if self._sorted_names is None:
            self._sorted_names = sorted(self._ids)
        start = bisect_right(self._sorted_names, after)
        return self._sorted_names[start : start + limit]

    def meta(self, keys: Sequence[str]) -> list[MetaRecord | None]:
        """Return records beside the graph."""
        return [self._meta.get(key) for key in keys]

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order."""
        start = max(after - self._head.floor, 0)
        if id is None:
            return self._changes[start : start + limit]
        later = map(self._changes.__getitem__, range(start, len(self._changes)))
        return list(islice((row for row in later if id in (row.id, row.source, row.target)), limit))

    def receipts(self, keys: Sequence[str]) -> list[Receipt | None]:
        """Return receipts."""
        return [self._receipts.get(key) for key in keys]

    def counts(self) -> tuple[int, int]:
        """Return how many nodes and how many edges there are."""
        return len(self._nodes), len(self._edges)

    # --- loading --------------------------------------------------------------------------------------------------

    def adopt(
        self,
        nodes: dict[int, NodeRecord],
        names: dict[str, int],
        edges: dict[int, EdgeRecord],
        out: dict[int, list[int]],
        into: dict[int, list[int]],
    ) -> None:
        """Take over what was loaded elsewhere, in place of all nodes and edges.

        Everything is ordered by id: the records by their ids, `out` and `into` the ids of the edges that leave and enter a
        node. The dictionaries are kept, not copied; one whose class makes a record when it is first read may be among them.
        """
        self._nodes, self._ids, self._edges = nodes, names, edges
        self._out, self._in, self._targets = out, into, {}
        self._node_order, self._edge_order = list(nodes), list(edges)
        self._sorted_names = None

    # --- writing --------------------------------------------------------------------------------------------------

    def store(self, plan: CommitPlan) -> None:
        """Apply a plan, in the order of its fields."""
        self._drop_edges(plan.delete_edges)
        for id in plan.delete_nodes:
            del self._ids[self._nodes.pop(id).name]
        _remove(self._node_order, plan.delete_nodes)
        for key in plan.delete_meta:
            del self._meta[key]
        for id in plan.renamed:
            del self._ids[self._nodes[id].name]
        for node in plan.put_nodes:
            if node.id not in self._nodes:
                insort(self._node_order, node.id)
            self._nodes[node.id] = node
            self._ids[node.name] = node.id
        if plan.put_nodes or plan.delete_nodes:
            self._sorted_names = None
        for edge in plan.put_edges:
            self._put_edge(edge)
        for meta in plan.put_meta:
            self._meta[meta.key] = meta
        self._changes.extend(plan.changes)
        if plan.forget_receipts:
            self._receipts = {k: row for k, row in self._receipts.items() if row.time >= plan.forget_receipts}
        self._receipts.update((receipt.key, receipt) for receipt in plan.receipts)
        del self._changes[: max(plan.head.floor - self._head.floor, 0)]
        self._head = plan.head

    def _put_edge(self, edge: EdgeRecord) -> None:
        if edge.id not in self._edges:
            insort(self._edge_order, edge.id)
            insort(self._out.setdefault(edge.source, []), edge.id)
            insort(self._in.setdefault(edge.target, []), edge.id)
            if edge.source in self._targets:
                self._targets[edge.source][edge.type, edge.target] = edge.id
        self._edges[edge.id] = edge

    def _drop_edges(self, ids: Sequence[int]) -> None:
        gone: dict[tuple[int, int], list[int]] = {}
        for id in ids:
            edge = self._edges.pop(id)
            if edge.source in self._targets:
                del self._targets[edge.source][edge.type, edge.target]
            gone.setdefault((0, edge.source), []).append(id)
            gone.setdefault((1, edge.target), []).append(id)
        _remove(self._edge_order, ids)
        for (side, end), lost in gone.items():
            table = self._in if side else self._out
            _remove(table[end], lost)
            if not table[end]:
                del table[end]


def _remove(order: list[int], ids: Sequence[int]) -> None:
    """Take ids out of a sorted list: a few one by one, many in one pass, because each one alone moves what is behind it."""
    if len(ids) > _MANY:
        gone = set(ids)
        order[:] = [id for id in order if id not in gone]
    else:
        for id in ids:
            del order[bisect_left(order, id)]
