"""No acknowledged write is lost when writers are killed at random, with several of them on one store."""

from __future__ import annotations

import asyncio
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from ordeal.backends import BACKENDS, store_url

from polaris_core import Graph, open_graph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

METHOD = "random kills"

WRITER = """
import asyncio, os, sys
from polaris_core import open_graph

async def main(url, name):
    async with open_graph(url) as graph:
        async def write(lane):
            number = 0
            while True:
                key = f"{name}-{lane}-{number}"
                await graph.create_node(key, "written", {"number": number}, ["acknowledged once it is here"])
                if number:
                    await graph.create_edge(f"{name}-{lane}-{number - 1}", "next", key)
                os.write(1, f"{key}\\n".encode())
                number += 1
        await asyncio.gather(*(write(lane) for lane in range(4)))

asyncio.run(main(*sys.argv[1:]))
"""
WEAKNESS = """
import asyncio
from polaris_core import Graph

def early(real):
    async def acknowledge(*arguments):
        lane = asyncio.current_task()
        before, begun[lane] = begun.get(lane), asyncio.ensure_future(real(*arguments))
        if before:
            await before
    return acknowledge

begun = {}
Graph.create_node, Graph.create_edge = early(Graph.create_node), early(Graph.create_edge)
"""
"""A store that acknowledges a write when the one before it is stored."""
WRITERS = 3
LIVES = (0.15, 0.6)  # seconds a writer writes before it is killed


class Writer:
    """A process that writes and says what was acknowledged, until it is killed."""

    def __init__(self, url: str, name: str, weakness: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", weakness + WRITER, url, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.killed_at = float("inf")
        self.output = b""
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def read(self) -> None:
        assert self.process.stdout is not None
        while chunk := self.process.stdout.read(1 << 16):
            self.output += chunk

    def kill(self) -> list[str]:
        """Kill the process and return what was acknowledged."""
        assert self.process.stderr is not None
        self.process.send_signal(signal.SIGKILL)
        status = self.process.wait()
        self.read()
        error = self.process.stderr.read().decode()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.stderr.close()
        assert status == -signal.SIGKILL, error
        return self.output.decode().split("\n")[:-1]


def kill_writers(url: str, kills: int, seed: int, weakness: str = "") -> list[str]:
    """Kill `kills` writers at random moments while they write, three alive at a time; return the acknowledged names."""
    chance = random.Random(seed)
    acknowledged: list[str] = []
    started = done = 0
    alive: list[Writer] = []
    with selectors.DefaultSelector() as selector:
        while done < kills:
            while len(alive) < WRITERS:
                writer = Writer(url, f"w{started}", weakness)
                assert writer.process.stdout is not None
                selector.register(writer.process.stdout, selectors.EVENT_READ, writer)
                alive.append(writer)
                started += 1
            for key, _ in selector.select(0.02):
                writer = key.data
                writer.read()
                if writer.output and writer.killed_at == float(
                    "inf"
                ):  # its life begins with the first acknowledged write
                    writer.killed_at = time.monotonic() + chance.uniform(*LIVES)
            for writer in list(alive):
                assert writer.process.poll() is None, writer.process.communicate()
                if time.monotonic() >= writer.killed_at:
                    assert writer.process.stdout is not None
                    selector.unregister(writer.process.stdout)
                    alive.remove(writer)
                    acknowledged.extend(writer.kill())
                    done += 1
    for writer in alive:
        acknowledged.extend(writer.kill())
    return acknowledged


async def lost(graph: Graph, acknowledged: list[str]) -> list[str]:
    """Return the acknowledged nodes, and the edges written before them, that are not there."""
    missing = []
    for start in range(0, len(acknowledged), 500):
        names = acknowledged[start : start + 500]
        found = await graph.get_nodes(names)
        missing += [name for name in names if name not in found]
        keys = []
        for name in names:
            lane, _, number = name.rpartition("-")
            if number != "0":
                keys.append((f"{lane}-{int(number) - 1}", "next", name))
        edges = await graph.get_edges(keys)
        missing += [str(key) for key in keys if key not in edges]
    return missing


async def whole(graph: Graph) -> None:
    """Assert that the feed is gapless and tells as many records as there are."""
    seen, after = {"node.created": 0, "edge.created": 0}, None
    number = 0
    while page := await graph.changes(after):
        for change in page:
            number += 1
            assert change.cursor.seq == number
            seen[change.kind] += 1
        after = page[-1].cursor
    statistics = await graph.statistics()
    assert (statistics.nodes, statistics.edges) == (seen["node.created"], seen["edge.created"])


def check(url: str, kills: int, seed: int, weakness: str = "") -> dict[str, int]:
    """Kill writers and look at what they leave; return the figures."""
    acknowledged = kill_writers(url, kills, seed, weakness)

    async def main() -> list[str]:
        async with open_graph(url) as graph:
            await whole(graph)
            return await lost(graph, acknowledged)

    missing = asyncio.run(main())
    assert len(acknowledged) > kills, "writers were killed before they wrote anything"
    return {"kills_survived": kills, "acknowledged": len(acknowledged), "lost": len(missing)}


@pytest.mark.parametrize("backend", BACKENDS)
def test_twenty_kills_lose_no_acknowledged_write(backend: str, tmp_path: Path, count: Callable[..., None]) -> None:
    figures = check(store_url(backend, tmp_path), kills=20, seed=1)
    assert figures["lost"] == 0
    count(METHOD, backend, **figures)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", BACKENDS)
def test_two_hundred_kills_lose_no_acknowledged_write(backend: str, tmp_path: Path, count: Callable[..., None]) -> None:
    figures = check(store_url(backend, tmp_path), kills=200, seed=2)
    assert figures["lost"] == 0
    count(METHOD, backend, **figures)


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_catches_a_store_that_acknowledges_a_write_too_early(backend: str, tmp_path: Path) -> None:
    assert check(store_url(backend, tmp_path), kills=6, seed=3, weakness=WEAKNESS)["lost"] > 0


@pytest.mark.parametrize("backend", ["memory", *BACKENDS])
def test_fifty_concurrent_creates_are_all_kept(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        url = "memory:" if backend == "memory" else store_url(backend, tmp_path)
        async with open_graph(url) as graph:
            await asyncio.gather(*(graph.create_node(f"n{number}") for number in range(50)))
            assert (await graph.statistics()).nodes == 50
        if backend != "memory":
            async with open_graph(url) as graph:
                assert (await graph.statistics()).nodes == 50

    asyncio.run(main())


TWENTY = """
import asyncio, sys
from polaris_core import open_graph

async def main(url, name):
    async with open_graph(url) as graph:
        sys.stdin.readline()
        for number in range(20):
            await graph.create_node(f"{name}-{number}")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_forty_creates_by_two_processes_are_all_kept(backend: str, tmp_path: Path) -> None:
    url = store_url(backend, tmp_path)
    processes = [
        subprocess.Popen([sys.executable, "-c", TWENTY, url, name], stdin=subprocess.PIPE, text=True) for name in "ab"
    ]
    for process in processes:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0

    async def main() -> None:
        async with open_graph(url) as graph:
            names = await graph.names(limit=1000)
            assert set(names) == {f"{name}-{number}" for name in "ab" for number in range(20)}

    asyncio.run(main())
