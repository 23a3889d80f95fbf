"""Laws of opening: what is there again, what is made, what is refused."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from polaris_core.errors import StoreBusyError, StoreNotFoundError, StoreReadOnlyError
from polaris_core.mutations import Batch, CreateNode, DeleteNode, UpsertNode
from polaris_core.testing.laws.commits import rich
from polaris_core.testing.laws.history import trimming
from polaris_core.testing.laws.subject import Subject, put, refused
from polaris_core.testing.programs import everything, writing

__all__ = ["OpeningLaws"]

_START = 1_700_000_000_000_000  # microseconds since 1970: some moment in 2023


class OpeningLaws(Subject):
    """Opening a store again finds what was there; opening it otherwise than it can be opened says so."""

    def test_everything_is_there_when_a_store_is_opened_again(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            seen = None
            for number in range(4):
                storage = place.storage()
                head = await storage.open()
                try:
                    held = await storage.read(everything)
                    assert held.head == head, "open returns where the store stands"
                    assert seen in (None, held), "a store that was closed and opened again holds something else"
                    await storage.commit(writing(rich(f"n{number}")))
                    if number:
                        await put(storage, DeleteNode(f"n{number - 1}", detach=True))
                    seen = await storage.read(everything)
                finally:
                    await storage.close()
            assert seen is not None
            assert seen.names == ["n0's friend", "n1's friend", "n2's friend", "n3", "n3's friend"]

        self.run(law)

    def test_the_last_commit_before_closing_is_there(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            for number in range(4):
                async with place.opened() as storage:
                    assert (await storage.read(everything)).counts[0] == number
                    await put(storage, CreateNode(f"n{number}"))

        self.run(law)

    def test_ids_are_never_given_out_again(self) -> None:
        async def law() -> None:
            place = self.place()
            ids = []
            async with place.opened() as storage:
                for _ in range(2):
                    ids.append((await put(storage, CreateNode("a"))).put_nodes[0].id)
                    await put(storage, DeleteNode("a"))
            if self.persistent:
                for _ in range(2):
                    async with place.opened() as storage:
                        ids.append((await put(storage, CreateNode("a"))).put_nodes[0].id)
                        await put(storage, DeleteNode("a"))
            assert ids == list(range(1, len(ids) + 1))

        self.run(law)

    def test_numbers_go_on_when_a_store_is_opened_again(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                first = await put(storage, CreateNode("a"), CreateNode("b"))
            async with place.opened() as storage:
                second = await put(storage, DeleteNode("b"))
                assert [change.seq for change in second.changes] == [3]
            async with place.opened() as storage:
                third = await put(storage, CreateNode("c"))
                held = await storage.read(everything)
                assert [change.seq for change in held.changes] == [1, 2, 3, 4]
                assert (third.head.store, third.head.epoch) == (first.head.store, first.head.epoch)
                assert first.head.time <= second.head.time <= third.head.time

        self.run(law)

    def test_what_was_trimmed_and_forgotten_stays_so(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                await storage.commit(writing(rich("a")))
                await storage.commit(writing(rich("b")))
                later = (await storage.read(everything)).head.time + 1

                async def forgetting(session: Any) -> Any:
                    plan = await trimming(7, Batch(CreateNode("c"), key="new"))(session)
                    return plan._replace(forget_receipts=later)

                async def at(session: Any) -> Any:
                    plan = await forgetting(session)
                    receipts = [receipt._replace(time=later) for receipt in plan.receipts]
                    return plan._replace(receipts=receipts, head=plan.head._replace(time=later))

                await storage.commit(at)
                held = await storage.read(everything)
            async with place.opened() as storage:
                again = await storage.read(everything)
                assert again == held
                assert [change.seq for change in again.changes] == [8, 9, 10, 11]
                assert [row and row.key for row in again.receipts] == ["new"]

        self.run(law)

    def test_a_repeated_batch_is_answered_from_its_receipt_when_a_store_is_opened_again(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                first = (await storage.commit(writing(rich("a")))).outcomes
            async with place.opened() as storage:
                plan = await storage.commit(writing(rich("a")))
                assert (plan.outcomes, plan.writes) == (first, False)

        self.run(law)

    @pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}], ids=["create=False", "read_only"])
    def test_a_store_that_is_not_there_is_not_made_unasked(self, options: dict[str, bool]) -> None:
        async def law() -> None:
            place = self.place()

            async def opening() -> None:
                storage = place.storage(**options)
                await storage.open()
                await storage.close()

            for _ in range(2):
                await refused(opening(), StoreNotFoundError)
            if self.persistent:
                async with place.opened() as storage:
                    await put(storage, CreateNode("a"))
                async with place.opened(**options) as storage:
                    assert (await storage.read(everything)).names == ["a"]

        self.run(law)

    def test_a_store_opened_for_reading_takes_no_commit(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                await storage.commit(writing(rich("a")))
                before = await storage.read(everything)
            async with place.opened(read_only=True) as storage:
                assert await storage.read(everything) == before
                await refused(storage.commit(writing(rich("b"))), StoreReadOnlyError)
                assert await storage.read(everything) == before
            async with place.opened() as storage:
                assert await storage.read(everything) == before

        self.run(law)

    def test_what_it_says_of_itself_is_so(self) -> None:
        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                await put(storage, UpsertNode("a"))
                if not self.persistent:
                    pass
                elif self.shared:
                    async with place.opened() as other:
                        assert (await other.read(everything)).names == ["a"], "shared = True"
                else:
                    second = place.storage(busy_seconds=0.05)
                    await refused(second.open(), StoreBusyError)  # shared = False
            async with place.opened() as storage:
                assert (await storage.read(everything)).names == ["a"] * self.persistent, f"{self.persistent = }"

        self.run(law)

    def test_the_same_clock_and_the_same_unique_texts_give_the_same_store(self) -> None:
        async def law() -> None:
            runs = []
            for _ in range(2):
                numbers = count(1)
                options: dict[str, Any] = {
                    "now": lambda: _START,
                    "unique": lambda numbers=numbers: f"{next(numbers):032x}",
                }
                async with self.place().opened(**options) as storage:
                    await storage.commit(writing(rich("a"), now=_START + 1))
                    runs.append(await storage.read(everything))
            assert runs[0] == runs[1], "clock and randomness are those of the options"
            assert runs[0].head.time == _START + 1

        self.run(law)
