"""Backends whose history or receipts are wrong."""

from __future__ import annotations

from typing import Any

from broken.healthy import Slate, breaks
from polaris_core.abc import CommitPlan, Image


@breaks("test_numbers_of_changes_have_no_gaps")
class LosesTheLastChange(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(changes=plan.changes[:-1] if len(plan.changes) > 1 else plan.changes))


@breaks("test_numbers_of_changes_have_no_gaps")
class KeepsOneChangeOfARecordACommit(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            last = {change.id or -change.seq: change for change in plan.changes}
            super().store(plan._replace(changes=sorted(last.values())))


@breaks("test_changes_come_in_pages_after_a_number")
class BeginsPagesWithTheLastChange(Slate):
    class Records(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
            return super().changes(max(after - 1, 0), limit, id)


@breaks("test_changes_come_in_pages_after_a_number")
class TakesNegativeSlices(Slate):
    class Records(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
            return super().changes(after if after < 2**63 else 0, limit, id)


@breaks("test_changes_are_found_by_the_record_and_by_the_ends_of_an_edge")
class FindsChangesByTheirRecordAlone(Slate):
    class Records(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
            found = super().changes(after, 1 << 30, id)
            return [change for change in found if id in (None, change.id)][:limit]


@breaks("test_changes_are_found_by_the_record_and_by_the_ends_of_an_edge")
class LimitsChangesBeforeItFilters(Slate):
    class Records(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
            found = super().changes(after, limit, None)
            return [change for change in found if id is None or id in (change.id, change.source, change.target)]


class _Whole(Image):
    """Records that keep every change, in a list of their own."""

    def __init__(self, head: Any) -> None:
        super().__init__(head)
        self.told: list[Any] = []

    def store(self, plan: CommitPlan) -> None:
        super().store(plan)
        self.told += plan.changes

    def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
        of = [change for change in self.told if id is None or id in (change.id, change.source, change.target)]
        return [change for change in of if change.seq > after][:limit]


@breaks("test_changes_up_to_the_floor_are_dropped_and_the_others_stay")
class IgnoresTheFloor(Slate):
    Records = _Whole


@breaks("test_changes_up_to_the_floor_are_dropped_and_the_others_stay")
class KeepsTheChangeAtTheFloor(Slate):
    class Records(_Whole):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            self.told = [change for change in self.told if change.seq >= plan.head.floor]


@breaks("test_numbers_go_on_where_history_was_trimmed")
class CountsFromTheLastChangeItKeeps(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            self._head = plan.head._replace(seq=self._changes[-1].seq if self._changes else 0)


@breaks("test_changes_up_to_the_floor_are_dropped_and_the_others_stay")
class CountsChangesFromTheFirstItKeeps(Slate):
    class Records(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
            return super().changes(after + self.head().floor, limit, id)


@breaks("test_a_floor_that_stays_drops_nothing")
class TrimsAgainWithEveryCommit(Slate):
    class Records(_Whole):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            if plan.head.floor == plan.expected.floor > 0:
                self.told = list(plan.changes)
            self.told = [change for change in self.told if change.seq > plan.head.floor]


@breaks("test_a_receipt_is_there_until_it_is_forgotten")
class NeverForgets(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(forget_receipts=0))


@breaks("test_a_receipt_is_there_until_it_is_forgotten")
class ForgetsTooMuch(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(forget_receipts=plan.forget_receipts and plan.forget_receipts + 1))


@breaks("test_a_receipt_replaces_the_one_of_its_key")
class KeepsTheFirstReceipt(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            new = [receipt for receipt in plan.receipts if receipt.key not in self._receipts]
            super().store(plan._replace(receipts=new))


@breaks("test_a_commit_of_nothing_but_a_receipt_is_stored")
class StoresOnlyWhatChangesRecords(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            if plan.changes or plan.head.floor != plan.expected.floor:
                super().store(plan)
