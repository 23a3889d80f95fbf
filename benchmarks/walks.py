"""Cached reads and walks through Polaris, as ratios to raw sqlite3 programs that answer the same questions in one run.

    python benchmarks/walks.py [--packages FILE] [--nodes 72000] [--asked 500] [--rounds 5] [--json]

The graph is that of `benchmarks/load.py`. `raw` is a plain program on one thread over a copy of the database: a node is selected
by its name and its JSON decoded; the names one link away are one statement, those two and three links away one statement a link
with what was found among its parameters; a path is searched from both ends, a statement a step. `memory` is the same program with
the ids at both ends of all links in two dictionaries, as such programs end up: nodes are numbers there, and names are looked up
at the end. Both answer with names, the nearest first. `warm` is Polaris asked for the second time, `cold` with nothing
remembered, and `hop` what it takes to let a thread do nothing. All are asked about the same nodes in turn; figures are medians, in
microseconds a question, of the rounds. Raw and warm share one core with nobody else, or the ratios mean little.
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
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import orjson
from load import Record, made_up, packages

from polaris_core import Graph, open_graph

HOPS = (1, 2, 3)
LINKS = "SELECT target FROM edges WHERE source IN (SELECT value FROM json_each(?)) ORDER BY id"
BACK = "SELECT source, target FROM edges WHERE target IN (SELECT value FROM json_each(?)) ORDER BY id"
FORTH = "SELECT target, source FROM edges WHERE source IN (SELECT value FROM json_each(?)) ORDER BY id"
NAMES = "SELECT id, name FROM nodes WHERE id IN (SELECT value FROM json_each(?))"

Step: TypeAlias = Callable[[list[int]], Iterable[tuple[int, int]]]
"""From some ids to pairs of an id one link away and the one it is next to."""


class Raw:
    """The raw program."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript("PRAGMA query_only = 1;")

    def get(self, name: str) -> object:
        row = self.connection.execute("SELECT id, type, revision, body FROM nodes WHERE name = ?", (name,)).fetchone()
        return orjson.loads(row[3])

    def out(self, name: str) -> list[str]:
        statement = """SELECT DISTINCT far.name FROM nodes JOIN edges ON edges.source = nodes.id
                       JOIN nodes AS far ON far.id = edges.target WHERE nodes.name = ?"""
        return [name for (name,) in self.connection.execute(statement, (name,))]

    def hops(self, name: str, count: int) -> list[str]:
        if count == 1:
            return self.out(name)
        start = self.id(name)
        seen, frontier = {start}, [start]
        for _ in range(count):
            rows = self.connection.execute(LINKS, (orjson.dumps(frontier).decode(),)).fetchall()
            frontier = [id for id in dict.fromkeys(id for (id,) in rows) if id not in seen]
            seen.update(frontier)
        seen.discard(start)
        names = dict(self.connection.execute(NAMES, (orjson.dumps([*seen]).decode(),)))
        return [names[id] for id in seen]

    def id(self, name: str) -> int:
        return int(self.connection.execute("SELECT id FROM nodes WHERE name = ?", (name,)).fetchone()[0])

    def path(self, source: str, target: str) -> list[str] | None:
        ids = met(self.id(source), self.id(target), self.step(FORTH), self.step(BACK))
        if ids is None:
            return None
        names = dict(self.connection.execute(NAMES, (orjson.dumps(ids).decode(),)))
        return [names[id] for id in ids]

    def step(self, statement: str) -> Step:
        return lambda frontier: self.connection.execute(statement, (orjson.dumps(frontier).decode(),)).fetchall()


class Memory:
    """The raw program with all links in memory."""

    def __init__(self, raw: Raw) -> None:
        self.names: dict[int, str] = dict(raw.connection.execute("SELECT id, name FROM nodes"))
        self.ids = {name: id for id, name in self.names.items()}
        self.forth: dict[int, list[int]] = {}
        self.back: dict[int, list[int]] = {}
        for source, target in raw.connection.execute("SELECT source, target FROM edges ORDER BY id"):
            self.forth.setdefault(source, []).append(target)
            self.back.setdefault(target, []).append(source)

    def hops(self, name: str, count: int) -> list[str]:
        forth, start = self.forth, self.ids[name]
        seen, frontier, order = {start}, [start], list[int]()
        for _ in range(count):
            further = []
            for id in frontier:
                for other in forth.get(id, ()):
                    if other not in seen:
                        seen.add(other)
                        further.append(other)
            order += further
            frontier = further
        names = self.names
        return [names[id] for id in order]

    def path(self, source: str, target: str) -> list[str] | None:
        ids = met(self.ids[source], self.ids[target], self.step(self.forth), self.step(self.back))
        return None if ids is None else [self.names[id] for id in ids]

    def step(self, links: Mapping[int, list[int]]) -> Step:
        return lambda frontier: [(other, id) for id in frontier for other in links.get(id, ())]


