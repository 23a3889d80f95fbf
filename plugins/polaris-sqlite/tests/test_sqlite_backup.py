"""Backups are whole, made beside whoever writes; a restore is seen whole or not at all, by everybody."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage

from polaris_core import (
    CreateNode,
    DeleteNode,
    HistoryReplacedError,
    Patch,
    PatchNode,
    StoreDamagedError,
    StoreFormatError,
    StoreNotFoundError,
    StoreReadOnlyError,
    StoreUnavailableError,
    open_graph,
)
from polaris_core.abc import Head, Location, Session, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from polaris_core.abc import CommitPlan

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"

FIRST = Path(__file__).with_name("layout_1.sql").read_text(encoding="utf-8")


def at(path: Path, **options: Any) -> SqliteStorage:
    return SqliteStorage(Location(scheme="sqlite", path=str(path)), StorageOptions(**options))


def within(store: SqliteStorage, function: Any) -> Any:
    async def main() -> Any:
        await store.open()
        try:
            return await function(store)
        finally:
            await store.close()

    return asyncio.run(main())


async def everything(store: SqliteStorage) -> Any:
    async def program(seen: Session) -> Any:
        return (
            await seen.head(),
            list(await seen.scan("node", 0, 100_000)),
            list(await seen.changes(0, 100_000, None)),
            list(await seen.receipts(["key"])),
        )

    return await store.read(program)


async def names(store: SqliteStorage) -> Any:
    return [node.name for node in (await everything(store))[1]]


def test_a_backup_holds_one_committed_state_with_its_history_and_is_a_store(
    path: Path, storage: Make, put: Put, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"

    async def main() -> Any:
        store = storage()
        await store.open()
        await put(store, *(CreateNode(f"n{i}", attributes={"k": "x" * 300}) for i in range(500)), key="key")
        told: list[tuple[int, int | None]] = []
        head = await store.backup(target, lambda done, of: told.append((done, of)))
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
        before = await everything(store)
        await put(store, DeleteNode("n0"))
        await store.close()
        return head, before

    head, before = asyncio.run(main())
    assert head == before[0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "graph.db", "graph.db.lock"]
    assert within(at(target, read_only=True), everything) == before
    assert within(at(target, create=False), lambda store: put(store, CreateNode("new"))).head.seq == head.seq + 1
    assert within(at(target), lambda store: store.verify()).findings == ()


def test_a_backup_can_be_read_where_nothing_can_be_written_and_is_for_the_same_eyes(
    path: Path, storage: Make, put: Put, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    within(storage(), lambda store: put(store, CreateNode("a")))
    path.chmod(0o600)
    within(storage(), lambda store: store.backup(target))
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_backup_goes_where_nothing_is_and_leaves_nothing_where_it_fails(storage: Make, tmp_path: Path) -> None:
    async def main(store: SqliteStorage) -> None:
        taken = tmp_path / "taken.db"
        taken.write_text("mine")
        (tmp_path / "dangling.db").symlink_to("nowhere")
        for target in (taken, tmp_path, tmp_path / "dangling.db"):
            with pytest.raises(StoreUnavailableError, match="something at"):
                await store.backup(target)
        with pytest.raises(StoreUnavailableError):
            await store.backup(tmp_path / "missing" / "copy.db")
        assert taken.read_text() == "mine"

    within(storage(), main)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dangling.db", "graph.db", "graph.db.lock", "taken.db"]


WRITER = """
async def main():
    store = storage()
    await store.open()
    print("ready", flush=True)
    number = 0
    while not os.path.exists(sys.argv[3]):
        name = f"{sys.argv[2]}{number}"
        await put(store, CreateNode(name, attributes={"k": "x" * 2000}), CreateNode(name + "-twin"))
        number += 1
    await store.close()

