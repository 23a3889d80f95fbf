"""Durable writes and uncached reads through Polaris, as ratios to a raw sqlite3 program that writes and reads the same rows.

    python benchmarks/doors.py [--url sqlite:///FILE | json:///DIRECTORY] [--seconds 2] [--rounds 5] [--json]

The raw program is a plain loop on one thread over a database with the tables and indexes of a Polaris store: a transaction for each
node (1 caller) or for each 128 nodes (128 callers), with `synchronous=FULL` in WAL mode, writing the node's row, the change's row
and the head's row; a read selects one row by name and decodes its JSON. It checks nothing and computes no checksums. The naive
program awaits `execute` and `commit` of aiosqlite for each node, behind one lock. All run in turn, in one process, on one disk;
each figure is the median of the rounds. A ratio of 0.5 means that Polaris takes twice the time.
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
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import aiosqlite
import orjson

from polaris_core import Graph, open_graph

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

    def __init__(self, path: Path, tables: Sequence[str]) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        for statement in tables:
            self.connection.execute(statement)
        self.connection.execute("INSERT INTO head VALUES (1, 'raw', 'raw', 0, 1, 0, 0, 1, 0, NULL)")
        self.count = 0

    def rows(self, now: datetime) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """Return the rows of a node and of the change that tells of it, with all that Polaris stores in their bodies."""
        self.count += 1
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
        node = (self.count, name, "package", self.count, body.decode(), 0)
        return node, (self.count, self.count, "node.created", self.count, 0, 0, told, 0)

    def write(self, group: int) -> int:
        now = datetime.now(UTC)
        nodes, changes = zip(*(self.rows(now) for _ in range(group)), strict=True)
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        self.connection.executemany(PUT_NODE, nodes)
        self.connection.executemany(PUT_CHANGE, changes)
        execute(PUT_HEAD, (self.count, self.count + 1, time.time_ns() // 1000))
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
            await self.connection.execute(PUT_HEAD, (self.raw.count, self.raw.count + 1, time.time_ns() // 1000))
            await self.connection.commit()


def tables_of(path: Path) -> list[str]:
    """Return the statements that made a database."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'search%' ORDER BY rowid"
        )
        return [sql for (sql,) in rows]


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


async def measure(raw: Raw, naive: Naive, graph: Graph, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    chance = random.Random(1)
    figures: dict[str, dict[str, list[float]]] = {}
    number = 0

    async def create() -> None:
        nonlocal number
        number += 1
        await graph.create_node(f"node-{number}", "package", ATTRIBUTES, [TEXT])

    async def read() -> None:
        await graph.service.get_node(f"node-{chance.randrange(1, number)}", fresh=True)

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
        raw_rate = timed(seconds, lambda: 1 if raw.read(f"raw-{chance.randrange(1, raw.count)}") else 0)
        for count in CALLERS:
            note(f"uncached read, {count} callers", raw_rate, await callers(seconds, count, read))
    return {
        name: {key: statistics.median(values) for key, values in figure.items()} for name, figure in figures.items()
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the store to measure; a new SQLite file by default")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = arguments.url or f"sqlite:///{folder}/graph.db"
        async with open_graph(f"sqlite:///{folder}/empty.db"):
            pass
        raw = Raw(Path(folder) / "raw.db", tables_of(Path(folder) / "empty.db"))
        async with open_graph(url, cache=None) as graph, Naive(raw) as naive:
            figures = await measure(raw, naive, graph, arguments.seconds, arguments.rounds)
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, figure in figures.items():
        rates = f"raw {figure['raw']:10,.0f}/s   polaris {figure['polaris']:10,.0f}/s"
        sys.stdout.write(f"{name:36} {rates}   ratio {figure['ratio']:.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
