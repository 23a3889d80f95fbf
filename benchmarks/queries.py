"""Queries through Polaris, as ratios to a raw sqlite3 program that asks the same of the same rows, and of deep pages to first ones.

    python benchmarks/queries.py [--packages FILE] [--nodes 72000] [--rounds 5] [--seconds 1] [--json]

The graph is that of a Debian `Packages` file (`apt-cache dumpavail` prints one), or made up in the same shape. The raw program is a
plain loop on one thread over a copy of the database, with expression indexes where Polaris has indexes on paths; it fetches
each page whole and decodes every body. Polaris answers one caller at a time, by `await graph.find_nodes`, with nodes. Both take
turns in one process; each figure is the median of the rounds, in microseconds a page, and a ratio of 2.0 means that Polaris takes
twice the time; `cpu` is the ratio of the processor's time, which a busy machine disturbs less. The rows that begin with `deep`
are Polaris alone: the page at depth 50,000 against the first one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from load import made_up, packages

from polaris_core import Graph, open_graph

SECTION = "json_extract(body, '$.attributes.section')"
SIZE = "json_extract(body, '$.attributes.installed_size')"
ROW = "SELECT id, name, type, revision, body FROM nodes"
PAGE = 100
DEPTH = 50_000

Raw = Callable[[], object]
Asked = Callable[[], Awaitable[object]]


async def build(path: Path, records: list[Any]) -> None:
    """Make the graph, with its indexes."""
    async with open_graph(f"sqlite:///{path}") as graph:
        await graph.load(records)
        await graph.create_index("node", "section")
        await graph.create_index("node", "installed_size")


def copy(path: Path, to: Path) -> sqlite3.Connection:
    """Return a copy of the graph with expression indexes."""
    shutil.copy(path, to)
    raw = sqlite3.connect(to, isolation_level=None)
    for index in (f"section ON nodes ({SECTION}, id)", f"size ON nodes ({SIZE}, id)"):
        raw.execute(f"CREATE INDEX raw_{index}")
    return raw


async def cursor_at(graph: Graph, depth: int, **asked: Any) -> str:
    """Return the cursor after so many nodes."""
    cursor = None
    for _ in range(depth // 1_000):
        cursor = (await graph.find_nodes(**asked, limit=1_000, cursor=cursor)).next
        assert cursor is not None, f"there are not {depth} such nodes"
    assert cursor is not None
    return cursor


async def questions(
    graph: Graph, raw: sqlite3.Connection, depth: int
) -> dict[str, tuple[Raw, Asked] | tuple[Asked, Asked]]:
    """Return pairs of what is compared: the raw program and Polaris, or two pages of Polaris."""
    ((section, _),) = raw.execute(
        f"SELECT {SECTION}, count(*) FROM nodes WHERE {SECTION} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    ).fetchall()
    ((middle,),) = raw.execute(
        f"SELECT {SIZE} FROM nodes WHERE {SIZE} IS NOT NULL ORDER BY 1 LIMIT 1 OFFSET {depth // 2}"
    ).fetchall()
    ((name,),) = raw.execute(f"SELECT name FROM nodes LIMIT 1 OFFSET {depth // 3}").fetchall()

    def fetch(statement: str, *parameters: object) -> Raw:
        def ask() -> list[Any]:
            rows = raw.execute(statement, parameters).fetchall()
            return [(row, orjson.loads(row[4])) for row in rows]

        return ask

    def page(**asked: Any) -> Asked:
        return lambda: graph.find_nodes(**{"limit": PAGE, **asked})

    by_size = {"order": "installed_size", "where": {"installed_size": {"$exists": True}}}
    deep_by_size = await cursor_at(graph, depth, **by_size)
    deep_by_id = await cursor_at(graph, depth, type="package")
    return {
        "equal, page of 100": (
            fetch(f"{ROW} WHERE {SECTION} = ? ORDER BY id LIMIT {PAGE}", section),
            page(where={"section": section}),
        ),
        "equal, page of 20": (
            fetch(f"{ROW} WHERE {SECTION} = ? ORDER BY id LIMIT 20", section),
            page(where={"section": section}, limit=20),
        ),
        "range in its order, page of 100": (
            fetch(f"{ROW} WHERE {SIZE} >= ? ORDER BY {SIZE}, id LIMIT {PAGE}", middle),
            page(where={"installed_size": {"$gte": middle}}, order="installed_size"),
        ),
        "equal and more, page of 100": (
            fetch(f"{ROW} WHERE {SECTION} = ? AND {SIZE} >= ? ORDER BY id LIMIT {PAGE}", section, middle),
            page(where={"section": section, "installed_size": {"$gte": middle}}),
        ),
        "point": (fetch(f"{ROW} WHERE name = ?", name), page(where={"name": name})),
        "count": (
            lambda: raw.execute(f"SELECT count(*) FROM nodes WHERE {SECTION} = ?", (section,)).fetchone(),
            lambda: graph.count_nodes(where={"section": section}),
        ),
        "deep, by an index": (page(**by_size), page(**by_size, cursor=deep_by_size)),
        "deep, by creation": (page(type="package"), page(type="package", cursor=deep_by_id)),
    }


async def timed(ask: Raw | Asked, seconds: float) -> tuple[float, float]:
    """Return the microseconds that a question takes, on the clock and of the processor."""
    count, begin, worked = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - begin) < seconds:
        answer = ask()
        if isinstance(answer, Awaitable):
            await answer
        count += 1
    return spent / count * 1e6, (time.process_time() - worked) / count * 1e6


async def measure(records: list[Any], rounds: int, seconds: float, depth: int) -> dict[str, dict[str, float]]:
    """Return the figures of each pair."""
    figures: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder, "graph.db")
        await build(path, records)
        with closing(copy(path, Path(folder, "raw.db"))) as raw:
            async with open_graph(f"sqlite:///{path}", read_only=True) as graph:
                asked = await questions(graph, raw, depth)
                for _ in range(rounds):
                    for name, (one, other) in asked.items():
                        (against, theirs), (mine, ours) = await timed(one, seconds), await timed(other, seconds)
                        row = figures.setdefault(name, {"against": [], "polaris": [], "ratio": [], "cpu": []})
                        row["against"].append(against)
                        row["polaris"].append(mine)
                        row["ratio"].append(mine / against)
                        row["cpu"].append(ours / theirs)
    return {name: {key: statistics.median(values) for key, values in row.items()} for name, row in figures.items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up (72000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds each question is asked in a round (1)")
    parser.add_argument("--json", action="store_true", help="write JSON")
    options = parser.parse_args()
    records = packages(options.packages, "") if options.packages else made_up(options.nodes, "")
    depth = min(DEPTH, options.nodes // 2_000 * 1_000) if not options.packages else DEPTH
    figures = asyncio.run(measure(records, options.rounds, options.seconds, depth))
    if options.json:
        json.dump(figures, sys.stdout, indent=2)
        return
    print(f"{'':34}{'against':>12}{'Polaris':>12}{'ratio':>8}{'cpu':>8}")
    for name, row in figures.items():
        print(f"{name:34}{row['against']:>10.0f}us{row['polaris']:>10.0f}us{row['ratio']:>8.2f}{row['cpu']:>8.2f}")


if __name__ == "__main__":
    main()
