"""Checkpoints: readable files that are as before or as after, whatever happens while they are written."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polaris_json_fs.storage import JsonStorage

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteNode,
    EditConflictError,
    Emit,
    Location,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    StorageOptions,
    StorageService,
    StoreDamagedError,
)


def lines(path):
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def checkpoint(store):
    return asyncio.to_thread(store.storage._store.checkpoint)


def test_after_closing_a_person_reads_the_graph_in_sorted_files(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(
                Batch(
                    (
                        CreateNode("Grace", "person", {"born": 1906}, ["found a moth"]),
                        CreateNode("Ada", "person"),
                        CreateEdge("Grace", "admires", "Ada"),
                        SetMeta("b", 1),
                        SetMeta("a", 2),
                    ),
                    key="k",
                )
            )

    asyncio.run(scenario())
    nodes = lines(directory / "nodes/000000.jsonl")
    assert [(node["id"], node["name"], node["type"]) for node in nodes] == [
        (1, "Grace", "person"),
        (2, "Ada", "person"),
    ]
    assert nodes[0]["body"]["attributes"] == {"born": 1906}
    assert nodes[0]["body"]["observations"][0]["text"] == "found a moth"
    (edge,) = lines(directory / "edges/000000.jsonl")
    assert (edge["source"], edge["type"], edge["target"]) == ("Grace", "admires", "Ada")
    assert [meta["key"] for meta in lines(directory / "meta.jsonl")] == ["a", "b"]
    assert [change["seq"] for change in lines(directory / "changes/000000.jsonl")] == [1, 2, 3, 4, 5]
    assert [receipt["key"] for receipt in lines(directory / "receipts/000000.jsonl")] == ["k"]
    manifest = json.loads((directory / "manifest.json").read_bytes())
    assert (manifest["polaris_json_fs"], manifest["head"]["seq"]) == (2, 5)
    assert set(manifest["files"]) == {
        path.relative_to(directory).as_posix() for path in directory.rglob("*.jsonl") if path.is_file()
    }


def test_what_git_is_to_forget_is_ignored_and_the_rest_is_tidy(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))

    asyncio.run(scenario())
    subprocess.run(["git", "init", "-q", directory], check=True)
    shown = subprocess.run(
        ["git", "-C", directory, "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True
    )
    assert [line[3:] for line in shown.stdout.splitlines()] == [
        ".gitignore",
        "changes/000000.jsonl",
        "manifest.json",
        "nodes/000000.jsonl",
    ]


def test_one_change_touches_only_the_files_it_belongs_to(serve, directory):
    def times():
        return {path.relative_to(directory).as_posix(): path.stat().st_mtime_ns for path in directory.rglob("*.jsonl")}

    async def scenario():
        async with serve(durability="process") as store:
            await store.apply([Batch([CreateNode(f"n{i}") for i in range(9_000)]), Batch(CreateEdge("n1", "t", "n2"))])
        before = times()
        async with serve() as store:
            await store.commit(Batch(PutNode("n5000", "other")))
        after = times()
        assert set(before) == set(after)
        changed = {path for path in after if after[path] != before[path]}
        assert changed == {"nodes/000001.jsonl", "changes/000002.jsonl"}

    asyncio.run(scenario())


def test_a_file_whose_records_are_all_gone_goes_too(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch((CreateNode("a"), CreateNode("b"), CreateEdge("a", "t", "b"))))
        async with serve() as store:
            await store.commit(Batch((DeleteNode("a", detach=True), DeleteNode("b"))))
        assert not (directory / "nodes/000000.jsonl").exists()
        assert not (directory / "edges/000000.jsonl").exists()
        async with serve() as store:
            assert await store.read(lambda session: session.counts()) == (0, 0)
            assert len(await store.read(lambda session: session.changes(0, 10, None))) == 6

    asyncio.run(scenario())


def test_opening_and_closing_without_a_commit_writes_nothing(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
        before = (directory / "manifest.json").read_bytes()
        async with serve():
            pass
        assert (directory / "manifest.json").read_bytes() == before

    asyncio.run(scenario())


def test_a_journal_that_outgrows_the_files_is_taken_into_them_while_the_store_is_open(serve, directory, everything):
    async def scenario():
        async with serve(durability="process") as store:
            for number in range(6):
                await store.commit(Batch(PutNode("big", "t", {"text": f"{number}" * 900_000})))
            await store.storage._threads.keep.run(lambda: None)  # the checkpoint came before it
            manifest = json.loads((directory / "manifest.json").read_bytes())
            assert manifest["generation"] > 1
            assert not (directory / "journal-000001.log").exists()
            before = await everything(store)
        async with serve() as store:
            assert await everything(store) == before

    asyncio.run(scenario())


def record_files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*.jsonl"))
        if path.parent.name != "changes"
    }


OLD, NEW = ("a", "b", "c", "d"), ("e", "f")
steps = st.lists(
    st.one_of(
        st.builds(PutNode, st.sampled_from(OLD + NEW), st.sampled_from(["t", "u"])),
        st.builds(RenameNode, st.sampled_from(OLD), st.sampled_from(NEW + OLD)),
        st.builds(DeleteNode, st.sampled_from(OLD), detach=st.just(True)),
        st.builds(PutEdge, st.sampled_from(OLD), st.just("t"), st.sampled_from(OLD + NEW)),
        st.builds(SetMeta, st.sampled_from(["m", "n"]), st.integers(0, 3)),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(steps, steps)
def test_files_written_while_commits_go_on_are_those_of_the_moment_it_began(before, after):
    def batches(mutations, name):
        return [Batch(mutation, key=f"{name} {at}") for at, mutation in enumerate(mutations)]

    async def scenario(root):
        location = Location(scheme="json", path=str(root / "kg"))
        storage = JsonStorage(location, StorageOptions(durability="process"))
        service = StorageService(storage=storage)
        await service.initialize()
        blocking = storage._store
        await service.apply([Batch((*map(CreateNode, OLD), PutEdge("a", "t", "b"), PutEdge("b", "t", "c")))])
        await asyncio.to_thread(blocking.checkpoint)
        await service.apply(batches(before, "before"))
        shutil.copytree(root / "kg", root / "moment")
        frozen = await asyncio.to_thread(blocking._turn)
        await service.apply(batches(after, "after"))
        if frozen is not None:
            await asyncio.to_thread(blocking._write_and_switch, frozen)
        written = record_files(root / "kg")
        read = await service.read(lambda session: session.scan("node", 0, 100))
        await service.close()
        moment = StorageService(
            storage=JsonStorage(Location(scheme="json", path=str(root / "moment")), StorageOptions())
        )
        await moment.initialize()
        await moment.close()
        assert written == record_files(root / "moment")
        again = StorageService(storage=JsonStorage(Location(scheme="json", path=str(root / "kg")), StorageOptions()))
        await again.initialize()
        assert await again.read(lambda session: session.scan("node", 0, 100)) == read
        await again.close()

    with TemporaryDirectory() as root:
        asyncio.run(scenario(Path(root)))


def test_a_commit_waits_for_no_file_of_a_checkpoint(serve):
    async def scenario():
        async with serve() as store, serve() as other:
            await store.commit(Batch([CreateNode(f"n{i}") for i in range(100)]))
            blocking = store.storage._store
            frozen = await asyncio.to_thread(blocking._turn)
            files = frozen.files()
            held = [next(files)]  # the first file is being written
            for number, service in enumerate((store, other, store)):
                await asyncio.wait_for(service.commit(Batch(CreateNode(f"amid {number}"))), 5)
            frozen.files = lambda: iter([*held, *files])
            await asyncio.to_thread(blocking._write_and_switch, frozen)
            assert (await other.read(lambda session: session.counts())) == (103, 0)
        async with serve() as store:
            assert (await store.read(lambda session: session.counts())) == (103, 0)

    asyncio.run(scenario())


# --- kills ------------------------------------------------------------------------------------------------------------

KILLED = """
# One process imports; each scenario runs in a child of it, which kills itself at its n-th step with the file system.
def armed(steps):
    count = 0
    def watch(event, arguments):
        nonlocal count
        if event in ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir") and path in str(arguments[0]):
            count += 1
            if count == steps:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

