"""Which events of a log match, in the order of their positions: always by an index, never by a sort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from polaris_sqlite import fetch

from polaris_event_store.appending import clock_of
from polaris_event_store.rows import COLUMNS, event_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from polaris_core.abc import Event

__all__ = ["Question", "read", "statement"]

_BEGIN = "SELECT position FROM events WHERE peak >= ? ORDER BY peak, position LIMIT 1"
_MERGED_TYPES = 16  # more types than this are looked for among all events
_END = 2**63 - 1


class Question(NamedTuple):
    """What is asked for: events between two positions, both left out; times in microseconds since 1970 UTC."""

    after: int = 0
    before: int = _END
    limit: int = 1_000
    types: Sequence[str] | None = None
    subject: str | None = None
    since: int | None = None
    until: int | None = None


def read(database: sqlite3.Connection, question: Question) -> list[Event]:
    """Return the events that match."""
    if question.limit < 1 or question.types == () or question.after >= _END:
        return []
    question = _between(database, question)
    select, parameters = statement(question)
    return list(map(event_of, fetch(database, "event", select, parameters)))


def _between(database: sqlite3.Connection, question: Question) -> Question:
    """Turn times into positions: the first that a time can stand at, and the last."""
    after, before = question.after, question.before
    if question.since is not None:
        found = database.execute(_BEGIN, (question.since,)).fetchone()
        after = max(after, _END if found is None else found[0] - 1)
    if question.until is not None:
        found = database.execute(_BEGIN, (question.until + clock_of(database).lateness,)).fetchone()
        before = before if found is None else found[0]
    return question._replace(after=after, before=before)


def statement(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the select of the events that match, and its parameters."""
    condition = "position > :after AND position < :before"
    parameters: dict[str, Any] = {"after": question.after, "before": question.before, "limit": question.limit}
    for test, name, value in (
        ("time >=", "since", question.since),
        ("time <", "until", question.until),
        ("subject =", "subject", question.subject),
    ):
        if value is not None:
            parameters[name] = value
            condition += f" AND {test} :{name}"
    select = f"SELECT {COLUMNS}, checksum FROM events WHERE {condition}"  # noqa: S608
    types = None if question.types is None else list(dict.fromkeys(question.types))
    if types is None:
        terms = [select]
    elif question.subject is not None or len(types) > _MERGED_TYPES:
        parameters["types"] = orjson.dumps(types).decode()
        # The plus keeps SQLite from gathering events by type and sorting them all for the first few.
        terms = [f"{select} AND +type IN (SELECT value FROM json_each(:types))"]  # noqa: S608
    else:
        terms = [f"{select} AND type = :type{place}" for place in range(len(types))]
        parameters |= {f"type{place}": name for place, name in enumerate(types)}
    terms[-1] += " ORDER BY position LIMIT :limit"
    return " UNION ALL ".join(terms), parameters
