"""Verification, backup and restore: every damage is named with its place, a copy is whole, and nobody misses that it came."""

from __future__ import annotations

import asyncio
import errno
import shutil

import pytest
from polaris_json_fs import checkpoint
from polaris_json_fs.faults import explain

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteNode,
    Emit,
    HistoryReplacedError,
    OutcomeUnknownError,
    SetMeta,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    open_graph,
)
from polaris_core.abc import FileLock


def findings(serve, path):
    async def scenario():
        async with serve(path, read_only=True) as store:
            return (await store.verify()).findings

    return asyncio.run(scenario())


@pytest.fixture
def filled(serve, directory, tmp_path):
    """A store with files and a journal beside them, as nobody closed it."""

    async def scenario():
        async with serve(tmp_path / "origin") as store:
            await store.commit(
                Batch((CreateNode("a"), CreateNode("b"), CreateEdge("a", "t", "b"), SetMeta("m", 1)), key="k")
            )
            await asyncio.to_thread(store.storage._store.checkpoint)
            await store.commit(Batch(CreateNode("c")))
            await store.commit(Batch(CreateNode("d")))
            shutil.copytree(tmp_path / "origin", directory)

    asyncio.run(scenario())
    return directory


def test_a_healthy_store_has_no_findings_and_everything_was_looked_at(serve, filled):
    async def scenario():
        async with serve() as store:
            report = await store.verify()
            assert report.findings == ()
            assert report.looked_at == 4 + 1 + 1 + 1 + 6  # nodes, edges, meta, receipts, changes

    asyncio.run(scenario())