async def main(steps):
    store = make(path, busy_seconds=5)
    if arguments["from_the_start"]:
        armed(steps)
    await store.initialize()
    await store.commit(Batch((CreateNode("new"), RenameNode("a", "renamed"), DeleteNode("b", detach=True)), key="new"))
    os.write(1, b"told\\n")
    armed(steps)
    if arguments["amid"]:
        blocking = store.storage._store
        with blocking._checkpoint_lock:
            frozen = blocking._turn()
            await store.commit(Batch(CreateNode("amid")))
            os.write(1, b"amid\\n")
            blocking._write_and_switch(frozen)
    await store.close()
    os.write(1, b"closed\\n")

for line in sys.stdin:
    steps = int(line)
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(main(steps))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"done\\n")
"""


@pytest.mark.parametrize(("from_the_start", "amid"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("watched", [False, True])
def test_a_kill_at_any_step_of_opening_committing_or_closing_loses_nothing(
    serve, everything, start, directory, tmp_path, from_the_start, amid, watched
):
    """`watched`: another process, this one, has the store open all the while and goes on with it.

    `amid`: there is a commit while a checkpoint is written.
    """

    async def prepare():
        async with serve(tmp_path / "before") as store:
            await store.commit(Batch((CreateNode("a"), CreateNode("b"), CreateEdge("a", "t", "b"), SetMeta("m", 1))))
        async with serve(tmp_path / "before") as store:
            await store.commit(Batch(PutNode("a", "changed"), key="old"))
            shutil.copytree(tmp_path / "before", tmp_path / "image")  # with a journal, as a crash leaves it
        async with serve(tmp_path / "before") as store:
            return await everything(store)

    async def check(store, before, said):
        told = "told\n" in said
        state = await everything(store)
        names = {node.name for node in state["nodes"]}
        assert "amid" in names or "amid\n" not in said
        names.discard("amid")
        if told or "new" in names:
            assert names == {"new", "renamed"}
            assert state["edges"] == []
            assert {receipt.key for receipt in state["receipts"]} == {"old", "new"}
        else:
            assert {kind: state[kind] for kind in kinds} == {kind: before[kind] for kind in kinds}
        assert [change.seq for change in state["changes"]] == list(range(1, state["head"].seq + 1))
        assert state["head"].epoch == before["head"].epoch
        await store.commit(Batch(Emit("seen")))

    kinds = ("nodes", "edges", "meta", "receipts")

    async def scenario():
        before = await prepare()
        process = start(KILLED, from_the_start=from_the_start, amid=amid)
        for steps in range(1, 200):
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(tmp_path / "image", directory)
            if watched:
                async with serve() as store:
                    said = await asyncio.to_thread(one_step, process, steps)
                    await check(store, before, said)
                    shutil.rmtree(tmp_path / "crashed", ignore_errors=True)
                    shutil.copytree(directory, tmp_path / "crashed")
                async with serve(tmp_path / "crashed") as store:
                    feed = await store.read(lambda session: session.changes(0, 100, None))
                    assert [change.kind for change in feed].count("event") == 1
                    await check(store, before, said)
            else:
                said = one_step(process, steps)
            async with serve() as store:
                await check(store, before, said)
            assert not list(directory.rglob("*.new"))
            assert not (directory / "manifest.json.next").exists()
            if "closed\n" in said:
                return steps
        return 0

    assert 10 < asyncio.run(scenario()) < 200


def one_step(process, steps):
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    said = []
    while (line := process.stdout.readline()) != "done\n":
        assert line, process.stderr.read()
        said.append(line)
    return said


# --- files that are not as they were written --------------------------------------------------------------------------


@pytest.fixture
def closed(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(
                Batch((CreateNode("a"), CreateNode("b", attributes={"x": 1}), CreateEdge("a", "t", "b")))
            )

    asyncio.run(scenario())
    return directory


def refused(serve, error):
    async def scenario():
        with pytest.raises(error) as caught:
            async with serve():
                pass
        return caught.value

    return asyncio.run(scenario())


def test_an_edited_file_of_which_no_copy_was_kept_is_refused_with_file_and_line_and_what_to_do(closed, serve):
    shutil.rmtree(closed / "written")
    path = closed / "nodes/000000.jsonl"
    path.write_text(path.read_text().replace('{"x":1}', '{"x": 2}'))
    assert "make the change through Polaris" in str(refused(serve, EditConflictError))
    path.write_text(path.read_text().replace('{"name":"b",', '{ "name":"b",'))
    assert refused(serve, EditConflictError).where == "nodes/000000.jsonl:2"


def test_an_edit_beside_a_journal_says_that_commits_build_on_it(closed, serve, tmp_path):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(RenameNode("a", "c")))
            shutil.copytree(closed, tmp_path / "image")

    asyncio.run(scenario())
    shutil.rmtree(closed)
    shutil.copytree(tmp_path / "image", closed)
    (closed / "edges/000000.jsonl").write_text("not JSON\n")
    error = refused(serve, EditConflictError)
    assert error.where == "edges/000000.jsonl:1"
    assert "journal" in str(error)


@pytest.mark.parametrize("path", ["nodes/000000.jsonl", "edges/000000.jsonl", "changes/000000.jsonl"])
def test_a_missing_file_is_refused_by_name(closed, serve, path):
    (closed / path).unlink()
    assert refused(serve, EditConflictError).where == path


def test_a_flipped_bit_in_any_file_is_refused(closed, serve):
    for path in [*closed.rglob("*.jsonl"), closed / "manifest.json"]:
        content = path.read_bytes()
        for bit in range(3, len(content) * 8, max(1, len(content) * 8 // 7)):
            flipped, time = bytearray(content), path.stat().st_mtime_ns
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            os.utime(path, ns=(time, time))  # a bit that flips by itself touches no file
            name = path.relative_to(closed).as_posix()
            error = refused(serve, EditConflictError if name.startswith("changes/") else StoreDamagedError)
            if path.parent.name in ("nodes", "edges"):
                assert error.where == f"{name}:{content[: bit // 8].count(10) + 1}"
            assert error.where.startswith(name)
        path.write_bytes(content)


def test_an_older_block_of_the_feed_that_was_changed_is_refused_when_it_is_read(serve, directory):
    async def scenario():
        async with serve(durability="process") as store:
            await store.apply([Batch([CreateNode(f"n{i}") for i in range(5_000)])])
        path = directory / "changes/000000.jsonl"
        path.write_bytes(path.read_bytes().replace(b'"commit":1,', b'"commit":2,', 1))
        async with serve() as store:
            assert await store.read(lambda session: session.changes(4_995, 10, None))
            with pytest.raises(EditConflictError) as caught:
                await store.read(lambda session: session.changes(0, 10, None))
            assert caught.value.where == "changes/000000.jsonl"

    asyncio.run(scenario())


def test_an_older_copy_put_in_place_is_another_history(closed, serve, tmp_path):
    shutil.copytree(closed, tmp_path / "older")

    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("later")))
            epoch = (await store.read(lambda session: session.head())).epoch
        for path in (tmp_path / "older").rglob("*.json*"):
            shutil.copy(path, closed / path.relative_to(tmp_path / "older"))
        async with serve() as store:
            head = await store.read(lambda session: session.head())
            assert (head.seq, head.epoch != epoch) == (3, True)
        async with serve() as store:
            assert await store.read(lambda session: session.head()) == head

    asyncio.run(scenario())


def test_a_copy_without_the_shared_files_is_the_same_store(closed, serve, everything, tmp_path):
    async def scenario():
        async with serve() as store:
            before = await everything(store)
        shutil.copytree(closed, tmp_path / "clone", ignore=shutil.ignore_patterns("lock", "committed"))
        async with serve(tmp_path / "clone") as store:
            assert await everything(store) == before

    asyncio.run(scenario())
