"""What an append promises: every event once, in one order, durable, with positions that have no gaps."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest

from polaris_core import (
    EventConflictError,
    InvalidValueError,
    StoreBusyError,
    StoreClosedError,
    StoreDamagedError,
    StoreFullError,
    StoreReadOnlyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polaris_event_store import EventStore

    from polaris_core.abc import Event

MakeLog: TypeAlias = "Callable[..., EventStore]"
MakeEvent: TypeAlias = "Callable[..., Event]"

HOSTILE = [
    "'; DROP TABLE events --",
    "../../etc/passwd",
    "\u202egnp.exe",
    "\u2028",
    "a\N{COMBINING ACUTE ACCENT}",
    "\N{FULLWIDTH SOLIDUS}",
    "{0.__class__}",
    '$."',
    "%s",
    "\U0001f600" * 250,
]


def test_events_come_back_as_they_were_appended_after_reopening(log: MakeLog, event: MakeEvent) -> None:
    data: dict[str, Any] = {"π": [1, 1.0, -0.0, True, None, 2**63 - 1, {"deep": []}], "text": "\u2028\x1f"}
    given = [
        event("a", data=data),
        event("b", subject="Ada", data="text"),
        event("c", type="node.created", minutes=-1e9),
    ]

    async def main() -> Any:
        async with log() as store:
            positions = await store.append(given)
        async with log() as store:
            return positions, await store.read(), await store.last()

    positions, found, last = asyncio.run(main())
    assert (positions, last) == ([1, 2, 3], 3)
    assert [repr(one) for one in found] == [repr(attrs.evolve(one, position=at)) for at, one in enumerate(given, 1)]


def test_an_event_of_the_same_source_and_id_is_the_same_event_and_keeps_its_position(
    log: MakeLog, event: MakeEvent
) -> None:
    async def main() -> Any:
        async with log() as store:
            assert await store.append([event("a"), event("b"), event("a")]) == [1, 2, 1]
            assert await store.append([event("b", data="other"), event("c"), event("b", source="there")]) == [2, 3, 4]
            assert await store.append([event("c")]) == [3]
            return [(one.position, one.source, one.id, one.data) for one in await store.read()]

    assert asyncio.run(main()) == [
        (1, "here", "a", None),
        (2, "here", "b", None),
        (3, "here", "c", None),
        (4, "there", "b", None),
    ]


def test_positions_have_no_gaps_and_are_not_given_out_again(log: MakeLog, event: MakeEvent, path: Path) -> None:
    async def main(*ids: Any) -> Any:
        async with log() as store:
            return [await store.append([event("a"), event(id)]) for id in ids]

    assert asyncio.run(main("b", "b", "c")) == [[1, 2], [1, 2], [1, 3]]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM events WHERE position = 3")
    assert asyncio.run(main("d")) == [[1, 4]]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_texts(log: MakeLog, event: MakeEvent, text: Any) -> None:
    async def main() -> Any:
        async with log() as store:
            given = event(text, source=text, type=text[:60], subject=text, data={text: text})
            await store.append([given, event("other")], feed=text, new=text)
            assert await store.append([given]) == [1]
            (found,) = await store.read(types=[given.type], subject=given.subject)
            assert (found.id, found.source, found.data) == (given.id, given.source, given.data)
            assert await store.read(types=["missing", text[:60] + "x"]) == []
            assert await store.place(text) == text
            assert await store.place(text + "x") is None
            assert await store.last() == 2

    asyncio.run(main())


def test_what_cannot_be_stored_is_refused_or_found_nowhere(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        async with log() as store:
            await store.append([event("a")])
            for text in ("\ud800", "a\x00b"):
                with pytest.raises(InvalidValueError):
                    await store.append([], feed=text, new="1")
                assert await store.read(subject=text) == []
                assert await store.read(types=[text]) == []
                assert await store.place(text) is None
            with pytest.raises(InvalidValueError, match="time zone"):
                await store.append([event("naive", time=datetime(2026, 1, 1))])  # noqa: DTZ001
            with pytest.raises(InvalidValueError, match="which feed"):
                await store.append([event("b")], new="1")
            assert await store.append([]) == []
            return await store.last()

    assert asyncio.run(main()) == 1


def test_the_place_of_a_feed_moves_in_the_commit_of_the_append_or_nothing_happens(
    log: MakeLog, event: MakeEvent
) -> None:
    async def main() -> Any:
        async with log() as store:
            assert await store.place("graph") is None
            assert await store.append([event("a")], feed="graph", expected=None, new="1") == [1]
            assert await store.append([], feed="graph", expected="1", new="2") == []
            for expected in (None, "1", "3"):
                with pytest.raises(EventConflictError) as caught:
                    await store.append([event("b")], feed="graph", expected=expected, new="9")
                assert (caught.value.source, caught.value.expected, caught.value.actual) == ("graph", expected, "2")
            assert await store.append([event("b")], feed="other", new="1") == [2]
            await store.append([], feed="other", expected="1", new=None)
        async with log() as store:
            return await store.place("graph"), await store.place("other"), await store.last()

    assert asyncio.run(main()) == ("2", None, 2)


def test_appends_that_wait_together_share_a_commit_and_each_gets_its_own_answer(
    log: MakeLog, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> Any:
        async with log() as store:
            database = store._opened()
            commits = []
            wait = database.transact

            async def counted(function: Any, *, write: Any) -> Any:
                commits.append(write)
                return await wait(function, write=write)

            monkeypatch.setattr(database, "transact", counted)
            calls = [store.append([event(f"{turn}a"), event(f"{turn % 10}b")]) for turn in range(50)]
            calls += [
                store.append([event("c")], feed="f", expected=str(turn) if turn else None, new="1") for turn in range(3)
            ]
            calls += [store.append([event("0a"), event("d")])]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert commits == [True]
            return answers, await store.read()

    answers, events = asyncio.run(main())
    assert [type(answer) for answer in answers] == [list] * 52 + [EventConflictError, list]
    ids = {one.position: one.id for one in events}
    for turn in range(50):
        assert [ids[position] for position in answers[turn]] == [f"{turn}a", f"{turn % 10}b"]
    assert [ids[position] for position in answers[-1]] == ["0a", "d"]
    assert sorted(ids) == list(range(1, len(ids) + 1))


def test_what_one_append_cannot_store_hurts_no_neighbour(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        async with log() as store:
            writer = store._opened()._for_writing()
            (pages,) = await writer.run(lambda database: database.execute("PRAGMA page_count").fetchone())
            await writer.run(lambda database: database.execute(f"PRAGMA max_page_count = {pages + 5}").fetchall())
            large = store.append([event("large", data="x" * 500_000)])
            answers = await asyncio.gather(
                store.append([event("a")]), large, store.append([event("b")]), return_exceptions=True
            )
            assert isinstance(answers[1], StoreFullError)
            assert (answers[0], answers[2]) == ([1], [2])
            return [one.id for one in await store.read()]

    assert asyncio.run(main()) == ["a", "b"]


def test_a_cancelled_append_happens_whole_or_not_at_all(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        async with log() as store:
            for turn in range(60):
                task = asyncio.ensure_future(store.append([event(f"{turn}a"), event(f"{turn}b")], feed="f", new=None))
                for _ in range(turn % 6):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await store.append([event("last")])
            return [one.id for one in await store.read()]

    ids = asyncio.run(main())
    assert ids[-1] == "last"
    for turn in range(60):
        assert (f"{turn}a" in ids) == (f"{turn}b" in ids)


def test_closing_finishes_what_was_asked_for_and_refuses_what_comes_later(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        store = log()
        with pytest.raises(StoreClosedError):
            await store.append([event("early")])
        await store.open()
        await store.open()
        appended = [asyncio.ensure_future(store.append([event(str(turn))])) for turn in range(20)]
        await asyncio.sleep(0)
        await store.close()
        await store.close()
        assert await asyncio.gather(*appended) == [[turn + 1] for turn in range(20)]
        for call in (store.append([event("late")]), store.read(), store.last(), store.place("f")):
            with pytest.raises(StoreClosedError):
                await call
        async with store:
            return await store.last()

    assert asyncio.run(main()) == 20


def test_a_log_opened_for_reading_takes_nothing(log: MakeLog, event: MakeEvent) -> None:
    async def main() -> Any:
        async with log() as store, log(read_only=True) as reader:
            await store.append([event("a")])
            with pytest.raises(StoreReadOnlyError):
                await reader.append([event("b")])
            return await reader.last()

    assert asyncio.run(main()) == 1


def test_a_busy_log_says_so_to_everyone_who_waited(log: MakeLog, event: MakeEvent, path: Path) -> None:
    async def main() -> Any:
        async with log(busy_seconds=0.1) as store:
            with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
                foreign.execute("BEGIN IMMEDIATE")
                calls = [store.append([event(str(turn))]) for turn in range(3)]
                answers = await asyncio.gather(*calls, return_exceptions=True)
                foreign.execute("ROLLBACK")
            assert [type(answer) for answer in answers] == [StoreBusyError] * 3
            assert len({id(answer) for answer in answers}) == 3
            return await store.append([event("after")])

    assert asyncio.run(main()) == [1]


def test_a_bit_that_flips_in_an_event_is_found_when_it_is_read(log: MakeLog, event: MakeEvent, path: Path) -> None:
    async def fill() -> Any:
        async with log() as store:
            await store.append([event("a"), event("b", data="needle")])

    async def look() -> Any:
        async with log() as store:
            assert [one.id for one in await store.read(limit=1)] == ["a"]
            await store.read()

    asyncio.run(fill())
    content = bytearray(path.read_bytes())
    content[content.index(b"needle")] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError) as caught:
        asyncio.run(look())
    assert caught.value.where == "event 2"
