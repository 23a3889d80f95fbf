"""Places in history: which change number a moment stands for, and whether what follows it is still kept."""

from __future__ import annotations

from datetime import datetime

from polaris_core.errors import HistoryReplacedError, HistoryTrimmedError, InvalidValueError, StoreDamagedError
from polaris_core.history.undoing import time_of
from polaris_core.model import Cursor
from polaris_core.records import ChangeRecord, Head, Session
from polaris_core.values import to_micros

__all__ = ["change_at", "check_kept", "commit_end", "cursor_of", "place_of"]

_PAGE = 1_000


def cursor_of(head: Head) -> Cursor:
    """Return the place in history a head stands at."""
    return Cursor(head.store, head.epoch, head.seq)


def check_kept(place: Cursor, head: Head) -> None:
    """Raise `HistoryReplacedError` where a place belongs to another history, `HistoryTrimmedError` below the head's floor."""
    if (place.store, place.epoch) != (head.store, head.epoch) or place.seq > head.seq:
        raise HistoryReplacedError(
            f"the history that {place} belongs to was replaced; read the graph again from the beginning", cursor=place
        )
    if place.seq < head.floor:
        raise HistoryTrimmedError(f"changes up to {head.floor} were trimmed", cursor=place, floor=head.floor)


async def place_of(session: Session, moment: int | Cursor | datetime) -> Cursor:
    """Return the place that a change number, a cursor or an aware time stands for; it never lies inside a commit.

    A number or cursor inside a commit stands for the commit's end, a time for the end of the last commit at or before it.
    Raises `HistoryReplacedError` for a cursor of another history, `HistoryTrimmedError` below what is kept and
    `InvalidValueError` for a number that lies ahead.
    """
    head = await session.head()
    if isinstance(moment, datetime):
        return await _place_at(session, head, to_micros(moment))
    place = moment if isinstance(moment, Cursor) else Cursor(head.store, head.epoch, moment)
    if place is not moment and not 0 <= place.seq <= head.seq:
        raise InvalidValueError(f"there is no change {place.seq} yet; the last one is {head.seq}")
    check_kept(place, head)
    return place._replace(seq=await commit_end(session, place.seq))


async def commit_end(session: Session, seq: int) -> int:
    """Return the number of the last change of the commit that a change belongs to."""
    end, limit = seq, 1
    while True:
        page = await session.changes(end, limit, None)
        same = sum(change.commit <= seq for change in page)
        end += same
        if same < limit:
            return end
        limit = _PAGE


async def _place_at(session: Session, head: Head, micros: int) -> Cursor:
    """Search by halves: along the feed times never go back."""
    last = cursor_of(head)
    if micros >= head.time:
        return last
    low, high = head.floor, head.seq  # every change up to `low` was in time or is trimmed, none after `high` was
    while low < high:
        middle = (low + high + 1) // 2
        if time_of(await change_at(session, middle)) <= micros:
            low = middle
        else:
            high = middle - 1
    if low == head.floor > 0:
        raise HistoryTrimmedError(
            f"the changes of that time, up to {head.floor}, were trimmed",
            cursor=last._replace(seq=max(low - 1, 0)),
            floor=head.floor,
        )
    return last._replace(seq=low)


async def change_at(session: Session, seq: int) -> ChangeRecord:
    """Return the change of a number that is kept."""
    page = await session.changes(seq - 1, 1, None)
    if not page or page[0].seq != seq:
        raise StoreDamagedError(f"change {seq} is missing", where=f"change {seq}")
    return page[0]
