"""A log whose beginning makes no sense: what a crash may leave is taken, and anything else refused with what to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage
from polaris_sqlite.salvage import salvage

from polaris_core import StoreDamagedError
from polaris_core.abc import Location, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Make: TypeAlias = "Callable[..., SqliteStorage]"

DIES = """
    import os

    async def main(copied_back):
        store = storage()
        await store.open()
        await put(store, CreateNode("copied back"))
        await store.close()
        store = storage()
        await store.open()
        await put(store, CreateNode("in the log"))
        if copied_back:
            await store._file.prepare(lambda database: database.execute("PRAGMA wal_checkpoint(RESTART)").fetchall())
        os._exit(0)

    asyncio.run(main("copied back" in sys.argv))
"""


def opened(store: SqliteStorage) -> int:
    async def main() -> int:
        head = await store.open()
        await store.close()
        return head.seq

    return asyncio.run(main())


def test_a_log_torn_as_it_began_anew_costs_nothing(processes: Any, storage: Make, path: Path) -> None:
    processes.run(DIES, "copied back")
    with path.with_name("graph.db-wal").open("r+b") as log:
        log.seek(12)
        log.write(b"half of a new header")
    assert opened(storage()) == 2


@pytest.mark.parametrize("place", [0, 8, 16, 24, 40, 44, 100, -1])
def test_a_damaged_log_is_refused_and_what_can_be_read_is_salvaged(
    processes: Any, storage: Make, path: Path, place: int
) -> None:
    processes.run(DIES)
    log = path.with_name("graph.db-wal")
    content = bytearray(log.read_bytes())
    content[place] ^= 1
    log.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StoreDamagedError, match="repair --salvage") as caught:
            opened(storage())
        assert caught.value.where == str(log)
        assert log.read_bytes() == content
    new = Location(scheme="sqlite", path=str(path.with_name("new.db")))
    report = asyncio.run(salvage(Location(scheme="sqlite", path=str(path)), new))
    assert report.nodes == 2 or report.lost
    assert report.nodes == 2 or place not in range(48)
    opened(SqliteStorage(new, StorageOptions()))


@pytest.mark.parametrize("place", [0, 8, 16, 24])
def test_a_log_that_makes_no_sense_is_refused_however_often_it_is_tried(
    processes: Any, storage: Make, path: Path, place: int
) -> None:
    processes.run(DIES)
    log = path.with_name("graph.db-wal")
    content = bytearray(log.read_bytes())
    content[place] ^= 1
    log.write_bytes(content)
    path.with_name("graph.db-shm").unlink()  # as after a power loss, or where it was not copied along
    for _ in range(3):
        with pytest.raises(StoreDamagedError, match="repair --salvage"):
            opened(storage())
        assert log.read_bytes() == content
