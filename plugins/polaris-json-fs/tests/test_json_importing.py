"""Files of records without a manifest become a store of their own, as they are; what does not fit is named with its line."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import pytest

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteNode,
    EditConflictError,
    SetMeta,
    StoreFormatError,
    StoreNotFoundError,
)

NODES, EDGES = "nodes/000000.jsonl", "edges/000000.jsonl"


@pytest.fixture
def origin(serve, tmp_path):
    async def scenario():
        async with serve(tmp_path / "origin") as store:
            await store.commit(
                Batch((CreateNode("a"), CreateNode("b"), CreateEdge("a", "t", "b"), SetMeta("m", 1)), key="k")
            )
            await store.commit(Batch((CreateNode("c"), DeleteNode("c"))))

    asyncio.run(scenario())
    return tmp_path / "origin"


@pytest.fixture
def clone(origin, directory):
    """What git brings of a store whose manifest is not kept there."""

    def git(folder, *words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, "-C", folder, *words], check=True, capture_output=True)

    with (origin / ".gitignore").open("a") as file:
        file.write("/manifest.json\n")
    git(origin, "init", "-q")
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "a graph")
    git(origin.parent, "clone", "-q", str(origin), str(directory))
    return directory


def refused(serve, error):
    async def scenario():
        with pytest.raises(error) as caught:
            async with serve():
                pass
        return caught.value

    return asyncio.run(scenario())


def test_a_clone_without_a_manifest_is_a_new_store_that_holds_everything(serve, everything, origin, clone):
    assert not (clone / "manifest.json").exists()

    async def scenario():
        async with serve(origin) as store:
            before = await everything(store)
        async with serve() as store:
            found = await everything(store)
            assert {**found, "head": None} == {**before, "head": None}
            assert found["head"].store != before["head"].store
            assert found["head"].epoch != before["head"].epoch
            assert (found["head"].seq, found["head"].next_id) == (6, 5)
            assert (await store.verify()).findings == ()
            await store.commit(Batch(CreateNode("d")))
        async with serve() as store:
            assert (await everything(store))["head"].store == found["head"].store

    asyncio.run(scenario())


def test_files_without_their_feed_begin_a_new_one(serve, everything, clone):
    shutil.rmtree(clone / "changes")
    shutil.rmtree(clone / "receipts")

    async def scenario():
        async with serve() as store:
            found = await everything(store)
            assert [node.name for node in found["nodes"]] == ["a", "b"]
            assert found["changes"] == []
            assert found["head"].floor == found["head"].seq
            await store.commit(Batch(CreateNode("d")))
            assert (await store.verify()).findings == ()

    asyncio.run(scenario())


def test_what_was_imported_can_be_edited_by_hand(serve, clone):
    async def scenario():
        async with serve():
            pass
        path = clone / NODES
        path.write_text(path.read_text().replace('"type":"node","id":1', '"type":"letter","id":1'))
        async with serve() as store:
            (node,) = await store.read(lambda session: session.nodes(["a"]))
            assert node.type == "letter"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "old", "new", "line"),
    [
        (NODES, '"name":"b"', '"name":"a"', 2),
        (NODES, '"id":2,', '"id":1,', 2),
        (NODES, '"id":2,', '"id":5000,', 2),
        (NODES, '"name":"b",', "", 2),
        (NODES, '"name":"a",', '"name": "a",', 1),
        (EDGES, '"target_id":2', '"target_id":7', 1),
        (EDGES, "{", "no record {", 1),
        ("changes/000000.jsonl", '"seq":4,', '"seq":3,', 4),
        (NODES, '"revision":2,', '"revision":99,', 2),
    ],
)
def test_a_line_that_does_not_fit_is_named_and_nothing_is_written(serve, clone, path, old, new, line):
    text = (clone / path).read_text()
    assert old in text
    (clone / path).write_text(text.replace(old, new, 1))
    feed = (clone / "changes/000000.jsonl").read_bytes()
    assert refused(serve, EditConflictError).where == f"{path}:{line}"
    assert not (clone / "manifest.json").exists()
    assert (clone / "changes/000000.jsonl").read_bytes() == feed


def test_a_journal_without_its_manifest_is_refused(serve, clone):
    (clone / "journal-000001.log").write_text("")
    assert "bring the manifest back" in str(refused(serve, StoreFormatError))


def test_who_only_reads_is_told_that_it_is_not_imported_yet(serve, clone):
    async def scenario():
        with pytest.raises(StoreNotFoundError, match="imported"):
            async with serve(read_only=True):
                pass

    asyncio.run(scenario())
    assert not (clone / "manifest.json").exists()
