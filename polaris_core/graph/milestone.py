"""How far a migration has come, as a record beside the graph in its target, and the commits that take it further.

Each commit writes rows and the record together, so whoever goes on finds exactly what is there. The record also says where the
target stands, so that somebody else's write is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import attrs

from polaris_core.codec import dumps, loads
from polaris_core.errors import MigrationError, PolarisError
from polaris_core.graph.rows import KINDS, Place, Row, RowKind, Rows, place_of_row, start_of
from polaris_core.history import cursor_of
from polaris_core.model import Cursor
from polaris_core.records import CommitPlan, Head, MetaRecord, Session

__all__ = ["MILESTONE", "Milestone", "begun", "ended", "milestone_of", "reached"]

MILESTONE = "migration/milestone"
"""The key of the record; no store that is not the target of an unfinished migration has it."""

_PUT = {"change": "changes", "node": "put_nodes", "edge": "put_edges", "meta": "put_meta", "receipt": "receipts"}


@attrs.frozen
class Milestone:
    """All rows of the kinds before `kind` are there, and those of it up to `after`; `copied` is how many that are.

    `source` is the state that is copied, `head` where the target stands with it.
    """

    source: Cursor
    kind: RowKind
    after: Place
    copied: int
    head: Head

    @classmethod
    def of(cls, record: MetaRecord) -> Self:
        """Return what a record says; raises `MigrationError` where it says something else."""
        try:
            source, kind, after, copied, head = loads(record.body)
            found = cls(Cursor.parse(source), kind, after, copied, Head(*head))
            numbers = all(type(number) is int for number in (copied, *head[2:]))
            if numbers and kind in KINDS and type(after) is type(start_of(kind)) and found.record == record:
                return found
        except (PolarisError, TypeError, ValueError):
            pass
        raise MigrationError(f"the record {MILESTONE!r} is not one that a migration wrote")

    @property
    def record(self) -> MetaRecord:
        """The record that says this."""
        said = (str(self.source), self.kind, self.after, self.copied, self.head)
        return MetaRecord(MILESTONE, max(self.head.seq, 1), dumps(said))

    def with_rows(self, kind: RowKind, page: Rows) -> tuple[Milestone, Sequence[Row]]:
        """Return the milestone after a page, and the rows that are to be written for it.

        The target follows where the source is trimmed. What was trimmed before it was copied leaves a gap, and a feed has
        none; so then it begins anew after the gap, and the rows there belong to the next page.
        """
        head = self.head._replace(floor=max(self.head.floor, page.floor))
        rows: Sequence[Row] = () if kind == "change" and page.floor > self.head.seq else page.rows
        after = place_of_row(rows[-1]) if rows else self.after if kind == self.kind else start_of(kind)
        if kind == "change":
            after = max(int(after), head.floor)
            head = head._replace(seq=after)
        return Milestone(self.source, kind, after, self.copied + len(rows), head), rows


async def milestone_of(session: Session) -> Milestone | None:
    """Return how far a migration into this store has come, None where none is under way."""
    (record,) = await session.meta((MILESTONE,))
    return None if record is None else Milestone.of(record)


async def begun(session: Session, source: Head) -> CommitPlan:
    """Plan the first commit: the target stands where the feed of the source begins, and is to hold its state at a head.

    Raises `MigrationError` where the target holds anything.
    """
    head = await session.head()
    nodes, edges = await session.counts()
    empty = (head.seq, head.next_id, head.floor) == (0, 1, 0) and not nodes and not edges
    if not empty or await session.keys("meta", "", 1) or await session.keys("receipt", "", 1):
        raise MigrationError(
            f"the target is no new store: it holds {nodes:,} nodes and {edges:,} edges, and stands at change {head.seq:,}; "
            f"name one that is not there yet"
        )
    after = source._replace(store=head.store, epoch=head.epoch, seq=source.floor)
    first = Milestone(cursor_of(source), "change", source.floor, 0, after)
    return CommitPlan(expected=head, head=after, put_meta=[first.record])


async def reached(session: Session, before: Milestone, after: Milestone, rows: Sequence[Row]) -> CommitPlan:
    """Plan the commit that goes from one milestone to the next; raises `MigrationError` where the target is not at the first."""
    head = await _undisturbed(session, before)
    put: dict[str, Any] = {_PUT[after.kind]: rows}
    put["put_meta"] = [*put.get("put_meta", ()), after.record]
    return CommitPlan(expected=head, head=after.head._replace(epoch=head.epoch), **put)


async def ended(session: Session, last: Milestone, epoch: str) -> CommitPlan:
    """Plan the commit that ends a migration.

    The epoch is new: what was derived from the target on the way, a cursor, a cache, an index of words, is of no use.
    """
    head = await _undisturbed(session, last)
    return CommitPlan(expected=head, head=head._replace(epoch=epoch), delete_meta=[MILESTONE])


async def _undisturbed(session: Session, milestone: Milestone) -> Head:
    head = await session.head()
    # The epoch alone may change: a store opened after a power cut may begin one.
    if await milestone_of(session) != milestone or head._replace(epoch=milestone.head.epoch) != milestone.head:
        raise MigrationError(
            "somebody else has written to the target, perhaps another migration: if none is under way, remove the target "
            "and begin again"
        )
    return head
