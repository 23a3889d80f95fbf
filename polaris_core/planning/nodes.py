"""What becomes of nodes, and of the edges of those that are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polaris_core.codec import body_of_node, recorded
from polaris_core.errors import NodeExistsError, NodeHasEdgesError
from polaris_core.model import Node, Observation, Patch, unchecked_node, unchecked_provenance
from polaris_core.mutations import CreateNode, DeleteNode, PatchNode, PutNode, RenameNode, UpsertNode
from polaris_core.outcomes import Result, unchecked_result
from polaris_core.planning.decision import delta_body
from polaris_core.planning.delta import attributes_delta, observations_delta, patched
from polaris_core.planning.edges import EdgeDecision, node_not_found
from polaris_core.planning.working import NodeState
from polaris_core.values import FrozenDict

__all__ = ["NodeDecision"]

_HELD = frozenset(("set", "unset", "type"))
"""What a change to a node has to touch for its attributes to be held against a schema; observations are none of these."""


class NodeDecision(EdgeDecision):
    """Decides on mutations of nodes."""

    def _write_node(self, mutation: CreateNode | PutNode | UpsertNode | PatchNode) -> Result:
        state = self.working.node(mutation.name)
        if state is None:
            if isinstance(mutation, PatchNode):
                node_not_found(mutation.name)
            observed = () if isinstance(mutation, PutNode) else mutation.observations
            return self._create_node(mutation.name, mutation.type or "node", mutation.attributes, observed)
        node = state.node
        match mutation:
            case CreateNode():
                raise NodeExistsError(f"node {mutation.name!r} exists", key=mutation.name)
            case PutNode():
                return self._update_node(state, mutation.type, mutation.attributes, node.observations)
            case UpsertNode():
                merged = FrozenDict({**node.attributes, **mutation.attributes})
                observed = self._observed(node.observations, mutation.observations)
                return self._update_node(state, mutation.type or node.type, merged, observed)
            case PatchNode(patch=patch):
                kept = _without(node.observations, patch)
                return self._update_node(
                    state,
                    patch.type or node.type,
                    patched(FrozenDict(node.attributes), patch),
                    self._observed(kept, patch.observe),
                )

    def _observed(self, before: tuple[Observation, ...], new: Sequence[Observation]) -> tuple[Observation, ...]:
        if not new:
            return before
        if not before:
            return tuple([recorded(item, self.time) for item in new])
        known = {observation.text for observation in before}
        return before + tuple([recorded(item, self.time) for item in new if item.text not in known])

    def _create_node(self, name: str, type: str, attributes: Any, observed: Sequence[Observation]) -> Result:
        self._hold_node(name, type, attributes)
        id, revision = self.working.new_id(), self.working.seq + 1
        provenance = unchecked_provenance(1, revision, self.time, self.time, self.author)
        node = unchecked_node(name, type, attributes, self._observed((), observed), provenance)
        body = self.bodies.node(attributes, node.observations)
        self._allow(node, body)
        self.working.add_node(id, node, revision, body)
        self._append("node.created", id, self.bodies.created_node(name, type, body))
        return unchecked_result("created", name, id, revision, node)

    def _update_node(
        self,
        state: NodeState,
        type: str,
        attributes: Any,
        observed: tuple[Observation, ...],
    ) -> Result:
        before = state.node
        id = state.record.id
        forward = attributes_delta(before.attributes, attributes) | observations_delta(before.observations, observed)  # type: ignore[arg-type]
        backward = attributes_delta(attributes, before.attributes) | observations_delta(observed, before.observations)  # type: ignore[arg-type]
        if type != before.type:
            forward["type"], backward["type"] = type, before.type  # type: ignore[assignment]
        if not forward:
            return unchecked_result("unchanged", before.name, id, state.record.revision, before)
        if not forward.keys().isdisjoint(_HELD):
            self._hold_node(before.name, type, attributes)
        if type != before.type:
            self._hold_joined(id, before.name, type)
        provenance = self._next(before.provenance)
        node = unchecked_node(before.name, type, attributes, observed, provenance)
        self._store_node(id, node, provenance.revision, body_of_node(node))
        self._change("node.updated", id, node.name, delta_body(forward, backward, before.provenance))
        return unchecked_result("updated", node.name, id, provenance.revision, node)

    def _hold_node(self, name: str, type: str, attributes: Any) -> None:
        """Hold a node's attributes against the schema of its type."""
        checker = self.working.checker("node", type)
        if checker is not None:
            checker.check(attributes, name, self.work)

    def _hold_joined(self, id: int, name: str, type: str) -> None:
        """Hold a node's new type against what the edges that it has may join."""
        for edge_type, place in () if self.working.is_free else sorted(self.working.joined(id)):
            checker = self.working.checker("edge", edge_type)
            if checker is not None and checker.joins:
                checker.check_type(name, type, "target" if place else "source")

    def _rename(self, mutation: RenameNode) -> Result:
        state = self.working.node(mutation.name) or node_not_found(mutation.name)
        before, id = state.node, state.record.id
        if mutation.to == mutation.name:
            return unchecked_result("unchanged", mutation.name, id, state.record.revision, before)
        if self.working.node(mutation.to):
            raise NodeExistsError(f"node {mutation.to!r} exists", key=mutation.to)
        provenance = self._next(before.provenance)
        node = unchecked_node(mutation.to, before.type, before.attributes, before.observations, provenance)
        self._store_node(id, node, provenance.revision, body_of_node(node))
        delta = delta_body({"name": mutation.to}, {"name": mutation.name}, before.provenance)
        self._change("node.renamed", id, mutation.to, delta)
        return unchecked_result("renamed", mutation.to, id, provenance.revision, node)

    def _delete_node(self, mutation: DeleteNode) -> Result:
        state = self.working.node(mutation.name)
        if state is None:
            if mutation.missing_ok:
                return unchecked_result("absent", mutation.name, 0, 0, None)
            node_not_found(mutation.name)
        id = state.record.id
        edges = sorted(
            (edge for triple in self.working.incident(id) if (edge := self.working.edge(triple))),
            key=lambda edge: edge.record.id,
        )
        if edges and not mutation.detach:
            raise NodeHasEdgesError(
                f"node {mutation.name!r} has edges; delete them first, or detach it",
                key=mutation.name,
                edges=len(edges),
            )
        if id in self.working.current.cut and len(edges) >= self.limits.commit_records:  # before any work on them
            self._over("commit_records", len(edges) + 1, self.limits.commit_records)
        for edge in edges:
            self._remove_edge(edge)
        self._count()
        self.working.delete_node(id)
        gone = {"type": state.node.type, "record": state.record.body, "previous": {"revision": state.record.revision}}
        self._change("node.deleted", id, mutation.name, gone)
        return unchecked_result("deleted", mutation.name, id, self.working.seq, None)

    def _store_node(self, id: int, node: Node, revision: int, body: str) -> None:
        self._allow(node, body)
        self.working.put_node(id, node, revision, body)

    def _allow(self, node: Node, body: str) -> None:
        self._count()
        if len(node.observations) > self.limits.observations:
            self._over("observations", len(node.observations), self.limits.observations)
        self._bound(body)


def _without(observed: tuple[Observation, ...], patch: Patch) -> tuple[Observation, ...]:
    if not patch.forget:
        return observed
    forgotten = set(patch.forget)
    return tuple(item for item in observed if item.text not in forgotten)
