"""The session of a commit: it reads the latest state and holds on to the plan until it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polaris_core.abc import CommitPlan
    from polaris_json_fs.records import Records

__all__ = ["Writing"]


class Writing:
    """A `BlockingSession` over records that are not changed before their plan is durable."""

    def __init__(self, records: Records) -> None:
        self.plan: CommitPlan | None = None
        self.head = records.head
        self.nodes = records.nodes
        self.edges = records.edges
        self.links = records.links
        self.scan = records.scan
        self.keys = records.keys
        self.meta = records.meta
        self.changes = records.changes
        self.receipts = records.receipts
        self.counts = records.counts

    def store(self, plan: CommitPlan) -> None:
        """Hold on to the plan."""
        self.plan = plan
