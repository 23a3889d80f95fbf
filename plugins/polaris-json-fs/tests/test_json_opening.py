"""What may be opened, what is refused, and what a store does where the system refuses something."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from polaris_json_fs import checkpoint
from polaris_json_fs.faults import explain
from polaris_json_fs.manifest import Manifest
from polaris_json_fs.plugin import polaris_storages
from polaris_json_fs.storage import JsonStorage

from polaris_core import (
    Batch,
    CreateNode,
    InvalidLocationError,
    Location,
    PutNode,
    StorageOptions,
    StoreDamagedError,
    StoreFormatError,
    StoreFullError,
    StoreNotFoundError,
    StoreReadOnlyError,
    StoreUnavailableError,
    open_graph,
)


async def names(store):
    return await store.read(lambda session: session.keys("node", "", 1_000_000))


def refused(storage, error, **options):
    async def scenario():
        with pytest.raises(error) as caught:
            await storage(**options).open()
        return caught.value

    return asyncio.run(scenario())


def contents(path):
    return {
        found.relative_to(path).as_posix(): (found.stat().st_mtime_ns, found.read_bytes())
        for found in path.rglob("*")
        if found.is_file()
    }


def test_the_plugin_offers_one_storage_called_json():
    (specification,) = polaris_storages()
    assert (specification.name, specification.file) == ("json", None)
    storage = specification.factory(Location.parse("json:///kg"), StorageOptions())
    assert isinstance(storage, JsonStorage)


@pytest.mark.parametrize(
    "url", ["json:", "json://host/kg", "json://user@/kg", "json:///kg?graph=other", "json:///kg?shards=4"]
)
def test_a_location_it_cannot_serve_is_refused_without_touching_anything(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidLocationError):
        JsonStorage(Location.parse(url), StorageOptions())
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_belongs_to_the_directory_of_the_moment_it_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = JsonStorage(Location.parse("json:///a/b?graph=default"), StorageOptions())
    monkeypatch.chdir("/")

    async def scenario():
        await storage.open()
        await storage.close()

    asyncio.run(scenario())
    assert (tmp_path / "a/b/manifest.json").exists()


def test_a_new_store_takes_its_head_from_the_options(storage):
    async def scenario():
        store = storage(now=lambda: 17, unique=iter(["the store", "the epoch"]).__next__)
        head = await store.open()
        await store.close()
        assert (head.store, head.epoch, head.seq, head.next_id, head.floor, head.time) == (
            "the store",
            "the epoch",
            0,
            1,
            0,
            17,
        )

    asyncio.run(scenario())


def test_without_create_a_missing_store_is_not_found_and_nothing_is_made(storage, directory):
    refused(storage, StoreNotFoundError, create=False)
    assert not directory.exists()
    directory.mkdir()
    refused(storage, StoreNotFoundError, create=False)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("name", ["letter.txt", "nodes", "package.json"])
def test_a_directory_of_something_else_is_refused_and_left_alone(storage, directory, name):
    directory.mkdir()
    (directory / name).write_text("{}")
    for options in ({}, {"create": False}, {"read_only": True}):
        refused(storage, StoreFormatError, **options)
    assert [path.name for path in directory.iterdir()] == [name]


@pytest.mark.parametrize("content", ["{}", "[]", "not JSON", '{"manifest_version": 3}', '{"polaris_json_fs": "x"}'])
def test_somebody_elses_manifest_is_refused_and_left_alone(storage, directory, content):
    directory.mkdir()
    (directory / "manifest.json").write_text(content)
    refused(storage, (StoreFormatError, StoreDamagedError))
    assert [path.name for path in directory.iterdir()] == ["manifest.json"]


def test_a_file_in_the_place_of_the_directory_is_refused(storage, directory):
    directory.write_text("a letter")
    refused(storage, StoreFormatError)
    assert directory.read_text() == "a letter"


def test_a_directory_that_git_was_there_before_counts_as_empty(serve, directory):
    (directory / ".git").mkdir(parents=True)
    (directory / ".gitignore").write_text("*.log\n")

    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))

    asyncio.run(scenario())
    assert (directory / ".gitignore").read_text() == "*.log\n"


@pytest.mark.parametrize("what", ["directory", "record"])
def test_a_newer_format_is_refused_with_both_numbers(serve, storage, directory, what):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))

    asyncio.run(scenario())
    manifest = json.loads((directory / "manifest.json").read_bytes())
    if what == "directory":
        manifest["polaris_json_fs"] = 3
    else:
        manifest["head"]["format"] = 2
    (directory / "manifest.json").write_text(json.dumps(manifest))
    before = contents(directory)
    assert f"format {3 if what == 'directory' else 2}" in str(refused(storage, StoreFormatError))
    assert contents(directory) == before


def test_an_interrupted_creation_is_begun_again(serve, directory):
    directory.mkdir()
    for name in ("lock", "committed", ".gitignore", "manifest.json.new"):
        (directory / name).write_bytes(b"")

    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
            assert await names(store) == ["a"]

    asyncio.run(scenario())
    assert not (directory / "manifest.json.new").exists()


# --- reading only -----------------------------------------------------------------------------------------------------


@pytest.fixture
def with_journal(serve, directory, tmp_path):
    """A store with files and, beside them, a journal, as a process that died has left it."""

    async def scenario():
        async with serve(tmp_path / "origin") as store:
            await store.commit(Batch(CreateNode("a")))
        async with serve(tmp_path / "origin") as store:
            await store.commit(Batch(CreateNode("b")))
            shutil.copytree(tmp_path / "origin", directory)

    asyncio.run(scenario())
    return directory


@pytest.mark.parametrize("shared", [True, False])
def test_reading_only_writes_nothing_and_sees_the_journal_too(serve, with_journal, shared):
    if not shared:
        (with_journal / "lock").unlink()
        (with_journal / "committed").unlink()
    before = contents(with_journal)

    async def scenario():
        async with serve(query="?mode=ro") as store:
            assert await names(store) == ["a", "b"]
            assert (store.storage.stamp() is not None) == shared
            with pytest.raises(StoreReadOnlyError):
                await store.commit(Batch(CreateNode("c")))

    asyncio.run(scenario())
    assert contents(with_journal) == before


def test_reading_only_works_in_a_directory_that_cannot_be_written(serve, with_journal, storage):
    paths = [with_journal, *with_journal.rglob("*")]
    modes = [path.stat().st_mode for path in paths]
    for path in paths:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)

    async def scenario():
        async with serve(read_only=True) as store:
            assert await names(store) == ["a", "b"]

    try:
        asyncio.run(scenario())
        if not os.access(with_journal, os.W_OK):  # root may write where nobody may
            assert "mode=ro" in str(refused(storage, StoreReadOnlyError))
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


def test_reading_only_does_without_a_counter_that_nobody_has_filled(serve, with_journal):
    (with_journal / "committed").write_bytes(b"")

    async def scenario():
        async with serve(read_only=True) as reader:
            assert await names(reader) == ["a", "b"]
            assert reader.storage.stamp() is None
            async with serve() as store:
                await store.commit(Batch(CreateNode("c")))
                assert await names(reader) == ["a", "b", "c"]
                assert reader.storage.stamp() is not None

    asyncio.run(scenario())


def test_a_reader_follows_the_writers_commits_and_checkpoints(serve, with_journal):
    async def scenario():
        async with serve(read_only=True) as reader:
            async with serve() as writer:
                for number in range(6):
                    await writer.commit(Batch(CreateNode(f"n{number}")))
                    assert f"n{number}" in await names(reader)
                    assert reader.storage.stamp() == writer.storage.stamp()
                    if number % 2:
                        await asyncio.to_thread(writer.storage._store.checkpoint)
            async with serve() as writer:
                await writer.commit(Batch(CreateNode("last")))
            assert len(await names(reader)) == 9

    asyncio.run(scenario())


def test_a_reader_of_a_copy_notices_when_somebody_opens_it_for_writing(serve, with_journal):
    (with_journal / "lock").unlink()
    (with_journal / "committed").unlink()

    async def scenario():
        async with serve(read_only=True) as reader:
            assert reader.storage.stamp() is None
            async with serve() as writer:
                await writer.commit(Batch(CreateNode("c")))
                assert await names(reader) == ["a", "b", "c"]
                assert reader.storage.stamp() == writer.storage.stamp()

    asyncio.run(scenario())


def test_a_reader_sees_a_checkpoint_that_a_crash_left_half_renamed(serve, with_journal):
    async def scenario():
        async with serve() as store:
            blocking = store.storage._store
            before = await store.read(lambda session: session.head())
            with blocking._file_lock:
                journal = blocking._journal
                after = Manifest(
                    head=before, generation=journal.generation + 1, position=blocking._applied, journal=journal.seed
                )
                frozen = blocking._records.freeze(blocking._state)
                checkpoint.write(with_journal, blocking._manifest, after, frozen.files())
            (with_journal / "nodes/000000.jsonl.new").replace(with_journal / "nodes/000000.jsonl")
            shutil.copytree(with_journal, with_journal.with_name("crashed"))
        async with serve(with_journal.with_name("crashed"), read_only=True) as reader:
            assert await names(reader) == ["a", "b"]
            assert await reader.read(lambda session: session.head()) == before
            assert len(await reader.read(lambda session: session.changes(0, 10, None))) == 2
        async with serve(with_journal.with_name("crashed")) as store:
            assert await names(store) == ["a", "b"]

    asyncio.run(scenario())


# --- a system that refuses --------------------------------------------------------------------------------------------


def test_a_file_that_may_not_grow_refuses_the_commit_and_keeps_the_store(start, serve):
    process = start(
        """
