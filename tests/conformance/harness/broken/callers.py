"""Backends that let one caller hurt another, or leave something behind."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from broken.healthy import Desk, Slate, breaks
from polaris_core import StoreBusyError
from polaris_core.abc import CommitPlan, Head, Image, Program


@breaks("test_a_commit_that_is_cancelled_happens_whole_or_not_at_all")
class SwallowsCancellation(Desk):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        try:
            return await super().commit(program)
        except asyncio.CancelledError:
            return await super().commit(program)


@breaks("test_a_read_that_is_cancelled_hurts_nobody")
class AnswersCancelledReads(Desk):
    async def read(self, program: Program[Any]) -> Any:
        try:
            return await super().read(program)
        except asyncio.CancelledError:
            return None


@breaks("test_callers_that_are_cancelled_among_others_take_nobody_along")
class CancelsThoseWhoWaitBehind(Desk):
    waiting: list[Any]

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        self.waiting = [*getattr(self, "waiting", []), asyncio.current_task()]
        try:
            return await super().commit(program)
        except asyncio.CancelledError:
            for task in self.waiting:
                task.cancel()
            raise


@breaks("test_an_opening_that_is_cancelled_leaves_a_store_that_can_be_opened")
class StaysLockedWhenOpeningIsCancelled(Slate):
    async def open(self) -> Head:
        lock = self.folder / "open"
        if lock.exists():
            raise StoreBusyError("somebody has the slate open")
        lock.touch()
        await asyncio.sleep(0)
        return await super().open()

    async def close(self) -> None:
        (self.folder / "open").unlink()


@breaks("test_one_service_is_used_from_many_loops")
@breaks("test_transactions_that_count_at_one_time_count_all")
class LosesEveryFifthCommit(Slate):
    planned = 0

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await super().read(program)
        self.planned += plan.writes  # what refuses everybody has nothing to lose
        return await super().commit(program) if self.planned % 5 or not plan.writes else plan


@breaks("test_a_closed_graph_refuses_calls_and_may_be_closed_again")
class CannotBeClosed(Slate):
    async def close(self) -> None:
        raise StoreBusyError("something is under way")


@breaks("test_what_is_closed_leaves_no_thread_and_no_descriptor_behind")
class LeavesAThread(Slate):
    async def open(self) -> Head:
        self.end = threading.Event()
        threading.Thread(target=self.end.wait, args=(15,), daemon=True).start()
        return await super().open()


@breaks("test_what_is_closed_leaves_no_thread_and_no_descriptor_behind")
class LeavesADescriptor(Slate):
    async def open(self) -> Head:
        self.descriptor = os.open(self.folder, os.O_RDONLY)
        return await super().open()


@breaks("test_two_stores_are_two")
class KeepsAllStoresInOne(Slate):
    one: Any = None

    async def open(self) -> Head:
        head = await super().open()
        if KeepsAllStoresInOne.one is None:
            KeepsAllStoresInOne.one = Image(head)
        self.image = KeepsAllStoresInOne.one
        return self.image.head()


@breaks("test_a_graph_reads_what_it_was_told")
class ForgetsItsEdges(Slate):
    class Records(Image):
        def links(self, *asked: Any) -> list[Any]:
            return []


@breaks("test_a_place_in_history_below_the_floor_is_refused")
class ForgetsItsFloor(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            self._head = plan.head._replace(floor=0)
