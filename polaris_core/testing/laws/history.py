"""Laws of history: changes without gaps, found by what they touch, trimmed at the floor; receipts, until they are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polaris_core.abc.storage import Storage
from polaris_core.model import Patch
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    UpsertNode,
)
from polaris_core.records import ChangeRecord, CommitPlan, Program, Receipt, Session
from polaris_core.testing.laws.subject import Subject, ask, put
from polaris_core.testing.programs import everything, pages, writing

__all__ = ["HistoryLaws", "trimming"]


def trimming(floor: int, *batches: Batch) -> Program[CommitPlan]:
    """Return the program that applies batches and drops the changes up to a number."""
    apply = writing(*batches)

    async def program(session: Session) -> CommitPlan:
        plan = await apply(session)
        return plan._replace(head=plan.head._replace(floor=floor))

    return program


async def _story(storage: Storage) -> list[ChangeRecord]:
    told: list[ChangeRecord] = []
    for mutations in (
        [*map(CreateNode, "abc"), CreateEdge("a", "x", "b"), CreateEdge("b", "x", "b")],
        [Emit("unrelated"), PatchNode("b", Patch(set={"k": 1})), PutEdge("a", "x", "b", {"k": 1})],
        [DeleteEdge("a", "x", "b"), SetMeta("m", 1), DeleteMeta("m"), RenameNode("c", "d"), PutNode("d", "t")],
        [DeleteNode("b", detach=True)],
    ):
        told += (await put(storage, *mutations)).changes
    return told


async def _paged(storage: Storage, size: int, id: int | None) -> list[ChangeRecord]:
    async def program(session: Session) -> list[ChangeRecord]:
        return await pages(lambda after: session.changes(after, size, id), size, lambda change: change.seq)

    return await storage.read(program)


def _of(told: Sequence[ChangeRecord], id: int) -> list[ChangeRecord]:
    return [change for change in told if id in (change.id, change.source, change.target)]


class HistoryLaws(Subject):
    """The feed holds every change; nothing is in it twice, and nothing leaves it but what is trimmed."""

    def test_numbers_of_changes_have_no_gaps(self) -> None:
        async def law(storage: Storage) -> None:
            told = await _story(storage)
            held = await storage.read(everything)
            assert [change.seq for change in held.changes] == list(range(1, held.head.seq + 1))
            assert held.changes == told
            ids = [change.id for change in told if change.kind.endswith(".created")]
            assert ids == list(range(1, held.head.next_id))

        self.on_a_store(law)

    def test_changes_come_in_pages_after_a_number(self) -> None:
        async def law(storage: Storage) -> None:
            told = await _story(storage)
            for size in (1, 2, 5, len(told), 99):
                assert await _paged(storage, size, None) == told
            for after in range(len(told) + 1):
                assert list(await ask(storage, "changes", after, 2, None)) == told[after : after + 2]
            for beyond in (len(told), 999, 2**63 - 1, 2**63, 2**64):
                assert list(await ask(storage, "changes", beyond, 9, None)) == []
                assert list(await ask(storage, "changes", beyond, 9, 1)) == []

        self.on_a_store(law)

    def test_changes_are_found_by_the_record_and_by_the_ends_of_an_edge(self) -> None:
        async def law(storage: Storage) -> None:
            told = await _story(storage)
            for id in range(1, 7):
                for size in (1, 2, 99):
                    assert await _paged(storage, size, id) == _of(told, id), f"changes of {id}, {size} a page"
                assert list(await ask(storage, "changes", 5, 99, id)) == [c for c in _of(told, id) if c.seq > 5]
            assert len(_of(told, 2)) == 8

        self.on_a_store(law)

    def test_changes_up_to_the_floor_are_dropped_and_the_others_stay(self) -> None:
        async def law(storage: Storage) -> None:
            told = await _story(storage)
            for floor in (1, 5, len(told)):
                plan = await storage.commit(trimming(floor))
                assert plan.head.floor == floor
                held = await storage.read(everything)
                assert (held.head, held.changes) == (plan.head, told[floor:])
                for after in (0, floor - 1, floor, floor + 1):
                    assert list(await ask(storage, "changes", after, 3, None)) == told[max(after, floor) :][:3]
                    for id in (1, 2):
                        assert list(await ask(storage, "changes", after, 9, id)) == _of(told[max(after, floor) :], id)

        self.on_a_store(law)

    def test_numbers_go_on_where_history_was_trimmed(self) -> None:
        async def law(storage: Storage) -> None:
            told = await _story(storage)
            plan = await storage.commit(trimming(len(told), Batch(CreateNode("new"))))
            (new,) = plan.changes
            assert new.seq == len(told) + 1
            assert (await storage.read(everything)).changes == [new]
            last = await storage.commit(trimming(new.seq))
            held = await storage.read(everything)
            assert (held.head, held.changes, held.names) == (last.head, [], ["a", "d", "new"])
            (after,) = (await put(storage, CreateNode("newer"))).changes
            assert after.seq == new.seq + 1
            assert list(await ask(storage, "changes", 0, 9, None)) == [after]

        self.on_a_store(law)

    def test_a_floor_that_stays_drops_nothing(self) -> None:
        async def law(storage: Storage) -> None:
            told = await _story(storage)
            await storage.commit(trimming(3))
            plan = await storage.commit(trimming(3, Batch(CreateNode("new"))))
            assert (await storage.read(everything)).changes == [*told[3:], *plan.changes]

        self.on_a_store(law)

    def test_a_receipt_is_there_until_it_is_forgotten(self) -> None:
        async def law(storage: Storage) -> None:
            start = (await ask(storage, "head")).time
            given: list[Receipt] = []
            for hour in range(4):
                plan = await put(storage, CreateNode(f"n{hour}"), key=f"k{hour}", now=start + hour)
                given += plan.receipts
            keys = [f"k{hour}" for hour in range(4)]
            assert list(await ask(storage, "receipts", keys)) == given

            async def forgetting(session: Session) -> CommitPlan:
                plan = await writing(Batch(CreateNode("last"), key="last"), now=start)(session)
                return plan._replace(forget_receipts=start + 2)

            last = await storage.commit(forgetting)
            assert list(await ask(storage, "receipts", keys)) == [None, None, *given[2:]]
            assert list(await ask(storage, "keys", "receipt", "", 9)) == ["k2", "k3", "last"]
            assert list(await ask(storage, "receipts", ["last"])) == list(last.receipts)

        self.on_a_store(law)

    def test_a_receipt_replaces_the_one_of_its_key(self) -> None:
        async def law(storage: Storage) -> None:
            first = (await put(storage, CreateNode("a"), key="k")).receipts[0]

            async def again(session: Session) -> CommitPlan:
                plan = await writing(Batch(CreateNode("b")))(session)
                return plan._replace(receipts=[first._replace(digest="0" * 64, first=2, last=2)])

            plan = await storage.commit(again)
            assert list(await ask(storage, "receipts", ["k"])) == list(plan.receipts)
            assert list(await ask(storage, "keys", "receipt", "", 9)) == ["k"]

        self.on_a_store(law)

    def test_a_commit_of_nothing_but_a_receipt_is_stored(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, CreateNode("a"))
            plan = await put(storage, UpsertNode("a"), key="idle")
            assert (plan.changes, plan.writes) == ([], True)
            held = await storage.read(everything)
            assert (held.head, held.receipts) == (plan.head, list(plan.receipts))
            repeated: Any = (await put(storage, UpsertNode("a"), key="idle")).outcomes[0]
            assert repeated.results[0].status == "unchanged"

        self.on_a_store(law)
