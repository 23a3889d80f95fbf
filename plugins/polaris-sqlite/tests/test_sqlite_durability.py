"""What a store keeps and what it notices: damage, faults of the disk, lost power, and a log that stays short."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage, power
from polaris_sqlite.database import CHECKPOINT_PAGES

from polaris_core import (
    CreateEdge,
    CreateNode,
    Emit,
    SetMeta,
    StoreDamagedError,
    StoreFullError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from polaris_core.abc import CommitPlan, Session

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"

NEEDLE = "needle-0123456789"


async def everything(seen: Session) -> Any:
    await seen.head()
    await seen.scan("node", 0, 100)
    await seen.scan("edge", 0, 100)
    await seen.meta(["m"])
    await seen.changes(0, 100, None)
    return await seen.receipts(["k"])


def kept(storage: Make, put: Put, *mutations: Any, key: Any = None) -> Any:
    async def main() -> Any:
        store = storage()
        await store.open()
        await put(store, *mutations, key=key)
        await store.close()

    asyncio.run(main())


def look(storage: Make, program: Any = everything) -> Any:
    async def main() -> Any:
        store = storage()
        try:
            await store.open()
            return await store.read(program)
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80], ids=["digit", "case", "no UTF-8"])
@pytest.mark.parametrize(
    ("mutations", "places"),
    [
        ((CreateNode("a", attributes={"k": NEEDLE}),), {"node 1", "change 1"}),
        ((CreateNode("a"), CreateEdge("a", "x", "a", {"k": NEEDLE})), {"edge 2", "change 2"}),
        ((SetMeta("m", NEEDLE),), {"meta 'm'", "change 1"}),
        ((Emit("t", None, NEEDLE),), {"change 1"}),
    ],
    ids=["node", "edge", "meta", "event"],
)
def test_a_bit_that_flips_in_a_row_is_found_when_the_row_is_read(
    path: Path, storage: Make, put: Put, mutations: Any, places: Any, bit: Any
) -> None:
    kept(storage, put, *mutations)
    sound = path.read_bytes()
    where = [place for place in range(len(sound)) if sound.startswith(NEEDLE.encode(), place)]
    found = set()
    for place in where:
        damaged = bytearray(sound)
        damaged[place + 3] ^= bit
        path.write_bytes(damaged)
        with pytest.raises(StoreDamagedError) as caught:
            look(storage)
        found.add(caught.value.where)
    assert found == places
    path.write_bytes(sound)
    look(storage)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE nodes SET revision = revision + 1", "node 1"),
        ("UPDATE nodes SET id = 7", "node 7"),
        ("UPDATE receipts SET last = 9", "receipt 'k'"),
        ("UPDATE changes SET id = 3", "change 1"),
        ("UPDATE head SET seq = 0", "the head"),
    ],
)
def test_a_row_that_was_changed_behind_polaris_back_is_found(
    path: Path, storage: Make, put: Put, statement: Any, where: Any
) -> None:
    kept(storage, put, CreateNode("a"), key="k")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
    with pytest.raises(StoreDamagedError) as caught:
        look(storage)
    assert where in caught.value.where


def test_the_log_stays_short_however_much_is_committed(path: Path, storage: Make, put: Put) -> None:
    async def main() -> Any:
        store = storage()
        await store.open()
        longest = 0
        for turn in range(1_500):
            await put(store, CreateNode(f"n{turn}", attributes={"k": "x" * 3_000}))
            longest = max(longest, path.with_name("graph.db-wal").stat().st_size)
        await store.close()
        return longest

    assert asyncio.run(main()) < 2 * CHECKPOINT_PAGES * 4_120


def test_the_log_stays_short_beside_readers_that_never_pause(path: Path, storage: Make, put: Put) -> None:
    async def main() -> Any:
        store, stop = storage(), asyncio.Event()
        await store.open()

        async def read() -> Any:
            while not stop.is_set():
                await store.read(everything)

        readers = [asyncio.ensure_future(read()) for _ in range(4)]
        longest = 0
        for turn in range(400):
            await put(store, CreateNode(f"n{turn}", attributes={"k": "x" * 30_000}))
            longest = max(longest, path.with_name("graph.db-wal").stat().st_size)
        stop.set()
        await asyncio.gather(*readers)
        await store.close()
        return longest

    assert asyncio.run(main()) < 6 * CHECKPOINT_PAGES * 4_120


def test_a_full_disk_refuses_the_commit_changes_nothing_and_goes_on_when_there_is_room(storage: Make, put: Put) -> None:
    async def main() -> Any:
        store = storage()
        await store.open()
        await put(store, CreateNode("a"))
        writer = store._file._for_writing()
        (pages,) = await writer.run(lambda database: database.execute("PRAGMA page_count").fetchone())
        await writer.run(lambda database: database.execute(f"PRAGMA max_page_count = {pages + 2}").fetchall())
        with pytest.raises(StoreFullError):
            await put(store, CreateNode("b", attributes={"k": "x" * 900_000}))
        await put(store, CreateNode("c"))
        await writer.run(lambda database: database.execute("PRAGMA max_page_count = 100000").fetchall())
        await put(store, CreateNode("b", attributes={"k": "x" * 900_000}))

        async def program(seen: Session) -> Any:
            return await seen.keys("node", "", 9), await seen.head()

        found = await store.read(program)
        await store.close()
        return found

    names, head = asyncio.run(main())
    assert (names, head.seq) == (["a", "b", "c"], 3)


LIMITED = """
import resource

