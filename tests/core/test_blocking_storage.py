"""The template: a program is one hop, awaits nothing but its session, and leaves nothing behind when it raises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from polaris_core.abc import BlockingSession, BlockingStorage, CommitPlan, Head, Image, NodeRecord, run_program
from polaris_core.abc.storage import drive
from polaris_core.errors import ProgramError

START = Head(store="5704e", epoch="e90c4")
STORED = NodeRecord(1, "a", "t", 1, "{}")


class Unwritable(Image):
    def store(self, plan: CommitPlan) -> None:
        raise AssertionError(plan)


class Recording(BlockingStorage):
    """A store that writes down what the template asks of it and does its work in a thread."""

    def __init__(self, image: Image | None = None) -> None:
        self.image = image or Image(START)
        self.log: list[str] = []
        self.threads: set[int] = set()

    async def open(self) -> Head:
        return self.image.head()

    async def close(self) -> None:
        return

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        self.threads.add(threading.get_ident())
        self.log.append("begin write" if write else "begin read")
        try:
            yield self.image
        except BaseException:
            self.log.append("undo")
            raise
        self.log.append("end")

    async def run(self, function: Any, *, write: bool) -> Any:
        self.log.append("hop")
        return await asyncio.to_thread(function)


def run(awaitable: Any) -> Any:
    return asyncio.run(awaitable)


async def writing(session: Any) -> CommitPlan:
    head = await session.head()
    return CommitPlan(head, head._replace(seq=head.seq + 1, next_id=2), put_nodes=[STORED])


async def idle(session: Any) -> CommitPlan:
    head = await session.head()
    return CommitPlan(head, head)


async def two_reads(session: Any) -> Any:
    return await session.head(), await session.nodes([1])


def test_a_read_is_one_hop_and_one_session():
    storage = Recording()
    assert run(storage.read(two_reads)) == (START, [None])
    assert storage.log == ["hop", "begin read", "end"]


def test_a_commit_is_one_hop_and_returns_the_plan_it_stored():
    storage = Recording()
    plan = run(storage.commit(writing))
    assert storage.image.nodes([1]) == [STORED]
    assert storage.image.head() == plan.head
    assert storage.log == ["hop", "begin write", "end"]


def test_the_work_is_done_where_blocking_is_allowed():
    storage = Recording()
    run(storage.commit(writing))
    assert threading.get_ident() not in storage.threads


def test_a_plan_of_records_is_stored_where_the_head_stays():
    async def copying(session: Any) -> CommitPlan:
        head = await session.head()
        return CommitPlan(expected=head, head=head, put_nodes=[STORED])

    storage = Recording()
    run(storage.commit(copying))
    assert (storage.image.nodes([1]), storage.image.head()) == ([STORED], START)


def test_a_plan_that_writes_nothing_is_not_stored():
    storage = Recording(Unwritable(START))
    plan = run(storage.commit(idle))
    assert not plan.writes
    assert storage.log[-1] == "end"


@pytest.mark.parametrize("call", ["read", "commit"])
def test_a_program_that_awaits_something_else_is_refused_and_leaves_nothing(call):
    storage = Recording()
    ended = []

    async def program(session: Any) -> Any:
        plan = await writing(session)
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(True)
        return plan

    with pytest.raises(ProgramError):
        run(getattr(storage, call)(program))
    assert ended == [True]
    assert storage.log[-1] == "undo"
    assert storage.image.nodes([1]) == [None]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), ProgramError("no")])
@pytest.mark.parametrize("call", ["read", "commit"])
def test_a_program_that_raises_leaves_nothing_and_its_error_comes_out_unchanged(error, call):
    storage = Recording()

    async def program(session: Any) -> Any:
        await session.head()
        raise error

    async def asking() -> Any:
        try:
            await getattr(storage, call)(program)
        except BaseException as caught:  # noqa: BLE001 - handed on as a value, or it would end the loop
            return caught
        return None

    if isinstance(error, KeyboardInterrupt):
        storage.run = run_here  # asyncio ends the loop when a thread's task is interrupted
    assert run(asking()) is error
    assert storage.log[-1] == "undo"
    assert storage.image.head() == START


async def run_here(function: Any, *, write: bool) -> Any:
    return function()


@pytest.mark.parametrize("wrong", [{"seq": 7}, {"epoch": "other"}, {"store": "other"}, {"next_id": 9}, {"time": 5}])
def test_a_plan_made_from_another_state_is_refused_and_not_stored(wrong):
    storage = Recording()

    async def program(session: Any) -> CommitPlan:
        return (await writing(session))._replace(expected=START._replace(**wrong))

    with pytest.raises(ProgramError):
        run(storage.commit(program))
    assert storage.log[-1] == "undo"
    assert storage.image.nodes([1]) == [None]


def test_a_program_may_be_run_again_and_sees_what_is_there_then():
    storage = Recording()
    run(storage.commit(writing))
    head, nodes = run(storage.read(two_reads))
    assert (head.seq, nodes) == (1, [STORED])
    assert run(storage.read(two_reads)) == (head, nodes)


def test_a_session_answers_every_question_without_suspending():
    async def program(session: Any) -> Any:
        return [
            await session.head(),
            await session.nodes(["a", 1]),
            await session.edges([1, (1, "t", 1)]),
            await session.links([1], "both", None, 5, 0),
            await session.scan("node", 0, 5),
            await session.keys("node", "", 5),
            await session.meta(["k"]),
            await session.changes(0, 5, None),
            await session.receipts(["k"]),
            await session.counts(),
        ]

    image = Image(START)
    image.store(CommitPlan(START, START, put_nodes=[STORED]))
    assert run_program(program, image) == [
        START, [STORED, STORED], [None, None], [], [STORED], ["a"], [None], [], [None], (1, 0),
    ]  # fmt: skip


def test_what_never_suspends_is_driven_to_its_end():
    async def inner() -> int:
        return 20

    async def outer() -> int:
        return await inner() + await inner() + 2

    assert drive(outer()) == 42


class Suspending:
    """An awaitable that is no coroutine, and has nothing to close."""

    def __await__(self) -> Iterator[None]:
        return iter([None])


def test_an_awaitable_that_suspends_is_refused_whatever_it_is():
    with pytest.raises(ProgramError):
        drive(Suspending())
