"""An event log in this process's memory, for a bus without a store: bounded, and gone with the process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

import attrs

from polaris_core.abc.events import Event, EventLog
from polaris_core.errors import EventConflictError

__all__ = ["MemoryEventLog"]


class MemoryEventLog(EventLog):
    """Keeps the latest `most` events; older ones are forgotten, so a reader that lags further misses them."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._events: OrderedDict[tuple[str, str], Event] = OrderedDict()
        self._last = 0
        self._places: dict[str, str | None] = {}

    async def open(self) -> None:
        """Nothing is to be opened."""

    async def close(self) -> None:
        """Nothing is kept."""

    async def append(
        self,
        events: Sequence[Event],
        *,
        feed: str | None = None,
        expected: str | None = None,
        new: str | None = None,
    ) -> Sequence[int]:
        """Append events and return their positions."""
        if feed is not None:
            actual = self._places.get(feed)
            if actual != expected:
                raise EventConflictError(
                    f"feed {feed!r} stands at {actual!r}, not {expected!r}",
                    source=feed,
                    expected=expected,
                    actual=actual,
                )
            self._places[feed] = new
        return [self._append(event) for event in events]

    def _append(self, event: Event) -> int:
        known = self._events.get((event.source, event.id))
        if known is not None:
            return known.position
        self._last += 1
        self._events[event.source, event.id] = attrs.evolve(event, position=self._last)
        if len(self._events) > self._most:
            self._events.popitem(last=False)
        return self._last

    async def read(
        self,
        after: int = 0,
        *,
        limit: int = 1_000,
        types: Sequence[str] | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Event]:
        """Return events after a position that match what is given."""
        first = self._last - len(self._events)
        later = islice(self._events.values(), max(after - first, 0), None)
        return list(
            islice(
                (
                    event
                    for event in later
                    if (types is None or event.type in types)
                    and (subject is None or event.subject == subject)
                    and (since is None or event.time >= since)
                    and (until is None or event.time < until)
                ),
                limit,
            )
        )

    async def last(self) -> int:
        """Return the position of the last event."""
        return self._last

    async def place(self, feed: str) -> str | None:
        """Return how far a feed was read."""
        return self._places.get(feed)
