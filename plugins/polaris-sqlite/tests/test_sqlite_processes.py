"""Several processes over one file: nothing lost, nothing stale, nobody locked out, whoever dies."""

from __future__ import annotations

import asyncio
import fcntl
import random
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from polaris_core import CreateNode, StoreBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from polaris_sqlite import SqliteStorage

    from polaris_core.abc import ChangeRecord, CommitPlan, Session

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"

WRITER = """
async def main():
    store = storage()
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    rounds, width, mine = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    for turn in range(rounds):
        await asyncio.gather(*(put(store, CreateNode(f"{mine}-{turn}-{place}")) for place in range(width)))
    await store.close()

asyncio.run(main())
"""

ACKNOWLEDGER = """
async def main():
    store = storage(durability=sys.argv[3])
    await store.open()
    for turn in range(100_000):
        name = f"{sys.argv[2]}-{turn}"
        await put(store, CreateNode(name), CreateNode(f"{name}-twin"))
        os.write(1, f"{name}\\n".encode())

asyncio.run(main())
"""


async def state(store: SqliteStorage) -> Any:
    async def program(seen: Session) -> Any:
        head = await seen.head()
        changes: list[ChangeRecord] = []
        while page := await seen.changes(len(changes), 1000, None):
            changes += page
        return head, [record.name for record in await seen.scan("node", 0, 100_000)], changes

    return await store.read(program)


def look(storage: Make) -> Any:
    async def main() -> Any:
        store = storage()
        await store.open()
        found = await state(store)
        await store.close()
        return found

    return asyncio.run(main())


def intact(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(("rounds", "width"), [(20, 1), (10, 20)])
def test_what_several_processes_commit_at_once_is_all_kept(
    processes: Any, storage: Make, path: Path, rounds: Any, width: Any
) -> None:
    started = [processes.start(WRITER, str(rounds), str(width), mine) for mine in "abc"]
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        assert processes.finish(process) == ""
    head, names, changes = look(storage)
    assert sorted(names) == sorted(f"{m}-{t}-{p}" for m in "abc" for t in range(rounds) for p in range(width))
    assert [change.seq for change in changes] == list(range(1, head.seq + 1))
    assert intact(path)


def test_the_stamp_moves_in_every_process_before_a_commit_returns_and_only_then(
    processes: Any, storage: Make, put: Put
) -> None:
    other = processes.start("""
        async def main():
            store = storage()
            await store.open()
            for line in sys.stdin:
                if line == "put\\n":
                    await put(store, CreateNode(str(store.stamp())))
                print(store.stamp(), flush=True)
            await store.close()

        asyncio.run(main())
    """)

    def tell(what: Any) -> Any:
        other.stdin.write(f"{what}\n")
        other.stdin.flush()
        return int(other.stdout.readline())

    async def main() -> Any:
        store = storage()
        await store.open()
        seen = [tell("stamp")]
        for _ in range(5):
            assert store.stamp() == seen[-1]
            await put(store, CreateNode(f"here {len(seen)}"))
            assert store.stamp() == tell("stamp")
            seen.append(store.stamp())
            await state(store)
            assert store.stamp() == seen[-1]
            seen.append(tell("put"))
            assert store.stamp() == seen[-1]
        await store.close()
        return seen

    seen = asyncio.run(main())
    assert len(set(seen)) == len(seen)


def test_the_stamp_moves_for_a_program_that_is_not_polaris(storage: Make, path: Path) -> None:
    async def main() -> Any:
        store = storage()
        await store.open()
        before = store.stamp()
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE head SET unsynced = 'changed'")
        assert store.stamp() != before
        await store.close()

    asyncio.run(main())


def test_a_busy_store_names_its_holder_at_the_deadline_and_changed_nothing(
    processes: Any, storage: Make, put: Put
) -> None:
    holder = processes.start("""
        import sqlite3, time

        async def main():
            store = storage()
            await store.open()

            async def program(session):
                print("holding", flush=True)
                sys.stdin.readline()
                return await writing(Batch((CreateNode("theirs"),)))(session)

            await store.commit(program)
            await store.close()

        asyncio.run(main())
    """)

    async def main() -> Any:
        store = storage(busy_seconds=0.2)
        await store.open()
        holder.stdin.write("")
        task = asyncio.get_running_loop().run_in_executor(None, holder.stdout.readline)
        assert await task == "holding\n"
        with pytest.raises(StoreBusyError) as caught:
            await put(store, CreateNode("ours"))
        with pytest.raises(StoreBusyError):
            await storage(busy_seconds=0.1).open()
        assert (caught.value.pid, caught.value.seconds) == (holder.pid, 0.2)
        assert (await state(store))[1] == []
        holder.stdin.write("go on\n")
        holder.stdin.flush()
        await asyncio.get_running_loop().run_in_executor(None, holder.wait, 60)
        await put(store, CreateNode("ours"))
        found = await state(store)
        await store.close()
        return found

    assert asyncio.run(main())[1] == ["theirs", "ours"]


def test_a_program_that_is_not_polaris_and_holds_the_database_makes_it_busy(
    storage: Make, put: Put, path: Path
) -> None:
    async def main() -> Any:
        store = storage(busy_seconds=0.2)
        await store.open()
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusyError, match="not Polaris"):
                await put(store, CreateNode("a"))
            foreign.execute("ROLLBACK")
        await put(store, CreateNode("a"))
        await store.close()

    asyncio.run(main())


def test_the_lock_of_a_process_that_was_killed_is_free(processes: Any, storage: Make) -> None:
    holder = processes.start("""
        async def main():
            store = storage()
            await store.open()

            async def program(session):
                print("holding", flush=True)
                sys.stdin.readline()

            await store.commit(program)

        asyncio.run(main())
    """)
    assert holder.stdout.readline() == "holding\n"
    holder.kill()
    holder.wait(60)
    assert look(storage)[1] == []


@pytest.mark.parametrize("durability", ["power", "process"])
def test_nothing_acknowledged_is_lost_when_processes_are_killed_while_they_commit(
    processes: Any, storage: Make, path: Path, durability: Any
) -> None:
    random.seed(durability)
    acknowledged: list[str] = []
    for turn in range(4):
        pair = [processes.start(ACKNOWLEDGER, f"{turn}{mine}", durability) for mine in "ab"]
        for process in pair:
            acknowledged += [process.stdout.readline().strip() for _ in range(random.randint(1, 60))]
        for process in pair:
            process.send_signal(signal.SIGKILL)
            acknowledged += process.stdout.read().split()  # `communicate` would pass by what is buffered here
            _, complaints = process.communicate(timeout=60)
            assert complaints == ""
        head, names, changes = look(storage)
        assert set(acknowledged) <= set(names)
        assert all(f"{name}-twin" in names for name in names if not name.endswith("-twin"))
        assert [change.seq for change in changes] == list(range(1, head.seq + 1))
        assert len(names) == len(changes)
    assert intact(path)
    with path.with_name("graph.db.lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not path.with_name("graph.db-wal").exists()
