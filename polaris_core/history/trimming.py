"""Forgetting the oldest changes, and the readers of the feed that are not to lose what they have not read."""

from __future__ import annotations

from datetime import datetime

from polaris_core.codec import loads
from polaris_core.errors import ConflictError, HistoryTrimmedError
from polaris_core.history.places import check_kept, cursor_of, place_of
from polaris_core.limits import Limits
from polaris_core.model import Cursor
from polaris_core.mutations import Batch, SetMeta
from polaris_core.planning import load, plan
from polaris_core.records import ChangeRecord, CommitPlan, Session

__all__ = ["READERS", "moved_reader", "readers", "trimmed"]

READERS = "reader/"
"""What the keys of registered readers begin with; their records hold cursors, as text."""

_PAGE = 1_000
_FEW = 100


async def readers(session: Session) -> dict[str, Cursor]:
    """Return how far each registered reader of the feed has read, by its name."""
    found: dict[str, Cursor] = {}
    after = READERS
    while page := [key for key in await session.keys("meta", after, _PAGE) if key.startswith(READERS)]:
        for record in await session.meta(page):
            if record is not None:
                found[record.key.removeprefix(READERS)] = Cursor.parse(str(loads(record.body)))
        after = page[-1]
    return found


async def moved_reader(
    session: Session, name: str, place: Cursor | None, *, author: str | None, now: int, limits: Limits
) -> CommitPlan:
    """Plan the commit that notes how far a reader has read, by default up to now.

    Nothing is written where nobody but readers has written since the place it had: it would be news of no news, for ever.
    Raises `HistoryReplacedError` or `HistoryTrimmedError` for a place that is no more.
    """
    head = await session.head()
    place = place or cursor_of(head)
    check_kept(place, head)
    (record,) = await session.meta((READERS + name,))
    if record is not None:
        known = Cursor.parse(str(loads(record.body)))
        if known[:2] == place[:2] and head.floor <= known.seq <= place.seq <= known.seq + _FEW:
            between = await session.changes(known.seq, _FEW, None)
            if known.seq < place.seq and all(_of_reader(change) for change in between if change.seq <= place.seq):
                return CommitPlan(head, head)
    batches = (Batch(SetMeta(READERS + name, str(place)), author=author),)
    return plan(batches, await load(session, batches, limits), now, limits)


def _of_reader(change: ChangeRecord) -> bool:
    return change.kind == "meta.set" and str(loads(change.body)["key"]).startswith(READERS)


async def trimmed(session: Session, moment: int | Cursor | datetime, *, force: bool, now: int) -> CommitPlan:
    """Plan the commit that drops the changes up to a moment, up to the end of the commit it lies in.

    Raises `ConflictError` where a reader has not read that far, unless forced, and what `place_of` raises for what is no
    place; a moment before what is kept has nothing to drop.
    """
    head = await session.head()
    try:
        place = await place_of(session, moment)
    except HistoryTrimmedError:
        return CommitPlan(head, head)
    if place.seq == head.floor:
        return CommitPlan(head, head)
    for name, reader in (await readers(session)).items():
        if not force and reader[:2] == place[:2] and reader.seq < place.seq:
            raise ConflictError(
                f"the reader {name!r} has read up to change {reader.seq}; trimming up to {place.seq} would lose what it has "
                f"not read. Forget it, or force it",
                key=READERS + name,
                expected=place,
                actual=reader,
            )
    return CommitPlan(head, head._replace(floor=place.seq, time=max(now, head.time)))
