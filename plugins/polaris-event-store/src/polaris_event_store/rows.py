"""The tables of a log, and events as rows of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from polaris_sqlite import Layout, sealed

from polaris_core import InvalidValueError
from polaris_core.abc import Event

if TYPE_CHECKING:
    import sqlite3

__all__ = ["COLUMNS", "LOG", "Clock", "Row", "event_of", "fill", "micros_of", "row_of"]

_FIRST = (
    # AUTOINCREMENT: a position is not given out again when the latest event is deleted.
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, source TEXT NOT NULL, type TEXT NOT NULL,
        subject TEXT, time INTEGER NOT NULL, peak INTEGER NOT NULL, data TEXT NOT NULL, checksum INTEGER NOT NULL,
        UNIQUE (source, id)
    ) STRICT""",
    "CREATE INDEX events_type ON events (type)",
    "CREATE INDEX events_subject ON events (subject) WHERE subject IS NOT NULL",
    "CREATE INDEX events_peak ON events (peak)",
    """CREATE TABLE clock (
        only INTEGER PRIMARY KEY CHECK (only = 1), peak INTEGER NOT NULL, lateness INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    ) STRICT""",
    "CREATE TABLE places (feed TEXT NOT NULL UNIQUE, place TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT",
)

LOG = Layout(noun="a Polaris event log", application_id=0x506C_7245, steps=(_FIRST,))  # "PlrE"
COLUMNS = "position, id, source, type, subject, time, peak, data"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(NamedTuple):
    """How times run along the log, in microseconds since 1970 UTC.

    `peak` is the latest time so far. Peaks never fall from one position to the next, so an index of them finds the position
    where a time begins. `lateness` is how far an event's time was ever behind its peak, and so bounds where a time ends.
    """

    only: int
    peak: int
    lateness: int

    def after(self, time: int) -> Clock:
        """Return the clock once an event of this time was appended."""
        peak = max(self.peak, time)
        return self._replace(peak=peak, lateness=max(self.lateness, peak - time))


class Row(NamedTuple):
    """An event as stored, but for its place: `time` in microseconds since 1970 UTC, `data` JSON."""

    id: str
    source: str
    type: str
    subject: str | None
    time: int
    data: str


def fill(database: sqlite3.Connection) -> None:
    """Write the first rows of a new log."""
    first = Clock(1, micros_of(datetime.min.replace(tzinfo=UTC)), 0)
    database.executemany("INSERT INTO clock VALUES (?, ?, ?, ?)", sealed([first]))


def micros_of(time: datetime) -> int:
    """Return an aware time as microseconds since 1970 UTC; a naive one raises `InvalidValueError`."""
    if time.tzinfo is None:
        raise InvalidValueError(f"a time needs a time zone: {time.isoformat()} has none")
    return (time - _EPOCH) // _MICROSECOND


def row_of(event: Event) -> Row:
    """Return what is stored of an event."""
    return Row(
        event.id, event.source, event.type, event.subject, micros_of(event.time), orjson.dumps(event.data).decode()
    )


def event_of(row: tuple[Any, ...]) -> Event:
    """Return the event of a row of `COLUMNS`."""
    position, id, source, type, subject, time, _, data = row
    return Event(
        id=id,
        source=source,
        type=type,
        subject=subject,
        time=_EPOCH + timedelta(microseconds=time),
        data=orjson.loads(data),
        position=position,
    )
