"""`EventStore`: a durable log of events in a SQLite database of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from os import PathLike, fspath
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

import attrs
from polaris_sqlite import Database, path_of

from polaris_core import (
    InvalidLocationError,
    InvalidValueError,
    OutcomeUnknownError,
    StorageError,
    StoreBusyError,
    StoreClosedError,
)
from polaris_core.abc import Event, EventLog, Location, StorageOptions
from polaris_event_store.appending import Request, append, last_position, places_of
from polaris_event_store.reading import Question, read
from polaris_event_store.rows import LOG, fill, micros_of, row_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from types import TracebackType

__all__ = ["EventStore"]

T = TypeVar("T")

_GROUP_APPENDS = 1_024
_GROUP_EVENTS = 10_000
_MAX_POSITION = 2**63 - 1


class _Waiting(NamedTuple):
    request: Request
    answer: asyncio.Future[list[int]]


class EventStore(EventLog):
    """A log that keeps each event once, in one total order, for any number of callers and processes of one machine.

    `path` is the file, made with the directories above it where there is none; `options` are those of any store. An append is
    durable when it returns, and all appends that wait at the same moment share one commit. Opened by `open`, by `async with` or
    by the `EventBus` it is given to; opening what is open does nothing.
    """

    def __init__(self, path: str | PathLike[str] = "data/events.db", *, options: StorageOptions | None = None) -> None:
        self._location = Location(scheme="sqlite", path=fspath(path))
        self._options = options or StorageOptions()
        self._database: Database | None = None
        self._opening: asyncio.Future[None] | None = None
        self._waiting: deque[_Waiting] = deque()
        self._flight: asyncio.Task[None] | None = None

    @classmethod
    def at(cls, location: Location, options: StorageOptions) -> Self:
        """Return the log that a URL names; raises `InvalidLocationError` for one that names no file or has options."""
        if location.graph is not None:
            raise InvalidLocationError("an event log has no graph in it", location=str(location))
        if location.mode == "ro":
            options = attrs.evolve(options, read_only=True)
        return cls(path_of(location), options=options)

    def __repr__(self) -> str:
        return f"EventStore({self._location.path!r})"

    # --- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Open the log, and make it where there is none and it may be made.

        Raises `StoreNotFoundError`, `StoreFormatError`, `StoreBusyError` or another `StoreUnavailableError`.
        """
        if self._database is not None:
            return
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        database = Database(
            self._location.path or "", LOG, options=self._options, location=f"the event log {self._location}"
        )
        try:
            await database.open(last_position, fill)
            self._database = database
        finally:
            self._opening = None

    async def close(self) -> None:
        """Finish what was asked for, refuse what comes later, and close the file. Closing twice is closing once."""
        if self._opening is not None:
            await asyncio.wait({self._opening})
        database, self._database = self._database, None
        if database is None:
            return
        while self._flight is not None:
            await asyncio.wait({self._flight})
        await database.close()

    # --- appending ------------------------------------------------------------------------------------------------

    async def append(
        self,
        events: Sequence[Event],
        *,
        feed: str | None = None,
        expected: str | None = None,
        new: str | None = None,
    ) -> Sequence[int]:
        """Append events in order, in one durable commit that others may share, and return their positions.

        An event whose source and id are there already keeps its position, which is returned. With `feed`, the place of that
        feed moves from `expected` to `new` in the same commit; where it is elsewhere, nothing is appended and
        `EventConflictError` is raised. A caller who is cancelled before the commit began has changed nothing.
        """
        if feed is None and (expected is not None or new is not None):
            raise InvalidValueError("expected and new are places of a feed: say which feed")
        for text in (feed, expected, new):
            if text is not None and not _storable(text):
                raise InvalidValueError("a feed and its places are texts without U+0000 and lone surrogates")
        request = Request([row_of(event) for event in events], feed, expected, new)
        database = self._opened()
        if not request.rows and feed is None:
            return []
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(request, answer))
        if self._flight is None:  # it starts with the next turn of the loop, so whoever comes in this one goes along
            self._flight = asyncio.get_running_loop().create_task(self._append_groups(database))
        return await answer

    async def _append_groups(self, database: Database) -> None:
        try:
            while group := self._next_group():
                await self._append_group(database, group)
        except asyncio.CancelledError:  # the loop ends, and whoever waits ends with it
            _cancel(self._waiting)
            raise
        finally:
            self._flight = None

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        events = 0
        while self._waiting and len(group) < _GROUP_APPENDS and events < _GROUP_EVENTS:
            waiting = self._waiting.popleft()
            if not waiting.answer.done():  # else its caller was cancelled
                group.append(waiting)
                events += len(waiting.request.rows)
        return group

    async def _append_group(self, database: Database, group: Sequence[_Waiting]) -> None:
        requests = [waiting.request for waiting in group]
        try:
            outcomes = await database.transact(lambda inner: append(inner, requests), write=True)
        except asyncio.CancelledError:
            _cancel(group)
            raise
        except StorageError as error:
            if len(group) == 1 or isinstance(error, (StoreBusyError, OutcomeUnknownError)):
                _refuse(group, error)
            else:  # what one of them cannot store is no reason to refuse the others
                for waiting in group:
                    await self._append_group(database, (waiting,))
        else:
            for waiting, outcome in zip(group, outcomes, strict=True):
                if waiting.answer.done():
                    continue
                if isinstance(outcome, list):
                    waiting.answer.set_result(outcome)
                else:
                    waiting.answer.set_exception(outcome)

    # --- reading --------------------------------------------------------------------------------------------------

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
        if subject is not None and not _storable(subject):
            return []
        question = Question(
            after=min(max(after, 0), _MAX_POSITION),
            limit=min(limit, _MAX_POSITION),
            types=None if types is None else tuple(filter(_storable, types)),
            subject=subject,
            since=None if since is None else micros_of(since),
            until=None if until is None else micros_of(until),
        )
        return await self._read(lambda inner: read(inner, question))

    async def last(self) -> int:
        """Return the position of the last event, 0 for an empty log."""
        return await self._read(last_position)

    async def place(self, feed: str) -> str | None:
        """Return how far a feed was read, as `append` last moved it; None where it never did."""
        if not _storable(feed):
            return None
        return (await self._read(lambda inner: places_of(inner, {feed}))).get(feed)

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await self._opened().transact(function, write=False)

    def _opened(self) -> Database:
        if self._database is None:
            raise StoreClosedError(f"the event log {self._location} is not open")
        return self._database


def _storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _cancel(group: Iterable[_Waiting]) -> None:
    for waiting in group:
        waiting.answer.cancel()


def _refuse(group: Iterable[_Waiting], error: StorageError) -> None:
    for waiting in group:
        if not waiting.answer.done():
            waiting.answer.set_exception(error.fresh())
