"""The state a group of batches works on: what was loaded, what was changed since, and the way back out of a refused batch."""

from __future__ import annotations

from typing import Any, NamedTuple

from polaris_core.codec import decode_edge, decode_node
from polaris_core.errors import StoreDamagedError
from polaris_core.model import Edge, Node
from polaris_core.planning.load import Current
from polaris_core.records import ChangeRecord, EdgeRecord, MetaRecord, NodeRecord, Receipt
from polaris_core.schema import SCHEMAS, Checker, SchemaKind, checker_of, schema_key

__all__ = ["EdgeState", "NodeState", "Working"]


class NodeState(NamedTuple):
    """A node as it stands: the row to store and the model it stands for."""

    record: NodeRecord
    node: Node


class EdgeState(NamedTuple):
    """An edge as it stands."""

    record: EdgeRecord
    edge: Edge


Triple = tuple[int, str, int]
_MISSING: Any = object()
_ADDED: Any = object()  # in the log: a node that was not there, by its id and its name
_new = tuple.__new__  # a named tuple at half the price


class Working:
    """Tables over the loaded state. Every write leaves an entry in a log, so that `rewind` undoes one batch exactly."""

    def __init__(self, current: Current) -> None:
        self.current = current
        self.seq: int = current.head.seq
        self.next_id: int = current.head.next_id
        self.changes: list[ChangeRecord] = []
        self._ids: dict[str, int] = {record.name: record.id for record in current.nodes.values()}
        self._stored: dict[int, NodeRecord] = {record.id: record for record in current.nodes.values()}
        self._nodes: dict[int, NodeState | None] = {}
        self._edges: dict[Triple, EdgeState | None] = {}
        self._incident: dict[int, dict[Triple, None]] = {}
        for triple in current.edges:
            self._incident.setdefault(triple[0], {})[triple] = None
            self._incident.setdefault(triple[2], {})[triple] = None
        self._joined: dict[int, dict[tuple[str, int], int]] = {}
        self._names = dict(current.names)
        self._meta: dict[str, MetaRecord | None] = {}
        self._schemas = {"count": current.schemas}  # a table, so that `rewind` finds it
        self._receipts: dict[str, Receipt] = {}
        self._moved: dict[int, int] = {}  # node id -> the last change here that touched its edges or brought its name
        self._log: list[tuple[dict[Any, Any], Any, Any]] = []

    # --- one batch ------------------------------------------------------------------------------------------------

    def begin(self) -> tuple[int, int, int]:
        """Start a batch and return where it started, for `rewind`."""
        self._log.clear()
        return self.seq, self.next_id, len(self.changes)

    def rewind(self, start: tuple[int, int, int]) -> None:
        """Undo everything since `begin`."""
        for table, key, old in reversed(self._log):
            if table is _ADDED:
                del self._nodes[key], self._names[key], self._moved[key], self._ids[old]
            elif old is _MISSING:
                table.pop(key, None)
            else:
                table[key] = old
        self._log.clear()
        self.seq, self.next_id, changes = start
        del self.changes[changes:]

    def _write(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._log.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def _erase(self, table: dict[Any, Any], key: Any) -> None:
        self._log.append((table, key, table.pop(key, _MISSING)))

    # --- reading --------------------------------------------------------------------------------------------------

    def node(self, name: str) -> NodeState | None:
        """Return the node of this name as it stands."""
        id = self._ids.get(name)
        if id is None:
            return None
        if id in self._nodes:
            return self._nodes[id]
        record = self._stored[id]
        state = self._nodes[id] = NodeState(record, decode_node(record))  # no change, so nothing to rewind
        return state

    def edge(self, triple: Triple) -> EdgeState | None:
        """Return the edge between these two ids as it stands."""
        if triple in self._edges:
            return self._edges[triple]
        record = self.current.edges.get(triple)
        if record is None:
            return None
        state = EdgeState(record, decode_edge(record, self.name(triple[0]), self.name(triple[2])))
        self._edges[triple] = state
        return state

    def name(self, id: int) -> str:
        """Return a node's name as it stands."""
        try:
            return self._names[id]
        except KeyError:
            raise StoreDamagedError(f"an edge ends in node {id}, which does not exist", where=f"node {id}") from None

    def incident(self, id: int) -> tuple[Triple, ...]:
        """Return the edges of a node that are known, oldest first."""
        return tuple(self._incident.get(id, ()))

    def joined(self, id: int) -> tuple[tuple[str, int], ...]:
        """Return of which types the known edges of a node are, each with where it stands in their triples: 0 or 2.

        They are counted once, for a node whose type changes, and kept up from then on.
        """
        counts = self._joined.get(id)
        if counts is None:
            counts = {}
            for triple in self._incident.get(id, ()):
                for end, place in _ends(triple):
                    if end == id:
                        counts[triple[1], place] = counts.get((triple[1], place), 0) + 1
            self._write(self._joined, id, counts)
        return tuple(end for end, count in counts.items() if count)

    def _count_joined(self, triple: Triple, more: int) -> None:
        for end, place in _ends(triple):
            if (counts := self._joined.get(end)) is not None:
                self._write(counts, (triple[1], place), counts.get((triple[1], place), 0) + more)

    def receipt(self, key: str) -> Receipt | None:
        """Return the receipt of an idempotency key, of this group or stored."""
        return self._receipts.get(key) or self.current.receipts.get(key)

    def meta(self, key: str) -> MetaRecord | None:
        """Return a record beside the graph as it stands."""
        return self._meta[key] if key in self._meta else self.current.meta.get(key)

    @property
    def schemas(self) -> int:
        """How many schemas there are, where one could be set."""
        return self._schemas["count"]

    @property
    def is_free(self) -> bool:
        """Whether there is no schema that any of this is held against, as nearly always."""
        return not self.current.meta and not self._meta

    def checker(self, kind: SchemaKind, type: str) -> Checker | None:
        """Return what checks against the schema of a type as it stands; None where there is none."""
        if self.is_free:
            return None
        record = self.meta(schema_key(kind, type))
        return None if record is None else checker_of(record.key, record.body)

    def links_moved_after(self, id: int, since: int) -> bool:
        """Return whether after a change number, stored or in this group, an edge of this node changed or its name came."""
        if self._moved.get(id, 0) > since:
            return True
        return id < self.current.head.next_id and self.current.touched.get((id, since), True)

    # --- writing --------------------------------------------------------------------------------------------------

    def new_id(self) -> int:
        """Return an id that was never given out."""
        self.next_id += 1
        return self.next_id - 1

    def add_node(self, id: int, node: Node, revision: int, body: str) -> None:
        """Write a node and its stored body under an id that is new and a name that nobody has."""
        name = node.name
        self._ids[name], self._names[id], self._moved[id] = id, name, revision
        self._nodes[id] = _new(NodeState, (_new(NodeRecord, (id, name, node.type, revision, body)), node))
        self._log.append((_ADDED, id, name))

    def put_node(self, id: int, node: Node, revision: int, body: str) -> None:
        """Write a node that is there; a name that differs from before is a rename."""
        before = self._names[id]
        if before != node.name:
            if self._ids.get(before) == id:
                self._erase(self._ids, before)
            self._write(self._ids, node.name, id)
            self._write(self._names, id, node.name)
            self._write(self._moved, id, revision)
        self._write(self._nodes, id, NodeState(NodeRecord(id, node.name, node.type, revision, body), node))

    def delete_node(self, id: int) -> None:
        """Take a node away; its edges must be gone."""
        self._erase(self._ids, self._names[id])
        self._erase(self._names, id)
        self._write(self._nodes, id, None)

    def put_edge(self, id: int, triple: Triple, edge: Edge, revision: int, body: str) -> None:
        """Write an edge and its stored body under its id."""
        source, type_, target = triple
        if self._joined and triple not in self._incident.get(source, ()):
            self._count_joined(triple, 1)
        self._write(self._edges, triple, EdgeState(EdgeRecord(id, source, type_, target, revision, body), edge))
        for end in (source, target):
            self._write(self._incident.setdefault(end, {}), triple, None)
            self._write(self._moved, end, revision)

    def delete_edge(self, triple: Triple, revision: int) -> None:
        """Take an edge away."""
        if self._joined:
            self._count_joined(triple, -1)
        self._write(self._edges, triple, None)
        for end in (triple[0], triple[2]):
            self._erase(self._incident.setdefault(end, {}), triple)
            self._write(self._moved, end, revision)

    def put_meta(self, key: str, record: MetaRecord | None) -> None:
        """Write a record beside the graph, or take it away."""
        if key.startswith(SCHEMAS):
            more = (record is not None) - (self.meta(key) is not None)
            self._write(self._schemas, "count", self._schemas["count"] + more)
        self._write(self._meta, key, record)

    def put_receipt(self, receipt: Receipt) -> None:
        """Write down what a batch with an idempotency key answered."""
        self._write(self._receipts, receipt.key, receipt)

    def append(self, kind: str, id: int, body: str, commit: int, source: int = 0, target: int = 0) -> None:
        """Append the next change; its number is `seq` plus one, which becomes the new `seq`."""
        self.seq += 1
        self.changes.append(_new(ChangeRecord, (self.seq, commit, kind, id, source, target, body)))

    # --- the net effect -------------------------------------------------------------------------------------------

    def net(self) -> dict[str, Any]:
        """Return the rows to delete and to put, as fields of a `CommitPlan`: only what differs from what was loaded."""
        put_nodes, delete_nodes, renamed = [], [], []
        for id, state in self._nodes.items():
            stored = self._stored.get(id)
            if state is None:
                if stored is not None:
                    delete_nodes.append(id)
            elif stored is None or state.record.revision != stored.revision:
                put_nodes.append(state.record)
                if stored is not None and stored.name != state.record.name:
                    renamed.append(id)
        put_meta, delete_meta = [], []
        for key, record in self._meta.items():
            if record is not None:
                put_meta.append(record)
            elif key in self.current.meta:
                delete_meta.append(key)
        put_edges, delete_edges = self._net_edges() if self._edges else ([], [])
        return {
            "delete_edges": delete_edges,
            "delete_nodes": sorted(delete_nodes),
            "delete_meta": delete_meta,
            "renamed": sorted(renamed),
            "put_nodes": sorted(put_nodes),
            "put_edges": put_edges,
            "put_meta": put_meta,
            "changes": self.changes,
            "receipts": list(self._receipts.values()),
        }

    def _net_edges(self) -> tuple[list[EdgeRecord], list[int]]:
        stored = {record.id: record for record in self.current.edges.values()}
        put, kept = [], set()
        for edge in self._edges.values():
            if edge is not None:
                record = edge.record
                kept.add(record.id)
                if record.id not in stored or stored[record.id].revision != record.revision:
                    put.append(record)
        touched = {record.id for triple, record in self.current.edges.items() if triple in self._edges}
        return sorted(put), sorted(touched - kept)


def _ends(triple: Triple) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the ids of a triple, each with where it stands there."""
    return (triple[0], 0), (triple[2], 2)