asyncio.run(main())
"""


def test_a_backup_is_whole_while_other_processes_write(
    path: Path, storage: Make, put: Put, processes: Any, tmp_path: Path
) -> None:
    within(
        storage(), lambda store: put(store, *(CreateNode(f"n{i}", attributes={"k": "x" * 900}) for i in range(2000)))
    )
    end = tmp_path / "end"
    writers = [processes.start(WRITER, mine, str(end)) for mine in "ab"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"

    async def main(store: SqliteStorage) -> list[Head]:
        return [await store.backup(tmp_path / f"copy{number}.db") for number in range(4)]

    heads = within(storage(), main)
    end.touch()
    for writer in writers:
        processes.finish(writer)
    assert heads == sorted(heads, key=lambda head: head.seq)
    assert heads[0].seq < heads[-1].seq
    for number, head in enumerate(heads):
        copy = tmp_path / f"copy{number}.db"
        seen, nodes, changes, _ = within(at(copy, read_only=True), everything)
        found = {node.name for node in nodes}
        assert (seen, len(changes)) == (head, head.seq)
        assert all(f"{name}-twin" in found for name in found if name[0] in "ab" and not name.endswith("-twin"))
        assert within(at(copy), lambda store: store.verify()).findings == ()


async def filled(store: SqliteStorage, put: Put, many: int = 300) -> None:
    await put(store, *(CreateNode(f"n{i}", attributes={"k": "x" * 2000}) for i in range(many)), key="key")


def test_a_restore_brings_back_what_the_backup_holds_and_gives_no_number_out_again(
    storage: Make, put: Put, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    async def main(store: SqliteStorage) -> None:
        await filled(store, put)
        copied = await store.backup(copy)
        before = await everything(store)
        await put(store, *(DeleteNode(f"n{i}") for i in range(200)), CreateNode("later"))
        present = (await everything(store))[0]
        stamp = store.stamp()
        told: list[tuple[int, int | None]] = []
        head = await store.restore(copy, lambda done, of: told.append((done, of)))
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
        assert store.stamp() != stamp
        seen, nodes, changes, receipts = await everything(store)
        assert seen == head
        assert (nodes, receipts) == (before[1], before[3])
        assert (head.store, head.seq, head.next_id) == (present.store, present.seq, present.next_id)
        assert head.epoch not in (present.epoch, copied.epoch)
        assert (changes, head.floor) == ([], head.seq)
        plan = await put(store, CreateNode("after"))
        assert plan.put_nodes[0].id >= present.next_id
        assert plan.put_nodes[0].revision == present.seq + 1
        assert (await store.verify()).findings == ()

    within(storage(), main)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "graph.db", "graph.db.lock"]


def test_a_restore_into_a_new_store_brings_the_history_too(storage: Make, put: Put, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    async def first(store: SqliteStorage) -> Any:
        await filled(store, put)
        await store.backup(copy)
        return await everything(store)

    async def second(store: SqliteStorage) -> None:
        head = await store.restore(copy)
        assert (await everything(store))[1:] == before[1:]
        assert head.store != before[0].store
        assert head.seq == before[0].seq

    before = within(storage(), first)
    within(at(tmp_path / "new.db"), second)


def test_a_backup_of_an_older_layout_is_restored_and_stays_as_it_is(storage: Make, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as database:
        database.executescript(FIRST)
    kept = old.read_bytes()

    async def main(store: SqliteStorage) -> None:
        assert (await store.restore(old)).seq == 12
        assert await names(store) == ["Ada Lovelace", "Analytical Engine", "Zürich 🚀", "right"]
        assert (await store.verify()).findings == ()

    within(storage(), main)
    assert old.read_bytes() == kept


def test_a_backup_with_pages_of_another_size_is_restored(storage: Make, put: Put, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    async def first(store: SqliteStorage) -> Any:
        await filled(store, put, 20)
        await store.backup(copy)

    within(storage(), first)
    with closing(sqlite3.connect(copy, isolation_level=None)) as database:
        database.execute("PRAGMA page_size = 8192")
        database.execute("VACUUM")

    async def main(store: SqliteStorage) -> None:
        await put(store, DeleteNode("n3"))
        await store.restore(copy)
        assert len(await names(store)) == 20

    within(storage(), main)


def make_foreign(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("CREATE TABLE theirs (a)")


def make_damaged(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as database:
        database.executescript(FIRST)
        database.execute("UPDATE nodes SET body = body || ' ' WHERE id = 3")
        database.commit()


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda copy: None, StoreNotFoundError, "copy.db"),
        (lambda copy: copy.touch(), StoreNotFoundError, "empty"),
        (lambda copy: copy.mkdir(), StoreUnavailableError, "not a file"),
        (lambda copy: copy.write_text("text " * 1000), StoreFormatError, "not a SQLite database"),
        (make_foreign, StoreFormatError, "not a Polaris graph"),
        (make_damaged, StoreDamagedError, "nothing was replaced: node 3"),
    ],
)
def test_what_is_no_sound_backup_replaces_nothing(
    storage: Make, put: Put, tmp_path: Path, make: Any, error: Any, says: str
) -> None:
    copy = tmp_path / "copy.db"
    make(copy)

    async def main(store: SqliteStorage) -> None:
        await put(store, CreateNode("kept"))
        before = await everything(store)
        with pytest.raises(error, match=says):
            await store.restore(copy)
        assert await everything(store) == before

    within(storage(), main)
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".part")]


def test_a_store_opened_for_reading_is_backed_up_and_not_restored(storage: Make, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    within(storage(), names)
    within(storage(read_only=True), lambda store: store.backup(copy))
    with pytest.raises(StoreReadOnlyError):
        within(storage(read_only=True), lambda store: store.restore(copy))


RESTORES = """
from pathlib import Path

