"""How a store of an older layout is brought forward, and that nothing can be half way."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
from polaris_sqlite import Database, SqliteStorage
from polaris_sqlite.schema import GRAPH

from polaris_core import CreateNode, StoreFormatError
from polaris_core.abc import Head, Session, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from polaris_core.abc import CommitPlan

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"

FIRST = Path(__file__).with_name("layout_1.sql").read_text(encoding="utf-8")


@pytest.fixture
def old(path: Path) -> Path:
    """A file of layout 1, where `storage` opens it."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(FIRST)
    return path


def schema(path: Path) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema").fetchall()
    return {(type, name, " ".join(sql.split())) for type, name, sql in rows}


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        (found,) = database.execute("PRAGMA user_version").fetchone()
        return int(found)


def dump(path: Path, tables: tuple[str, ...] = ("head", "nodes", "edges", "meta", "changes", "receipts")) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return [database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


async def everything(store: SqliteStorage) -> Any:
    async def program(seen: Session) -> Any:
        return (
            await seen.head(),
            list(await seen.scan("node", 0, 100)),
            list(await seen.scan("edge", 0, 100)),
            list(await seen.links([1, 2, 3, 6], "both", None, 100, 0)),
            list(await seen.meta(["motto"])),
            list(await seen.changes(0, 100, None)),
            list(await seen.receipts(["first", "last"])),
        )

    return await store.read(program)


def opening(store: SqliteStorage, function: Any = everything) -> Any:
    async def main() -> Any:
        await store.open()
        try:
            return await function(store)
        finally:
            await store.close()

    return asyncio.run(main())


def with_step(*actions: Any) -> Any:
    return attrs.evolve(GRAPH, steps=(*GRAPH.steps, actions))


def at_layout(path: Path, layout: Any, **options: Any) -> Any:
    async def main() -> Any:
        database = Database(str(path), layout, options=StorageOptions(**options))
        await database.open(lambda _: None, lambda _: None)
        await database.close()

    return asyncio.run(main())


def test_a_store_of_layout_1_keeps_all_it_held_and_takes_commits(old: Path, storage: Make, put: Put) -> None:
    before = dump(old)
    head, nodes, edges, links, meta, changes, receipts = opening(storage())
    assert version(old) == GRAPH.version == 2
    assert dump(old) == before
    assert (head.seq, head.next_id, len(changes)) == (12, 8, 12)
    assert [node.name for node in nodes] == ["Ada Lovelace", "Analytical Engine", "Zürich 🚀", "right"]
    assert [edge.type for edge in edges] == [link.type for link in links] == ["wrote about", "loops"]
    assert [record.body for record in meta] == ['{"text":"Ada\'s"}']
    assert [receipt.last for receipt in receipts] == [2, 12]
    assert opening(storage(), lambda store: put(store, CreateNode("new"))).head.seq == 13


def test_a_store_brought_forward_has_the_schema_of_a_new_one(old: Path, storage: Make, tmp_path: Path) -> None:
    opening(storage())
    at_layout(tmp_path / "new.db", GRAPH)
    assert schema(old) == schema(tmp_path / "new.db")


def test_a_store_of_an_older_layout_that_is_only_to_be_read_says_what_to_do_and_stays(old: Path, storage: Make) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreFormatError, match="layout 1, and this release reads layout 2: open it once for writing"):
        opening(storage(read_only=True))
    assert old.read_bytes() == before


def test_a_step_that_fails_leaves_the_older_layout(old: Path, storage: Make) -> None:
    before, tables = dump(old), schema(old)
    with pytest.raises(ZeroDivisionError):
        at_layout(old, with_step("CREATE TABLE extra (a)", "DELETE FROM nodes", lambda _: 1 // 0))
    assert (version(old), dump(old), schema(old)) == (1, before, tables)
    opening(storage())
    assert version(old) == 2


DIES = """
import signal
from polaris_sqlite import Database
from polaris_sqlite import database_file
from polaris_sqlite.schema import GRAPH
import attrs

def die(database):
    os.kill(os.getpid(), signal.SIGKILL)

MUCH = "CREATE TABLE extra AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)" \\
    " SELECT i, hex(zeroblob(500)) AS filler FROM n"
ACTIONS = [MUCH, "DELETE FROM changes", "DELETE FROM nodes"]
layout = attrs.evolve(GRAPH, steps=(*GRAPH.steps, (*ACTIONS[:int(sys.argv[2])], die)))
asyncio.run(Database(path, layout, options=StorageOptions()).open(lambda _: None, lambda _: None))
"""


@pytest.mark.parametrize("actions", range(4))
def test_a_process_killed_while_it_brings_a_store_forward_leaves_the_older_layout_whole(
    old: Path, processes: Any, storage: Make, actions: int
) -> None:
    before = dump(old)
    process = processes.start(DIES, str(actions))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert (version(old), dump(old)) == (1, before)
    opening(storage())
    assert (version(old), dump(old)) == (2, before)


def test_processes_that_open_an_older_store_at_one_time_bring_it_forward_once(old: Path, processes: Any) -> None:
    program = """
        async def main():
            store = storage()
            await store.open()
            await put(store, CreateNode(sys.argv[2]))
            await store.close()

        asyncio.run(main())
    """
    for process in [processes.start(program, name) for name in "abc"]:
        processes.finish(process)
    assert version(old) == 2
    assert {row[1] for row in dump(old)[1]} >= set("abc")


def test_a_store_that_a_newer_release_brought_forward_is_not_written_or_read_by_an_older_one_that_has_it_open(
    path: Path,
) -> None:
    async def main() -> None:
        older = Database(str(path), GRAPH, options=StorageOptions())
        await older.open(lambda _: None, lambda _: None)
        newer = Database(str(path), with_step("CREATE TABLE extra (a)"), options=StorageOptions())
        await newer.open(lambda _: None, lambda _: None)
        for write in (True, False):
            with pytest.raises(StoreFormatError, match="a newer release has changed"):
                await older.transact(lambda database: database.execute("DELETE FROM nodes"), write=write)
        await newer.close()
        await older.close()

    asyncio.run(main())
    with pytest.raises(StoreFormatError, match="of layout 3; this release knows 2: upgrade it"):
        at_layout(path, GRAPH)


def test_a_new_file_whose_making_fails_stays_empty_and_is_made_the_next_time(path: Path, storage: Make) -> None:
    with pytest.raises(ZeroDivisionError):
        at_layout(path, with_step(lambda _: 1 // 0))
    assert version(path) == 0
    head = opening(storage())[0]
    assert isinstance(head, Head)
    assert head.seq == 0
