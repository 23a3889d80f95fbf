"""Laws of sessions: a program sees one committed state, awaits nothing but its session, and may be run again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from polaris_core.abc.storage import BlockingStorage, Storage
from polaris_core.errors import ProgramError
from polaris_core.mutations import Batch, CreateEdge, CreateNode, DeleteNode, SetMeta
from polaris_core.records import CommitPlan, Session
from polaris_core.testing.laws.commits import rich
from polaris_core.testing.laws.subject import Subject, ask, put, refused
from polaris_core.testing.programs import Everything, everything, writing
from polaris_core.testing.skipping import not_applicable

__all__ = ["StateLaws"]

_MOMENT = 0.3  # seconds a program lets others go on; whether they can is the backend's affair


class _Others:
    """What happens on the loop while a program runs, as far as the backend lets it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._done = threading.Event()
        self._task: asyncio.Task[Any] | None = None

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start work on the loop."""

        async def noted() -> Any:
            try:
                return await work
            finally:
                self._done.set()

        def begin() -> None:
            self._task = self._loop.create_task(noted())

        if threading.get_ident() == self._home:
            begin()
        else:
            self._loop.call_soon_threadsafe(begin)

    def let(self) -> None:
        """Inside a program: let the others go on, if the program is not on their thread."""
        if threading.get_ident() != self._home:
            self._done.wait(_MOMENT)

    async def end(self) -> Any:
        """Return what the work came to."""
        await asyncio.sleep(0)  # it may have been announced, and not begun
        assert self._task is not None
        return await self._task


class StateLaws(Subject):
    """One state a program, whatever others do meanwhile."""

    def test_a_read_sees_one_state_while_commits_go_on(self) -> None:
        async def law(storage: Storage) -> None:
            await storage.commit(writing(rich("a")))
            before = await storage.read(everything)
            others = _Others()

            async def program(session: Session) -> tuple[Everything, Everything]:
                first = await everything(session)
                others.start(storage.commit(writing(rich("b"), Batch(DeleteNode("a", detach=True)))))
                others.let()
                return first, await everything(session)

            first, second = await storage.read(program)
            assert first == second == before, "a read program saw two states"
            plan = await others.end()
            assert (await storage.read(everything)).head == plan.head

        self.on_a_store(law)

    def test_what_a_commit_is_about_to_store_is_seen_by_nobody(self) -> None:
        async def law(storage: Storage) -> None:
            await storage.commit(writing(rich("a")))
            before = await storage.read(everything)
            others = _Others()

            async def program(session: Session) -> CommitPlan:
                plan = await writing(rich("b"))(session)
                others.start(storage.read(everything))
                others.let()
                return plan

            plan = await storage.commit(program)
            seen = await others.end()
            assert seen.head in (before.head, plan.head)
            if seen.head == before.head:
                assert seen == before, "a read saw what was not committed"
            else:
                assert seen == await storage.read(everything)

        self.on_a_store(law)

    def test_no_read_sees_half_a_commit(self) -> None:
        async def law(storage: Storage) -> None:
            async def write() -> None:
                for number in range(12):
                    await storage.commit(writing(rich(f"n{number}")))

            async def look() -> None:
                seen = 0
                while seen < 12:
                    held = await storage.read(everything)
                    seen = held.counts[1]
                    assert held.counts == (2 * seen, seen)
                    assert (len(held.nodes), len(held.edges), len(held.meta)) == (2 * seen, seen, seen)
                    assert (len(held.links), len(held.names), len(held.receipts)) == (seen, 2 * seen, seen)
                    assert [change.seq for change in held.changes] == list(range(1, 5 * seen + 1))
                    assert held.head.seq == 5 * seen
                    await asyncio.sleep(0)

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(write())
                for _ in range(3):
                    tasks.create_task(look())

        self.on_a_store(law)

    def test_a_commit_program_reads_the_latest_state(self) -> None:
        async def law(storage: Storage) -> None:
            for number in range(5):
                before = await storage.read(everything)
                seen: list[Everything] = []

                async def program(session: Session, seen: list[Everything] = seen, number: int = number) -> CommitPlan:
                    seen.append(await everything(session))
                    return await writing(Batch(CreateNode(f"n{number}")))(session)

                await storage.commit(program)
                assert seen[-1] == before

        self.on_a_store(law)

    def test_a_program_run_again_on_one_state_makes_the_same_plan(self) -> None:
        async def law(storage: Storage) -> None:
            await storage.commit(writing(rich("a")))
            before = await storage.read(everything)
            batches = rich("b"), Batch(CreateNode("c")), Batch(CreateNode("a"))
            read = [await storage.read(writing(*batches)) for _ in range(2)]
            assert await storage.read(everything) == before, "reading a plan stores nothing"
            runs: list[CommitPlan] = []

            async def twice(session: Session) -> CommitPlan:
                runs.extend([await writing(*batches)(session) for _ in range(2)])
                return runs[-1]

            plan = await storage.commit(twice)
            for other in (*read, *runs):
                assert other._replace(outcomes=()) == plan._replace(outcomes=())
            held = await storage.read(everything)
            assert (held.head, held.counts) == (plan.head, (5, 2))

        self.on_a_store(law)

    @pytest.mark.parametrize("call", ["commit", "read"])
    def test_a_program_that_awaits_something_else_is_refused_and_leaves_nothing(self, call: str) -> None:
        async def law(storage: Storage) -> None:
            if not isinstance(storage, BlockingStorage):
                not_applicable("no BlockingStorage: a storage of another kind may await programs in the ordinary way")
            await storage.commit(writing(rich("a")))
            before, stamp = await storage.read(everything), storage.stamp()
            ended = []

            async def program(session: Session) -> CommitPlan:
                plan = await writing(rich("b"))(session)
                try:
                    await asyncio.sleep(0)
                finally:
                    ended.append(True)
                return plan

            await refused(getattr(storage, call)(program), ProgramError)
            assert ended, "the program is closed, so that its `finally` runs"
            assert await storage.read(everything) == before
            assert storage.stamp() == stamp
            await storage.commit(writing(rich("b")))

        self.on_a_store(law)

    def test_what_a_session_answered_stays_as_it_was(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "abc"), CreateEdge("a", "x", "b"), SetMeta("k", 1), key="k")
            questions: list[tuple[Any, ...]] = [
                ("nodes", ["a", "z"]),
                ("edges", [4, 5]),
                ("links", [1], "both", None, 99, 0),
                ("scan", "node", 0, 99),
                ("scan", "edge", 0, 99),
                ("keys", "node", "", 99),
                ("keys", "meta", "", 99),
                ("changes", 0, 99, None),
                ("changes", 0, 99, 1),
                ("meta", ["k"]),
                ("receipts", ["k"]),
            ]
            answers = [await ask(storage, *question) for question in questions]
            copies = [list(answer) for answer in answers]
            await put(storage, DeleteNode("a", detach=True), CreateNode("z"), SetMeta("l", 1), key="l")
            assert [list(answer) for answer in answers] == copies, "a later commit changed an earlier answer"

        self.on_a_store(law)
