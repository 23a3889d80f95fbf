"""What a read returns: exactly what matches, in the order of positions, found by an index."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_event_store.reading import Question, read, statement
from polaris_event_store.rows import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from polaris_event_store import EventStore

    from polaris_core.abc import Event

MakeLog: TypeAlias = "Callable[..., EventStore]"
MakeEvent: TypeAlias = "Callable[..., Event]"

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_any_filters_together_return_what_a_plain_search_does(log: MakeLog, event: MakeEvent) -> None:
    random.seed(4)
    types, subjects = ["a", "b", "c"], [None, "x", "y"]
    given = [
        event(
            str(turn),
            type=random.choice(types),
            subject=random.choice(subjects),
            minutes=turn + (random.randint(-50, 0) if random.random() < 0.2 else 0),
        )
        for turn in range(300)
    ]

    def times() -> Any:
        return random.choice([None, None, START + timedelta(minutes=random.randint(-60, 360))])

    async def main() -> Any:
        async with log() as store:
            for first in range(0, 300, 25):
                await store.append(given[first : first + 25])
            for _ in range(300):
                asked = {
                    "types": random.choice([None, None, ["a"], ["c", "a", "c"], [], [*map(str, range(20)), "b"]]),
                    "subject": random.choice([None, "x", "z"]),
                    "since": times(),
                    "until": times(),
                }
                after, limit = random.choice([0, 0, 10, 290, 300, 2**70, -1]), random.choice([0, 1, 7, 1000, 2**70])
                found = await store.read(after, limit=limit, **asked)
                wanted = [
                    str(turn)
                    for turn, one in enumerate(given)
                    if turn + 1 > after
                    and (asked["types"] is None or one.type in asked["types"])
                    and asked["subject"] in (None, one.subject)
                    and (asked["since"] is None or one.time >= asked["since"])
                    and (asked["until"] is None or one.time < asked["until"])
                ]
                assert [one.id for one in found] == wanted[:limit], asked

    asyncio.run(main())


def test_a_log_is_read_in_pages_to_its_end(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        async with log() as store:
            await store.append([event(str(turn)) for turn in range(25)])
            found: list[Event] = []
            while page := await store.read(found[-1].position if found else 0, limit=10):
                found += page
            return [one.id for one in found]

    assert asyncio.run(main()) == [str(turn) for turn in range(25)]


def test_an_empty_log_answers_with_nothing(log: MakeLog) -> None:
    async def main() -> Any:
        async with log() as store:
            assert await store.last() == 0
            assert await store.read() == []
            assert await store.read(types=["t"], subject="s", since=START, until=START) == []

    asyncio.run(main())


@pytest.mark.parametrize(
    ("question", "searches"),
    [
        (Question(), ["INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
        (Question(since=0, until=9), ["INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
        (Question(types=("a",)), ["INDEX events_type (type=? AND rowid>? AND rowid<?)"]),
        (Question(types=("a", "b")), ["INDEX events_type (type=? AND rowid>? AND rowid<?)"] * 2),
        (Question(types=("a", "a"), since=3), ["INDEX events_type (type=? AND rowid>? AND rowid<?)"]),
        (Question(types=tuple(map(str, range(99)))), ["INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
        (Question(subject="s"), ["INDEX events_subject (subject=? AND rowid>? AND rowid<?)"]),
        (Question(subject="s", types=("a",), until=3), ["INDEX events_subject (subject=? AND rowid>? AND rowid<?)"]),
    ],
)
def test_every_question_is_answered_by_an_index_in_order_and_sorts_nothing(question: Any, searches: Any) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        LOG.bring_forward(database)
        select, parameters = statement(question)
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {select}", parameters)]
    assert [step.partition(" USING ")[2] for step in plan if " events " in step] == searches
    assert not [step for step in plan if "TEMP B-TREE" in step]


def test_a_time_is_found_without_looking_at_the_events_before_it(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        async with log() as store:
            await store.append([event(str(turn), minutes=turn) for turn in range(2_000)])
            steps = []

            def counted(database: sqlite3.Connection) -> Any:
                database.set_progress_handler(lambda: steps.append(1), 1)
                begin = Question(since=int(START.timestamp() * 1e6) + 1_990 * 60_000_000, until=2**60)
                found = read(database, begin)
                database.set_progress_handler(None, 1)
                return [one.id for one in found]

            return await store._read(counted), len(steps)

    found, steps = asyncio.run(main())
    assert found == [str(turn) for turn in range(1_990, 2_000)]
    assert steps < 1_000
