"""What is stored is there again: every kind of record, byte for byte, in order, now and after opening it again."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time

import pytest

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteNode,
    Patch,
    PatchNode,
    ProgramError,
    PutEdge,
    RenameNode,
    SetMeta,
    StoreClosedError,
)
from polaris_core.abc import ChangeRecord, CommitPlan, NodeRecord

HOSTILE = [
    "../x",
    "/etc/passwd",
    ".",
    "CON",
    "Foo",
    "foo",
    "trailing. ",
    "a\u2028b\u2029c",
    "\u202eright",
    "\uff0f\uff0e\uff0e",
    '","body":{"x":1}',
    '{"frame":"000000000001"',
    "'; DROP TABLE nodes; --",
    "\U0001f600" * 200,
]


def test_a_journal_gives_back_the_same_as_the_files(serve, everything, directory, tmp_path):
    async def scenario():
        async with serve() as store:
            for number, name in enumerate(HOSTILE):
                await store.commit(
                    Batch((CreateNode(name, attributes={name: f"{name}\u0085\x1c"}), SetMeta(name, name)))
                )
                if number:
                    await store.commit(Batch(CreateEdge(name, name[:60], HOSTILE[number - 1])))
            before = await everything(store)
            shutil.copytree(directory, tmp_path / "copy")
        async with serve(tmp_path / "copy") as store:
            assert await everything(store) == before
        async with serve() as store:
            assert await everything(store) == before

    asyncio.run(scenario())


def test_no_name_becomes_the_name_of_a_file(serve, directory, tmp_path):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch([CreateNode(name, name[:60]) for name in HOSTILE]))

    asyncio.run(scenario())
    assert [path.name for path in tmp_path.iterdir()] == ["kg"]
    assert sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*")) == [
        ".gitignore",
        "changes",
        "changes/000000.jsonl",
        "checkpoint.lock",
        "committed",
        "lock",
        "manifest.json",
        "nodes",
        "nodes/000000.jsonl",
        "written",
        "written/nodes-000000.jsonl.z",
    ]


def test_the_whole_feed_stays_readable_page_by_page_over_checkpoints(serve):
    async def scenario():
        for start in range(0, 9_000, 3_000):
            async with serve(durability="process") as store:
                await store.apply([Batch([CreateNode(f"n{start + i}") for i in range(3_000)])])
        async with serve() as store:
            await store.commit(Batch(CreateEdge("n0", "t", "n8999")))
            after, seen = 0, []
            while page := await store.read(lambda session: session.changes(after, 700, None)):  # noqa: B023
                assert len(page) <= 700
                seen += [change.seq for change in page]
                after = page[-1].seq
            assert seen == list(range(1, 9_002))
            assert [c.seq for c in await store.read(lambda session: session.changes(4_094, 3, None))] == [
                4_095,
                4_096,
                4_097,
            ]
            assert [c.seq for c in await store.read(lambda session: session.changes(0, 10, 1))] == [1, 9_001]
            assert [c.seq for c in await store.read(lambda session: session.changes(1, 10, 9_000))] == [9_000, 9_001]
            assert [c.seq for c in await store.read(lambda session: session.changes(0, 1, 5_000))] == [5_000]
            assert (await store.read(lambda session: session.head())).floor == 0

    asyncio.run(scenario())


def test_a_rename_writes_the_new_name_beside_each_edge(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch((CreateNode("hub"), CreateNode("leaf"), PutEdge("leaf", "of", "hub"))))
        async with serve() as store:
            await store.commit(Batch(RenameNode("hub", "centre")))

    asyncio.run(scenario())
    assert '"source":"leaf","type":"of","target":"centre"' in (directory / "edges/000000.jsonl").read_text()


def test_a_stamp_moves_with_each_commit_and_with_no_read_and_never_comes_back(serve):
    async def scenario():
        async with serve() as store:
            stamps = [store.storage.stamp()]
            for number in range(3):
                await store.commit(Batch(CreateNode(f"n{number}")))
                stamps.append(store.storage.stamp())
            assert sorted(set(stamps)) == stamps
            await store.commit(Batch(DeleteNode("n0")))
            last = store.storage.stamp()
            await store.apply([Batch(CreateNode("n1"))])
            await store.read(lambda session: session.head())
            assert store.storage.stamp() == last > stamps[-1]
        async with serve() as store:
            assert store.storage.stamp() >= last

    asyncio.run(scenario())


async def one_more(session):
    head = await session.head()
    seq = head.seq + 1
    return CommitPlan(
        head,
        head._replace(seq=seq, next_id=seq + 1),
        put_nodes=[NodeRecord(seq, f"n{seq}", "t", seq, "{}")],
        changes=[ChangeRecord(seq, seq, "node.created", seq, 0, 0, "{}")],
    )


def test_a_commit_that_a_reader_sees_before_the_writer_has_applied_it_is_applied_once(storage):
    async def scenario():
        store = storage()
        await store.open()
        await store.commit(one_more)
        before = store.stamp()
        reading = threading.Event()

        async def read_twice(session):
            reading.set()
            while store.stamp() == before:
                time.sleep(0.0001)  # the commit is durable now, and waits for this read to end
            assert (await session.head()).seq == 1
            store._store._catch_up()  # as the next read does, if it is here before the writer
            return await session.head()

        read = asyncio.ensure_future(store.read(read_twice))
        await asyncio.to_thread(reading.wait)
        plan = await store.commit(one_more)
        assert await read == plan.head
        assert (await store.commit(one_more)).head.seq == 3
        changes = await store.read(lambda session: session.changes(0, 10, None))
        assert [change.seq for change in changes] == [1, 2, 3]
        await store.close()

    asyncio.run(scenario())


def test_a_commit_that_comes_while_a_reader_follows_a_turn_goes_to_the_new_journal(storage):
    async def scenario():
        here, there = storage(), storage()
        await here.open()
        await here.commit(one_more)
        await there.open()
        await there.commit(one_more)
        await here.read(lambda session: session.head())
        await there._threads.keep.run(there._store.checkpoint)
        turning, go_on = threading.Event(), threading.Event()
        turn = here._store._records.turn

        def turn_slowly(generation):
            turning.set()
            go_on.wait()
            turn(generation)

        here._store._records.turn = turn_slowly
        read = asyncio.ensure_future(here.read(lambda session: session.head()))
        await asyncio.to_thread(turning.wait)
        write = asyncio.ensure_future(here.commit(one_more))
        await asyncio.wait([write], timeout=0.2)  # it cannot come to its end, and must not
        go_on.set()
        await read
        plan = await write
        assert await there.read(lambda session: session.head()) == plan.head
        await here.close()
        await there.close()

    asyncio.run(scenario())


def test_each_program_is_one_hop(storage):
    async def scenario():
        store = storage()
        await store.open()
        hops = []
        submit = store._submit
        store._submit = lambda function, *, write: hops.append(write) or submit(function, write=write)

        async def walk(session):
            for _ in range(100):
                await session.nodes(["a"])
                await session.links([1], "both", None, 10, 0)
            return await session.head()

        await store.read(walk)
        await store.commit(one_more)
        store.stamp()
        assert hops == [False, True]
        await store.close()

    asyncio.run(scenario())


def test_a_body_of_several_lines_is_refused_before_it_is_written(storage):
    async def scenario():
        store = storage()
        await store.open()

        async def broken(session):
            plan = await one_more(session)
            return plan._replace(put_nodes=[plan.put_nodes[0]._replace(body="{\n}")])

        with pytest.raises(ProgramError):
            await store.commit(broken)
        assert (await store.read(lambda session: session.counts())) == (0, 0)
        assert (await store.commit(one_more)).head.seq == 1
        await store.close()

    asyncio.run(scenario())


def test_a_closed_store_says_so_and_closing_again_is_harmless(storage):
    async def scenario():
        store = storage()
        await store.open()
        await store.close()
        await store.close()
        for call in (store.read(lambda session: session.head()), store.commit(one_more)):
            with pytest.raises(StoreClosedError):
                await call

    asyncio.run(scenario())


def test_a_loop_that_ends_in_the_middle_of_a_request_ends_nothing_else(storage):
    store = storage()
    asyncio.run(store.open())

    async def asks_and_leaves():
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        await asyncio.gather(*(store.commit(one_more) for _ in range(5)))

    loop = asyncio.new_event_loop()
    task = loop.create_task(asks_and_leaves())
    loop.run_forever()
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()

    async def goes_on():
        await store.commit(one_more)
        head = await store.read(lambda session: session.head())
        await store.close()
        return head.seq

    assert asyncio.run(goes_on()) == 6


def test_a_record_stays_a_line_until_it_is_asked_for(serve):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch([CreateNode(f"n{i}") for i in range(50)]))
            await store.commit(Batch([CreateEdge("n0", "t", f"n{i}") for i in range(1, 50)]))
        async with serve() as store:
            tables = store.storage._store._records._tables

            def lines():
                return sum(
                    table.line(id) is not None for table in (tables.nodes, tables.edges) for id in dict.keys(table)
                )

            assert lines() == 99
            assert (await store.read(lambda session: session.nodes(["n7", "missing"])))[0].name == "n7"
            assert await store.read(lambda session: session.counts()) == (50, 49)
            await store.commit(Batch(PatchNode("n8", Patch(set={("x",): 1}))))
            assert lines() == 97
            await asyncio.to_thread(store.storage._store.checkpoint)
            assert lines() == 97  # a file is written again without parsing what it says already
            assert len(await store.read(lambda session: session.links([1], "out", None, 100, 0))) == 49
            assert lines() == 48

    asyncio.run(scenario())
