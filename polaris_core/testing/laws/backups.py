"""Laws of the capability `backup`: copies that are whole stores, and restores that begin a new history."""

from __future__ import annotations

import asyncio

from polaris_core.abc.capabilities import Backup
from polaris_core.abc.storage import Storage
from polaris_core.errors import HistoryReplacedError, StorageError, StoreReadOnlyError, StoreUnavailableError
from polaris_core.graph import Graph
from polaris_core.mutations import Batch, CreateNode, DeleteNode, Emit, SetMeta
from polaris_core.storage import StorageService
from polaris_core.testing.laws.callers import whole
from polaris_core.testing.laws.commits import rich
from polaris_core.testing.laws.subject import Place, Subject, put, refused
from polaris_core.testing.programs import Everything, everything, writing
from polaris_core.testing.skipping import not_applicable

__all__ = ["BackupLaws"]


def _backup(storage: Storage) -> Backup:
    assert isinstance(storage, Backup)
    return storage


async def _held(place: Place) -> Everything:
    async with place.opened(create=False) as storage:
        return await storage.read(everything)


class BackupLaws(Subject):
    """What a backup holds can be opened, and can come back."""

    def _needs_backups(self) -> None:
        if "backup" not in self.capabilities:
            not_applicable("'backup' is not among the capabilities")

    def test_a_backup_is_a_store_that_holds_one_committed_state(self) -> None:
        self._needs_backups()

        async def law(storage: Storage) -> None:
            copy = self.place()
            await storage.commit(writing(rich("a"), rich("b")))
            await put(storage, DeleteNode("a", detach=True))
            before = await storage.read(everything)
            told: list[tuple[int, int | None]] = []
            head = await _backup(storage).backup(copy.path, lambda done, of: told.append((done, of)))
            assert await storage.read(everything) == before, "making a backup changes nothing"
            assert [done for done, _ in told] == sorted(done for done, _ in told)
            await storage.commit(writing(rich("later")))
            assert head == before.head
            assert await _held(copy) == before
            async with copy.opened() as other:
                await other.commit(writing(rich("elsewhere")))
            assert "elsewhere" not in (await storage.read(everything)).names

        self.on_a_store(law)

    def test_a_backup_is_made_where_nothing_is(self) -> None:
        self._needs_backups()

        async def law(storage: Storage) -> None:
            copy = self.place()
            await put(storage, CreateNode("a"))
            await _backup(storage).backup(copy.path)
            before = await _held(copy)
            await put(storage, CreateNode("b"))
            await refused(_backup(storage).backup(copy.path), StoreUnavailableError)
            assert await _held(copy) == before, "what stood there already was changed"

        self.on_a_store(law)

    def test_a_backup_is_whole_while_commits_go_on(self) -> None:
        self._needs_backups()

        async def law(storage: Storage) -> None:
            copies = [self.place() for _ in range(3)]

            async def commits() -> None:
                for number in range(15):
                    await storage.commit(writing(rich(f"n{number}")))
                    await asyncio.sleep(0)

            task = asyncio.create_task(commits())
            for copy in copies:
                await asyncio.sleep(0)
                head = await _backup(storage).backup(copy.path)
                held = await _held(copy)
                assert held.head == head
                whole(held)
            await task
            assert len(whole(await storage.read(everything))) == 15

        self.on_a_store(law)

    def test_a_restore_brings_back_what_the_backup_holds_and_begins_a_new_epoch(self) -> None:
        self._needs_backups()

        async def law(storage: Storage) -> None:
            copy = self.place()
            await storage.commit(writing(rich("a"), rich("b")))
            copied = await _backup(storage).backup(copy.path)
            then = await storage.read(everything)
            await put(storage, DeleteNode("a", detach=True), CreateNode("later"), SetMeta("b", 2))
            now, stamp = await storage.read(everything), storage.stamp()
            head = await _backup(storage).restore(copy.path)
            held = await storage.read(everything)
            assert held.head == head
            assert (held.counts, held.nodes, held.edges, held.links) == (
                then.counts,
                then.nodes,
                then.edges,
                then.links,
            )
            assert (held.names, held.meta, held.receipts) == (then.names, then.meta, then.receipts)
            assert head.store == now.head.store, "a store keeps its identity"
            assert head.epoch not in (now.head.epoch, copied.epoch), "a restore begins a new epoch"
            assert [change.seq for change in held.changes] == list(range(head.floor + 1, head.seq + 1))
            assert stamp is None or storage.stamp() != stamp
            plan = await put(storage, CreateNode("after"), Emit("after"))
            assert plan.put_nodes[0].id >= now.head.next_id, "an id was given out again"
            assert plan.changes[0].seq == head.seq + 1 > now.head.seq, "a change number was given out again"
            assert plan.head.time >= now.head.time

        self.on_a_store(law)

    def test_what_was_restored_is_there_when_the_store_is_opened_again(self) -> None:
        self._needs_backups()
        self.needs_persistence()

        async def law() -> None:
            place, copy = self.place(), self.place()
            async with place.opened() as storage:
                await storage.commit(writing(rich("a")))
                await _backup(storage).backup(copy.path)
                await storage.commit(writing(rich("b")))
                await _backup(storage).restore(copy.path)
                await storage.commit(writing(rich("c")))
                held = await storage.read(everything)
            assert await _held(place) == held
            assert held.names == ["a", "a's friend", "c", "c's friend"]

        self.run(law)

    def test_a_restore_of_what_is_no_backup_changes_nothing(self) -> None:
        self._needs_backups()

        async def law(storage: Storage) -> None:
            nothing, something = self.place(), self.place()
            something.path.write_text("no backup")
            await storage.commit(writing(rich("a")))
            before, stamp = await storage.read(everything), storage.stamp()
            for place in (nothing, something):
                await refused(_backup(storage).restore(place.path), StorageError)
                assert await storage.read(everything) == before
                assert storage.stamp() == stamp
            await storage.commit(writing(rich("b")))

        self.on_a_store(law)

    def test_a_store_opened_for_reading_is_not_restored(self) -> None:
        self._needs_backups()
        self.needs_persistence()

        async def law() -> None:
            place, copy = self.place(), self.place()
            async with place.opened() as storage:
                await put(storage, CreateNode("a"))
            async with place.opened(read_only=True) as storage:
                await _backup(storage).backup(copy.path)
                await refused(_backup(storage).restore(copy.path), StoreReadOnlyError)
            assert await _held(place) == await _held(copy)

        self.run(law)

    def test_a_place_in_the_history_before_a_restore_is_refused(self) -> None:
        self._needs_backups()

        async def law() -> None:
            copy = self.place()
            service = StorageService(storage=self.place().storage())
            await service.initialize()
            try:
                graph = Graph(service)
                await graph.create_node("a")
                place = await graph.cursor()
                await _backup(service.storage).backup(copy.path)
                await _backup(service.storage).restore(copy.path)
                await refused(graph.changes(place), HistoryReplacedError)
            finally:
                await service.close()

        self.run(law)

    def test_other_storages_see_a_restore(self) -> None:
        self._needs_backups()
        self.needs_sharing()

        async def law() -> None:
            place, copy = self.place(), self.place()
            async with place.opened() as one, place.opened() as other:
                await one.commit(writing(rich("a")))
                await _backup(one).backup(copy.path)
                await other.commit(writing(rich("b"), Batch(DeleteNode("a", detach=True))))
                stamps = [one.stamp(), other.stamp()]
                head = await _backup(one).restore(copy.path)
                held = await other.read(everything)
                assert (held.head, held.names) == (head, ["a", "a's friend"])
                assert held == await one.read(everything)
                for before, storage in zip(stamps, (one, other), strict=True):
                    assert before is None or storage.stamp() != before
                plan = await put(other, CreateNode("after"))
                assert (await one.read(everything)).head == plan.head

        self.run(law)
