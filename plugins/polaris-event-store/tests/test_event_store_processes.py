"""Several processes over one log: one order, nothing lost, whoever dies; and the log as a bus and a plugin use it."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_event_store import EventStore
from polaris_event_store.plugin import polaris_event_stores
from polaris_sqlite import SqliteStorage

from polaris_core import (
    EventBus,
    InvalidLocationError,
    StoreFormatError,
    StoreNotFoundError,
)
from polaris_core.abc import Event, Location, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MakeLog: TypeAlias = "Callable[..., EventStore]"

APPENDER = """
async def main():
    async with EventStore(path) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for turn in range(20):
            ids = [f"{sys.argv[2]}-{turn}-{place}" for place in range(10)]
            await asyncio.gather(*(store.append([event(id), event(f"shared {turn}")]) for id in ids))

asyncio.run(main())
"""

RELAY = """
async def main():
    store = EventStore(path)
    await store.open()
    moved = 0
    while moved < 30:
        place = await store.place("graph")
        number = int(place or 0)
        try:
            await store.append([event(f"{number}", "graph")], feed="graph", expected=place, new=str(number + 1))
        except EventConflictError:
            continue
        moved += 1
    await store.close()

asyncio.run(main())
"""

ACKNOWLEDGER = """
async def main():
    store = EventStore(path)
    await store.open()
    for turn in range(100_000):
        id = f"{sys.argv[2]}-{turn}"
        await store.append([event(id), event(f"{id}-twin")])
        os.write(1, f"{id}\\n".encode())

asyncio.run(main())
"""


def everything(log: MakeLog) -> Any:
    async def main() -> Any:
        async with log() as store:
            found: list[Event] = []
            while page := await store.read(found[-1].position if found else 0):
                found += page
            assert [one.position for one in found] == list(range(1, len(found) + 1))
            assert await store.last() == len(found)
            return [one.id for one in found], await store.place("graph")

    return asyncio.run(main())


def test_what_two_processes_append_at_once_is_all_there_in_one_order(processes: Any, log: MakeLog) -> None:
    pair = [processes.start(APPENDER, mine) for mine in "ab"]
    for process in pair:
        assert process.stdout.readline() == "ready\n"
    for process in pair:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in pair:
        processes.finish(process)
    ids, _ = everything(log)
    mine = [f"{name}-{turn}-{place}" for name in "ab" for turn in range(20) for place in range(10)]
    assert sorted(ids) == sorted([*mine, *(f"shared {turn}" for turn in range(20))])


def test_two_relays_of_one_feed_append_each_change_once_and_in_order(processes: Any, log: MakeLog) -> None:
    pair = [processes.start(RELAY) for _ in "ab"]
    for process in pair:
        processes.finish(process)
    assert everything(log) == ([str(number) for number in range(60)], "60")


def test_nothing_acknowledged_is_lost_when_processes_are_killed_while_they_append(processes: Any, log: MakeLog) -> None:
    random.seed(3)
    acknowledged = []
    for turn in range(3):
        pair = [processes.start(ACKNOWLEDGER, f"{turn}{mine}") for mine in "ab"]
        for process in pair:
            acknowledged += [process.stdout.readline().strip() for _ in range(random.randint(1, 60))]
        for process in pair:
            process.send_signal(signal.SIGKILL)
            acknowledged += process.stdout.read().split()  # `communicate` would pass by what is buffered here
            _, complaints = process.communicate(timeout=60)
            assert complaints == ""
        ids, _ = everything(log)
        assert set(acknowledged) <= set(ids)
        assert all(f"{id}-twin" in ids for id in ids if not id.endswith("-twin"))


def test_a_log_that_is_never_closed_hangs_no_exit_and_loses_nothing(processes: Any, log: MakeLog) -> None:
    program = processes.start("""
        async def main():
            global store
            store = EventStore(path)
            await store.open()
            await store.append([event("a")])

        asyncio.run(main())
    """)
    processes.finish(program)
    assert everything(log)[0] == ["a"]


def test_a_bus_keeps_what_it_publishes_and_a_later_one_replays_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def publish() -> Any:
        async with EventBus(event_store=EventStore()) as bus:
            await asyncio.gather(*(bus.publish("node.created", {"node_id": str(turn)}) for turn in range(20)))

    async def look() -> Any:
        async with EventStore() as store:
            return [one.data["node_id"] for one in await store.read(types=["node.created"])]

    asyncio.run(publish())
    assert sorted(asyncio.run(look()), key=int) == [str(turn) for turn in range(20)]
    assert (tmp_path / "data" / "events.db").is_file()


def test_a_bus_and_its_owner_may_both_open_a_log(log: MakeLog) -> None:
    async def main() -> Any:
        async with log() as store, EventBus(event_store=store) as bus:
            await bus.publish("t", None)
            return await store.last()

    assert asyncio.run(main()) == 1


def test_the_plugin_offers_logs_by_url(path: Path) -> None:
    (specification,) = polaris_event_stores()
    assert specification.name == "sqlite"
    store = specification.factory(Location.parse(f"sqlite:///{path}"), StorageOptions())
    assert isinstance(store, EventStore)

    async def main(opened: Any) -> Any:
        async with opened:
            return await opened.last()

    assert asyncio.run(main(store)) == 0
    assert asyncio.run(main(EventStore.at(Location.parse(f"sqlite:///{path}?mode=ro"), StorageOptions()))) == 0
    for url in ("sqlite:", "sqlite:///e.db?graph=g", "sqlite:///e.db?x=1", "sqlite://host/e.db"):
        with pytest.raises(InvalidLocationError):
            specification.factory(Location.parse(url), StorageOptions())


def test_a_graph_is_no_log_and_a_log_is_no_graph(path: Path, log: MakeLog, tmp_path: Path) -> None:
    graph = tmp_path / "graph.db"

    async def opened(store: EventStore | SqliteStorage) -> Any:
        await store.open()
        await store.close()

    asyncio.run(opened(log()))
    asyncio.run(opened(SqliteStorage(Location(scheme="sqlite", path=str(graph)), StorageOptions())))
    with pytest.raises(StoreFormatError, match="not a Polaris event log"):
        asyncio.run(opened(EventStore(graph)))
    with pytest.raises(StoreFormatError, match="not a Polaris graph"):
        asyncio.run(opened(SqliteStorage(Location(scheme="sqlite", path=str(path)), StorageOptions())))


def test_a_log_that_is_not_there_is_not_made_unasked(log: MakeLog, path: Path) -> None:
    async def main(**options: Any) -> Any:
        async with log(**options):
            pass

    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreNotFoundError):
            asyncio.run(main(**options))
    assert not path.exists()
