"""The index of words of a SQLite store: no commit touches it, and no search sees it behind."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from polaris_sqlite import searching

from polaris_core import Edge, Graph, Node, StoreDamagedError, open_graph
from polaris_core.abc import Backup, Verify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

FLIPS = 40


def on_graph(path: Path, scenario: Callable[[Graph], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        async with open_graph(f"sqlite:///{path}", **options) as graph:
            return await scenario(graph)

    return asyncio.run(main())


def pages(path: Path, table: str) -> list[int]:
    """The places in the file where a small table's rows are."""
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    return list(range((root - 1) * size, root * size))


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'search%' AND type = 'table'")
        return sorted(name for (name,) in found)


async def found(graph: Graph, text: str) -> tuple[set[str], int | None]:
    hits = await graph.search(text)
    return {hit.node.name for hit in hits}, hits.scanned


def test_a_store_that_nobody_searches_has_no_index(path: Path) -> None:
    on_graph(path, lambda graph: graph.create_node("Ada"))
    assert tables(path) == []
    assert on_graph(path, lambda graph: found(graph, "ada")) == ({"Ada"}, None)
    assert "search" in tables(path)


@pytest.mark.parametrize(
    "wrong", ["UPDATE search SET observations = 'ada'", "INSERT INTO search (rowid, name) VALUES (9, 'ada')"]
)
def test_an_index_that_tells_what_is_not_so_is_not_believed(path: Path, wrong: str) -> None:
    on_graph(path, lambda graph: graph.create_node("Charles"))
    on_graph(path, lambda graph: found(graph, "ada"))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(wrong)
    assert on_graph(path, lambda graph: found(graph, "ada")) == (set(), 1)


def test_an_index_that_was_made_in_another_way_is_made_again(path: Path) -> None:
    on_graph(path, lambda graph: graph.create_node("Ёлка"))
    on_graph(path, lambda graph: found(graph, "ёлка"))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("DROP TABLE search")
        database.execute("CREATE VIRTUAL TABLE search USING fts5(name, observations, attributes)")
    assert on_graph(path, lambda graph: found(graph, "ёлка")) == ({"Ёлка"}, None)


