"""The JSON backend against the least that its disk and its parser need, as ratios of one run.

    python benchmarks/json_files.py [--nodes 100000] [--edges 350000] [--writes 1000] [--rounds 3] [--json]

- `write`: durable writes of one node each by one caller, against a loop that writes as many bytes to a file and calls
  `fdatasync` after each; 0.5 means twice the time. `ratio` is to a loop that fills a file which has its length already, the
  fastest there is, `ratio_growing` to one whose file grows with each write.
- `open`: opening a graph of this size in a new process, against reading its files of records and parsing each line with
  orjson, in a new process too; 2 means twice the time. `resident` is what the process that opened it holds, in MB.
- `checkpoint`: durable writes while a checkpoint of the whole graph is written beside them: how long the checkpoint takes, how
  long it holds the lock that commits take, the slowest write during it and, for comparison, without it; in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from polaris_json_fs.storage import JsonStorage

from polaris_core import Batch, CreateEdge, CreateNode, Graph, open_graph

ATTRIBUTES = {"version": "2.36-9+deb12u10", "section": "libs", "installed_size": 12345, "tags": ["one", "two"]}
TEXT = "GNU C Library: Shared libraries, which nearly every program on the system needs to run at all."

OPEN = """
import asyncio, resource, sys, time
from polaris_core import open_graph

async def main():
    async with open_graph("json:///warm") as graph:  # imports are no part of it
        await graph.get_nodes(["package-1"])
    start = time.perf_counter()
    async with open_graph(sys.argv[1]) as graph:
        assert await graph.get_nodes(["package-1"])
        print(time.perf_counter() - start)
        with open("/proc/self/statm") as file:
            print(int(file.read().split()[1]) * resource.getpagesize() / 1e6)

asyncio.run(main())
"""
PARSE = """
import sys, time
from pathlib import Path
import orjson

start = time.perf_counter()
for kind in ("nodes", "edges"):
    for path in sorted(Path(sys.argv[1], kind).glob("*.jsonl")):
        for line in path.read_bytes().split(b"\\n")[:-1]:
            orjson.loads(line)