import resource
journal = os.path.join(path, "journal-000001.log")
def committed():
    with open(journal, "rb") as file:
        return file.read().rstrip(bytes(1))
async def main():
    store = make(path)
    await store.initialize()
    await store.commit(Batch(CreateNode("before")))
    before = committed()
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(journal) + 1000, resource.RLIM_INFINITY))
    try:
        await store.commit(Batch(CreateNode("large", attributes={"text": "x" * 100_000})))
    except StoreFullError as error:
        say(error)
    say(committed() == before)
    await store.commit(Batch(DeleteNode("missing", missing_ok=True)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.commit(Batch(CreateNode("after")))
    await store.close()
asyncio.run(main())
"""
    )
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    first, second = output.splitlines()
    assert "would grow larger" in first
    assert second == "True"

    async def scenario():
        async with serve() as store:
            assert await names(store) == ["after", "before"]

    asyncio.run(scenario())


def test_a_commit_needs_no_room_for_the_next_ones(start, serve):
    process = start(
        """
import resource
async def main():
    store = make(path)
    await store.initialize()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
    await store.commit(Batch(CreateNode("a")))
    await store.commit(Batch(CreateNode("b")))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    )
    process.communicate(timeout=30)

    async def scenario():
        async with serve() as store:
            assert await names(store) == ["a", "b"]

    asyncio.run(scenario())


def test_a_checkpoint_that_fails_leaves_the_journal_and_the_next_opening_repeats_it(start, serve, directory):
    process = start(
        """
import resource
async def main():
    store = make(path)
    await store.initialize()
    for i in range(5):
        await store.commit(Batch(PutNode("a", attributes={"text": str(i) * 1000})))
    await store.commit(Batch([CreateNode(f"n{i}", attributes={"text": "x" * 1000}) for i in range(5)]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
    await store.close()
asyncio.run(main())
"""
    )
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "would grow larger" in errors
    assert not list(directory.rglob("*.new"))
    assert (directory / "journal-000001.log").exists()

    async def scenario():
        async with serve() as store:
            assert len(await names(store)) == 6
        assert not (directory / "journal-000001.log").exists()
        async with serve() as store:
            assert len(await names(store)) == 6

    asyncio.run(scenario())


def test_a_power_loss_below_full_durability_begins_another_epoch(serve, with_journal):
    async def scenario():
        async with serve(durability="process") as store:
            await store.commit(Batch(PutNode("a", "changed")))
            head = await store.read(lambda session: session.head())
            shutil.copytree(with_journal, with_journal.with_name("lost"))
        image = with_journal.with_name("lost")
        async with serve(image) as store:  # the same boot: nothing is lost
            assert await store.read(lambda session: session.head()) == head
        shutil.rmtree(image)

        async with serve(durability="process") as store:
            await store.commit(Batch(PutNode("a", "changed again")))
            head = await store.read(lambda session: session.head())
            shutil.copytree(with_journal, image)
        counter = bytearray((image / "committed").read_bytes())
        counter[64:80] = b"another boot ...".ljust(16)
        (image / "committed").write_bytes(counter)
        async with serve(image) as store:
            found = await store.read(lambda session: session.head())
            assert found == head._replace(epoch=found.epoch)
            assert found.epoch != head.epoch
        async with serve(image) as store:
            assert await store.read(lambda session: session.head()) == found

    asyncio.run(scenario())


def open_files():
    descriptors = Path("/proc/self/fd")
    return len(list(descriptors.iterdir())) if descriptors.is_dir() else 0


def test_a_failed_opening_leaves_nothing_open(storage, serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
        path = directory / "nodes/000000.jsonl"
        content = path.read_bytes()
        path.write_bytes(b"broken")
        before = open_files()
        for _ in range(5):
            with pytest.raises(StoreUnavailableError):
                await storage().open()
        path.write_bytes(content)
        async with serve() as store:
            assert await names(store) == ["a"]
        assert open_files() <= before

    asyncio.run(scenario())


def test_a_file_that_cannot_be_read_is_not_said_to_be_readable(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    (tmp_path / "secret").touch()
    error = explain(PermissionError(13, "Permission denied", str(tmp_path / "secret")), "json:///kg")
    assert type(error) is StoreUnavailableError
    assert str(error) == f"json:///kg cannot be read: Permission denied ({tmp_path}/secret)"
    new = PermissionError(13, "Permission denied", str(tmp_path / "new"))
    assert isinstance(explain(new, "json:///kg"), StoreReadOnlyError)


def test_full_disk_is_an_error_of_its_own():
    assert isinstance(explain(OSError(28, "No space left on device"), "json:///kg"), StoreFullError)
    assert isinstance(explain(OSError(122, "Disk quota exceeded"), "json:///kg"), StoreFullError)
    assert isinstance(explain(OSError(30, "Read-only file system"), "json:///kg"), StoreReadOnlyError)
    assert type(explain(OSError(5, "Input/output error"), "json:///kg")) is StoreUnavailableError


def test_a_store_on_a_network_file_system_is_refused_unless_its_url_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "mountinfo"
    listed.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:30 / {tmp_path}/far rw - nfs4 server:/ rw\n")
    monkeypatch.setattr("polaris_core.abc.mounts.MOUNTS", listed)

    async def opened(url: str) -> None:
        async with open_graph(url) as graph:
            await graph.create_node("a")

    with pytest.raises(StoreUnavailableError, match=r"network file system \(nfs4\).*network=allow"):
        asyncio.run(opened(f"json:///{tmp_path}/far/kg"))
    assert not (tmp_path / "far").exists()
    asyncio.run(opened(f"json:///{tmp_path}/far/kg?network=allow"))
    asyncio.run(opened(f"json:///{tmp_path}/near/kg"))


@pytest.mark.parametrize("options", ["network=deny", "colour=red"])
def test_an_option_that_there_is_not_is_refused(options: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidLocationError, match="network"):
        open_graph(f"json:///{tmp_path}/kg?{options}")