async def main():
    store = storage()
    await store.open()
    await put(store, CreateNode("a"))
    size = os.stat(path + "-wal").st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        await put(store, CreateNode("failed", attributes={"k": "x" * 50_000}))
    except PolarisError as error:
        print(type(error).__name__)
    for name in ("b", "c"):
        try:
            await put(store, CreateNode(name))
        except PolarisError as error:
            print(type(error).__name__)
    print(await names(store))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await put(store, CreateNode("d"))
    print(await names(store), flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("room", "printed"),
    [
        (0, ["OutcomeUnknownError", "StoreUnavailableError", "StoreUnavailableError", "['a']", "['a', 'd']"]),
        (41_200, ["StoreUnavailableError", "StoreUnavailableError", "['a', 'b']", "['a', 'b', 'd']"]),
    ],
    ids=["no room to take it back", "room to take it back"],
)
def test_a_fault_of_the_disk_while_committing_is_taken_back_or_called_unknown(
    processes: Any, storage: Make, room: Any, printed: Any
) -> None:
    process = processes.start(LIMITED, str(room))
    said, complaints = process.communicate(timeout=60)
    assert complaints == ""
    assert said.split("\n")[:-1] == printed

    async def program(seen: Session) -> Any:
        return await seen.keys("node", "", 9)

    assert str(look(storage, program)) == printed[-1]


def test_power_lost_below_full_durability_begins_a_new_epoch_and_anything_less_does_not(
    storage: Make, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cycle(*names: Any, durability: Any = "process", close: Any = True) -> Any:
        store = storage(durability=durability)
        head = await store.open()
        for name in names:
            await put(store, CreateNode(name))
        if close:
            await store.close()
        return head.epoch, store

    async def main() -> Any:
        first, _ = await cycle("a")
        assert (await cycle())[0] == first
        second, unclosed = await cycle("b", close=False)
        assert (await cycle())[0] == first == second  # the process died, the machine did not
        await put(unclosed, CreateNode("c"))
        monkeypatch.setattr(power, "boot", lambda: "after the power came back")
        renewed, _ = await cycle(durability="power")
        assert renewed != first
        assert (await cycle())[0] == renewed
        await unclosed.close()
        monkeypatch.setattr(power, "boot", lambda: "and once more")
        assert (await cycle(durability="power"))[0] == renewed

    asyncio.run(main())


def test_full_durability_is_asked_of_sqlite_for_every_commit(storage: Make, put: Put) -> None:
    async def main() -> Any:
        found: list[object] = []
        for durability in ("power", "process", "power"):
            store = storage(durability=durability)
            await store.open()
            await put(store, CreateNode(f"{len(found)}"))
            writer = store._file._for_writing()
            found.append(await writer.run(lambda database: database.execute("PRAGMA synchronous").fetchone()))
            assert await writer.run(lambda database: database.execute("PRAGMA wal_autocheckpoint").fetchone()) == (0,)
            await store.close()
        return found

    assert asyncio.run(main()) == [(2,), (1,), (2,)]
