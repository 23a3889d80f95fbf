"""Durable writes and uncached reads through Polaris, as ratios to a raw sqlite3 program that writes and reads the same rows.

    python benchmarks/doors.py [--packages FILE] [--nodes 72000] [--url sqlite:///FILE | json:///DIRECTORY]
                               [--seconds 1] [--rounds 5] [--json]

Both begin with the graph of `benchmarks/load.py`. The raw program is a plain loop on one thread over a copy of the database: a
transaction for each node (1 caller) or for each 128 nodes (128 callers), with `synchronous=FULL` in WAL mode, writing the node's
row, the change's row and the head's row; a read selects the row of a package by its name and decodes its JSON. It checks nothing
and computes no checksums. The naive program awaits `execute` and `commit` of aiosqlite for each node, behind one lock. All run in
turn, in one process, on one disk; each figure is the median of the rounds. A ratio of 0.5 means that Polaris takes twice the time.
What a disk takes to sync is the same for all, so the slower it is, the nearer to 1 are the ratios of one caller.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import aiosqlite
import orjson
from load import Record, made_up, packages

from polaris_core import Graph, Node, UpsertNode, open_graph

ATTRIBUTES = {
    "version": "2.36-9+deb12u10",
    "section": "libs",
    "installed_size": 12345,
    "tags": ["one", "two"],
    "source": "glibc",
}
TEXT = "GNU C Library: Shared libraries, which nearly every program on the system needs to run at all."
CALLERS = (1, 128)
PUT_NODE = "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?)"
PUT_CHANGE = "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
PUT_HEAD = "UPDATE head SET seq = ?, next_id = ?, time = ?"


class Raw:
    """The raw program."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        self.seq, self.id = self.connection.execute("SELECT seq, next_id - 1 FROM head").fetchone()
        self.count = 0

    def rows(self, now: datetime) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """Return the rows of a node and of the change that tells of it, with all that Polaris stores in their bodies."""
        self.count, self.seq, self.id = self.count + 1, self.seq + 1, self.id + 1
        name = f"raw-{self.count}"
        body = orjson.dumps(
            {
                "attributes": ATTRIBUTES,
                "author": None,
                "created_at": now,
                "observations": [{"recorded_at": now, "source": None, "text": TEXT}],
                "updated_at": now,
                "version": 1,
            },
            option=orjson.OPT_UTC_Z,
        )
        change = {"author": None, "key": name, "record": orjson.Fragment(body), "time": now, "type": "package"}
        told = orjson.dumps(change, option=orjson.OPT_UTC_Z).decode()
        node = (self.id, name, "package", self.seq, body.decode(), 0)
        return node, (self.seq, self.seq, "node.created", self.id, 0, 0, told, 0)

    def write(self, group: int) -> int:
        now = datetime.now(UTC)
        nodes, changes = zip(*(self.rows(now) for _ in range(group)), strict=True)
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        self.connection.executemany(PUT_NODE, nodes)
        self.connection.executemany(PUT_CHANGE, changes)
        execute(PUT_HEAD, (self.seq, self.id + 1, time.time_ns() // 1000))
        execute("COMMIT")
        return group

    def read(self, name: str) -> object:
        row = self.connection.execute("SELECT id, type, revision, body FROM nodes WHERE name = ?", (name,)).fetchone()
        return orjson.loads(row[3])


class Naive:
    """What one writes first: a statement, a hop and a durable commit for each row, one after the other."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self.connection = await aiosqlite.connect(self.raw.path)
        await self.connection.execute("PRAGMA synchronous=FULL")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()

    async def write(self) -> None:
        async with self.lock:
            node, change = self.raw.rows(datetime.now(UTC))
            await self.connection.execute(PUT_NODE, node)
            await self.connection.execute(PUT_CHANGE, change)
            await self.connection.execute(PUT_HEAD, (self.raw.seq, self.raw.id + 1, time.time_ns() // 1000))
            await self.connection.commit()


async def build(url: str, records: list[Record]) -> None:
    """Make the graph."""
    async with open_graph(url) as graph:
        await graph.load(records)


def timed(seconds: float, step: Callable[[], int]) -> float:
    """Return operations a second."""
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        done += step()
    return done / elapsed


async def callers(seconds: float, count: int, step: Callable[[], Awaitable[object]]) -> float:
    """Return operations a second of so many concurrent callers."""
    done, start = 0, time.perf_counter()

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - start < seconds:
            await step()
            done += 1

    await asyncio.gather(*(caller() for _ in range(count)))
    return done / (time.perf_counter() - start)


async def measure(
    raw: Raw, naive: Naive, graph: Graph, names: list[str], seconds: float, rounds: int
) -> dict[str, dict[str, float]]:
    chance = random.Random(1)
    figures: dict[str, dict[str, list[float]]] = {}
    number = 0

    async def create() -> None:
        nonlocal number
        number += 1
        await graph.create_node(f"node-{number}", "package", ATTRIBUTES, [TEXT])

    async def read() -> None:
        await graph.get_node(chance.choice(names), fresh=True)

    def note(name: str, raw_rate: float, polaris_rate: float) -> None:
        figure = figures.setdefault(name, {"raw": [], "polaris": [], "ratio": []})
        figure["raw"].append(raw_rate)
        figure["polaris"].append(polaris_rate)
        figure["ratio"].append(polaris_rate / raw_rate)

    for _ in range(rounds):
        for count in CALLERS:
            raw_rate = timed(seconds, lambda group=count: raw.write(group))  # type: ignore[misc]
            rate = await callers(seconds, count, create)
            note(f"durable write, {count} callers", raw_rate, rate)
            note(f"durable write, {count} callers, to naive", await callers(seconds, count, naive.write), rate)
    for _ in range(rounds):
        raw_rate = timed(seconds, lambda: 1 if raw.read(chance.choice(names)) else 0)
        for count in CALLERS:
            note(f"uncached read, {count} callers", raw_rate, await callers(seconds, count, read))
    return {
        name: {key: statistics.median(values) for key, values in figure.items()} for name, figure in figures.items()
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file, such as `apt-cache dumpavail` prints")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up")
    parser.add_argument("--url", help="the store to measure, a new one; a SQLite file by default")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    records = packages(arguments.packages, "") if arguments.packages else made_up(arguments.nodes, "")
    names = [record.name for record in records if isinstance(record, (Node, UpsertNode))]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = arguments.url or f"sqlite:///{folder}/graph.db"
        await build(f"sqlite:///{folder}/raw.db", records)
        await build(url, records)
        del records
        raw = Raw(Path(folder, "raw.db"))
        async with open_graph(url, cache=None) as graph, Naive(raw) as naive:
            figures = await measure(raw, naive, graph, names, arguments.seconds, arguments.rounds)
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, figure in figures.items():
        rates = f"raw {figure['raw']:10,.0f}/s   polaris {figure['polaris']:10,.0f}/s"
        sys.stdout.write(f"{name:36} {rates}   ratio {figure['ratio']:.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
