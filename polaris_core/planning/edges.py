"""What becomes of edges."""

from __future__ import annotations

from typing import Any, NoReturn

from polaris_core.codec import body_of_edge
from polaris_core.errors import EdgeExistsError, EdgeNotFoundError, NodeNotFoundError
from polaris_core.model import Edge, EdgeKey, unchecked_edge, unchecked_provenance
from polaris_core.mutations import CreateEdge, DeleteEdge, PatchEdge, PutEdge, UpsertEdge
from polaris_core.outcomes import Result, unchecked_result
from polaris_core.planning.decision import Decision, delta_body
from polaris_core.planning.delta import attributes_delta, patched, same
from polaris_core.planning.working import EdgeState
from polaris_core.values import FrozenDict

__all__ = ["EdgeDecision", "node_not_found"]


class EdgeDecision(Decision):
    """Decides on mutations of edges."""

    def _write_edge(self, mutation: CreateEdge | PutEdge | UpsertEdge | PatchEdge) -> Result:
        key = mutation.key
        source = self.working.node(key.source) or node_not_found(key.source)
        target = self.working.node(key.target) or node_not_found(key.target)
        triple = (source.record.id, key.type, target.record.id)
        state = self.working.edge(triple)
        types = source.record.type, target.record.type
        if state is None:
            if isinstance(mutation, PatchEdge):
                _edge_not_found(key)
            self._hold_edge(key, mutation.attributes, types)
            id, revision = self.working.new_id(), self.working.seq + 1
            provenance = unchecked_provenance(1, revision, self.time, self.time, self.author)
            edge = unchecked_edge(*key, mutation.attributes, provenance)
            body = self.bodies.edge(mutation.attributes)
            self._store_edge(id, triple, edge, revision, body)
            self._append("edge.created", id, self.bodies.created_edge(key, body), triple[0], triple[2])
            return unchecked_result("created", key, id, revision, edge)
        before = state.edge.attributes
        if isinstance(mutation, CreateEdge):
            raise EdgeExistsError(f"edge {key!s} exists", key=key)
        if isinstance(mutation, PatchEdge):
            after: Any = patched(FrozenDict(before), mutation.patch)
        elif isinstance(mutation, UpsertEdge):
            after = FrozenDict({**before, **mutation.attributes})
        else:
            after = mutation.attributes
        id = state.record.id
        if same(before, after):
            edge = unchecked_edge(*key, before, state.edge.provenance)
            return unchecked_result("unchanged", key, id, state.record.revision, edge)
        self._hold_edge(key, after, types)
        provenance = self._next(state.edge.provenance)
        edge = unchecked_edge(*key, after, provenance)
        self._store_edge(id, triple, edge, provenance.revision, body_of_edge(edge))
        forward, backward = attributes_delta(before, after), attributes_delta(after, before)  # type: ignore[arg-type]
        delta = delta_body(forward, backward, state.edge.provenance)
        self._change("edge.updated", id, key, delta, triple[0], triple[2])
        return unchecked_result("updated", key, id, provenance.revision, edge)

    def _hold_edge(self, key: EdgeKey, attributes: Any, types: tuple[str, str]) -> None:
        """Hold an edge that is written, between nodes of two types, against the schema of its type."""
        checker = self.working.checker("edge", key.type)
        if checker is not None:
            checker.check_ends(key, *types)
            checker.check(attributes, key, self.work)

    def _store_edge(self, id: int, triple: tuple[int, str, int], edge: Edge, revision: int, body: str) -> None:
        self._count()
        self._bound(body)
        self.working.put_edge(id, triple, edge, revision, body)

    def _delete_edge(self, mutation: DeleteEdge) -> Result:
        key = mutation.key
        source, target = self.working.node(key.source), self.working.node(key.target)
        state = source and target and self.working.edge((source.record.id, key.type, target.record.id))
        if not state:
            if mutation.missing_ok:
                return unchecked_result("absent", key, 0, 0, None)
            if source is None or target is None:
                node_not_found(key.source if source is None else key.target)
            _edge_not_found(key)
        self._remove_edge(state)
        return unchecked_result("deleted", key, state.record.id, self.working.seq, None)

    def _remove_edge(self, state: EdgeState) -> None:
        record = state.record
        key = EdgeKey(self.working.name(record.source), record.type, self.working.name(record.target))
        self._count()
        self.working.delete_edge((record.source, record.type, record.target), self.working.seq + 1)
        gone = {"record": record.body, "previous": {"revision": record.revision}}
        self._change("edge.deleted", record.id, key, gone, record.source, record.target)


def node_not_found(name: str) -> NoReturn:
    """Refuse what needs a node that is not there."""
    raise NodeNotFoundError(f"no node {name!r}", key=name)


def _edge_not_found(key: EdgeKey) -> NoReturn:
    raise EdgeNotFoundError(f"no edge {key!s}", key=key)
