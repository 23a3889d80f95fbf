"""What is remembered stays within `Limits.cache_bytes`, whatever is read, walked and written for how long."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from pathlib import Path
from sys import getsizeof
from typing import Any, cast

import pytest

from polaris_core import Edge, EdgeKey, Graph, Limits, Node, NotFoundError, Observation, open_graph
from polaris_core.abc import Session
from polaris_core.codec import decode_node
from polaris_core.records import NodeRecord
from polaris_core.storage.weights import weight_of

MIB = 1 << 20
BYTES = 4 * MIB
SLACK = MIB  # for what a hop takes, and SQLite's statements


def built(count: int) -> list[Node | Edge]:
    chance = random.Random(1)
    names = [f"node {number}" for number in range(count)]
    nodes = [Node(name, "t", {"n": number, "text": "x" * 300}, ["y" * 300]) for number, name in enumerate(names)]
    return [*nodes, *(Edge(name, "to", other) for name in names for other in chance.sample(names, 4))]


async def life(graph: Graph, count: int, turns: int) -> int:
    """Read, walk and write at random; return the most bytes of Python's that this took at any time."""
    chance, most = random.Random(2), 0
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(turns):
            for _ in range(20):
                one, other = (f"node {chance.randrange(count)}" for _ in range(2))
                try:
                    await graph.get_node(one)
                    await graph.walk(one).out(depth=chance.choice((1, 2))).names()
                    await graph.walk(one).in_("to").nodes()
                    await graph.shortest_path(one, other, depth=4)
                    await graph.get_edge(one, "to", other)
                except NotFoundError:
                    pass
            await graph.patch_node(f"node {chance.randrange(count)}", set={"n": chance.random()})
            gc.collect(0)
            most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return most


async def lived(folder: Path, count: int, turns: int) -> int:
    url = f"sqlite:///{folder / 'kg.db'}"
    async with open_graph(url, cache=None) as graph:
        await graph.load(built(count))
    async with open_graph(url, limits=Limits(cache_bytes=BYTES)) as graph:
        return await life(graph, count, turns)


@pytest.mark.soak
def test_memory_stays_within_the_setting_for_minutes(tmp_path: Path) -> None:
    assert BYTES / 2 < asyncio.run(lived(tmp_path, 50_000, 3_000)) < BYTES + SLACK


def test_memory_stays_within_the_setting_and_is_used(tmp_path: Path) -> None:
    assert BYTES / 4 < asyncio.run(lived(tmp_path, 4_000, 100)) < BYTES + SLACK


@pytest.mark.parametrize(
    ("attributes", "texts"),
    [
        ({}, []),
        ({"version": "2.36-9", "section": "libs", "installed_size": 12345, "maintainer": "x" * 60}, ["y" * 80]),
        ({f"key {number}": number + 1_000 for number in range(50)}, []),
        ({"deep": {"deeper": [{"n": [1_000.5, None, True]}, "\u4e2d" * 100]}}, []),
        ({"k" * 100_000: 1, "deep": {"\u4e2d" * 10_000: 1}}, []),
        ({}, [f"{number} " * 40 for number in range(50)]),
        ({}, [Observation("a", "s" * 10_000)]),
    ],
)
@pytest.mark.parametrize("name", ["a", "n" * 1_000])
def test_a_node_is_not_taken_for_lighter_than_it_is_nor_for_much_heavier(
    name: str, attributes: dict[str, Any], texts: list[str | Observation]
) -> None:
    async def stored() -> NodeRecord:
        async with open_graph("memory:") as graph:
            await graph.create_node(name, "t", attributes, texts)

            async def program(session: Session) -> Any:
                return (await session.nodes((name,)))[0]

            return cast("NodeRecord", await graph.service.read(program))

    record = asyncio.run(stored())
    decode_node(record)
    gc.collect()
    tracemalloc.start()
    try:
        copies = [decode_node(record) for _ in range(50)]
        size = tracemalloc.get_traced_memory()[0] / len(copies) + getsizeof(name)  # its key in a cache
    finally:
        tracemalloc.stop()
    assert size < weight_of(copies[0]) < 2.5 * size


@pytest.mark.parametrize("length", [10, 50, 1_000])
def test_that_there_is_nothing_is_remembered_within_the_setting_too(length: int) -> None:
    async def main() -> None:
        async with open_graph("memory:", limits=Limits(cache_bytes=BYTES)) as graph:
            for start in range(0, 20_000, 100):
                some = [f"{number}".rjust(length, "-") for number in range(start, start + 100)]
                keys = [EdgeKey(name, "t" * 20, name) for name in some]
                await asyncio.gather(*map(graph.service.get_node, some), *map(graph.service.get_edge, keys))

    tracemalloc.start()
    try:
        asyncio.run(main())
        assert tracemalloc.get_traced_memory()[1] < BYTES / 2 + SLACK
    finally:
        tracemalloc.stop()


def test_answers_are_the_same_where_there_is_no_room() -> None:
    async def main() -> None:
        async with open_graph("memory:", limits=Limits(cache_bytes=0)) as graph:
            await graph.create_node("a")
            await graph.create_node("b")
            await graph.create_edge("a", "t", "b")
            for _ in range(2):
                assert (await graph.get_node("a")).name == "a"
                assert await graph.walk("a").out().names() == ("b",)

    asyncio.run(main())