print(time.perf_counter() - start)
"""


async def fill(url: str, nodes: int, edges: int) -> None:
    """Make a graph in which each node links to some that came before it."""
    async with open_graph(url, durability="process") as graph:
        for start in range(0, nodes, 5_000):
            names = range(start, min(start + 5_000, nodes))
            await graph.commit(Batch([CreateNode(f"package-{at}", "package", ATTRIBUTES, [TEXT]) for at in names]))
        each = edges // nodes + 1
        keys = [(at, (at * 7919 + step * 104_729) % nodes) for at in range(nodes) for step in range(each)][:edges]
        for start in range(0, edges, 5_000):
            batch = [
                CreateEdge(f"package-{a}", f"depends-{start}", f"package-{b}", {"version": ">= 2.36"})
                for a, b in dict.fromkeys(keys[start : start + 5_000])
            ]
            await graph.commit(Batch(batch))


async def write_nodes(graph: Graph, name: str, count: int) -> list[float]:
    """Create nodes one after the other and return how long each took, in seconds."""
    taken = []
    for at in range(count):
        start = time.perf_counter()
        await graph.create_node(f"{name}-{at}", "package", ATTRIBUTES, [TEXT])
        taken.append(time.perf_counter() - start)
    return taken


def append(path: Path, size: int, count: int, *, grow: bool) -> float:
    """Write and sync blocks of this size one after the other, and return how long one takes, in seconds."""
    data = b"x" * size
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    if not grow:
        os.pwrite(descriptor, bytes(size * count), 0)
        os.fsync(descriptor)
    start = time.perf_counter()
    for at in range(count):
        os.pwrite(descriptor, data, at * size)
        os.fdatasync(descriptor)
    taken = (time.perf_counter() - start) / count
    os.close(descriptor)
    path.unlink()
    return taken


async def writes(folder: Path, count: int, rounds: int) -> dict[str, float]:
    """Compare durable writes with those of a loop."""
    found = []
    for number in range(rounds):
        async with open_graph(f"json:///{folder / f'write-{number}'}") as graph:
            await write_nodes(graph, "warm", 20)
            storage = graph.service.storage
            assert isinstance(storage, JsonStorage)
            before = storage.stamp() or 0  # the bytes that were ever committed
            taken = sum(await write_nodes(graph, "node", count)) / count
            size = ((storage.stamp() or 0) - before) // count
        filling = append(folder / "bare", size, count, grow=False)
        growing = append(folder / "bare", size, count, grow=True)
        found.append((filling / taken, growing / taken, taken * 1e3, filling * 1e3, growing * 1e3))
    figures = (statistics.median(column) for column in zip(*found, strict=True))
    return dict(zip(("ratio", "ratio_growing", "write_ms", "fill_ms", "grow_ms"), figures, strict=True))


def opens(folder: Path, rounds: int) -> dict[str, float]:
    """Compare opening with parsing."""

    def run(program: str, argument: str) -> list[float]:
        answer = subprocess.run(
            [sys.executable, "-c", program, argument], cwd=folder, check=True, capture_output=True, text=True
        )
        return [float(line) for line in answer.stdout.split()]

    found = []
    for _ in range(rounds):
        opened, resident = run(OPEN, f"json:///{folder / 'kg'}")
        (parsed,) = run(PARSE, str(folder / "kg"))
        found.append((opened / parsed, opened, parsed, resident))
    ratio, opened, parsed, resident = (statistics.median(column) for column in zip(*found, strict=True))
    return {"ratio": ratio, "open_s": opened, "parse_s": parsed, "resident_mb": resident}


async def checkpoints(folder: Path, nodes: int, edges: int, count: int) -> dict[str, float]:
    """Write while a checkpoint of the whole graph is written."""
    storage: JsonStorage | None = None
    url = f"json:///{folder / 'busy'}"
    await fill_journal(url, nodes, edges)
    async with open_graph(url) as graph:
        storage = graph.service.storage  # type: ignore[assignment]
        assert isinstance(storage, JsonStorage)
        storage._store.due = lambda: False  # type: ignore[method-assign]  # noqa: SLF001 - one checkpoint, when it is asked for
        quiet = await write_nodes(graph, "quiet", count)
        store, held = storage._store, []  # noqa: SLF001 - to look at its lock
        lock = store._file_lock  # noqa: SLF001
        acquire, release, since = lock.acquire, lock.release, [0.0]

        def acquired(seconds: float | None = None) -> None:
            acquire(seconds)
            since[0] = time.perf_counter()

        def released() -> None:
            import threading

            if threading.current_thread().name != "polaris-json-write":
                held.append(time.perf_counter() - since[0])
            release()

        lock.acquire, lock.release = acquired, released  # type: ignore[method-assign]
        start = time.perf_counter()
        task = asyncio.ensure_future(asyncio.to_thread(store.checkpoint))
        amid: list[float] = []
        while not task.done():
            amid += await write_nodes(graph, f"amid-{len(amid)}", 1)
        await task
        taken = time.perf_counter() - start
    slow = sorted(amid)
    return {
        "checkpoint_ms": taken * 1e3,
        "lock_held_ms": max(held) * 1e3,
        "writes_amid": len(amid),
        "slowest_write_ms": slow[-1] * 1e3,
        "p99_write_ms": slow[int(len(slow) * 0.99)] * 1e3,
        "slowest_quiet_ms": max(quiet) * 1e3,
    }


async def fill_journal(url: str, nodes: int, edges: int) -> None:
    """Leave the whole graph in the journal: a process that is killed writes no checkpoint."""
    program = (
        "import asyncio, os, sys; sys.path.insert(0, sys.argv[1]); import json_files; "
        "from polaris_json_fs.store import Store; Store.due = lambda self: False; Store.checkpoint = lambda *_: None; "
        "asyncio.run(json_files.fill(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))"
    )
    here = str(Path(__file__).parent)
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, here, url, str(nodes), str(edges)], check=True
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=350_000)
    parser.add_argument("--writes", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["write", "open", "checkpoint"])
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name).resolve()
        if given.only in (None, "write"):
            figures["write"] = asyncio.run(writes(folder, given.writes, given.rounds))
        if given.only in (None, "open"):
            asyncio.run(fill(f"json:///{folder / 'kg'}", given.nodes, given.edges))
            figures["open"] = opens(folder, given.rounds)
        if given.only in (None, "checkpoint"):
            figures["checkpoint"] = asyncio.run(checkpoints(folder, given.nodes, given.edges, given.writes))
    if given.json:
        print(json.dumps(figures))
        return
    for what, values in figures.items():
        print(what, *(f"{key} {value:.2f}" for key, value in values.items()), sep="  ")


if __name__ == "__main__":
    main()
