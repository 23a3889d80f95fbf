"""Durable writes and uncached reads through Polaris, as ratios to a raw sqlite3 program that writes and reads the same rows.

    python benchmarks/doors.py [--url sqlite:///FILE | json:///DIRECTORY] [--seconds 2] [--rounds 5] [--json]

The raw program is a plain loop on one thread: a transaction for each node (1 caller) or for each 128 nodes (128 callers), with
`synchronous=FULL` in WAL mode, writing the node's row, the change's row and the head's row; a read selects one row by name and
decodes its JSON. Both run in turn, in one process, on one disk; each figure is the median of the rounds. A ratio of 0.5 means
that Polaris takes twice the time.
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
from pathlib import Path

import orjson

from polaris_core import Graph, open_graph

SCHEMA = """
CREATE TABLE nodes(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, revision INTEGER NOT NULL,
                   body TEXT NOT NULL) STRICT;
CREATE TABLE changes(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE head(one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, time INTEGER NOT NULL) STRICT;
INSERT INTO head VALUES (1, 0, 0);
"""
ATTRIBUTES = {
    "version": "2.36-9+deb12u10",
    "section": "libs",
    "installed_size": 12345,
    "tags": ["one", "two"],
    "source": "glibc",
}
TEXT = "GNU C Library: Shared libraries, which nearly every program on the system needs to run at all."
CALLERS = (1, 128)


class Raw:
    """The raw program."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        self.connection.executescript(SCHEMA)
        self.count = 0

    def write(self, group: int) -> None:
        nodes, changes = [], []
        for _ in range(group):
            self.count += 1
            body = orjson.dumps({"attributes": ATTRIBUTES, "observations": [{"text": TEXT}], "version": 1}).decode()
            nodes.append((self.count, f"raw-{self.count}", "package", self.count, body))
            changes.append((self.count, "node.created", self.count, body))
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT INTO nodes VALUES (?,?,?,?,?)", nodes)
        self.connection.executemany("INSERT INTO changes VALUES (?,?,?,?)", changes)
        execute("UPDATE head SET seq = ?, time = ?", (self.count, time.time_ns() // 1000))
        execute("COMMIT")

    def read(self, name: str) -> object:
        row = self.connection.execute("SELECT id, type, revision, body FROM nodes WHERE name = ?", (name,)).fetchone()
        return orjson.loads(row[3])


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


async def measure(raw: Raw, graph: Graph, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
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
            raw_rate = timed(seconds, lambda group=count: raw.write(group) or group)  # type: ignore[misc]
            note(f"durable write, {count} callers", raw_rate, await callers(seconds, count, create))
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
        raw = Raw(Path(folder) / "raw.db")
        async with open_graph(url, cache=None) as graph:
            figures = await measure(raw, graph, arguments.seconds, arguments.rounds)
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, figure in figures.items():
        rates = f"raw {figure['raw']:10,.0f}/s   polaris {figure['polaris']:10,.0f}/s"
        sys.stdout.write(f"{name:28} {rates}   ratio {figure['ratio']:.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
