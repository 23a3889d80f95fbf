"""Text search through Polaris, as a ratio to raw sqlite3 with FTS5 over the same texts.

    python benchmarks/search.py [--packages FILE] [--nodes 72000] [--seconds 1] [--rounds 5] [--json]

The graph is that of `benchmarks/load.py`. The raw program is a plain loop on one thread over a database with the same node rows and
an FTS5 table of the same columns and tokenizer: the twenty best by `bm25` with a snippet, and each one's row with its body decoded
by orjson. Polaris answers one caller after the other, and 16 at a time. Each is asked the same searches: a word, two words, a
phrase, and a beginning. A figure is the median of the rounds, in searches a second; a ratio of 0.5 means that Polaris takes twice
the time. `index` is how long the first search takes, which makes the index, and `write` what a search after each write costs.
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
from contextlib import closing
from pathlib import Path

import orjson
from load import Record, made_up, packages

from polaris_core import Graph, Node, UpsertNode, open_graph

INDEX = """CREATE VIRTUAL TABLE found USING fts5(name, observations, attributes,
    tokenize = "unicode61 remove_diacritics 2")"""
FILL = """INSERT INTO found (rowid, name, observations, attributes) SELECT id, name,
    (SELECT group_concat(json_extract(value, '$.text'), char(10)) FROM json_each(body, '$.observations')), '' FROM nodes"""
RANK = "INSERT INTO found (found, rank) VALUES ('rank', 'bm25(10.0, 3.0, 1.0)')"
SEARCH = """SELECT rowid, -rank, snippet(found, -1, '[', ']', '…', 16) FROM found
    WHERE found MATCH ? ORDER BY rank LIMIT 20"""
ROW = "SELECT id, name, type, revision, body FROM nodes WHERE id = ?"
CALLERS = (1, 16)


def asked(records: list[Record]) -> list[tuple[str, str]]:
    """Return searches as Polaris takes them and as FTS5 does: rare and common words, taken from the texts themselves."""
    chance = random.Random(1)
    texts = [
        [word for word in record.observations[0].text.split() if word.isascii() and word.isalnum()]
        for record in records
        if isinstance(record, (Node, UpsertNode)) and record.observations
    ]
    searches = []
    for text in chance.sample([text for text in texts if len(text) > 2], 200):
        one, two = text[:2]
        searches += [
            (two, f'"{two}"'),
            (f"{one} {text[2]}", f'"{one}" AND "{text[2]}"'),
            (f'"{one} {two}"', f'"{one} {two}"'),
            (f"{text[-1][:4]}*", f'"{text[-1][:4]}" *'),
        ]
    chance.shuffle(searches)
    return searches


def raw_rate(database: sqlite3.Connection, searches: list[str], seconds: float) -> float:
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for id, _, _ in database.execute(SEARCH, (searches[done % len(searches)],)).fetchall():
            orjson.loads(database.execute(ROW, (id,)).fetchone()[4])
        done += 1
    return done / elapsed


async def rate(graph: Graph, searches: list[str], seconds: float, callers: int) -> float:
    done, start = 0, time.perf_counter()

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - start < seconds:
            done += 1
            await graph.search(searches[done % len(searches)])

    await asyncio.gather(*(caller() for _ in range(callers)))
    return done / (time.perf_counter() - start)


async def measure(records: list[Record], seconds: float, rounds: int, folder: str) -> dict[str, float]:
    path = Path(folder, "graph.db")
    searches = asked(records)
    figures: dict[str, list[float]] = {}
    async with open_graph(f"sqlite:///{path}") as graph:
        await graph.load(records)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(Path(folder, "raw.db"))) as raw:
        source.backup(raw)
        for statement in (INDEX, RANK, FILL):
            raw.execute(statement)
        raw.commit()
        async with open_graph(f"sqlite:///{path}") as graph:
            start = time.perf_counter()
            await graph.search("library")
            index = time.perf_counter() - start
            for _ in range(rounds):
                base = raw_rate(raw, [search for _, search in searches], seconds)
                figures.setdefault("raw", []).append(base)
                for callers in CALLERS:
                    reached = await rate(graph, [search for search, _ in searches], seconds, callers)
                    figures.setdefault(f"polaris, {callers} callers", []).append(reached)
                    figures.setdefault(f"ratio, {callers} callers", []).append(reached / base)
            start = time.perf_counter()
            for number in range(100):
                await graph.create_node(f"new {number}", observations=["a library"])
                await graph.search("library")
            write = (time.perf_counter() - start) / 100
    return {**{name: statistics.median(values) for name, values in figures.items()}, "index": index, "write": write}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file, such as `apt-cache dumpavail` prints")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    records = packages(arguments.packages, "") if arguments.packages else made_up(arguments.nodes, "")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        figures = await measure(records, arguments.seconds, arguments.rounds, folder)
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, figure in figures.items():
        unit = "/s" if name.startswith(("raw", "polaris")) else " s" if name in ("index", "write") else ""
        sys.stdout.write(f"{name:22} {figure:12,.2f}{unit}\n")


if __name__ == "__main__":
    asyncio.run(main())
