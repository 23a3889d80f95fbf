"""Laws of callers: many at a time, cancelled at any point, on other loops and threads; and what closing leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

from polaris_core.abc.storage import Storage
from polaris_core.errors import StoreClosedError
from polaris_core.mutations import Batch, CreateNode
from polaris_core.records import CommitPlan, Session
from polaris_core.storage import StorageService
from polaris_core.testing.laws.commits import rich
from polaris_core.testing.laws.subject import Subject, put, refused
from polaris_core.testing.programs import Everything, everything, writing

__all__ = ["CallerLaws", "whole"]


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def whole(held: Everything) -> set[str]:
    """Check that every batch of `rich` is there whole or not at all, and return which are."""
    there = {name for name in held.names if not name.endswith("'s friend")}
    assert set(held.names) == there | {f"{name}'s friend" for name in there}
    assert {row.key for row in held.meta if row} == there
    assert {row.key for row in held.receipts if row} == there
    assert held.counts == (2 * len(there), len(there)) == (len(held.nodes), len(held.links))
    assert [change.seq for change in held.changes] == list(range(1, 5 * len(there) + 1))
    assert held.head.seq == 5 * len(there)
    return there


class CallerLaws(Subject):
    """No caller hurts another."""

    def test_commits_made_at_one_time_are_all_kept(self) -> None:
        async def law(storage: Storage) -> None:
            plans = await asyncio.gather(*(storage.commit(writing(rich(f"n{number}"))) for number in range(20)))
            assert len({plan.head.seq for plan in plans}) == 20
            assert len(whole(await storage.read(everything))) == 20

        self.on_a_store(law)

    def test_a_commit_that_is_cancelled_happens_whole_or_not_at_all(self) -> None:
        async def law(storage: Storage) -> None:
            acknowledged = set()
            for turns in range(24):
                name = f"n{turns}"
                task = asyncio.ensure_future(storage.commit(writing(rich(name))))
                await _turns(turns % 8)
                cancelled = task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled() == cancelled, "who is cancelled hears `CancelledError`, and nobody else"
                if not cancelled:
                    acknowledged.add(name)
            await storage.commit(writing(rich("last")))
            there = whole(await storage.read(everything))
            assert acknowledged | {"last"} <= there

        self.on_a_store(law)

    def test_a_read_that_is_cancelled_hurts_nobody(self) -> None:
        async def law(storage: Storage) -> None:
            await storage.commit(writing(rich("a")))
            for turns in range(16):
                task = asyncio.ensure_future(storage.read(everything))
                await _turns(turns % 8)
                cancelled = task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled() == cancelled
            assert whole(await storage.read(everything)) == {"a"}
            await storage.commit(writing(rich("b")))

        self.on_a_store(law)

    def test_callers_that_are_cancelled_among_others_take_nobody_along(self) -> None:
        async def law(storage: Storage) -> None:
            tasks = [asyncio.ensure_future(storage.commit(writing(rich(f"n{number}")))) for number in range(16)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert [task.cancelled() for task in tasks[1::2]] == [False] * 8
            there = whole(await storage.read(everything))
            assert {f"n{number}" for number in range(1, 16, 2)} <= there

        self.on_a_store(law)

    def test_an_opening_that_is_cancelled_leaves_a_store_that_can_be_opened(self) -> None:
        async def law() -> None:
            place = self.place()
            for turns in range(8):
                storage = place.storage()
                task = asyncio.ensure_future(storage.open())
                await _turns(turns)
                if not task.cancel():
                    await task
                    await storage.close()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            async with place.opened() as storage:
                await storage.commit(writing(rich("a")))
                assert whole(await storage.read(everything)) == {"a"}

        self.run(law)

    def test_one_service_is_used_from_many_loops(self) -> None:
        async def law(storage: Storage) -> None:
            service = StorageService(storage=storage)
            await service.initialize()
            failed: list[BaseException] = []

            def elsewhere(name: str) -> None:
                async def calls() -> None:
                    for number in range(5):
                        commit = await service.commit(rich(f"{name}-{number}"))
                        held = await service.read(everything)
                        assert held.head.seq >= commit.last
                        assert f"{name}-{number}" in whole(held)

                try:
                    asyncio.run(calls())
                except BaseException as error:  # noqa: BLE001 - whatever it is, the law is to hear of it
                    failed.append(error)

            threads = [threading.Thread(target=elsewhere, args=(f"t{number}",)) for number in range(4)]
            try:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    await asyncio.to_thread(thread.join)
                if failed:
                    raise failed[0]
                assert len(whole(await service.read(everything))) == 20
            finally:
                await service.close()

        async def on_a_place() -> None:
            await law(self.place().storage())

        self.run(on_a_place)

    def test_a_closed_graph_refuses_calls_and_may_be_closed_again(self) -> None:
        async def law() -> None:
            service = StorageService(storage=self.place().storage())
            await service.initialize()
            await service.commit(rich("a"))
            last = asyncio.ensure_future(service.commit(rich("b")))
            await asyncio.sleep(0)
            await asyncio.gather(service.close(), service.close())
            assert (await last).first == 6
            await service.close()
            await refused(service.read(everything), StoreClosedError)
            await refused(service.commit(rich("c")), StoreClosedError)

        self.run(law)

    def test_what_is_closed_leaves_no_thread_and_no_descriptor_behind(self) -> None:
        descriptors = Path("/proc/self/fd")

        async def use() -> None:
            for _ in range(5):
                async with self.place().opened() as storage:
                    await storage.commit(writing(rich("a")))
                    await storage.read(everything)

        def held() -> tuple[set[threading.Thread], int]:
            return set(threading.enumerate()), len(list(descriptors.iterdir())) if descriptors.exists() else 0

        self.run(use)  # what is opened once and for the process is open now
        threads, files = held()
        self.run(use)
        later, more = held()
        for thread in later - threads:
            thread.join(3)
            assert not thread.is_alive(), f"{thread.name} goes on after close"
        assert more <= files, f"{more - files} descriptors are open after close"

    def test_two_stores_are_two(self) -> None:
        async def law() -> None:
            async with self.place().opened() as one, self.place().opened() as other:
                await put(one, CreateNode("a"))
                assert (await other.read(everything)).counts == (0, 0)

                async def across(session: Session) -> CommitPlan:
                    return await writing(Batch(CreateNode("b")))(session)

                await asyncio.gather(one.commit(across), other.commit(across))
                assert (await one.read(everything)).names == ["a", "b"]
                assert (await other.read(everything)).names == ["b"]

        self.run(law)