def test_edges_leave_the_index_where_it_is(path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada")
        await found(graph, "ada")
        stamp = graph.service.storage.stamp()
        await graph.create_edge("Ada", "is", "Ada")
        after = graph.service.storage.stamp()
        assert stamp != after
        assert await found(graph, "ada") == ({"Ada"}, None)
        assert graph.service.storage.stamp() == after

    on_graph(path, scenario)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_index_is_made_and_kept_up_in_pieces(path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(searching, "PIECE", count)

    async def scenario(graph: Graph) -> None:
        for number in range(5):
            await graph.create_node(f"old {number}")
        assert len((await found(graph, "old"))[0]) == 5
        for number in range(5):
            await graph.create_node(f"new {number}")
        await graph.delete_node("old 0")
        await graph.load([Node(f"bulk {number}") for number in range(11)])
        await graph.rename_node("bulk 3", "bulk three")
        await graph.load([Edge("bulk 1", "x", "bulk 2")])
        assert len((await found(graph, "old"))[0]) == 4
        assert len((await found(graph, "new"))[0]) == 5
        assert (await found(graph, "bulk three"))[0] == {"bulk three"}
        assert len((await found(graph, "bulk"))[0]) == 11

    on_graph(path, scenario)


def test_processes_search_what_others_wrote(path: Path, processes: Any) -> None:
    program = """
        async def main():
            async with open_graph(f"sqlite:///{path}") as graph:
                await graph.create_node(sys.argv[2])
                print(sorted(hit.node.name for hit in await graph.search("node")))

        asyncio.run(main())
    """
    assert processes.run(program, "node a") == "['node a']\n"
    assert processes.run(program, "node b") == "['node a', 'node b']\n"


def test_a_store_that_is_only_read_is_searched_by_the_index_or_else_by_a_scan(path: Path) -> None:
    on_graph(path, lambda graph: graph.create_node("Ada"))
    assert on_graph(path, lambda graph: found(graph, "ada"), read_only=True) == ({"Ada"}, 1)
    on_graph(path, lambda graph: found(graph, "ada"))
    assert on_graph(path, lambda graph: found(graph, "ada"), read_only=True) == ({"Ada"}, None)
    on_graph(path, lambda graph: graph.create_node("Ada Lovelace"))
    assert on_graph(path, lambda graph: found(graph, "ada"), read_only=True) == ({"Ada", "Ada Lovelace"}, 2)


def test_a_restored_store_is_searched_as_it_was(path: Path, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        storage = graph.service.storage
        assert isinstance(storage, Backup)
        assert isinstance(storage, Verify)
        await graph.create_node("Ada")
        await found(graph, "ada")
        await storage.backup(tmp_path / "copy.db")
        await graph.rename_node("Ada", "Byron")
        assert (await found(graph, "byron"))[0] == {"Byron"}
        await storage.restore(tmp_path / "copy.db")
        assert (await found(graph, "byron"))[0] == set()
        assert (await found(graph, "ada"))[0] == {"Ada"}
        assert (await storage.verify()).findings == ()

    on_graph(path, scenario)


def test_every_flipped_bit_that_hides_a_word_from_searches_is_found_by_verify(path: Path) -> None:
    async def fill(graph: Graph) -> Any:
        await graph.load(
            Node(f"Zoë {i}", attributes={"k": "x" * i}, observations=("met A-d-a", "Ёлка")) for i in range(40)
        )
        await graph.set_searched_attributes("k")
        await graph.create_node("long", observations=("a" * 40_000 + " ä" + "ö" * 40_000,))
        return await answers(graph)

    async def answers(graph: Graph) -> Any:
        asked = ("zoe", "ada", "a d a", "елка", "7", "met", "xxx", "a" * 900 + "*")
        return [sorted(hit.node.name for hit in await graph.search(text, limit=100)) for text in asked]

    async def look(graph: Graph) -> Any:
        findings = (await graph.verify()).findings
        try:
            return findings, await answers(graph)
        except StoreDamagedError:
            return findings, None

    told = on_graph(path, fill)
    assert on_graph(path, look) == ((), told)
    content, blocks = path.read_bytes(), pages(path, "search_data")
    random = Random(1)
    for place in random.sample([place for place in blocks if content[place]], FLIPS):
        damaged = bytearray(content)
        damaged[place] ^= 1 << random.randrange(8)
        path.write_bytes(damaged)
        findings, answered = on_graph(path, look)
        assert findings or answered == told, place


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE search_state SET epoch = CAST(x'ff' AS TEXT)",
        "UPDATE search_config SET v = 'bn25(10.0, 3.0, 1.0)' WHERE k = 'rank'",
    ],
)
def test_an_index_that_cannot_be_read_is_called_damaged(path: Path, damage: str) -> None:
    async def search(graph: Graph) -> None:
        await graph.search("ada")

    on_graph(path, lambda graph: graph.create_node("ada"))
    on_graph(path, search)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(damage)
    with pytest.raises(StoreDamagedError):
        on_graph(path, search)


def test_a_sqlite_without_fts5_scans_and_claims_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_graph(path, lambda graph: graph.create_node("Ada"))
    monkeypatch.setattr(searching, "has_fts", lambda _: False)

    async def scenario(graph: Graph) -> None:
        assert "search" not in graph.service.storage.capabilities
        assert await found(graph, "ada") == ({"Ada"}, 1)

    on_graph(path, scenario)


def test_searches_and_writes_at_one_time_each_see_one_state(path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        async def write() -> None:
            for number in range(40):
                await graph.load([Node(f"left {number}"), Node(f"right {number}")])

        async def look() -> None:
            for _ in range(40):
                names, scanned = await found(graph, "left")
                assert scanned is None
                others = (await found(graph, "right"))[0]
                assert len(names) <= len(others) <= 20

        await asyncio.gather(write(), look(), look())

    on_graph(path, scenario)
