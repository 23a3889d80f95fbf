"""Checkpoints: readable files that are as before or as after, whatever happens while they are written."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess

import pytest

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteNode,
    EditConflictError,
    Emit,
    PutNode,
    RenameNode,
    SetMeta,
    StoreDamagedError,
)


def lines(path):
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def checkpoint(store):
    return store.storage.run(store.storage._store.checkpoint, write=True)


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
    assert (manifest["polaris_json_fs"], manifest["head"]["seq"]) == (1, 5)
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
            await store.storage.run(lambda: None, write=True)  # the checkpoint came before it
            manifest = json.loads((directory / "manifest.json").read_bytes())
            assert manifest["generation"] > 1
            assert not (directory / "journal-000001.log").exists()
            before = await everything(store)
        async with serve() as store:
            assert await everything(store) == before

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


@pytest.mark.parametrize("from_the_start", [False, True])
@pytest.mark.parametrize("watched", [False, True])
def test_a_kill_at_any_step_of_opening_committing_or_closing_loses_nothing(
    serve, everything, start, directory, tmp_path, from_the_start, watched
):
    """`watched`: another process, this one, has the store open all the while and goes on with it."""

    async def prepare():
        async with serve(tmp_path / "before") as store:
            await store.commit(Batch((CreateNode("a"), CreateNode("b"), CreateEdge("a", "t", "b"), SetMeta("m", 1))))
        async with serve(tmp_path / "before") as store:
            await store.commit(Batch(PutNode("a", "changed"), key="old"))
            shutil.copytree(tmp_path / "before", tmp_path / "image")  # with a journal, as a crash leaves it
        async with serve(tmp_path / "before") as store:
            return await everything(store)

    async def check(store, before, told):
        state = await everything(store)
        names = {node.name for node in state["nodes"]}
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
        process = start(KILLED, from_the_start=from_the_start)
        for steps in range(1, 200):
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(tmp_path / "image", directory)
            if watched:
                async with serve() as store:
                    said = await asyncio.to_thread(one_step, process, steps)
                    await check(store, before, "told\n" in said)
                    shutil.rmtree(tmp_path / "crashed", ignore_errors=True)
                    shutil.copytree(directory, tmp_path / "crashed")
                async with serve(tmp_path / "crashed") as store:
                    feed = await store.read(lambda session: session.changes(0, 100, None))
                    assert [change.kind for change in feed].count("event") == 1
                    await check(store, before, "told\n" in said)
            else:
                said = one_step(process, steps)
            async with serve() as store:
                await check(store, before, "told\n" in said)
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


def test_an_edited_file_is_refused_with_file_and_line_and_what_to_do(closed, serve):
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
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            error = refused(serve, StoreDamagedError if path.name == "manifest.json" else EditConflictError)
            assert error.where.startswith(path.relative_to(closed).as_posix())
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