def test_every_flipped_bit_that_appears_in_use_is_found_with_its_file(serve, filled):
    async def scenario():
        async with serve() as store:
            for path in [*filled.rglob("*.jsonl"), filled / "manifest.json", *filled.glob("journal-*.log")]:
                content = path.read_bytes()
                name = path.relative_to(filled).as_posix()
                bits = len(content.rstrip(b"\0")) * 8
                for bit in range(3, bits, max(1, bits // 11)):
                    flipped = bytearray(content)
                    flipped[bit // 8] ^= 1 << bit % 8
                    path.write_bytes(flipped)
                    found = (await store.verify()).findings
                    assert found, f"{name}, bit {bit}"
                    assert found[0].where.startswith(name)
                path.write_bytes(content)
            assert (await store.verify()).findings == ()

    asyncio.run(scenario())


def test_files_that_are_missing_or_strange_are_found(serve, filled):
    async def scenario():
        async with serve() as store:
            (filled / "edges/000000.jsonl").unlink()
            (filled / "nodes/000007.jsonl").write_text("{}\n")
            assert [where for where, _ in (await store.verify()).findings] == [
                "edges/000000.jsonl",
                "nodes/000007.jsonl",
            ]

    asyncio.run(scenario())


def test_a_backup_is_one_state_and_opens_like_any_store(serve, everything, tmp_path, filled):
    async def scenario():
        async with serve(read_only=True) as store:
            head = await store.backup(tmp_path / "copies/one")
            before = await everything(store)
            assert before["head"] == head
        async with serve(tmp_path / "copies/one") as copy:
            assert await everything(copy) == before
            assert (await copy.verify()).findings == ()
        assert [path.name for path in (tmp_path / "copies").iterdir()] == ["one"]

    asyncio.run(scenario())


def test_backups_are_whole_while_others_write(serve, tmp_path):
    async def scenario():
        async with serve(durability="process") as store, serve(durability="process") as other:
            done = False

            async def write(service, name):
                number = 0
                while not done:
                    await service.commit(Batch((CreateNode(f"{name} {number}"), CreateNode(f"{name} {number} too"))))
                    number += 1

            writing = [asyncio.ensure_future(write(store, "x")), asyncio.ensure_future(write(other, "y"))]
            for number in range(5):
                head = await store.backup(tmp_path / f"copy {number}")
                async with serve(tmp_path / f"copy {number}") as copy:
                    assert await copy.read(lambda session: session.head()) == head
                    assert (await copy.read(lambda session: session.counts())) == (head.seq, 0)
                    assert head.seq % 2 == 0
                    assert (await copy.verify()).findings == ()
                await asyncio.to_thread(store.storage._store.checkpoint, 5)
            done = True
            await asyncio.gather(*writing)

    asyncio.run(scenario())


def test_a_backup_goes_where_nothing_is(serve, filled, tmp_path):
    async def scenario():
        (tmp_path / "taken").mkdir()
        async with serve() as store:
            with pytest.raises(StoreUnavailableError, match="already"):
                await store.backup(tmp_path / "taken")
        assert list((tmp_path / "taken").iterdir()) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("more", [0, 9_000])
def test_a_restore_replaces_everything_in_every_process(serve, everything, filled, tmp_path, more):
    """`more` changes since the backup: then its feed cannot be gone on with, and begins anew."""

    async def scenario():
        async with serve() as store, serve() as other:
            await store.backup(tmp_path / "copy")
            if more:
                await other.commit(Batch([CreateNode(f"n{i}") for i in range(more)]))
                await other.commit(Batch(DeleteNode("a", detach=True)))
            before, stamp = await everything(other), other.storage.stamp()
            head = await store.restore(tmp_path / "copy")
            assert head.store == before["head"].store
            assert head.epoch != before["head"].epoch
            assert (head.seq, head.next_id) == (before["head"].seq, before["head"].next_id)
            assert other.storage.stamp() > stamp
            state = await everything(other)
            assert state == await everything(store)
            assert [node.name for node in state["nodes"]] == ["a", "b", "c", "d"]
            assert len(state["edges"]) == len(state["meta"]) == len(state["receipts"]) == 1
            assert len(state["changes"]) == (0 if more else 6)
            await other.commit(Batch(Emit("afterwards")))
            assert (await store.read(lambda session: session.head())).seq == head.seq + 1
            shutil.copytree(filled, tmp_path / "crashed")
        for path in (filled, tmp_path / "crashed"):
            async with serve(path) as store:
                found = await everything(store)
                assert {**found, "head": None, "changes": None} == {**state, "head": None, "changes": None}
                assert (await store.verify()).findings == ()

    asyncio.run(scenario())


@pytest.mark.parametrize("step", ["finish", "conclude"])
@pytest.mark.parametrize("same", [True, False], ids=["by the same process", "by another one"])
def test_what_is_written_after_a_restore_that_failed_half_way_stays(serve, filled, tmp_path, monkeypatch, step, same):
    async def scenario():
        async with serve() as store, serve() as other:
            await store.backup(tmp_path / "copy")
            await store.commit(Batch(CreateNode("later")))
            done = getattr(checkpoint, step)

            def fail(*given):
                if given[0] == filled:
                    raise OSError(errno.EIO, "Input/output error")
                return done(*given)

            with monkeypatch.context() as broken:
                broken.setattr(store.storage._store, "_finish_left", lambda: None)
                broken.setattr(checkpoint, step, fail)
                with pytest.raises(OutcomeUnknownError, match="the next write, or the next opening, finishes it"):
                    await store.restore(tmp_path / "copy")
            await (store if same else other).commit(Batch(CreateNode("acknowledged")))
            for reader in (store, other):
                assert await names(reader) == ["a", "acknowledged", "b", "c", "d"]
        async with serve() as store:
            assert await names(store) == ["a", "acknowledged", "b", "c", "d"]
            assert (await store.verify()).findings == ()

    asyncio.run(scenario())


def test_a_restore_that_fails_before_it_counts_has_changed_nothing(serve, everything, filled, tmp_path, monkeypatch):
    async def scenario():
        async with serve() as store:
            await store.backup(tmp_path / "copy")
            before = await everything(store)

            def fail(*given, **named):
                raise OSError(errno.ENOSPC, "No space left on device")

            with monkeypatch.context() as broken:
                broken.setattr(checkpoint, "write", fail)
                with pytest.raises(StoreFullError):
                    await store.restore(tmp_path / "copy")
            assert await everything(store) == before
            await store.commit(Batch(CreateNode("acknowledged")))
        async with serve() as store:
            assert await names(store) == ["a", "acknowledged", "b", "c", "d"]

    asyncio.run(scenario())


RESTORED_AND_KILLED = """
from polaris_core import open_graph
from polaris_json_fs import checkpoint

def killed(directory, location, place=checkpoint.place):
    if (directory / "manifest.json.next").exists():
        os.kill(os.getpid(), 9)
    return place(directory, location)

async def main():
    async with open_graph(f"json:///{path}") as graph:
        checkpoint.place = killed
        await graph.restore(arguments["copy"])

asyncio.run(main())
"""


async def leave_half_restored(store, start, copy):
    """Back a store up, write to it, and have another process restore it that is killed once the restore counts."""
    await store.backup(copy)
    await store.commit(Batch(CreateNode("later")))
    process = start(RESTORED_AND_KILLED, copy=str(copy))
    await asyncio.to_thread(process.wait, 30)
    assert process.returncode == -9


def test_what_is_written_beside_a_restore_that_was_killed_half_way_stays(serve, start, filled, tmp_path):
    async def scenario():
        async with serve() as store:
            await leave_half_restored(store, start, tmp_path / "copy")
            await store.commit(Batch(CreateNode("acknowledged")))
            assert await names(store) == ["a", "acknowledged", "b", "c", "d"]
        async with serve() as store:
            assert await names(store) == ["a", "acknowledged", "b", "c", "d"]

    asyncio.run(scenario())


def test_a_restore_that_was_killed_half_way_is_read_by_all_once_one_has_opened_it(serve, start, filled, tmp_path):
    async def scenario():
        async with serve() as store:
            await leave_half_restored(store, start, tmp_path / "copy")
            checking = FileLock(filled / "checkpoint.lock")  # as `verify` holds it: whoever opens now finishes nothing
            checking.acquire()
            async with serve() as other:
                for reader in (store, other):
                    assert await names(reader) == ["a", "b", "c", "d"]
                checking.release()
                await store.commit(Batch(CreateNode("acknowledged")))
                await other.commit(Batch(CreateNode("by another")))
                for reader in (store, other):
                    assert await names(reader) == ["a", "acknowledged", "b", "by another", "c", "d"]
        async with serve() as store:
            assert await names(store) == ["a", "acknowledged", "b", "by another", "c", "d"]

    asyncio.run(scenario())


async def names(store):
    return await store.read(lambda session: session.keys("node", "", 100))


def test_a_cursor_of_before_a_restore_is_told_so(filled, tmp_path):
    async def scenario():
        url = f"json:///{filled}"
        async with open_graph(url) as graph, open_graph(url) as other:
            cursor = (await other.changes())[-1].cursor
            await graph.backup(tmp_path / "copy")
            await graph.restore(tmp_path / "copy")
            with pytest.raises(HistoryReplacedError):
                await other.changes(cursor)
            assert (await other.get_node("a")).name == "a"

    asyncio.run(scenario())


def test_a_damaged_backup_replaces_nothing(serve, everything, filled, tmp_path):
    async def scenario():
        async with serve() as store:
            await store.backup(tmp_path / "copy")
            path = tmp_path / "copy/nodes/000000.jsonl"
            path.write_bytes(path.read_bytes().replace(b'"a"', b'"x"', 1))
            before = await everything(store)
            with pytest.raises(StoreUnavailableError) as caught:
                await store.restore(tmp_path / "copy")
            assert "nodes/000000.jsonl" in str(caught.value)
            assert await everything(store) == before
            assert (await store.verify()).findings == ()

    asyncio.run(scenario())


def test_what_was_opened_for_reading_is_not_replaced(serve, filled, tmp_path):
    async def scenario():
        async with serve(read_only=True) as store:
            await store.backup(tmp_path / "copy")
            with pytest.raises(StoreReadOnlyError):
                await store.restore(tmp_path / "copy")

    asyncio.run(scenario())


def test_a_full_disk_is_told_with_what_to_do():
    error = explain(OSError(28, "No space left on device"), "json:///kg")
    assert isinstance(error, StoreFullError)
    assert "nothing was stored" in str(error)
    assert "Make room" in str(error)


def test_a_storage_says_what_it_is(storage, directory):
    assert str(directory) in repr(storage())
