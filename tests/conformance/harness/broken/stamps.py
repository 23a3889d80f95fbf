"""Backends whose stamp is wrong."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from broken.healthy import Notebook, Slate, breaks
from polaris_core.abc import CommitPlan, Program


@breaks("test_a_stamp_has_moved_when_a_commit_returns")
class NeverMovesItsStamp(Slate):
    def stamp(self) -> int | None:
        return 0


@breaks("test_a_stamp_has_moved_when_a_commit_returns")
class MovesItsStampInTheNextTurn(Slate):
    moved = 0

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await super().commit(program)
        asyncio.get_running_loop().call_soon(self.move)
        return plan

    def move(self) -> None:
        self.moved += 1

    def stamp(self) -> int | None:
        return self.moved


@breaks("test_a_stamp_has_moved_when_a_commit_returns")
class HasAStampNowAndThen(Slate):
    def stamp(self) -> int | None:
        return self.commits if self.commits < 3 else None


@breaks("test_a_stamp_never_comes_back_whatever_is_committed")
class CountsItsRecords(Slate):
    def stamp(self) -> int | None:
        nodes, edges = self.image.counts()
        return 1_000 * nodes + edges


@breaks("test_a_stamp_never_comes_back_whatever_is_committed")
class CountsItsChanges(Slate):
    def stamp(self) -> int | None:
        return self.image.head().seq


@breaks("test_a_stamp_never_comes_back_whatever_is_committed")
class CountsToEight(Slate):
    def stamp(self) -> int | None:
        return self.commits % 8


@breaks("test_a_stamp_stays_while_nothing_is_committed")
class MovesItsStampWithEveryRead(Slate):
    reads = 0

    async def read(self, program: Program[Any]) -> Any:
        self.reads += 1
        return await super().read(program)

    def stamp(self) -> int | None:
        return self.commits + self.reads


@breaks("test_a_stamp_is_the_same_from_any_thread")
class StampsByThread(Slate):
    def stamp(self) -> int | None:
        return self.commits * 2 + (threading.current_thread() is threading.main_thread())


@breaks("test_a_stamp_moves_for_the_commits_of_another_storage")
@breaks("test_another_process_sees_what_was_acknowledged_and_its_stamp_has_moved")
@breaks("test_two_graphs_on_one_store_read_each_others_writes")
@breaks("test_a_cached_read_in_another_process_never_shows_what_was_replaced")
class StampsItsOwnCommits(Notebook):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await super().commit(program)
        self.commits += plan.writes
        return plan

    def stamp(self) -> int | None:
        return self.commits


@breaks("test_a_cached_read_never_shows_what_was_replaced")
class StampsEveryOtherCommit(Slate):
    def stamp(self) -> int | None:
        return self.commits // 2
