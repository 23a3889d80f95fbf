"""Backends that do not keep what they stored, or do not share it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from broken.healthy import Entry, Notebook, Slate, breaks
from polaris_core import StorageOptions
from polaris_core.abc import BlockingSession, CommitPlan, Head, Program


@breaks("test_everything_is_there_when_a_store_is_opened_again")
class ForgetsMetaWhenClosed(Notebook):
    def append(self, plan: CommitPlan) -> None:
        super().append(plan._replace(put_meta=(), delete_meta=()))
        self.read_to = self.path.stat().st_size
        self.image.store(plan)


@breaks("test_the_last_commit_before_closing_is_there")
class WritesOneCommitBehind(Notebook):
    shared = False
    kept: CommitPlan | None = None

    def append(self, plan: CommitPlan) -> None:
        if self.kept:
            super().append(self.kept)
            self.read_to = self.path.stat().st_size
        self.kept = plan
        self.image.store(plan)


@breaks("test_ids_are_never_given_out_again")
class CountsIdsFromWhatIsThere(Notebook):
    async def open(self) -> Head:
        await super().open()
        self.image._head = self.image.head()._replace(next_id=max(self.image._nodes, default=0) + 1)
        return self.image.head()


@breaks("test_numbers_go_on_when_a_store_is_opened_again")
class BeginsAnEpochWithEveryOpening(Notebook):
    async def open(self) -> Head:
        await super().open()
        self.image._head = self.image.head()._replace(epoch=self.options.unique())
        return self.image.head()


@breaks("test_what_was_trimmed_and_forgotten_stays_so")
class RemembersWhatItForgot(Notebook):
    def append(self, plan: CommitPlan) -> None:
        super().append(plan._replace(forget_receipts=0))
        self.read_to = self.path.stat().st_size
        self.image.store(plan)


@breaks("test_a_repeated_batch_is_answered_from_its_receipt_when_a_store_is_opened_again")
class KeepsReceiptsInMemory(Notebook):
    def append(self, plan: CommitPlan) -> None:
        super().append(plan._replace(receipts=()))
        self.read_to = self.path.stat().st_size
        self.image.store(plan)


def _told(options: StorageOptions, **changed: Any) -> StorageOptions:
    return attrs.evolve(options, **changed)


@breaks("test_a_store_that_is_not_there_is_not_made_unasked", {"create": False})
class MakesAStoreUnasked(Notebook):
    async def open(self) -> Head:
        self.options = _told(self.options, create=True)
        return await super().open()


@breaks("test_a_store_that_is_not_there_is_not_made_unasked", {"read_only": True})
@breaks("test_a_store_opened_for_reading_takes_no_commit")
class WritesWhereItMayOnlyRead(Notebook):
    async def open(self) -> Head:
        self.options = _told(self.options, read_only=False)
        return await super().open()


@breaks("test_what_it_says_of_itself_is_so")
class SaysItKeepsWhatItForgets(Slate):
    persistent = True
    shared = True


@breaks("test_what_it_says_of_itself_is_so")
class SaysItForgetsWhatItKeeps(Notebook):
    persistent = False


@breaks("test_what_it_says_of_itself_is_so")
class SaysItIsForOne(Notebook):
    shared = False


@breaks("test_the_same_clock_and_the_same_unique_texts_give_the_same_store")
class HasAClockOfItsOwn(Slate):
    async def open(self) -> Head:
        self.options = _told(self.options, unique=StorageOptions().unique)
        return await super().open()


@breaks("test_two_storages_see_each_others_commits_at_once")
class ReadsItsFileWhenOpened(Notebook):
    def catch_up(self) -> None:
        if not self.read_to:
            super().catch_up()

    def append(self, plan: CommitPlan) -> None:
        super().append(plan)
        self.image.store(plan)


@breaks("test_commits_of_two_storages_at_one_time_are_all_kept")
@breaks("test_processes_that_commit_at_one_time_lose_nothing")
class CommitsWithoutTheLatest(Notebook):
    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        with self.lock:
            if not write:
                self.catch_up()
            yield Entry(self)


@breaks("test_a_read_sees_one_state_while_another_storage_commits")
class ShowsHalfACommitToOthers(Notebook):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await self.read(program)
        half = plan.head._replace(seq=plan.head.seq - 1)
        for part in (plan._replace(head=half), CommitPlan(half, plan.head)):
            self.append(part)
            self.catch_up()
            await asyncio.sleep(0)
        return plan


@breaks("test_processes_that_find_no_store_make_one")
class MakesAStoreForEachProcess(Notebook):
    def __init__(self, folder: Path, options: StorageOptions) -> None:
        super().__init__(folder, options)
        self.path = folder / f"notebook of {os.getpid()}"


@breaks("test_what_a_process_acknowledged_survives_its_death")
class WritesWhenItIsClosed(Notebook):
    shared = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kept: list[CommitPlan] = []

    def append(self, plan: CommitPlan) -> None:
        self.kept.append(plan)
        self.image.store(plan)

    def stamp(self) -> int | None:
        return len(self.kept)

    async def close(self) -> None:
        for plan in self.kept:
            super().append(plan)
        await super().close()


@breaks("test_a_forked_child_is_refused_and_the_parent_goes_on")
class TidiesUpInEveryChild(Notebook):
    async def open(self) -> Head:
        head = await super().open()
        os.register_at_fork(after_in_child=lambda: os.ftruncate(self.file, 0))
        return head
