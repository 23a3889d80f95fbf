"""Backends whose backups are no copies, whose restores go wrong, or that lose what was loaded."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import attrs

from broken.healthy import Notebook, Slate, breaks
from polaris_core.abc import CommitPlan, Head, Image, Progress
from polaris_core.storage.loading import StageInMemory


@breaks("test_a_backup_is_a_store_that_holds_one_committed_state")
class LinksItsBackups(Notebook):
    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        os.link(self.path, target)
        return self.image.head()


@breaks("test_a_backup_is_made_where_nothing_is")
class ReplacesItsBackups(Notebook):
    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        target.unlink(missing_ok=True)
        return await super().backup(target, progress)


@breaks("test_a_backup_is_whole_while_commits_go_on")
class BacksUpWhatComesMeanwhile(Notebook):
    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        head = self.image.head()
        await asyncio.sleep(0)
        await super().backup(target, progress)
        return head


@breaks("test_a_restore_brings_back_what_the_backup_holds_and_begins_a_new_epoch")
@breaks("test_a_place_in_the_history_before_a_restore_is_refused")
class KeepsItsEpoch(Notebook):
    def restored_head(self, there: Head, here: Head) -> Head:
        return super().restored_head(there, here)._replace(epoch=here.epoch)


@breaks("test_a_restore_brings_back_what_the_backup_holds_and_begins_a_new_epoch")
class GivesNumbersOutAgain(Notebook):
    def restored_head(self, there: Head, here: Head) -> Head:
        return there._replace(store=here.store, epoch=self.options.unique())


@breaks("test_a_restore_brings_back_what_the_backup_holds_and_begins_a_new_epoch")
class BecomesTheStoreThatWasBackedUp(Notebook):
    def restored_head(self, there: Head, here: Head) -> Head:
        return super().restored_head(there, here)._replace(epoch=there.epoch)


@breaks("test_what_was_restored_is_there_when_the_store_is_opened_again")
@breaks("test_other_storages_see_a_restore")
class RestoresInMemory(Notebook):
    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        self.image = self.read_backup(source).image(self.Records)
        return self.image.head()

    def append(self, plan: CommitPlan) -> None:
        super().append(plan)


@breaks("test_a_restore_of_what_is_no_backup_changes_nothing")
class ClearsBeforeItLooks(Notebook):
    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        head = self.image.head()
        self.append(CommitPlan(head, head, delete_nodes=list(self.image._nodes), delete_edges=list(self.image._edges)))
        return await super().restore(source, progress)


@breaks("test_a_store_opened_for_reading_is_not_restored")
class RestoresWhereItMayOnlyRead(Notebook):
    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        self.options = attrs.evolve(self.options, read_only=False)
        return await super().restore(source, progress)


@breaks("test_a_load_into_an_empty_store_is_one_commit")
class StoresHundredNodesACommit(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(put_nodes=plan.put_nodes[:100]))


@breaks(
    "test_a_load_into_a_filled_store_does_what_it_was_told_of_what_exists",
    "replace",
    "skip",
)
class ReplacesNothing(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(put_nodes=[node for node in plan.put_nodes if not self.nodes([node.id])[0]]))


@breaks("test_what_waits_to_be_loaded_is_seen_by_nobody_and_holds_up_nobody")
class ShowsWhatWaits(Slate):
    capabilities = frozenset({"load"})

    async def stage(self) -> StageInMemory:
        return Showing(self)


class Showing(StageInMemory):
    """A stage that tells the store of what it is given."""

    def __init__(self, slate: Slate) -> None:
        super().__init__(slate.commit)
        self.image = slate.image

    async def put(self, nodes: Any, edges: Any) -> None:
        """Keep records, and let the store know."""
        await super().put(nodes, edges)
        head = self.image.head()
        self.image.store(CommitPlan(head, head._replace(time=head.time + 1)))


@breaks("test_what_was_loaded_is_there_when_a_store_is_opened_again")
class KeepsLargeCommitsInMemory(Notebook):
    def append(self, plan: CommitPlan) -> None:
        if len(plan.put_nodes) < 100:
            super().append(plan)
        else:
            self.image.store(plan)
