"""Salvage: what can be read is in the new store, what cannot is named, and the damaged store stays as it was."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from polaris_json_fs.plugin import polaris_storages

from polaris_core import Batch, CreateEdge, CreateNode, Location, SetMeta, StoreUnavailableError


def salvaged(source, target):
    (specification,) = polaris_storages()

    async def scenario():
        assert specification.salvage is not None
        origin, copy = (Location(scheme="json", path=str(path)) for path in (source, target))
        return await specification.salvage(origin, copy)

    return asyncio.run(scenario())


@pytest.fixture
def damaged(serve, directory, tmp_path):
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


@pytest.fixture
def found(serve, everything, tmp_path):
    def look():
        async def scenario():
            async with serve(tmp_path / "new") as store:
                assert (await store.verify()).findings == ()
                return await everything(store)

        return asyncio.run(scenario())

    return look


def names(state):
    return [node.name for node in state["nodes"]]


def test_a_healthy_store_is_salvaged_whole_in_a_new_epoch(damaged, found, serve, everything, tmp_path):
    async def scenario():
        async with serve(tmp_path / "origin") as store:
            return await everything(store)

    report = salvaged(damaged, tmp_path / "new")
    assert (report.nodes, report.edges, report.changes, report.lost) == (4, 1, 6, ())
    state, before = found(), asyncio.run(scenario())
    assert {**state, "head": None} == {**before, "head": None}
    assert state["head"].epoch != before["head"].epoch


def test_a_damaged_file_of_which_there_is_a_copy_is_salvaged_whole(damaged, found, tmp_path):
    (damaged / "nodes/000000.jsonl").write_text("broken")
    assert salvaged(damaged, tmp_path / "new").lost == ()
    assert names(found()) == ["a", "b", "c", "d"]


def test_what_a_broken_line_held_is_lost_by_name_with_what_needs_it(damaged, found, tmp_path):
    shutil.rmtree(damaged / "written")
    path = damaged / "nodes/000000.jsonl"
    held = path.read_bytes().replace(b'{"name":"b"', b'{"name:"b"')
    path.write_bytes(held)
    lost = salvaged(damaged, tmp_path / "new").lost
    assert [where for where, _ in lost] == ["nodes/000000.jsonl", "nodes/000000.jsonl:2", "edge 3"]
    state = found()
    assert names(state) == ["a", "c", "d"]
    assert state["edges"] == []
    assert path.read_bytes() == held


def test_a_line_whose_body_is_that_of_no_record_is_lost_by_name(damaged, found, tmp_path):
    shutil.rmtree(damaged / "written")
    path = damaged / "edges/000000.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"created_at":"2', b'"created_at":"s', 1))
    lost = salvaged(damaged, tmp_path / "new").lost
    assert [where for where, _ in lost] == ["edges/000000.jsonl", "edges/000000.jsonl:1"]
    assert found()["edges"] == []


def test_the_journal_is_salvaged_as_far_as_it_can_be_read(damaged, found, tmp_path):
    (path,) = damaged.glob("journal-*.log")
    data = bytearray(path.read_bytes().rstrip(b"\0"))
    data[len(data) * 3 // 4] ^= 1
    path.write_bytes(data)
    ((where, _),) = salvaged(damaged, tmp_path / "new").lost
    assert where.startswith(f"{path.name}, byte ")
    assert names(found()) == ["a", "b", "c"]


def test_without_a_manifest_the_files_are_salvaged_and_the_journal_is_named(damaged, found, tmp_path):
    (damaged / "manifest.json").write_text("broken")
    lost = salvaged(damaged, tmp_path / "new").lost
    assert [where for where, _ in lost] == ["manifest.json", "journal-000002.log"]
    assert names(found()) == ["a", "b"]


def test_a_missing_file_is_named(damaged, found, tmp_path):
    (damaged / "changes/000000.jsonl").unlink()
    lost = salvaged(damaged, tmp_path / "new").lost
    assert lost[0].where == "changes/000000.jsonl"
    assert [change.seq for change in found()["changes"]] == [5, 6]


def test_what_is_salvaged_goes_where_nothing_is(damaged, tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(StoreUnavailableError, match="already"):
        salvaged(damaged, tmp_path / "new")
