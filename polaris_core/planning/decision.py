"""What every decision needs: the state it works on, its moment, and what has been counted so far."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from polaris_core.codec import FreshBodies, change_body
from polaris_core.errors import LimitExceededError
from polaris_core.limits import Limits
from polaris_core.model import EdgeKey, Provenance, unchecked_provenance
from polaris_core.planning.working import Working
from polaris_core.schema import Work
from polaris_core.values import from_micros

__all__ = ["Decision", "delta_body"]


class Decision:
    """One group of batches at one moment. What decides on nodes and on edges derives from it."""

    def __init__(self, working: Working, micros: int, limits: Limits) -> None:
        self.working = working
        self.micros = micros
        self.time: datetime = from_micros(micros)
        self.limits = limits
        self.forgotten: int = micros - limits.receipt_seconds * 1_000_000  # receipts before this time count no more
        self.author: str | None = None
        self.bodies: FreshBodies = FreshBodies(self.time, None)
        self.first: int = 0
        self.records: int = 0  # of this batch, as are the bytes
        self.bytes: int = 0
        self.group_records: int = 0  # of the accepted batches before it
        self.group_bytes: int = 0
        self.work: Work = Work(limits.schema_work, limits.commit_schema_work)  # refused batches count too

    def _next(self, before: Provenance | None) -> Provenance:
        assert before is not None  # noqa: S101 - what is stored has one
        version, revision = before.version + 1, self.working.seq + 1
        return unchecked_provenance(version, revision, before.created_at, self.time, self.author)

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
        self._append(kind, id, change_body(key, self.time, self.author, data), source, target)

    def _append(self, kind: str, id: int, body: str, source: int = 0, target: int = 0) -> None:
        self.bytes += len(body)
        self.working.append(kind, id, body, self.first, source, target)

    def _over(self, limit: str, size: int, maximum: int) -> NoReturn:
        raise LimitExceededError(
            f"{limit} is limited to {maximum}, this needs {size}", limit=limit, size=size, maximum=maximum
        )


def delta_body(forward: dict[str, Any], backward: dict[str, Any], before: Provenance | None) -> dict[str, Any]:
    """Return what a change keeps of an update: both ways, and whose work it was before."""
    assert before is not None  # noqa: S101 - what is stored has one
    previous = {"author": before.author, "revision": before.revision, "updated_at": before.updated_at}
    return {"patch": forward, "undo": backward, "version": before.version + 1, "previous": previous}
