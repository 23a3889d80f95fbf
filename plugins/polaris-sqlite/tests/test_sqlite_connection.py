"""The connection: one hop a function, and no loop, cancelled caller, fork or exit that harms the next caller."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import aiosqlite
import polaris_sqlite.connection
import pytest
from polaris_sqlite import Connection, SqliteStorage

from polaris_core import CreateNode, StoreClosedError
from polaris_core.abc import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from polaris_core.abc import CommitPlan, Session

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"


def connector(path: Path) -> Any:
    return partial(sqlite3.connect, path, isolation_level=None)


def count(database: sqlite3.Connection) -> Any:
    return database.execute("SELECT count(*) FROM t").fetchone()[0]


def insert(database: sqlite3.Connection) -> Any:
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO t VALUES (1)")
    database.execute("COMMIT")


def test_a_function_runs_on_the_connections_own_thread_and_its_result_or_error_comes_back(path: Path) -> None:
    async def main() -> Any:
        async with Connection(connector(path)) as connection:
            assert await connection.run(lambda _: threading.current_thread()) is not threading.current_thread()
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                await connection.run(count)
            with pytest.raises(RuntimeError):
                await connection.run(lambda _: next(iter(())))
            assert await connection.run(lambda database: database.execute("SELECT 7").fetchone()) == (7,)

    asyncio.run(main())


def test_what_aiosqlite_offers_still_works_beside_run(path: Path) -> None:
    async def main() -> Any:
        async with Connection(connector(path)) as connection:
            await connection.execute("CREATE TABLE t (a)")
            await connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
            async with connection.execute("SELECT a FROM t ORDER BY a") as cursor:
                return [row async for row in cursor], await connection.run(count)

    assert asyncio.run(main()) == ([(1,), (2,)], 2)


def test_what_is_known_of_aiosqlites_inside_is_still_so() -> None:
    connection = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), 64)
    assert {"_tx", "_thread", "_connection", "_connector", "_running"} <= vars(connection).keys()
    assert connection._tx.empty()
    assert aiosqlite.__version__.startswith("0.22.")


def test_a_connection_that_cannot_be_opened_says_why_and_leaves_no_thread(tmp_path: Path) -> None:
    async def main() -> Any:
        connection = Connection(connector(tmp_path / "no" / "such" / "directory.db"))
        with pytest.raises(sqlite3.OperationalError):
            await connection
        connection.join(30)
        assert not connection._thread.is_alive()
        with pytest.raises(StoreClosedError):
            await connection.run(count)

    asyncio.run(main())


def test_closing_twice_is_closing_once_and_later_calls_are_refused(path: Path) -> None:
    async def main() -> Any:
        connection = await Connection(connector(path))
        await connection.close()
        await connection.close()
        connection.join(30)
        assert not connection._thread.is_alive()
        with pytest.raises(StoreClosedError):
            await connection.run(count)
        with pytest.raises(StoreClosedError):
            connection.post(count)

    asyncio.run(main())


def test_a_cancelled_caller_leaves_nothing_open_wherever_it_was(path: Path) -> None:
    async def main() -> Any:
        async with Connection(connector(path)) as connection:
            await connection.execute("CREATE TABLE t (a)")
            for turns in range(60):
                task = asyncio.ensure_future(connection.run(insert))
                for _ in range(turns % 6):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert not await connection.run(lambda database: database.in_transaction)
            return await connection.run(count)

    assert asyncio.run(main()) >= 50


def test_a_loop_that_ends_with_calls_under_way_hurts_no_later_one(path: Path) -> None:
    opened, release = threading.Event(), threading.Event()
    kept = []

    def slow(_: Any) -> Any:
        opened.set()
        return release.wait(30)

    async def first() -> Any:
        kept.append(await Connection(connector(path)))
        await kept[0].execute("CREATE TABLE t (a)")
        task = asyncio.ensure_future(kept[0].run(slow))
        await asyncio.sleep(0)
        assert opened.wait(30)
        assert not task.done()

    async def second() -> Any:
        waiting = asyncio.ensure_future(kept[0].run(count))
        await asyncio.sleep(0)
        release.set()
        answer = await waiting
        await kept[0].close()
        return answer

    asyncio.run(first())
    assert asyncio.run(second()) == 0


@pytest.mark.parametrize("turns", range(8))
def test_opening_that_is_cancelled_leaves_no_thread_and_no_connection(path: Path, turns: Any) -> None:
    async def main() -> Any:
        connection = Connection(connector(path))

        async def opening() -> Any:
            await connection

        task = asyncio.ensure_future(opening())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if connection._thread.ident is not None:
            await connection.close()
            connection.join(30)
            assert not connection._thread.is_alive()
        assert connection._connection is None

    asyncio.run(main())


def test_a_store_is_one_hop_a_commit_and_one_a_read(storage: Make, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Any:
        store = storage()
        await store.open()
        answer, hops = settle, list[int]()

        def counted(*arguments: Any) -> None:
            hops.append(1)
            answer(*arguments)

        monkeypatch.setattr(polaris_sqlite.connection, "settle", counted)

        async def program(seen: Session) -> Any:
            return [await seen.nodes([i]) for i in range(50)], await seen.scan("node", 0, 9), await seen.counts()

        try:
            await put(store, *map(CreateNode, "abc"))
            commits = len(hops)
            await store.read(program)
        finally:
            monkeypatch.undo()
            await store.close()
        return commits, len(hops) - commits

    assert asyncio.run(main()) == (1, 1)


def test_a_store_whose_loop_ended_mid_request_leaves_the_next_one_alone_and_the_process_exits(processes: Any) -> None:
    printed = processes.run("""
        async def first():
            store = storage()
            await store.open()
            asyncio.ensure_future(put(store, CreateNode("left")))
            await asyncio.sleep(0)

        async def second():
            store = storage()
            await store.open()
            await put(store, CreateNode("b"))
            print(await names(store))

        asyncio.run(first())
        asyncio.run(second())
    """)
    assert printed in ("['b']\n", "['b', 'left']\n")


@pytest.mark.parametrize("end", ["pass", "sys.exit(0)", "del store; import gc; gc.collect()"])
def test_a_store_that_is_never_closed_hangs_no_exit_and_loses_nothing(processes: Any, path: Path, end: Any) -> None:
    program = f"""
        async def main():
            global store
            store = storage()
            await store.open()
            await put(store, CreateNode("a"))

        asyncio.run(main())
        {end}
    """
    processes.run(program)
    assert "gc" in end or not path.with_name("graph.db-wal").exists()
    printed = processes.run("""
        async def main():
            store = storage()
            await store.open()
            print(await names(store))
            await store.close()

        asyncio.run(main())
    """)
    assert printed == "['a']\n"


def test_a_forked_child_is_refused_and_the_parent_goes_on(processes: Any) -> None:
    printed = processes.run("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        async def in_child(store):
            for call in (store.commit(writing(Batch((CreateNode("x"),)))), names(store), store.close()):
                try:
                    await call
                except ForkedError:
                    print("refused", flush=True)

        async def main():
            store = storage()
            await store.open()
            await put(store, CreateNode("a"))
            return store

        async def go_on(store):
            await put(store, CreateNode("b"))
            print(await names(store))
            await store.close()

        store = asyncio.run(main())  # this loop ends here: the child would share its selector
        child = os.fork()
        if not child:
            asyncio.run(in_child(store))
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        asyncio.run(go_on(store))
    """)
    assert printed == "refused\nrefused\nrefused\n['a', 'b']\n"