def met(source: int, target: int, forth: Step, back: Step) -> list[int] | None:
    """Return the ids on a shortest path, searched from both ends."""
    if source == target:
        return [source]
    ahead: dict[int, int] = {source: 0}
    behind: dict[int, int] = {target: 0}
    sides = [([source], forth, ahead, behind), ([target], back, behind, ahead)]
    while sides[0][0] and sides[1][0]:
        side = 0 if len(sides[0][0]) <= len(sides[1][0]) else 1
        frontier, step, seen, other = sides[side]
        further = []
        for id, before in step(frontier):
            if id not in seen:
                seen[id] = before
                if id in other:
                    return [*reversed(chain(ahead, id)), *chain(behind, id)[1:]]
                further.append(id)
        sides[side] = (further, step, seen, other)
    return None


def chain(came_from: Mapping[int, int], id: int) -> list[int]:
    ids = []
    while id:
        ids.append(id)
        id = came_from[id]
    return ids


async def medians(asked: list[tuple[str, ...]], question: Callable[..., Awaitable[object]]) -> float:
    """Return the median of the seconds that an answer takes."""
    seconds = []
    for arguments in asked:
        start = time.perf_counter()
        await question(*arguments)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def median(asked: list[tuple[str, ...]], question: Callable[..., object]) -> float:
    """Return the median of the seconds that an answer takes."""
    seconds = []
    for arguments in asked:
        start = time.perf_counter()
        question(*arguments)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def chosen(memory: Memory, count: int) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Return some nodes that links leave, and some pairs of which the second can be reached from the first."""
    chance = random.Random(5)
    names = chance.sample(sorted(memory.names[id] for id in memory.forth), count)
    pairs = [(name, chance.choice(memory.hops(name, 6))) for name in names]
    return [(name,) for name in names], pairs  # type: ignore[return-value]


def same(memory: Memory, raw: Raw, name: str, found: Iterable[str], count: int) -> None:
    """Stop a program that compares the times of different answers."""
    names = memory.hops(name, count)
    if sorted(found) != sorted(names) or sorted(raw.hops(name, count)) != sorted(names):
        raise SystemExit(f"the answers about {name} differ")


async def measure(
    raw: Raw, memory: Memory, warm: Graph, cold: Graph, count: int, rounds: int
) -> dict[str, dict[str, float]]:
    nodes, pairs = chosen(memory, count)
    figures: dict[str, dict[str, list[float]]] = {}

    def note(name: str, **seconds: float) -> None:
        for key, value in seconds.items():
            figures.setdefault(name, {}).setdefault(key, []).append(value * 1e6)

    for (name,), (source, target) in zip(nodes, pairs, strict=True):  # what is asked is the same, and then it is warm
        for hops in HOPS:
            same(memory, raw, name, await warm.walk(name).out(depth=hops).names(), hops)
        route, path = await warm.shortest_path(source, target), memory.path(source, target)
        if route is None or path is None or len(route.nodes) != len(path):
            raise SystemExit(f"the paths from {source} to {target} differ")
        await warm.get_node(name)
    loop = asyncio.get_running_loop()
    for _ in range(rounds):
        hop = await medians(nodes, lambda _: loop.run_in_executor(None, int))
        note("get", raw=median(nodes, raw.get), warm=await medians(nodes, warm.get_node))
        note("get", cold=await medians(nodes, cold.get_node), hop=hop)
        for hops in HOPS:
            key = "out" if hops == 1 else f"{hops} hops"
            note(key, raw=median(nodes, lambda name: raw.hops(name, hops)), hop=hop)  # noqa: B023 - called here
            note(key, memory=median(nodes, lambda name: memory.hops(name, hops)))  # noqa: B023
            note(key, warm=await medians(nodes, lambda name: warm.walk(name).out(depth=hops).names()))  # noqa: B023
            note(key, cold=await medians(nodes, lambda name: cold.walk(name).out(depth=hops).names()))  # noqa: B023
        note("path", raw=median(pairs, raw.path), memory=median(pairs, memory.path), hop=hop)
        note("path", warm=await medians(pairs, warm.shortest_path), cold=await medians(pairs, cold.shortest_path))
    return {
        name: {key: statistics.median(values) for key, values in figure.items()} for name, figure in figures.items()
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file, such as `apt-cache dumpavail` prints")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up")
    parser.add_argument("--asked", type=int, default=500, help="how many nodes to ask about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    records: list[Record] = packages(arguments.packages, "") if arguments.packages else made_up(arguments.nodes, "")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = f"sqlite:///{folder}/graph.db"
        async with open_graph(url) as graph:
            await graph.load(records)
        del records
        raw = Raw(Path(folder, "graph.db"))
        async with open_graph(url) as warm, open_graph(url, cache=None) as cold:
            figures = await measure(raw, Memory(raw), warm, cold, arguments.asked, arguments.rounds)
    for figure in figures.values():
        figure["warm to raw"] = figure["warm"] / figure["raw"]
        if "memory" in figure:
            figure["warm to memory"] = figure["warm"] / figure["memory"]
        figure["cold to raw and hop"] = figure["cold"] / (figure["raw"] + figure["hop"])
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for name, figure in figures.items():
        times = "".join(
            f"{key} {figure[key]:8.1f}   " for key in ("raw", "memory", "warm", "cold", "hop") if key in figure
        )
        ratios = ", ".join(f"{key} {value:.2f}" for key, value in figure.items() if " to " in key)
        sys.stdout.write(f"{name:7} {times}{ratios}\n")


if __name__ == "__main__":
    asyncio.run(main())
