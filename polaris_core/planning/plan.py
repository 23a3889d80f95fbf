"""From batches and what is stored to one durable commit: `plan` decides everything, reads nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from polaris_core.codec import (
    FreshBodies,
    digest_of,
    dumps,
    loads,
    receipt_body,
    receipt_results,
    seal,
)
from polaris_core.errors import (
    ConflictError,
    IdempotencyKeyReusedError,
    LimitExceededError,
    PolarisError,
)
from polaris_core.limits import Limits
from polaris_core.model import Cursor, EdgeKey
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    DeleteSchema,
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
    SetMeta,
    SetSchema,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.outcomes import Commit, Result, Status, unchecked_commit, unchecked_result
from polaris_core.planning.delta import same
from polaris_core.planning.load import Current
from polaris_core.planning.nodes import NodeDecision
from polaris_core.planning.working import Working
from polaris_core.records import CommitPlan, Head, MetaRecord, Receipt
from polaris_core.schema import SCHEMAS, TypeSchema, fields_of, type_schema
from polaris_core.values import from_micros

__all__ = ["plan"]

_HOUR = 3_600_000_000  # in microseconds
_new = tuple.__new__  # a named tuple at half the price


def plan(batches: Sequence[Batch], current: Current, now: int, limits: Limits) -> CommitPlan:
    """Decide on a group of batches, in order, each on top of the accepted ones before it.

    `now` is in microseconds since 1970 UTC; the commit's time is the later of it and the last commit's. Each outcome is a
    `Commit`, or the error that refused the batch; a refused batch leaves nothing behind. Where the batches together would
    pass the limits of a group, the first ones have outcomes and the others none: they belong to another commit.
    """
    decision = _Group(Working(current), max(now, current.head.time), limits)
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
    store, epoch, _, _, floor, _, form = head
    head = _new(Head, (store, epoch, working.seq, working.next_id, floor, decision.micros, form))
    return CommitPlan(expected=current.head, head=head, outcomes=outcomes, **net)


class _Group(NodeDecision):
    """Decides on one batch after the other, on what each of them expects, and on records beside the graph."""

    # --- a batch --------------------------------------------------------------------------------------------------

    def batch(self, batch: Batch) -> Commit | PolarisError | None:
        """Decide on one batch; None where it has no place in a group that holds something already."""
        working = self.working
        start, held_before = working.begin(), self.work.spent
        if batch.author != self.author:
            self.author, self.bodies = batch.author, FreshBodies(self.time, batch.author)
        self.first, self.records, self.bytes = working.seq + 1, 0, 0
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
            is_short = isinstance(error, LimitExceededError) and error.limit == "commit_schema_work"
            return None if is_short and held_before else error
        if not self._fits():
            working.rewind(start)
            return None
        if batch.key is not None:
            working.put_receipt(Receipt(batch.key, digest, self.first, working.seq, self.micros, receipt_body(results)))
        return unchecked_commit(self.first, working.seq, self.time, results, self._cursor(working.seq))

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
        return unchecked_commit(receipt.first, receipt.last, time, results, self._cursor(receipt.last))

    def _cursor(self, seq: int) -> Cursor:
        head = self.working.current.head
        return _new(Cursor, (head.store, head.epoch, seq))

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
                checker = self.working.checker("event", mutation.type)
                if checker is not None:
                    checker.check(mutation.data, mutation.type, self.work)
                self._change("event", 0, mutation.subject, {"type": mutation.type, "data": mutation.data})
                return unchecked_result("emitted", mutation.subject, 0, self.working.seq, None)
            case SetMeta() | DeleteMeta() | SetSchema() | DeleteSchema():
                return self._meta(mutation)

    def _meta(self, mutation: SetMeta | DeleteMeta | SetSchema | DeleteSchema) -> Result:
        before = self.working.meta(mutation.key)
        value, body, schema = None, None, None
        if isinstance(mutation, (SetMeta, SetSchema)):
            value = mutation.value
            if mutation.key.startswith(SCHEMAS):
                value = self._schema(mutation.key, value, before)
                schema = type_schema(mutation.key, self.working.seq + 1, value)
            body = dumps(value)
        if body == (before.body if before else None):
            return self._unchanged(mutation.key, before, schema)
        self._count()
        self._bound(body or "")
        revision = self.working.seq + 1
        self.working.put_meta(mutation.key, None if body is None else MetaRecord(mutation.key, revision, body))
        if before and body is not None:
            data: dict[str, Any] = {"patch": {"value": value}, "undo": {"value": loads(before.body)}}
        else:
            data = {"record": before.body if before else body}
        if before:
            data["previous"] = {"revision": before.revision}
        self._change("meta.deleted" if body is None else "meta.set", 0, mutation.key, data)
        status: Status = "deleted" if body is None else "updated" if before else "created"
        return unchecked_result(status, mutation.key, 0, revision, schema)

    def _unchanged(self, key: str, before: MetaRecord | None, schema: TypeSchema | None) -> Result:
        if before is None:
            return unchecked_result("absent", key, 0, 0, None)
        return unchecked_result(
            "unchanged", key, 0, before.revision, schema and attrs.evolve(schema, revision=before.revision)
        )

    def _schema(self, key: str, value: Any, before: MetaRecord | None) -> dict[str, Any]:
        """Return a schema as it is kept: another one than before is another version, whichever way it came."""
        kept = fields_of(key, value)
        if before is None:
            if self.working.schemas >= self.limits.schemas:
                self._over("schemas", self.working.schemas + 1, self.limits.schemas)
            return {**kept, "version": 1}
        known = loads(before.body)
        version = known.pop("version", None) if isinstance(known, dict) else None
        if type(version) is not int:  # what stood there was none, such as one that was written by hand
            return {**kept, "version": 1}
        return {**kept, "version": version if same(seal(known), kept) else version + 1}
