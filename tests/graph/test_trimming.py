"""Trimming: the oldest changes are dropped for good, what the graph holds is not, and no registered reader loses anything."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    ConflictError,
    Cursor,
    Graph,
    HistoryReplacedError,
    HistoryTrimmedError,
    InvalidCursorError,
    InvalidNameError,
    InvalidValueError,
    StorageOptions,
    UpsertNode,
    open_graph,
    open_graph_blocking,
)

BACKENDS = ["memory", "json", "sqlite"]


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path / 'kg'}"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


async def grown(graph: Graph, names: str = "abcde") -> None:
    for name in names:
        await graph.create_node(name)


async def kept(graph: Graph) -> list[int]:
    return [change.cursor.seq for change in await graph.changes()]


@pytest.mark.parametrize("backend", BACKENDS)
def test_trimmed_changes_are_gone_and_the_graph_is_as_it_was(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await grown(graph)
            before = [node async for node in graph.all_nodes()]
            place = await graph.trim(3)
            assert place == (await graph.cursor())._replace(seq=3)
            assert await kept(graph) == [4, 5]
            assert [node async for node in graph.all_nodes()] == before
            await graph.create_node("f")
            assert await kept(graph) == [4, 5, 6]
        if backend != "memory":
            async with open_graph(url(backend, tmp_path)) as graph:
                assert await kept(graph) == [4, 5, 6]
                assert await graph.trim(await graph.cursor()) == await graph.cursor()
                assert await kept(graph) == []

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_below_the_floor_every_way_to_the_past_is_refused(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await grown(graph)
            cursor = (await graph.cursor())._replace(seq=2)
            async with graph.snapshot() as view:
                await graph.create_node("f")
                assert len(await view.names()) == 5
                await graph.trim(6)
                await graph.create_node("g")
                for read in (
                    view.names(), graph.changes(cursor), graph.at(2).names(), graph.at(cursor).get_node("a"), graph.undo(2),
                    graph.history("a"), graph.history("a", oldest_first=True),
                ):  # fmt: skip
                    with pytest.raises(HistoryTrimmedError) as refused:
                        await read
                    assert refused.value.floor == 6
            assert [change.kind for change in await graph.history("g")] == ["node.created"]

    run(main)


def test_a_trim_drops_whole_commits() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.commit([UpsertNode(name) for name in "abc"])
            await graph.create_node("d")
            assert (await graph.trim(2)).seq == 3
            assert await kept(graph) == [4]

    run(main)


def test_a_trim_can_be_told_a_time_and_drops_nothing_twice() -> None:
    async def main() -> None:
        time = [datetime(2026, 1, 1, tzinfo=UTC)]
        options = StorageOptions(now=lambda: int(time[0].timestamp()) * 1_000_000)
        async with open_graph("memory:", options=options) as graph:
            for name in "abcde":
                time[0] += timedelta(days=1)
                await graph.create_node(name)
            assert (await graph.trim(datetime(2026, 1, 4, 12, tzinfo=UTC))).seq == 3
            for earlier in (datetime(2026, 1, 2, tzinfo=UTC), 1, 3):
                assert (await graph.trim(earlier)).seq == 3
            assert await kept(graph) == [4, 5]

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_registered_reader_is_passed_unless_forced(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await grown(graph)
            await graph.register_reader("search", (await graph.cursor())._replace(seq=2))
            await graph.register_reader("relay")
            with pytest.raises(ConflictError, match=r"'search' has read up to change 2") as refused:
                await graph.trim(4)
            assert (refused.value.key, refused.value.actual.seq) == ("reader/search", 2)
            assert (await graph.trim(2)).seq == 2
            assert {name: place.seq for name, place in (await graph.readers()).items()} == {"search": 2, "relay": 6}
            await graph.register_reader("search", str((await graph.cursor())._replace(seq=4)))
            assert (await graph.trim(4)).seq == 4
            assert (await graph.trim(5, force=True)).seq == 5
            assert await graph.forget_reader("search")
            assert not await graph.forget_reader("search")
            assert (await graph.trim(6)).seq == 6

    run(main)


def test_a_reader_that_notes_its_place_is_not_woken_by_its_own_notes_for_ever() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await grown(graph)
            await graph.register_reader("a")
            await graph.register_reader("b")
            noted = await graph.cursor()
            for _ in range(3):
                for name in ("a", "b"):
                    await graph.changes((await graph.readers())[name])
                    await graph.register_reader(name)
            assert await graph.cursor() == noted
            await graph.create_node("f")
            await graph.register_reader("a")
            assert (await graph.readers())["a"].seq == noted.seq + 1

    run(main)


def test_the_author_of_a_note_is_who_acts() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.acting_as("ann").register_reader("a")
            assert [change.author for change in await graph.changes()] == ["ann"]

    run(main)


def test_trims_take_their_turn_among_writes() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("first")
            writes = [graph.create_node(f"{number}") for number in range(50)]
            trims = [graph.trim(1) for _ in range(5)]
            mixed = [call for pair in zip(writes[:5], trims, strict=True) for call in pair]
            await asyncio.gather(*mixed, *writes[5:])
            assert (await graph.statistics()).nodes == 51
            assert await kept(graph) == list(range(2, 52))

    run(main)


def test_a_trim_that_is_refused_or_cancelled_hurts_no_neighbour() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("a")
            cancelled = asyncio.ensure_future(graph.trim(1))
            await asyncio.sleep(0)
            cancelled.cancel()
            refused, node = await asyncio.gather(graph.trim(9), graph.create_node("b"), return_exceptions=True)
            assert isinstance(refused, InvalidValueError)
            assert node.name == "b"
            assert await graph.names() == ("a", "b")

    run(main)


def test_what_is_no_place_is_refused() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph, open_graph("memory:") as other:
            await grown(graph)
            await grown(other)
            for foreign in (graph.trim(await other.cursor()), graph.register_reader("a", await other.cursor())):
                with pytest.raises(HistoryReplacedError):
                    await foreign
            for moment in (None, True, 1.5):
                with pytest.raises(InvalidValueError):
                    await graph.trim(moment)
            for place in ("here", 1):
                with pytest.raises(InvalidCursorError):
                    await graph.register_reader("a", place)
            with pytest.raises(InvalidNameError):
                await graph.register_reader("")
            await graph.trim(2)
            with pytest.raises(HistoryTrimmedError):
                await graph.register_reader("a", (await graph.cursor())._replace(seq=1))
            assert await graph.readers() == {}

    run(main)


def test_a_blocking_graph_trims_too() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.create_node("a")
        graph.register_reader("r", Cursor.parse(str(graph.cursor())))
        assert {name: place.seq for name, place in graph.readers().items()} == {"r": 1}
        with pytest.raises(ConflictError):
            graph.trim(2)
        graph.forget_reader("r")
        assert graph.trim(2).seq == 2
