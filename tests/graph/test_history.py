"""The history of one node or edge: all that happened to it, under whatever name, and nothing else."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    Change,
    CreateEdge,
    EdgeNotFoundError,
    Graph,
    HistoryTrimmedError,
    InvalidCursorError,
    InvalidNameError,
    InvalidValueError,
    NodeNotFoundError,
    Page,
    UpsertNode,
    open_graph,
    open_graph_blocking,
)

BACKENDS = ["memory", "json", "sqlite"]


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path / 'kg'}"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def told(changes: Page[Change]) -> list[str]:
    return [change.kind.partition(".")[2] + f" {change.key}" for change in changes]


async def lived(graph: Graph) -> None:
    """Ada lives: she is described, joined, renamed, described and joined again."""
    await graph.create_node("Ada")
    await graph.create_node("Notes")
    await graph.observe("Ada", "counts")
    await graph.create_edge("Ada", "wrote", "Notes")
    await graph.patch_edge("Ada", "wrote", "Notes", set={"year": 1843})
    await graph.rename_node("Ada", "Countess")
    await graph.patch_edge("Countess", "wrote", "Notes", set={"year": 1842})
    await graph.patch_node("Countess", set={"born": 1815})


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_nodes_history_is_its_own_changes_through_all_its_names(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await lived(graph)
            expected = ["updated Countess", "renamed Countess", "updated Ada", "created Ada"]
            assert told(await graph.history("Countess")) == expected
            assert told(await graph.history("Countess", oldest_first=True)) == expected[::-1]
            assert told(await graph.history("Ada")) == expected, "it is found by a name it had"

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_edges_history_follows_it_through_the_names_of_its_ends(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await lived(graph)
            changes = await graph.history(("Countess", "wrote", "Notes"))
            assert [change.kind for change in changes] == ["edge.updated", "edge.updated", "edge.created"]
            await graph.delete_node("Countess", detach=True)
            for key in (("Countess", "wrote", "Notes"), ["Countess", "wrote", "Notes"]):
                gone = await graph.history(key)
                assert list(gone)[1:] == list(changes)
                assert next(iter(gone)).kind == "edge.deleted"

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_gone_is_found_by_the_name_it_had_last(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await lived(graph)
            await graph.delete_node("Countess", detach=True)
            kinds = ["deleted Countess", "updated Countess", "renamed Countess", "updated Ada", "created Ada"]
            assert told(await graph.history("Countess")) == kinds
            assert told(await graph.history("Ada")) == kinds
            await graph.create_node("Countess")
            assert told(await graph.history("Countess")) == ["created Countess"], "another one of that name"

    run(main)


def test_pages_of_a_history_go_on_where_the_one_before_ended() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            for number in range(10):
                await graph.upsert_node("a", attributes={"n": number})
                await graph.upsert_node("b", attributes={"n": number})
            for oldest_first in (False, True):
                whole = list(await graph.history("a", oldest_first=oldest_first))
                assert len(whole) >= 10
                found, cursor = [], None
                while True:
                    page = await graph.history("a", limit=3, cursor=cursor, oldest_first=oldest_first)
                    found += page
                    if not oldest_first:
                        await graph.upsert_node("a", attributes={"m": len(found)})  # what is newer moves no page
                    if (cursor := page.next) is None:
                        break
                assert found == whole
            with pytest.raises(InvalidCursorError):
                await graph.history("b", cursor=(await graph.history("a", limit=1)).next)

    run(main)


def test_a_view_tells_the_history_up_to_it() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await lived(graph)
            await graph.delete_node("Countess", detach=True)
            assert told(await graph.at(4).history("Ada")) == ["updated Ada", "created Ada"]
            with pytest.raises(NodeNotFoundError):
                await graph.at(4).history("Countess")
            assert len(await graph.at(5).history(("Ada", "wrote", "Notes"))) == 2

    run(main)


def test_the_oldest_change_that_is_kept_ends_the_history() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await lived(graph)
            page = await graph.history("Countess", limit=2)
            await graph.trim(3)
            for oldest_first in (False, True):
                kept = told(await graph.history("Countess", oldest_first=oldest_first))
                assert sorted(kept) == ["renamed Countess", "updated Countess"]
            with pytest.raises(HistoryTrimmedError):
                await graph.history("Countess", limit=2, cursor=page.next)

    run(main)


def test_a_key_that_nothing_ever_had_is_not_found() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.commit([UpsertNode("Ada Lovelace"), UpsertNode("b"), CreateEdge("b", "x", "Ada Lovelace")])
            with pytest.raises(NodeNotFoundError) as refused:
                await graph.history("Ada Lovelac")
            assert refused.value.near == ("Ada Lovelace",)
            for key in (("b", "y", "Ada Lovelace"), ("b", "x", "c")):
                with pytest.raises(EdgeNotFoundError):
                    await graph.history(key)
            with pytest.raises(InvalidValueError):
                await graph.history(("b", "x"))
            with pytest.raises(InvalidNameError):
                await graph.history("")

    run(main)


def test_a_blocking_graph_tells_the_same_history() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.create_node("a")
        graph.observe("a", "one")
        assert told(graph.history("a")) == ["updated a", "created a"]
