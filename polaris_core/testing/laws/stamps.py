"""Laws of stamps: a number that moves with every commit before it returns, and never comes back."""

from __future__ import annotations

import threading
from typing import Any

from polaris_core.abc.storage import Storage
from polaris_core.mutations import Batch, CreateNode, DeleteNode, SetMeta, UpsertNode
from polaris_core.testing.laws.history import trimming
from polaris_core.testing.laws.subject import Subject, put
from polaris_core.testing.programs import everything, writing
from polaris_core.testing.skipping import not_applicable

__all__ = ["StampLaws"]


def _stamp(storage: Storage) -> int:
    stamp = storage.stamp()
    if stamp is None:
        not_applicable("stamp() is None: what is read is not kept in a cache")
    return stamp


class StampLaws(Subject):
    """Equal stamps mean an equal state."""

    def test_a_stamp_has_moved_when_a_commit_returns(self) -> None:
        async def law(storage: Storage) -> None:
            last = _stamp(storage)
            for number in range(5):
                await put(storage, CreateNode(f"n{number}"))
                moved = storage.stamp()
                assert moved is not None, "a store has a stamp always or never"
                assert moved != last, "the stamp moves before `commit` returns"
                last = moved

        self.on_a_store(law)

    def test_a_stamp_never_comes_back_whatever_is_committed(self) -> None:
        async def law(storage: Storage) -> None:
            states = [(_stamp(storage), await storage.read(everything))]

            async def after(commit: Any) -> None:
                await commit
                states.append((_stamp(storage), await storage.read(everything)))

            for _ in range(3):
                await after(put(storage, CreateNode("a")))
                await after(put(storage, SetMeta("k", 1)))
                await after(put(storage, SetMeta("k", 2)))
                await after(put(storage, DeleteNode("a")))
            await after(put(storage, CreateNode("b")))
            await after(put(storage, UpsertNode("b"), key="a receipt and nothing else"))
            await after(storage.commit(trimming(3)))
            await after(storage.commit(trimming(4, Batch(CreateNode("c")))))
            assert len({state.head for _, state in states}) > 1
            stamps = [stamp for stamp, _ in states]
            assert len(set(stamps)) == len(stamps), f"two states have one stamp: {stamps}"

        self.on_a_store(law)

    def test_a_stamp_stays_while_nothing_is_committed(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, CreateNode("a"))
            stamp = _stamp(storage)
            for _ in range(3):
                await storage.read(everything)
                await storage.commit(writing(Batch(CreateNode("a"))))  # refused
                assert storage.stamp() == stamp, "a read, or a commit that stored nothing, moved the stamp"

        self.on_a_store(law)

    def test_a_stamp_is_the_same_from_any_thread(self) -> None:
        async def law(storage: Storage) -> None:
            for number in range(3):
                await put(storage, CreateNode(f"n{number}"))
                seen: list[int | None] = []
                thread = threading.Thread(target=lambda seen=seen: seen.append(storage.stamp()))
                thread.start()
                thread.join()
                assert seen == [_stamp(storage)]

        self.on_a_store(law)

    def test_a_stamp_moves_for_the_commits_of_another_storage(self) -> None:
        self.needs_sharing()

        async def law() -> None:
            place = self.place()
            async with place.opened() as one, place.opened() as other:
                stamps = {_stamp(one)}
                for number in range(6):
                    writer = (one, other)[number % 2]
                    await put(writer, CreateNode(f"n{number}"))
                    assert _stamp(one) not in stamps, "a foreign commit left the stamp where it had been"
                    stamps.add(_stamp(one))

        self.run(law)
