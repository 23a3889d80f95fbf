"""Laws of several storages of one store, in this process and in others, of processes that die, and of forks."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from polaris_core.mutations import CreateNode
from polaris_core.records import Session
from polaris_core.testing.laws.commits import rich
from polaris_core.testing.laws.subject import Subject, ask, put
from polaris_core.testing.programs import Everything, everything, writing

__all__ = ["ProcessLaws"]


class ProcessLaws(Subject):
    """Whoever has a store open sees what was acknowledged to anybody."""

    def test_two_storages_see_each_others_commits_at_once(self) -> None:
        self.needs_sharing()

        async def law() -> None:
            place = self.place()
            async with place.opened() as one, place.opened() as other:
                for number in range(8):
                    writer, reader = ((one, other), (other, one))[number % 2]
                    plan = await writer.commit(writing(rich(f"n{number}")))
                    held = await reader.read(everything)
                    assert held.head == plan.head, "a commit was acknowledged, and another storage does not see it"
                    assert held == await writer.read(everything)

        self.run(law)

    def test_commits_of_two_storages_at_one_time_are_all_kept(self) -> None:
        self.needs_sharing()

        async def law() -> None:
            place = self.place()
            async with place.opened() as one, place.opened() as other:
                calls = [
                    put(store, CreateNode(f"{at} {n}")) for n in range(20) for at, store in enumerate((one, other))
                ]
                plans = await asyncio.gather(*calls)
                held = await one.read(everything)
                assert held == await other.read(everything)
                assert [change.seq for change in held.changes] == list(range(1, 41))
                assert sorted(plan.head.seq for plan in plans) == list(range(1, 41))

        self.run(law)

    def test_a_read_sees_one_state_while_another_storage_commits(self) -> None:
        self.needs_sharing()

        async def law() -> None:
            place = self.place()
            async with place.opened() as one, place.opened() as other:
                await one.commit(writing(rich("a")))
                before = await one.read(everything)

                async def program(session: Session) -> tuple[Everything, Everything]:
                    return await everything(session), await everything(session)

                async def commits() -> None:
                    for number in range(10):
                        await other.commit(writing(rich(f"n{number}")))

                task = asyncio.create_task(commits())
                while not task.done():
                    first, second = await one.read(program)
                    assert first == second
                    assert first.head.seq >= before.head.seq
                    assert first.head.seq % 5 == 0
                    await asyncio.sleep(0)
                await task

        self.run(law)

    def test_processes_that_commit_at_one_time_lose_nothing(self) -> None:
        self.needs_sharing()
        self.needs_companions()

        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                with ExitStack() as stack:
                    others = [stack.enter_context(place.companion()) for _ in range(2)]
                    for other in others:
                        assert other.answer() == "open"
                    for at, other in enumerate(others):
                        other.tell("create", *(f"{at} {number}" for number in range(25)))
                    mine = [await put(storage, CreateNode(f"mine {number}")) for number in range(25)]
                    theirs = await asyncio.gather(*(asyncio.to_thread(other.answer) for other in others))
                    for other in others:
                        other.close()
                numbers = sorted([plan.head.seq for plan in mine] + [seq for seqs in theirs for seq in seqs])
                assert numbers == list(range(1, 76)), "numbers have gaps, or were given out twice"
                held = await storage.read(everything)
                assert (held.counts, [change.seq for change in held.changes]) == ((75, 0), numbers)

        self.run(law)

    def test_another_process_sees_what_was_acknowledged_and_its_stamp_has_moved(self) -> None:
        self.needs_sharing()
        self.needs_companions()

        async def law() -> None:
            place = self.place()
            async with place.opened() as storage:
                await put(storage, CreateNode("a"))
                with place.companion() as other:
                    assert other.answer() == "open"
                    theirs, mine = [other.ask("stamp")], [storage.stamp()]
                    for number in range(6):
                        if number % 2:
                            other.ask("set", "a", number)
                        else:
                            await put(storage, CreateNode(f"n{number}"))
                        theirs.append(other.ask("stamp"))
                        mine.append(storage.stamp())
                        assert len(other.ask("names")) == (await ask(storage, "counts"))[0]
                    for stamps in (theirs, mine):
                        if None not in stamps:
                            assert len(set(stamps)) == len(stamps), "a foreign commit left the stamp where it had been"
                    other.close()

        self.run(law)

    def test_processes_that_find_no_store_make_one(self) -> None:
        self.needs_sharing()
        self.needs_companions()

        async def law() -> None:
            place = self.place()
            with ExitStack() as stack:
                others = [stack.enter_context(place.companion()) for _ in range(3)]
                for at, other in enumerate(others):
                    other.tell("create", f"n{at}")
                for other in others:
                    assert other.answer() == "open"
                assert sorted(other.answer()[0] for other in others) == [1, 2, 3]
                for other in others:
                    other.close()
            async with place.opened() as storage:
                assert (await storage.read(everything)).names == ["n0", "n1", "n2"]

        self.run(law)

    def test_what_a_process_acknowledged_survives_its_death(self) -> None:
        self.needs_persistence()
        self.needs_companions()

        async def law() -> None:
            place = self.place()
            acknowledged: list[str] = []
            for life in range(3):
                with place.companion() as other:
                    assert other.answer() == "open"
                    other.ask("create", f"{life} a", f"{life} b")
                    acknowledged += [f"{life} a", f"{life} b"]
                    other.tell("create", f"{life} c")  # it may die before, within or after this one
                    other.kill()
                async with place.opened() as storage:
                    held = await storage.read(everything)
                    assert set(acknowledged) <= set(held.names), "what was acknowledged is lost"
                    assert len(held.names) == len(held.nodes) == len(held.changes) == held.head.seq
                    assert [change.seq for change in held.changes] == list(range(1, held.head.seq + 1))

        self.run(law)

    def test_a_forked_child_is_refused_and_the_parent_goes_on(self) -> None:
        self.needs_companions()

        async def law() -> None:
            place = self.place()
            with place.companion() as other:
                assert other.answer() == "open"
                other.ask("create", "before")
                assert other.ask("fork") == "refused"
                other.ask("create", "after")
                assert other.ask("names") == ["after", "before"]
                other.close()
            if self.persistent:
                async with place.opened() as storage:
                    assert (await storage.read(everything)).names == ["after", "before"]

        self.run(law)
