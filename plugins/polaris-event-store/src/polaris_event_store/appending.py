"""Several appends in one transaction, each as if it were alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson
from polaris_sqlite import fetch, sealed

from polaris_core import EventConflictError
from polaris_event_store.rows import Clock, Row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

__all__ = ["Outcome", "Request", "append", "clock_of", "last_position", "places_of"]

Outcome: TypeAlias = "list[int] | EventConflictError"

_KNOWN = """
    SELECT source, events.id, position FROM json_each(?) AS wanted CROSS JOIN events
    ON source = json_extract(wanted.value, '$[0]') AND events.id = json_extract(wanted.value, '$[1]')
"""


class Request(NamedTuple):
    """One caller's append; `feed` is None where no place moves."""

    rows: Sequence[Row]
    feed: str | None = None
    expected: str | None = None
    new: str | None = None


def append(database: sqlite3.Connection, requests: Sequence[Request]) -> list[Outcome]:
    """Append in order and return the positions of each request, or why nothing of it was appended."""
    known = _known(database, requests)
    before = places_of(database, {request.feed for request in requests if request.feed is not None})
    places = dict(before)
    clock = first = clock_of(database)
    position = last_position(database)
    added: list[tuple[object, ...]] = []
    outcomes: list[Outcome] = []
    for request in requests:
        if request.feed is not None:
            actual = places.get(request.feed)
            if actual != request.expected:
                outcomes.append(_conflict(request, actual))
                continue
            places[request.feed] = request.new
        positions = []
        for row in request.rows:
            key = row.source, row.id
            if key not in known:
                position += 1
                known[key] = position
                clock = clock.after(row.time)
                added.append((position, *row[:5], clock.peak, row.data))
            positions.append(known[key])
        outcomes.append(positions)
    if added:
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", sealed(added))
    if clock != first:
        database.executemany("REPLACE INTO clock VALUES (?, ?, ?, ?)", sealed([clock]))
    _move(database, before, places)
    return outcomes


def last_position(database: sqlite3.Connection) -> int:
    """Return the latest position that was ever given out."""
    found = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return 0 if found is None else int(found[0])


def clock_of(database: sqlite3.Connection) -> Clock:
    """Return how times run along the log."""
    (row,) = fetch(database, "clock", "SELECT only, peak, lateness, checksum FROM clock")
    return Clock._make(row)


def places_of(database: sqlite3.Connection, feeds: set[str]) -> dict[str, str | None]:
    """Return where these feeds stand; those that never moved are left out."""
    if not feeds:
        return {}
    select = "SELECT feed, place, checksum FROM places WHERE feed IN (SELECT value FROM json_each(?))"
    return dict(fetch(database, "place of feed", select, (orjson.dumps(list(feeds)).decode(),)))


def _known(database: sqlite3.Connection, requests: Sequence[Request]) -> dict[tuple[str, str], int]:
    wanted = [(row.source, row.id) for request in requests for row in request.rows]
    if not wanted:
        return {}
    rows = database.execute(_KNOWN, (orjson.dumps(wanted).decode(),)).fetchall()
    return {(source, id): position for source, id, position in rows}


def _conflict(request: Request, actual: str | None) -> EventConflictError:
    return EventConflictError(
        f"feed {request.feed!r} stands at {actual!r}, not {request.expected!r}",
        source=request.feed or "",
        expected=request.expected,
        actual=actual,
    )


def _move(database: sqlite3.Connection, before: dict[str, str | None], places: dict[str, str | None]) -> None:
    moved = {feed: place for feed, place in places.items() if before.get(feed) != place}
    put = [(feed, place) for feed, place in moved.items() if place is not None]
    if put:
        database.executemany("REPLACE INTO places VALUES (?, ?, ?)", sealed(put))
    gone = [(feed,) for feed, place in moved.items() if place is None]
    if gone:
        database.executemany("DELETE FROM places WHERE feed = ?", gone)
