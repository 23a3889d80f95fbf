"""From batches and what is stored to one durable commit: `plan` decides everything, reads nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from polaris_core.codec import (
    change_body,
    digest_of,
    dumps,
    loads,
    receipt_body,
    receipt_results,
    recorded,
    trusted_edge,
    trusted_node,
    trusted_provenance,
)
from polaris_core.errors import (
    ConflictError,
    EdgeExistsError,
    EdgeNotFoundError,
    IdempotencyKeyReusedError,
    LimitExceededError,
    NodeExistsError,
    NodeHasEdgesError,
    NodeNotFoundError,
    PolarisError,
)
from polaris_core.limits import Limits
from polaris_core.model import Cursor, EdgeKey, Node, Observation, Patch, Provenance
from polaris_core.mutations import (
    Batch,
    Commit,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    Expect,
    ExpectLinks,
    ExpectRevision,
    Mutation,
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    Result,
    SetMeta,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.planning.delta import attributes_delta, observations_delta, patched, same
from polaris_core.planning.load import Current
from polaris_core.planning.working import EdgeState, NodeState, Working
from polaris_core.records import CommitPlan, MetaRecord, Receipt
from polaris_core.values import FrozenDict, from_micros

__all__ = ["plan"]

_HOUR = 3_600_000_000  # in microseconds


def plan(batches: Sequence[Batch], current: Current, now: int, limits: Limits) -> CommitPlan:
    """Decide on a group of batches, in order, each on top of the accepted ones before it.

    `now` is in microseconds since 1970 UTC; the commit's time is the later of it and the last commit's. Each outcome is a
    `Commit`, or the error that refused the batch; a refused batch leaves nothing behind. Where the batches together would
    pass the limits of a group, the first ones have outcomes and the others none: they belong to another commit.
    """
    decision = _Decision(Working(current), max(now, current.head.time), limits)
    outcomes: list[Commit | PolarisError] = []
    for batch in batches:
        outcome = decision.batch(batch)
        if outcome is None:
            break
        outcomes.append(outcome)
    working = decision.working
    net = working.net()
    head = current.head
    if working.seq == head.seq and not net["receipts"]:
        return CommitPlan(expected=head, head=head, outcomes=outcomes)
    if head.time // _HOUR != decision.micros // _HOUR:  # now and then: a backend may have to look through all of them
        net["forget_receipts"] = max(decision.forgotten, 0)
    head = head._replace(seq=working.seq, next_id=working.next_id, time=decision.micros)
    return CommitPlan(expected=current.head, head=head, outcomes=outcomes, **net)


class _Decision:
    """One group at one moment."""

    def __init__(self, working: Working, micros: int, limits: Limits) -> None:
        self.working = working
        self.micros = micros
        self.time = from_micros(micros)
        self.limits = limits
        self.forgotten: int = micros - limits.receipt_seconds * 1_000_000  # receipts before this time count no more
        self.author: str | None = None
        self.first = 0
        self.records = 0  # of this batch, as are the bytes
        self.bytes = 0
        self.group_records = 0  # of the accepted batches before it
        self.group_bytes = 0

    # --- a batch --------------------------------------------------------------------------------------------------

    def batch(self, batch: Batch) -> Commit | PolarisError | None:
        """Decide on one batch; None where it has no place in a group that holds something already."""
        working = self.working
        start = working.begin()
        self.author, self.first, self.records, self.bytes = batch.author, working.seq + 1, 0, 0
        try:
            if len(batch.mutations) > self.limits.batch_mutations:
                self._over("batch_mutations", len(batch.mutations), self.limits.batch_mutations)
            digest = "" if batch.key is None else digest_of(batch)
            if batch.key is not None and (receipt := working.receipt(batch.key)) and receipt.time >= self.forgotten:
                return self._repeated(receipt, digest)
            for expect in batch.expect:
                self._expect(expect)
            results = tuple([self._apply(mutation) for mutation in batch.mutations])
        except PolarisError as error:
            working.rewind(start)
            return error
        if not self._fits():
            working.rewind(start)
            return None
        if batch.key is not None:
            working.put_receipt(Receipt(batch.key, digest, self.first, working.seq, self.micros, receipt_body(results)))
        return Commit(self.first, working.seq, self.time, results, self._cursor(working.seq))

    def _fits(self) -> bool:
        """Count a batch into the group, unless there is one already and both together are too large."""
        records, size = self.group_records + self.records, self.group_bytes + self.bytes
        if self.group_bytes and (records > self.limits.group_records or size > self.limits.group_bytes):
            return False
        self.group_records, self.group_bytes = records, size
        return True

    def _repeated(self, receipt: Receipt, digest: str) -> Commit:
        if receipt.digest != digest:
            raise IdempotencyKeyReusedError(
                f"the idempotency key {receipt.key!r} was used for another request", key=receipt.key
            )
        results, time = receipt_results(receipt.body), from_micros(receipt.time)
        return Commit(receipt.first, receipt.last, time, results, self._cursor(receipt.last))

    def _cursor(self, seq: int) -> Cursor:
        head = self.working.current.head
        return Cursor(head.store, head.epoch, seq)

    def _over(self, limit: str, size: int, maximum: int) -> NoReturn:
        raise LimitExceededError(
            f"{limit} is limited to {maximum}, this needs {size}", limit=limit, size=size, maximum=maximum
        )

    # --- expectations ---------------------------------------------------------------------------------------------

    def _expect(self, expect: Expect) -> None:
        if isinstance(expect, ExpectRevision):
            actual = self._revision(expect)
            if actual != expect.revision:
                raise ConflictError(
                    f"{expect.key!s} is at revision {actual}, not {expect.revision}",
                    key=expect.key,
                    expected=expect.revision,
                    actual=actual,
                )
            return
        head, since = self.working.current.head, expect.since
        same_history = (
            since.store == head.store and since.epoch == head.epoch and head.floor <= since.seq <= self.working.seq
        )
        if isinstance(expect, ExpectLinks):
            state = self.working.node(expect.name)
            if same_history and state and not self.working.links_moved_after(state.record.id, since.seq):
                return
            raise ConflictError(f"edges of {expect.name!r} have changed", key=expect.name, expected=since)
        if not same_history or self.working.seq != since.seq:
            raise ConflictError(
                "the graph has changed", key=None, expected=since, actual=since._replace(seq=self.working.seq)
            )

    def _revision(self, expect: ExpectRevision) -> int:
        if isinstance(expect.key, EdgeKey):
            source, target = self.working.node(expect.key.source), self.working.node(expect.key.target)
            edge = source and target and self.working.edge((source.record.id, expect.key.type, target.record.id))
            return edge.record.revision if edge else 0
        node = self.working.node(expect.key)
        return node.record.revision if node else 0

    # --- mutations ------------------------------------------------------------------------------------------------

    def _apply(self, mutation: Mutation) -> Result:
        match mutation:
            case CreateNode() | PutNode() | UpsertNode() | PatchNode():
                return self._write_node(mutation)
            case RenameNode():
                return self._rename(mutation)
            case DeleteNode():
                return self._delete_node(mutation)
            case CreateEdge() | PutEdge() | UpsertEdge() | PatchEdge():
                return self._write_edge(mutation)
            case DeleteEdge():
                return self._delete_edge(mutation)
            case Emit():
                self._bound(dumps(mutation.data))
                self._change("event", 0, mutation.subject, {"type": mutation.type, "data": mutation.data})
                return Result("emitted", mutation.subject, 0, self.working.seq)
            case SetMeta() | DeleteMeta():
                return self._meta(mutation)

    def _write_node(self, mutation: CreateNode | PutNode | UpsertNode | PatchNode) -> Result:
        state = self.working.node(mutation.name)
        if state is None:
            if isinstance(mutation, PatchNode):
                _node_not_found(mutation.name)
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
        id, revision = self.working.new_id(), self.working.seq + 1
        provenance = trusted_provenance(1, revision, self.time, self.time, self.author)
        node = trusted_node(name, type, attributes, self._observed((), observed), provenance)
        state = self._store_node(id, node, revision)
        self._change("node.created", id, name, {"type": type, "record": state.record.body})
        return Result("created", name, id, revision, node)

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
            return Result("unchanged", before.name, id, state.record.revision, before)
        provenance = self._next(before.provenance)
        node = trusted_node(before.name, type, attributes, observed, provenance)
        self._store_node(id, node, provenance.revision)
        self._change("node.updated", id, node.name, _delta(forward, backward, before.provenance))
        return Result("updated", node.name, id, provenance.revision, node)

    def _rename(self, mutation: RenameNode) -> Result:
        state = self.working.node(mutation.name) or _node_not_found(mutation.name)
        before, id = state.node, state.record.id
        if mutation.to == mutation.name:
            return Result("unchanged", mutation.name, id, state.record.revision, before)
        if self.working.node(mutation.to):
            raise NodeExistsError(f"node {mutation.to!r} exists", key=mutation.to)
        provenance = self._next(before.provenance)
        node = trusted_node(mutation.to, before.type, before.attributes, before.observations, provenance)
        self._store_node(id, node, provenance.revision)
        delta = _delta({"name": mutation.to}, {"name": mutation.name}, before.provenance)
        self._change("node.renamed", id, mutation.to, delta)
        return Result("renamed", mutation.to, id, provenance.revision, node)

    def _delete_node(self, mutation: DeleteNode) -> Result:
        state = self.working.node(mutation.name)
        if state is None:
            if mutation.missing_ok:
                return Result("absent", mutation.name, 0, 0)
            _node_not_found(mutation.name)
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
        return Result("deleted", mutation.name, id, self.working.seq)

    def _store_node(self, id: int, node: Node, revision: int) -> NodeState:
        self._count()
        if len(node.observations) > self.limits.observations:
            self._over("observations", len(node.observations), self.limits.observations)
        state = self.working.put_node(id, node, revision)
        self._bound(state.record.body)
        return state

    def _write_edge(self, mutation: CreateEdge | PutEdge | UpsertEdge | PatchEdge) -> Result:
        key = mutation.key
        source = self.working.node(key.source) or _node_not_found(key.source)
        target = self.working.node(key.target) or _node_not_found(key.target)
        triple = (source.record.id, key.type, target.record.id)
        state = self.working.edge(triple)
        if state is None:
            if isinstance(mutation, PatchEdge):
                _edge_not_found(key)
            id, revision = self.working.new_id(), self.working.seq + 1
            provenance = trusted_provenance(1, revision, self.time, self.time, self.author)
            edge = trusted_edge(key, mutation.attributes, provenance)
            body = self._store_edge(id, triple, edge, revision).record.body
            self._change("edge.created", id, key, {"record": body}, triple[0], triple[2])
            return Result("created", key, id, revision, edge)
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
            edge = trusted_edge(key, before, state.edge.provenance)  # type: ignore[arg-type]
            return Result("unchanged", key, id, state.record.revision, edge)
        provenance = self._next(state.edge.provenance)
        edge = trusted_edge(key, after, provenance)
        self._store_edge(id, triple, edge, provenance.revision)
        forward, backward = attributes_delta(before, after), attributes_delta(after, before)  # type: ignore[arg-type]
        delta = _delta(forward, backward, state.edge.provenance)
        self._change("edge.updated", id, key, delta, triple[0], triple[2])
        return Result("updated", key, id, provenance.revision, edge)

    def _store_edge(self, id: int, triple: tuple[int, str, int], edge: Any, revision: int) -> EdgeState:
        self._count()
        state = self.working.put_edge(id, triple, edge, revision)
        self._bound(state.record.body)
        return state

    def _delete_edge(self, mutation: DeleteEdge) -> Result:
        key = mutation.key
        source, target = self.working.node(key.source), self.working.node(key.target)
        state = source and target and self.working.edge((source.record.id, key.type, target.record.id))
        if not state:
            if mutation.missing_ok:
                return Result("absent", key, 0, 0)
            if source is None or target is None:
                _node_not_found(key.source if source is None else key.target)
            _edge_not_found(key)
        self._remove_edge(state)
        return Result("deleted", key, state.record.id, self.working.seq)

    def _remove_edge(self, state: EdgeState) -> None:
        record = state.record
        key = EdgeKey(self.working.name(record.source), record.type, self.working.name(record.target))
        self._count()
        self.working.delete_edge((record.source, record.type, record.target), self.working.seq + 1)
        gone = {"record": record.body, "previous": {"revision": record.revision}}
        self._change("edge.deleted", record.id, key, gone, record.source, record.target)

    def _meta(self, mutation: SetMeta | DeleteMeta) -> Result:
        before = self.working.meta(mutation.key)
        body = dumps(mutation.value) if isinstance(mutation, SetMeta) else None
        if body == (before.body if before else None):
            return Result("unchanged" if before else "absent", mutation.key, 0, before.revision if before else 0)
        self._count()
        self._bound(body or "")
        revision = self.working.seq + 1
        self.working.put_meta(mutation.key, None if body is None else MetaRecord(mutation.key, revision, body))
        if before and isinstance(mutation, SetMeta):
            data: dict[str, Any] = {"patch": {"value": mutation.value}, "undo": {"value": loads(before.body)}}
        else:
            data = {"record": before.body if before else body}
        if before:
            data["previous"] = {"revision": before.revision}
        self._change("meta.deleted" if body is None else "meta.set", 0, mutation.key, data)
        return Result("deleted" if body is None else "updated" if before else "created", mutation.key, 0, revision)

    # --- shared ---------------------------------------------------------------------------------------------------

    def _next(self, before: Provenance | None) -> Provenance:
        assert before is not None  # noqa: S101 - what is stored has one
        version, revision = before.version + 1, self.working.seq + 1
        return trusted_provenance(version, revision, before.created_at, self.time, self.author)

    def _count(self) -> None:
        self.records += 1
        if self.records > self.limits.commit_records:
            self._over("commit_records", self.records, self.limits.commit_records)

    def _bound(self, body: str) -> None:
        size = len(body) if body.isascii() else len(body.encode())
        self.bytes += size
        if size > self.limits.record_bytes:
            self._over("record_bytes", size, self.limits.record_bytes)

    def _change(
        self,
        kind: str,
        id: int,
        key: str | EdgeKey | None,
        data: dict[str, Any],
        source: int = 0,
        target: int = 0,
    ) -> None:
        body = change_body(key, self.time, self.author, data)
        self.bytes += len(body)
        self.working.append(kind, id, body, self.first, source, target)


def _delta(forward: dict[str, Any], backward: dict[str, Any], before: Provenance | None) -> dict[str, Any]:
    """Return what a change keeps of an update: both ways, and whose work it was before."""
    assert before is not None  # noqa: S101 - what is stored has one
    previous = {"author": before.author, "revision": before.revision, "updated_at": before.updated_at}
    return {"patch": forward, "undo": backward, "version": before.version + 1, "previous": previous}


def _without(observed: tuple[Observation, ...], patch: Patch) -> tuple[Observation, ...]:
    if not patch.forget:
        return observed
    forgotten = set(patch.forget)
    return tuple(item for item in observed if item.text not in forgotten)


def _node_not_found(name: str) -> NoReturn:
    raise NodeNotFoundError(f"no node {name!r}", key=name)


def _edge_not_found(key: EdgeKey) -> NoReturn:
    raise EdgeNotFoundError(f"no edge {key!s}", key=key)
