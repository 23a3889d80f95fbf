"""The event bus: what is published is in the log before anyone is told, and every subscriber reads the log at its own pace.

Subscribers are woken, not fed: each reads on from its own position, so a slow one holds nobody up, a handler may publish, and
no queue between them can fill.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeAlias
from uuid import uuid4

import attrs

from polaris_core.abc.events import Event, EventLog
from polaris_core.errors import EventError
from polaris_core.events.memory import MemoryEventLog
from polaris_core.schema import Schema

__all__ = ["EventBus", "Failure", "Subscription"]

Handler: TypeAlias = Callable[[Event], Awaitable[object]]

logger: logging.Logger = logging.getLogger("polaris_core.events")

_PAGE = 500
_FAILURES = 1_000


def _now() -> datetime:
    return datetime.now(UTC)


def _unique() -> str:
    return uuid4().hex


@attrs.frozen
class Failure:
    """An event that a handler raised on."""

    event: Event
    handler: Handler
    error: Exception


class Subscription:
    """A handler, called with each event of its types in the order of the log, one at a time. `cancel` ends it."""

    def __init__(self, bus: EventBus, pattern: str, handler: Handler, position: int) -> None:
        self.pattern = pattern
        self.handler = handler
        self.position: int = position
        self._bus = bus
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] = asyncio.get_running_loop().create_task(
            self._follow(), name=f"polaris-subscription-{pattern}"
        )

    def matches(self, type: str) -> bool:
        """Return whether events of this type are handled: `*` is every type, `node.*` every one that starts with `node.`."""
        if self.pattern.endswith("*"):
            return type.startswith(self.pattern[:-1])
        return type == self.pattern

    def wake(self) -> None:
        """Say that the log has grown."""
        self._idle.clear()
        self._news.set()

    async def drained(self) -> None:
        """Wait until everything that is in the log now was handled."""
        if not self._task.done():
            await asyncio.wait(
                (self._task, waiting := asyncio.ensure_future(self._idle.wait())), return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()

    async def cancel(self) -> None:
        """End the subscription; a handler that is running is cancelled."""
        self._bus.forget(self)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            self._news.clear()
            while events := await self._bus.log.read(self.position, limit=_PAGE):
                for event in events:
                    if self.matches(event.type):
                        await self._handle(event)
                    self.position = event.position
            if not self._news.is_set():
                self._idle.set()
            await self._news.wait()

    async def _handle(self, event: Event) -> None:
        try:
            await self.handler(event)
        except Exception as error:  # noqa: BLE001 - a handler's fault is no other handler's
            await self._bus.handle_failure(Failure(event, self.handler, error))


class EventBus:
    """Publishes events durably and hands them to subscribers in this process.

    `event_store` is any `EventLog`; without one, events are kept in memory. The log is opened by the first call and closed with
    the bus. `source` is the CloudEvents source of what is published here.
    """

    def __init__(
        self,
        event_store: EventLog | None = None,
        *,
        source: str = "polaris",
        now: Callable[[], datetime] = _now,
        unique: Callable[[], str] = _unique,
    ) -> None:
        self.log: EventLog = event_store or MemoryEventLog()
        self.failures: deque[Failure] = deque(maxlen=_FAILURES)
        self._source = source
        self._now = now
        self._unique = unique
        self._subscriptions: list[Subscription] = []
        self._schemas: dict[str, Schema] = {}
        self._opening: asyncio.Future[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _open(self) -> None:
        if self._closed:
            raise EventError("the event bus is closed")
        if self._opening is None or (self._opening.done() and (self._opening.cancelled() or self._opening.exception())):
            self._opening = asyncio.ensure_future(self.log.open())
        await asyncio.shield(self._opening)

    async def close(self) -> None:
        """Let subscribers handle what is in the log, then end them and close the log."""
        if self._closed:
            return
        self._closed = True
        for subscription in tuple(self._subscriptions):
            await subscription.drained()
            await subscription.cancel()
        if self._opening is not None:
            await asyncio.shield(self._opening)
            await self.log.close()

    def require(self, type: str, schema: Mapping[str, Any]) -> None:
        """Refuse from now on to publish events of a type whose data does not satisfy a JSON Schema."""
        self._schemas[type] = Schema(schema)

    async def publish(
        self,
        type: str,
        data: Any = None,
        *,
        subject: str | None = None,
        id: str | None = None,
        source: str | None = None,
    ) -> Event:
        """Append an event to the log and return it once it is durable; subscribers handle it after that.

        A repeat with the same `id` and `source` is the same event. Raises `SchemaViolationError` where a schema is required.
        """
        event = Event(
            id=id or self._unique(),
            source=source or self._source,
            type=type,
            subject=subject,
            time=self._now(),
            data=data,
        )
        (published,) = await self.publish_many((event,))
        return published

    async def publish_many(self, events: Sequence[Event]) -> Sequence[Event]:
        """Append events together, in one durable commit, and return them with their positions."""
        for event in events:
            if event.type in self._schemas:
                self._schemas[event.type].check(event.data)
        await self._open()
        positions = await self.log.append(events)
        for subscription in self._subscriptions:
            subscription.wake()
        return [attrs.evolve(event, position=position) for event, position in zip(events, positions, strict=True)]

    async def subscribe(self, type: str, handler: Handler) -> Subscription:
        """Call `async def handler(event)` for every event of a type published from now on; `*` and `node.*` are patterns."""
        await self._open()
        subscription = Subscription(self, type, handler, await self.log.last())
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Stop waking a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    async def replay(
        self,
        type: str | None = None,
        *,
        after: int = 0,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[Event]:
        """Yield past events in the order of the log: those after a position that match what is given."""
        await self._open()
        types = None if type is None else (type,)
        while events := await self.log.read(after, limit=_PAGE, types=types, subject=subject, since=since, until=until):
            for event in events:
                yield event
            after = events[-1].position

    async def handle_failure(self, failure: Failure) -> None:
        """Note an event that a handler raised on: it is logged, kept in `failures`, and the subscription goes on."""
        self.failures.append(failure)
        logger.error(
            "handler %r failed on event %s of type %s", failure.handler, failure.event.id, failure.event.type,
            exc_info=failure.error,
        )  # fmt: skip
