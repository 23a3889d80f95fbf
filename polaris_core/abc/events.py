"""What an event store plugin implements: a durable log of events in one total order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs

from polaris_core.abc.location import Location
from polaris_core.abc.storage import StorageOptions
from polaris_core.values import freeze, normalize_name, normalize_type

__all__ = ["Event", "EventLog", "EventStoreSpec"]


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened, with the attributes of CloudEvents 1.0: equal `source` and `id` mean the same event.

    `position` is its place in the log, counted from 1; 0 until it is appended. `data` is any JSON value.
    """

    id: str = attrs.field(converter=normalize_name)
    source: str = attrs.field(converter=normalize_name)
    type: str = attrs.field(converter=normalize_type)
    subject: str | None = attrs.field(default=None, converter=attrs.converters.optional(normalize_name))
    time: datetime
    data: Any = attrs.field(default=None, converter=freeze)
    position: int = 0


class EventLog(ABC):
    """A durable log. Everything is called on the event loop that opened it."""

    @abstractmethod
    async def open(self) -> None:
        """Open the log; raises `StoreUnavailableError` with what stands in the way."""

    @abstractmethod
    async def close(self) -> None:
        """Release everything."""

    @abstractmethod
    async def append(
        self,
        events: Sequence[Event],
        *,
        feed: str | None = None,
        expected: str | None = None,
        new: str | None = None,
    ) -> Sequence[int]:
        """Append events in order, in one durable commit, and return their positions.

        An event whose source and id are there already is not appended again: its first position is returned. With `feed`, the
        place that was read up to in that feed moves from `expected` to `new` in the same commit; if it is not at `expected`
        (None: never moved), nothing is appended and `EventConflictError` is raised.
        """

    @abstractmethod
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
        """Return at most `limit` events after a position, in order, that match what is given; `until` is exclusive."""

    @abstractmethod
    async def last(self) -> int:
        """Return the position of the last event, 0 for an empty log."""

    @abstractmethod
    async def place(self, feed: str) -> str | None:
        """Return how far a feed was read, as `append` last moved it; None where it never did."""


@attrs.frozen(kw_only=True)
class EventStoreSpec:
    """An event store as a plugin registers it: `name` is the URL scheme."""

    name: str
    sentence: str
    factory: Callable[[Location, StorageOptions], EventLog]