async def main():
    store = storage()
    await store.open()
    await store.restore(Path(sys.argv[2]))
    await store.close()

asyncio.run(main())
"""


def test_every_process_sees_a_restore_and_no_cache_serves_what_was_there_before(
    path: Path, processes: Any, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    async def main() -> None:
        async with open_graph(f"sqlite:///{path}") as graph, open_graph(f"sqlite:///{path}") as other:
            await graph.create_node("a", attributes={"v": 1})
            assert isinstance(graph.service.storage, SqliteStorage)
            await graph.service.storage.backup(copy)
            await graph.patch_node("a", set={"v": 2})
            cursor = await other.cursor()
            for _ in range(2):
                assert (await other.get_node("a")).attributes["v"] == 2
            assert processes.run(RESTORES, str(copy)) == ""
            assert (await other.get_node("a")).attributes["v"] == 1
            with pytest.raises(HistoryReplacedError):
                await other.changes(cursor)
            await other.patch_node("a", set={"v": 3})
            assert (await other.cursor()).seq == 3

    asyncio.run(main())


DIES = """
from pathlib import Path
import signal

async def main():
    store = storage()
    await store.open()
    calls = 0

    def told(done, of):
        nonlocal calls
        calls += 1
        if calls == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

    await store.restore(Path(sys.argv[2]), told)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_process_killed_while_it_restores_leaves_the_old_state_or_the_new_one(
    storage: Make, put: Put, processes: Any, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    async def main(store: SqliteStorage) -> None:
        await filled(store, put, 3000)
        await store.backup(copy)
        await put(store, *(DeleteNode(f"n{i}") for i in range(100)), PatchNode("n200", Patch(set={"new": True})))

    within(storage(), main)
    replaced = []
    for point in (1, 2, 3, 4, 6, 7, 8, 9, 10, 99):
        before = within(storage(), everything)
        process = processes.start(DIES, str(copy), str(point))
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        after = within(storage(), everything)
        replaced.append(after[0].epoch != before[0].epoch)
        if replaced[-1]:
            assert len(after[1]) == 3000
        else:
            assert after == before
        assert within(storage(), lambda store: store.verify()).findings == ()
    assert (replaced[0], replaced[-1]) == (False, True)
    within(storage(), lambda store: store.restore(copy))
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".part")]


def test_a_copy_that_is_cancelled_ends_and_leaves_nothing(storage: Make, put: Put, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    async def main(store: SqliteStorage) -> None:
        await filled(store, put, 3000)
        await store.backup(copy)
        before = await names(store)
        for turns in range(0, 30, 3):
            for function in (lambda: store.backup(tmp_path / "other.db"), lambda: store.restore(copy)):
                task = asyncio.ensure_future(function())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert await names(store) == before
                (tmp_path / "other.db").unlink(missing_ok=True)

    within(storage(), main)
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".part")]


def test_a_store_with_durability_process_is_restored_and_its_next_commit_marked(
    path: Path, storage: Make, put: Put, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    async def main(store: SqliteStorage) -> None:
        await put(store, CreateNode("a"))
        await store.backup(copy)
        await store.restore(copy)
        await put(store, CreateNode("b"))
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            assert database.execute("SELECT unsynced FROM head").fetchone() != (None,)

    within(storage(durability="process"), main)
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT unsynced FROM head").fetchone() == (None,)


LIMITED = """
from pathlib import Path
import resource, signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

async def main():
    store = storage(read_only=True)
    await store.open()
    try:
        await store.backup(Path(sys.argv[2]))
    except StoreUnavailableError as error:
        print(sys.argv[2] in str(error))
    await store.close()

asyncio.run(main())
"""


def test_a_backup_that_may_not_grow_is_named_and_nothing_is_left_of_it(
    storage: Make, put: Put, processes: Any, tmp_path: Path
) -> None:
    within(storage(), lambda store: filled(store, put, 500))
    assert processes.run(LIMITED, str(tmp_path / "copy.db")) == "True\n"
    assert not [file for file in tmp_path.iterdir() if "copy" in file.name]
