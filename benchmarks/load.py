"""A bulk load through Polaris, as a ratio to a raw sqlite3 program that writes the same rows.

    python benchmarks/load.py [--packages FILE] [--nodes 72000] [--rounds 3] [--json]

Both are given the same records, in memory: the packages of a Debian `Packages` file (`apt-cache dumpavail` prints one), or made-up
ones of the same shape. The raw program is one transaction on one thread over a database with the tables and indexes of a Polaris
store: it encodes each body with orjson, resolves names with a dict, and writes the rows, one change and the head; it checks
nothing, computes no checksums and keeps no count of what comes twice. `empty` is the load into a new store, `filled` that of as
many records of other names into the same one. What is timed is from opening to closing, when all is in the database file and
synced. A ratio of 0.5 means that Polaris takes twice the time; `cpu` is the ratio of the processor's time, which a busy machine
disturbs less.
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
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import orjson

from polaris_core import Edge, Node, UpsertEdge, UpsertNode, open_graph
from polaris_core.abc import Losses

Record: TypeAlias = Node | Edge | UpsertNode | UpsertEdge

PUT_NODE = "INSERT INTO nodes VALUES (?, ?, ?, ?, ?, ?)"
PUT_EDGE = "INSERT INTO edges VALUES (?, ?, ?, ?, ?, ?, ?)"
PUT_CHANGE = "INSERT INTO changes VALUES (?, ?, 'graph.imported', 0, 0, 0, ?, 0)"
SETTINGS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16384", "wal_autocheckpoint = 0")
WORDS = tuple(
    "library tools common runtime shared development documentation python perl ruby gnome kde server client data".split()  # noqa: SIM905
)


def made_up(count: int, prefix: str) -> list[Record]:
    """Return packages and what they depend on, the same ones every time."""
    chance = random.Random(1)
    nodes: list[Record] = [
        Node(
            f"{prefix}{chance.choice(WORDS)}-{number}",
            "package",
            {
                "version": f"{chance.randrange(9)}.{chance.randrange(99)}-{chance.randrange(9)}",
                "section": chance.choice(WORDS),
                "installed_size": chance.randrange(100_000),
                "maintainer": f"{chance.choice(WORDS).title()} maintainers <{chance.choice(WORDS)}@example.org>",
            },
            [" ".join(chance.choices(WORDS, k=chance.randrange(3, 12)))],
        )
        for number in range(count)
    ]
    edges: dict[tuple[str, str], Record] = {}
    for node in nodes:
        for _ in range(chance.randrange(10)):
            target = nodes[int(count * chance.random() ** 3)]
            attributes = (
                {"constraints": [f">= {chance.randrange(9)}.{chance.randrange(99)}"]} if chance.random() < 0.6 else {}
            )
            edges[node.name, target.name] = Edge(node.name, "depends", target.name, attributes)  # type: ignore[union-attr]
    return [*nodes, *edges.values()]


def packages(path: Path, prefix: str) -> list[Record]:
    """Return the packages of a Debian file."""
    from polaris_formats.debian import read

    with path.open("rb") as file:
        records = list(read(file, Losses("a benchmark")))
    return [
        UpsertNode(prefix + record.name, record.type, record.attributes, record.observations)
        if isinstance(record, UpsertNode)
        else UpsertEdge(prefix + record.source, record.type, prefix + record.target, record.attributes)
        for record in records
    ]


def raw_load(path: Path, records: Sequence[Record]) -> None:
    """Write records into a database that has the tables."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in SETTINGS:
            database.execute(f"PRAGMA {setting}").fetchall()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        database.execute("BEGIN IMMEDIATE")
        seq, first = database.execute("SELECT seq + 1, next_id FROM head").fetchone()
        ids: dict[str, int] = {}
        nodes, edges = [], []
        for id, record in enumerate(records, first):
            body: dict[str, object] = {"attributes": record.attributes, "author": None, "created_at": now}
            if isinstance(record, (Node, UpsertNode)):
                ids[record.name] = id
                body["observations"] = [
                    {"recorded_at": now, "source": item.source, "text": item.text} for item in record.observations
                ]
                text = orjson.dumps({**body, "updated_at": now, "version": 1}).decode()
                nodes.append((id, record.name, record.type, seq, text, 0))
            else:
                text = orjson.dumps({**body, "updated_at": now, "version": 1}).decode()
                edges.append((id, ids[record.source], record.type, ids[record.target], seq, text, 0))
            if len(nodes) + len(edges) == 1_000:
                database.executemany(PUT_NODE, nodes)
                database.executemany(PUT_EDGE, edges)
                nodes, edges = [], []
        database.executemany(PUT_NODE, nodes)
        database.executemany(PUT_EDGE, edges)
        database.execute(PUT_CHANGE, (seq, seq, f'{{"first_id":{first},"last_id":{first + len(records) - 1}}}'))
        database.execute("UPDATE head SET seq = ?, next_id = ?", (seq, first + len(records)))
        database.execute("COMMIT")


async def polaris_load(path: Path, records: Sequence[Record]) -> None:
    """Load records into a graph."""
    async with open_graph(f"sqlite:///{path}") as graph:
        await graph.load(records)


async def make(path: Path) -> None:
    """Make an empty store."""
    async with open_graph(f"sqlite:///{path}"):
        pass


def clocks() -> tuple[float, float]:
    """Return the seconds on the clock, and those of the processor."""
    return time.perf_counter(), time.process_time()


async def measure(loads: dict[str, list[Record]], rounds: int) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            raw, polaris = Path(folder, "raw.db"), Path(folder, "graph.db")
            await make(raw)
            await make(polaris)
            for name, records in loads.items():
                start = clocks()
                raw_load(raw, records)
                between = clocks()
                await polaris_load(polaris, records)
                end = clocks()
                raw_clock, raw_cpu = between[0] - start[0], between[1] - start[1]
                clock, cpu = end[0] - between[0], end[1] - between[1]
                figure = figures.setdefault(name, {"raw": [], "polaris": [], "ratio": [], "cpu": []})
                figure["raw"].append(len(records) / raw_clock)
                figure["polaris"].append(len(records) / clock)
                figure["ratio"].append(raw_clock / clock)
                figure["cpu"].append(raw_cpu / cpu)
    return {
        name: {key: statistics.median(values) for key, values in figure.items()} for name, figure in figures.items()
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file, such as `apt-cache dumpavail` prints")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    loads = {
        name: packages(arguments.packages, prefix) if arguments.packages else made_up(arguments.nodes, prefix)
        for name, prefix in (("empty", ""), ("filled", "other-"))
    }
    figures = await measure(loads, arguments.rounds)
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, figure in figures.items():
        rates = f"raw {figure['raw']:10,.0f}/s   polaris {figure['polaris']:10,.0f}/s"
        sys.stdout.write(f"{name:8} {rates}   ratio {figure['ratio']:.2f}   cpu {figure['cpu']:.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
