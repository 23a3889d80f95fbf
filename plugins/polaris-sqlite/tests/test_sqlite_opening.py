"""What is opened, what is refused, and in which words."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage
from polaris_sqlite.plugin import polaris_storages

from polaris_core import (
    Batch,
    CreateNode,
    InvalidLocationError,
    StoreClosedError,
    StoreDamagedError,
    StoreFormatError,
    StoreNotFoundError,
    StoreReadOnlyError,
    StoreUnavailableError,
    open_graph,
)
from polaris_core.abc import CommitPlan, Location, Session, StorageOptions
from polaris_core.testing import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"


def opening(store: SqliteStorage) -> Any:
    async def main() -> Any:
        head = await store.open()
        await store.close()
        return head

    return asyncio.run(main())


def at(url: Any, **options: Any) -> Any:
    return SqliteStorage(Location.parse(url), StorageOptions(**options))


def names(store: SqliteStorage) -> Any:
    async def program(seen: Session) -> Any:
        return list(await seen.keys("node", "", 1000))

    return store.read(program)


def test_the_plugin_offers_one_storage_and_loads_no_driver_until_it_is_used() -> None:
    (specification,) = polaris_storages()
    assert (specification.name, specification.file) == ("sqlite", "graph.db")
    store = specification.factory(Location.parse("sqlite:///graph.db"), StorageOptions())
    assert isinstance(store, SqliteStorage)
    heavy = "import sys, polaris_sqlite.plugin; sys.exit(any(name in sys.modules for name in ('sqlite3', 'aiosqlite')))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False, timeout=60).returncode == 0


def test_a_new_store_is_made_with_the_directories_above_it(tmp_path: Path) -> None:
    store = at(f"sqlite:///{tmp_path}/a/b/graph.db")
    head = opening(store)
    assert opening(at(f"sqlite:///{tmp_path}/a/b/graph.db", create=False)) == head
    assert sorted(file.name for file in (tmp_path / "a" / "b").iterdir()) == ["graph.db", "graph.db.lock"]


def test_relative_and_linked_paths_are_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    head = opening(at("sqlite:///real%20%3F%25.db"))
    (tmp_path / "link.db").symlink_to("real ?%.db")
    assert opening(at("sqlite:///link.db", create=False)) == head
    assert not (tmp_path / "link.db.lock").exists()


@pytest.mark.parametrize("options", [{"create": False}, {"read_only": True}])
def test_a_store_that_is_not_there_is_not_made_unasked(path: Path, storage: Make, options: Any) -> None:
    with pytest.raises(StoreNotFoundError):
        opening(storage(**options))
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreNotFoundError, match="empty"):
        opening(storage(**options))
    assert path.stat().st_size == 0
    assert opening(storage()).seq == 0


def make_foreign(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE theirs (a)")


def make_newer(path: Path) -> Any:
    opening(at(f"sqlite:///{path}"))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 99")


def make_newer_records(path: Path) -> Any:
    opening(at(f"sqlite:///{path}"))
    from polaris_sqlite import checksum

    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE head SET format = 99")
        *row, _, _ = database.execute(
            "SELECT store, epoch, seq, next_id, floor, time, format, 0, 0 FROM head"
        ).fetchone()
        database.execute("UPDATE head SET checksum = ?", (checksum(tuple(row)),))


def make_text(path: Path) -> Any:
    path.write_text("this is not a database, and longer than a hundred bytes, which is what a header has. " * 9)


@pytest.mark.parametrize("make", [make_foreign, make_newer, make_newer_records, make_text])
@pytest.mark.parametrize("options", [{}, {"create": False}, {"read_only": True}])
def test_what_is_not_our_store_is_refused_and_left_as_it_is(path: Path, storage: Make, make: Any, options: Any) -> None:
    make(path)
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreFormatError) as caught:
            opening(storage(**options))
        assert str(path) in caught.value.location
        assert caught.value.location in str(caught.value)
    assert path.read_bytes() == before


def test_what_is_no_file_is_refused(path: Path, storage: Make, tmp_path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailableError, match="not a file"):
        opening(storage())
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError):
        opening(at(f"sqlite:///{tmp_path}/file/graph.db"))


@pytest.mark.parametrize("options", [{}, {"read_only": True}])
def test_a_store_whose_statements_are_no_text_any_more_is_called_damaged(
    path: Path, storage: Make, options: Any
) -> None:
    opening(storage())
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE nodes (", b"CREATE TABLE nodes \xa8"))
    with pytest.raises(StoreDamagedError, match="no text"):
        opening(storage(**options))


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("options", [{}, {"create": False}, {"read_only": True}])
def test_what_sqlite_keeps_beside_a_store_is_never_taken_for_one(
    path: Path, storage: Make, suffix: str, options: Any
) -> None:
    async def main() -> None:
        store = storage()
        await store.open()
        beside = Path(f"{path}{suffix}")
        before = beside.exists() and beside.read_bytes()
        with pytest.raises(StoreUnavailableError, match=f"open {path} instead"):
            await at(f"sqlite:///{beside}", **options).open()
        assert (beside.exists() and beside.read_bytes()) == before
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["my-journal", "my-wal", "-shm"])
def test_a_store_may_have_such_a_name_where_it_belongs_to_nothing(tmp_path: Path, name: str) -> None:
    assert opening(at(f"sqlite:///{tmp_path}/{name}")).seq == 0


def test_a_truncated_store_is_called_damaged(path: Path, storage: Make, put: Put) -> None:
    async def fill() -> Any:
        store = storage()
        await store.open()
        await put(store, *(CreateNode(f"n{i}", attributes={"k": "x" * 2000}) for i in range(50)))
        await store.close()

    async def look() -> Any:
        store = storage(read_only=True)
        await store.open()
        try:

            async def program(seen: Session) -> Any:
                return await seen.scan("node", 0, 100)

            await store.read(program)
        finally:
            await store.close()

    asyncio.run(fill())
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(StoreDamagedError):
        asyncio.run(look())


@pytest.mark.parametrize("url", ["sqlite:///{}?mode=ro", "sqlite:///{}"])
def test_a_store_opened_for_reading_shows_what_others_commit_and_takes_nothing(
    path: Path, storage: Make, put: Put, url: Any
) -> None:
    async def main() -> Any:
        writer = storage()
        await writer.open()
        reader = at(url.format(path), read_only="mode" not in url)
        await reader.open()
        before = reader.stamp()
        await put(writer, CreateNode("a"))
        assert reader.stamp() != before
        assert await names(reader) == ["a"]
        with pytest.raises(StoreReadOnlyError):
            await put(reader, CreateNode("b"))
        await writer.close()
        assert await names(reader) == ["a"]
        await reader.close()

    asyncio.run(main())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every file")
def test_a_file_that_cannot_be_written_is_refused_unless_it_is_to_be_read(path: Path, storage: Make) -> None:
    opening(storage())
    path.chmod(0o444)
    with pytest.raises(StoreReadOnlyError, match="mode=ro"):
        opening(storage())
    opening(storage(read_only=True))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "memory:"),
        ("sqlite://host/graph.db", "three slashes"),
        ("sqlite:///graph.db?graph=other", "called default"),
        ("sqlite:///graph.db?cache=shared&vfs=unix", "unknown here: cache, vfs"),
    ],
)
def test_a_location_that_cannot_be_served_is_refused_before_anything_is_touched(url: Any, says: Any) -> None:
    with pytest.raises(InvalidLocationError, match=says):
        at(url)


def test_the_graph_called_default_is_the_graph(path: Path) -> None:
    assert opening(at(f"sqlite:///{path}?graph=default")) == opening(at(f"sqlite:///{path}"))


def test_a_closed_store_refuses_calls_and_may_be_closed_again(storage: Make) -> None:
    async def main() -> Any:
        store = storage()
        await store.open()
        await store.close()
        await store.close()
        assert store.stamp() is None
        with pytest.raises(StoreClosedError):
            await names(store)
        with pytest.raises(StoreClosedError):
            await store.commit(writing(Batch((CreateNode("a"),))))

    asyncio.run(main())


def test_stores_that_are_refused_leave_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "kg.db"
    path.write_bytes(b"no database at all " * 100)

    async def refused() -> None:
        with pytest.raises(StoreFormatError):
            await open_graph(f"sqlite:///{path}")

    for _ in range(5):
        asyncio.run(refused())
    gc.collect()
    links = Path("/proc/self/fd").iterdir()  # by name: tests before this one may let go of theirs meanwhile
    still = [str(link.resolve()) for link in links]
    assert [name for name in still if name.startswith(str(tmp_path))] == []
