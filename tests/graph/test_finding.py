"""Finding: what filters and orders mean, on every backend; pages that stay right while others write; rows, counts, degrees."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    CreateEdge,
    CreateNode,
    Graph,
    InvalidCursorError,
    InvalidValueError,
    LimitExceededError,
    Limits,
    NodeNotFoundError,
    open_graph,
)
from polaris_core.abc import StorageOptions

BACKENDS = ("memory", "json", "sqlite")
START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


class Clock:
    def __init__(self) -> None:
        self.micros = START

    def __call__(self) -> int:
        return self.micros


def on_graph(
    backend: str,
    path: Path,
    scenario: Callable[[Graph], Awaitable[None]],
    *,
    limits: Limits | None = None,
    clock: Clock | None = None,
) -> None:
    url = {"memory": "memory:", "json": f"json:///{path}/graph", "sqlite": f"sqlite:///{path}/graph.db"}[backend]
    options = StorageOptions() if clock is None else StorageOptions(now=clock)

    async def run() -> None:
        async with open_graph(url, limits=limits, options=options) as graph:
            await scenario(graph)

    asyncio.run(run())


THINGS: dict[str, dict[str, Any]] = {
    "missing": {},
    "null": {"v": None},
    "true": {"v": True},
    "one": {"v": 1},
    "one point": {"v": 1.0},
    "two": {"v": 2},
    "big": {"v": 2**53 + 1},
    "text": {"v": "1"},
    "abc": {"v": "abc"},
    "list": {"v": [1, "abc", None, [2], {"k": 1}]},
    "empty list": {"v": []},
    "object": {"v": {"k": 1, "l": {"m": 2}}},
    "empty object": {"v": {}},
    "dotted": {"v.k": 1, 'q"k': {"$x": 5}, "": 7},
}
EVERYTHING = list(THINGS)
NUMBERS = ["one", "one point", "two", "big"]

MEANINGS: list[tuple[dict[Any, Any], list[str]]] = [
    ({"v": 1}, ["one", "one point"]),
    ({"v": {"$eq": 1.0}}, ["one", "one point"]),
    ({"v": True}, ["true"]),
    ({"v": None}, ["null"]),
    ({"v": "1"}, ["text"]),
    ({"v": float(2**53)}, []),
    ({"v": 2**53 + 1}, ["big"]),
    ({"v": []}, ["empty list"]),
    ({"v": {"$eq": {}}}, ["empty object"]),
    ({"v": {"$eq": {"l": {"m": 2.0}, "k": 1}}}, ["object"]),
    ({"v": {"$ne": 1}}, [name for name in EVERYTHING if name not in ("one", "one point")]),
    ({"v": {"$nin": [1, None]}}, [name for name in EVERYTHING if name not in ("one", "one point", "null")]),
    ({"v": {"$in": [True, "1", [], 2.0]}}, ["true", "two", "text", "empty list"]),
    ({"v": {"$in": []}}, []),
    ({"v": {"$gt": 1}}, ["two", "big"]),
    ({"v": {"$gte": 1}}, NUMBERS),
    ({"v": {"$lt": 2}}, ["one", "one point"]),
    ({"v": {"$lte": 2, "$gt": 1.5}}, ["two"]),
    ({"v": {"$gt": float(2**53)}}, ["big"]),
    ({"v": {"$gte": "1"}}, ["text", "abc"]),
    ({"v": {"$lt": "abc"}}, ["text"]),
    ({"v": {"$not": {"$gt": 1}}}, [name for name in EVERYTHING if name not in ("two", "big")]),
    ({"v": {"$exists": True}}, [name for name in EVERYTHING if name not in ("missing", "dotted")]),
    ({"v": {"$exists": False}}, ["missing", "dotted"]),
    ({"v": {"$contains": "b"}}, ["abc"]),
    ({"v": {"$contains": ""}}, ["text", "abc"]),
    ({"v": {"$contains": "abc"}}, ["abc", "list"]),
    ({"v": {"$contains": 1.0}}, ["list"]),
    ({"v": {"$contains": None}}, ["list"]),
    ({"v": {"$contains": [2]}}, ["list"]),
    ({"v": {"$contains": {"k": 1.0}}}, ["list"]),
    ({"v": {"$contains": True}}, []),
    ({"v": {"$startsWith": "a"}}, ["abc"]),
    ({"v": {"$startsWith": ""}}, ["text", "abc"]),
    ({"v.k": 1}, ["object"]),
    ({"v.l.m": 2}, ["object"]),
    ({"v.0": 1}, []),
    ({'"v.k"': 1}, ["dotted"]),
    ({("v.k",): 1}, ["dotted"]),
    ({r'"q\"k"."$x"': 5}, ["dotted"]),
    ({'""': 7}, ["dotted"]),
    ({"attributes": {"$eq": {}}}, ["missing"]),
    ({"$and": []}, EVERYTHING),
    ({"$or": []}, []),
    ({}, EVERYTHING),
    ({"$not": {"v": {"$exists": True}}}, ["missing", "dotted"]),
    ({"$or": [{"v": 1}, {"v": "1"}]}, ["one", "one point", "text"]),
    ({"$and": [{"v": {"$gte": 1}}, {"$not": {"v": 2}}]}, ["one", "one point", "big"]),
    ({"name": "one"}, ["one"]),
    ({"name": {"$in": ["two", "one", "none", 3]}}, ["one", "two"]),
    ({"name": {"$gt": "one", "$lt": "two"}}, ["true", "one point", "text"]),
    ({"name": {"$startsWith": "empty "}}, ["empty list", "empty object"]),
    ({"name": {"$contains": "ist"}}, ["list", "empty list"]),
    ({"name": 1}, []),
    ({"name": {"$ne": "one"}}, [name for name in EVERYTHING if name != "one"]),
    ({"type": "odd"}, EVERYTHING[1::2]),
    ({"type": {"$ne": "odd"}}, EVERYTHING[0::2]),
    ({"observations": {"$contains": "seen 3"}}, ["one"]),
    ({"observations": []}, []),
    ({"observations": ["seen 3"]}, ["one"]),
    ({"$text": "SEEN 3"}, ["one"]),
    ({"$text": "EMPTY"}, ["empty list", "empty object"]),
    ({"provenance.version": 2}, ["text"]),
    ({"provenance.author": "me"}, ["text"]),
    ({"provenance.author": None}, [name for name in EVERYTHING if name != "text"]),
    ({"provenance.revision": {"$lte": 2}}, ["missing", "null"]),
    ({"provenance.created_at": {"$lt": "2026-01-01T00:00:01Z"}}, ["missing", "null"]),
    ({"provenance.created_at": {"$gte": "2026-01-01T01:00:06.5+01:00"}}, ["dotted"]),
    ({"provenance.updated_at": {"$gt": "2026-01-01T00:00:06.5Z"}}, ["text"]),
]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_filter_finds_what_it_says(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        for number, (name, attributes) in enumerate(THINGS.items()):
            clock.micros = START + number * 500_000
            await graph.create_node(name, "odd" if number % 2 else "even", attributes, [f"seen {number}"])
        clock.micros += 500_000
        async with graph.transaction(author="me") as tx:
            await tx.patch_node("text", observe=["more"])
        for where, names in MEANINGS:
            assert [node.name for node in await graph.find_nodes(where=where)] == names, where
            assert await graph.count_nodes(where=where) == len(names), where
            assert await graph.has_nodes(where=where) == bool(names), where
            negated = [node.name for node in await graph.find_nodes(where={"$not": where})]
            assert negated == [name for name in EVERYTHING if name not in names], where
            assert await graph.count_nodes(where={"$not": where}) == len(negated)

    clock = Clock()
    on_graph(backend, tmp_path, scenario, clock=clock)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_order_is_that_of_all_json_values_with_ties_by_id(backend: str, tmp_path: Path) -> None:
    ascending = [
        "missing", "dotted", "null", "true", "one", "one point", "two", "big", "text", "abc", "list", "empty list",
        "object", "empty object",
    ]  # fmt: skip

    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(name, "t", attributes) for name, attributes in THINGS.items()])
        for order, names in (
            ("v", ascending),
            ("-v", ascending[::-1]),
            ("name", sorted(EVERYTHING)),
            ("-provenance.revision", EVERYTHING[::-1]),
            ("provenance.created_at", EVERYTHING),
            ("type", EVERYTHING),
        ):
            for size in (1, 3, 100):
                found, cursor = [], None
                while True:
                    page = await graph.find_nodes(order=order, limit=size, cursor=cursor)
                    found += [node.name for node in page]
                    if (cursor := page.next) is None:
                        break
                assert found == names, (order, size)
            assert [node.name async for node in graph.all_nodes(order=order)] == names
        page = await graph.find_nodes(order="-v", where={"v": {"$gte": 1}}, limit=2)
        assert [node.name for node in page] == ["big", "two"]
        with pytest.raises(InvalidCursorError):
            await graph.find_nodes(order="v", where={"v": {"$gte": 1}}, cursor=page.next)

    on_graph(backend, tmp_path, scenario)


@pytest.mark.parametrize("backend", BACKENDS)
def test_edges_are_found_by_their_ends_types_and_attributes(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit(
            [
                *(CreateNode(name) for name in "abc"),
                CreateEdge("a", "knows", "b", {"since": 1833}),
                CreateEdge("b", "knows", "c", {"since": 1840}),
                CreateEdge("c", "likes", "a"),
                CreateEdge("a", "likes", "a", {"source": "x"}),
            ]
        )
        for where, keys in (
            ({"source": "a"}, ["ab", "aa"]),
            ({"target": "a"}, ["ca", "aa"]),
            ({"source": "a", "target": "a"}, ["aa"]),
            ({"source": {"$in": ["b", "c", "nobody"]}}, ["bc", "ca"]),
            ({"source": "nobody"}, []),
            ({"source": {"$ne": "a"}}, ["bc", "ca"]),
            ({"target": {"$gte": "b"}}, ["ab", "bc"]),
            ({"type": "likes"}, ["ca", "aa"]),
            ({"since": {"$gt": 1833}}, ["bc"]),
            ({"attributes.source": "x"}, ["aa"]),
            ({"$or": [{"since": 1833}, {"source": "c"}]}, ["ab", "ca"]),
        ):
            assert [edge.source + edge.target for edge in await graph.find_edges(where=where)] == keys, where
            assert await graph.count_edges(where=where) == len(keys)
            assert await graph.has_edges(where=where) == bool(keys)
        assert [edge.source + edge.target for edge in await graph.find_edges(type="knows", order="-since")] == [
            "bc",
            "ab",
        ]
        assert [edge.source + edge.target async for edge in graph.all_edges(order="target")] == ["ca", "aa", "ab", "bc"]
        rows = await graph.select_edges(["source", "since", "type"], where={"source": "a"})
        assert list(rows) == [{"source": "a", "since": 1833, "type": "knows"}, {"source": "a", "type": "likes"}]

    on_graph(backend, tmp_path, scenario)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_hold_what_stands_at_the_paths_and_nothing_else(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a", "t", {"x": {"y": [1, {"z": None}]}, "n": None}, ["seen"])
        clock.micros += 500_000
        await graph.create_node("b", "t")
        page = await graph.select_nodes(
            ["name", "x.y", ("n",), "observations", "provenance.version", "provenance.created_at"], order="-name"
        )
        time = "2026-01-01T00:00:00Z"
        common = {"provenance.version": 1}
        assert list(page) == [
            {"name": "b", "observations": [], **common, "provenance.created_at": "2026-01-01T00:00:00.500000Z"},
            {
                "name": "a",
                "x.y": [1, {"z": None}],
                "n": None,
                "observations": ["seen"],
                **common,
                "provenance.created_at": time,
            },
        ]
        for change in (lambda row: row.update(name="c"), lambda row: row["x.y"].append(2)):
            with pytest.raises(TypeError):
                change(page.items[1])
        for wrong in ([], "name", ["source"], ["a..b"], [3], ["a"] * 101):
            with pytest.raises(InvalidValueError):
                await graph.select_nodes(wrong)

    clock = Clock()
    on_graph(backend, tmp_path, scenario, clock=clock)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_degree_is_how_many_neighbors_there_are(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(f"n{number}") for number in range(5)])
        await graph.commit([CreateEdge("n0", "x", f"n{number}") for number in range(5)])
        await graph.commit([CreateEdge(f"n{number}", "y", "n0") for number in range(1, 4)])
        for direction in ("out", "in", "both"):
            for types in (None, ["x"], "y", ["x", "y"], []):
                neighbors = await graph.neighbors("n0", direction=direction, types=types)  # type: ignore[arg-type]
                assert await graph.degree("n0", direction=direction, types=types) == len(neighbors)  # type: ignore[arg-type]
        with pytest.raises(NodeNotFoundError):
            await graph.degree("nobody")

    on_graph(backend, tmp_path, scenario)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [None, "v", "-v", "name"])
def test_pages_meet_once_what_stays_in_its_place_while_others_write(
    backend: str, order: str | None, tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(f"n{number:03}", "kept", {"v": number % 7}) for number in range(60)])
        await graph.commit([CreateNode(f"m{number:03}", "gone", {"v": number % 7}) for number in range(60)])
        seen, cursor, turn = [], None, 0
        while True:
            page = await graph.find_nodes(order=order, limit=7, cursor=cursor)
            seen += [node.name for node in page if node.type == "kept"]
            for node in page:
                if node.type == "gone":  # the last of the page, which the cursor stands at, among them
                    await graph.delete_node(node.name)
            await graph.create_node(f"new {turn}", "new", {"v": turn % 7})
            await graph.patch_node(f"n{turn % 60:03}", set={"w": turn})
            turn += 1
            if (cursor := page.next) is None:
                break
        assert sorted(seen) == [f"n{number:03}" for number in range(60)]

    on_graph(backend, tmp_path, scenario)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_transaction_finds_what_it_has_written(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(name, "t", {"v": v}) for name, v in (("a", 1), ("b", 2), ("c", 3))])
        async with graph.transaction() as tx:
            await tx.patch_node("a", set={"v": 9})
            await tx.delete_node("b")
            await tx.create_node("d", "t", {"v": 2})
            assert [node.name for node in await tx.find_nodes(order="v")] == ["d", "c", "a"]
            assert [node.name for node in await tx.find_nodes(where={"v": {"$lt": 3}})] == ["d"]
            assert await tx.count_nodes(where={"v": {"$gt": 2}}) == 2
            assert not await tx.has_nodes(where={"v": 1})
            await tx.create_edge("a", "x", "d")
            assert await tx.degree("d") == 1
            assert [dict(row) for row in await tx.select_edges(["source", "target"])] == [
                {"source": "a", "target": "d"}
            ]

    on_graph(backend, tmp_path, scenario)


def test_an_order_or_count_that_would_look_at_too_much_is_refused_and_says_what_helps(tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(f"n{number}", "t", {"v": number}) for number in range(21)])
        for ask in (
            graph.find_nodes(order="v"),
            graph.count_nodes(where={"v": 3}),
            graph.has_nodes(where={"v": "none"}),
        ):
            with pytest.raises(LimitExceededError, match="narrow the filter, or create an index") as error:
                await ask
            assert (error.value.limit, error.value.maximum) == ("scan", 20)
        assert await graph.count_nodes() == 21
        assert await graph.has_nodes(where={"v": 3})
        assert [node.name for node in await graph.find_nodes(order="v", where={"name": {"$in": ["n3", "n1"]}})] == [
            "n1",
            "n3",
        ]
        await graph.delete_node("n0")
        assert len(await graph.find_nodes(order="v")) == 20

    on_graph("memory", tmp_path, scenario, limits=Limits(scan=20))
