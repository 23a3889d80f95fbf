"""On a real file system that is full, too small, or read-only: nothing acknowledged is lost, and errors say what it is."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ordeal import weaknesses as weaknesses_module
from ordeal.backends import BACKENDS, store_url

from polaris_core import Graph, StorageError, StoreFullError, StoreReadOnlyError, open_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHOD = "full disk"
BYTES = 4 << 20
BODY = "x" * 30_000


def mount(folder: Path, *options: str) -> str:
    """Mount a file system in memory; return the complaint, empty where it worked."""
    finished = subprocess.run(
        ["mount", *options, str(folder)], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return finished.stderr.strip()


@pytest.fixture
def small_disk(scratch: Path) -> Iterator[Path]:
    """A file system of four megabytes; only root may have one."""
    folder = Path(tempfile.mkdtemp(prefix="disk-", dir=scratch))
    try:
        complaint = mount(folder, "-t", "tmpfs", "-o", f"size={BYTES}", "tmpfs")
    except FileNotFoundError:
        complaint = "there is no program called mount"
    if complaint:
        pytest.skip(f"no file system can be mounted here: {complaint}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def fill(graph: Graph, name: str, acknowledged: list[str]) -> StorageError | None:
    """Write nodes until one is refused, and return its error."""
    for number in range(BYTES // len(BODY) + 1):
        try:
            await graph.create_node(f"{name}-{number}", attributes={"body": BODY})
        except StorageError as error:
            return error
        acknowledged.append(f"{name}-{number}")
    return None


async def check(url: str, acknowledged: list[str], refused: list[str]) -> None:
    async with open_graph(url) as graph:
        names = await graph.names(limit=1_000)
        assert set(acknowledged) <= set(names)
        assert not set(refused) & set(names)
        assert (await graph.statistics()).nodes == len(names)
        assert all(node.attributes["body"] == BODY for node in (await graph.get_nodes(names)).values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_full_disk_refuses_writes_and_keeps_the_others(
    backend: str, small_disk: Path, count: Callable[..., None]
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(BYTES // 4))
    folder = small_disk / "store"
    folder.mkdir()
    url = store_url(backend, folder)
    acknowledged: list[str] = []
    refused: list[str] = []

    async def main() -> None:
        async with open_graph(url) as graph:
            error = await fill(graph, "first", acknowledged)
            assert isinstance(error, StoreFullError), error
            refused.append(f"first-{len(acknowledged)}")
            assert set(await graph.names(limit=1_000)) == set(acknowledged)
            ballast.unlink()
            assert isinstance(await fill(graph, "second", acknowledged), StoreFullError)
        async with open_graph(url) as graph:  # full as it is
            assert set(acknowledged) <= set(await graph.names(limit=1_000))

    asyncio.run(main())
    asyncio.run(check(url, acknowledged, refused))
    count(METHOD, backend, acknowledged=len(acknowledged), refused=2, lost=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_disk_that_turned_read_only_is_read_and_says_so(backend: str, small_disk: Path) -> None:
    folder = small_disk / "store"
    folder.mkdir()
    url = store_url(backend, folder)
    acknowledged: list[str] = []

    async def write() -> None:
        async with open_graph(url) as graph:
            await graph.create_node("kept", attributes={"body": BODY})
            acknowledged.append("kept")

    async def refuse() -> None:
        with pytest.raises(StoreReadOnlyError):
            async with open_graph(url) as graph:
                await graph.create_node("refused", attributes={"body": BODY})

    async def read() -> None:
        async with open_graph(f"{url}?mode=ro") as graph:
            assert list(await graph.names(limit=1_000)) == acknowledged

    asyncio.run(write())
    assert not mount(small_disk, "-o", "remount,ro")
    try:
        asyncio.run(refuse())
        asyncio.run(read())
    finally:
        assert not mount(small_disk, "-o", "remount,rw")
    asyncio.run(check(url, acknowledged, ["refused"]))


LIMITED = """
import asyncio, json, resource, sys
from ordeal.weaknesses import WEAKNESSES
from polaris_core import OutcomeUnknownError, StorageError, open_graph

async def main(url, most):
    said = {"acknowledged": [], "refused": [], "unknown": [], "errors": []}
    async with open_graph(url) as graph:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        for number in range(60):
            name = f"n-{number}"
            try:
                await graph.create_node(name, attributes={"body": "x" * 30_000})
            except OutcomeUnknownError as error:
                said["unknown"].append(name)
            except StorageError as error:
                said["refused"].append(name)
                said["errors"].append(type(error).__name__)
            else:
                said["acknowledged"].append(name)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(json.dumps(said))

url, most, *weaknesses = sys.argv[1:]
for name in weaknesses:
    WEAKNESSES[name].weaken()
asyncio.run(main(url, int(most)))
"""


def write_into_files_that_may_not_grow(url: str, most: int, *weaknesses: str) -> dict[str, Any]:
    """Let a process write whose files may have `most` bytes; return what it said of each write."""
    paths = [str(Path(weaknesses_module.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    finished = subprocess.run(
        [sys.executable, "-c", LIMITED, url, str(most), *weaknesses],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    said: dict[str, Any] = json.loads(finished.stdout)
    return said


@pytest.mark.parametrize("most", [200_000, 203_777, 1_000_000])
@pytest.mark.parametrize("backend", BACKENDS)
def test_files_that_may_not_grow_lose_nothing(
    backend: str, most: int, tmp_path: Path, count: Callable[..., None]
) -> None:
    url = store_url(backend, tmp_path)
    said = write_into_files_that_may_not_grow(url, most)
    assert said["acknowledged"]
    assert said["refused"] or said["unknown"]
    asyncio.run(check(url, said["acknowledged"], said["refused"]))
    count(METHOD, backend, acknowledged=len(said["acknowledged"]), refused=len(said["refused"]), lost=0)


def test_it_catches_a_store_that_takes_a_full_disk_for_success(tmp_path: Path) -> None:
    url = store_url("json", tmp_path)
    said = write_into_files_that_may_not_grow(url, 200_000, "takes a full disk for success")
    with pytest.raises(AssertionError, match=f"Extra items in the left set:\n *'{said['acknowledged'][-1]}'"):
        asyncio.run(check(url, said["acknowledged"], said["refused"]))
