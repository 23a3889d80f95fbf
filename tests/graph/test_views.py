"""Views of the past: one committed state, whatever is committed meanwhile, on every backend."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    Batch,
    Cursor,
    Graph,
    HistoryReplacedError,
    HistoryTrimmedError,
    InvalidCursorError,
    InvalidValueError,
    LimitExceededError,
    Limits,
    NodeNotFoundError,
    Patch,
    PatchNode,
    StorageOptions,
    UpsertEdge,
    UpsertNode,
    View,
    open_graph,
    open_graph_blocking,
)
from polaris_core.codec import to_json

BACKENDS = ["memory", "json", "sqlite"]
SECOND = timedelta(seconds=1)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> int:
        return int(self.time.timestamp()) * 1_000_000


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path / 'kg'}"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


@asynccontextmanager
async def filled(backend: str, path: Path, **options: Any) -> AsyncIterator[Graph]:
    """A small graph: Ada wrote Notes, Bob read them."""
    async with open_graph(url(backend, path), **options) as graph:
        await graph.create_node("Ada", "person", {"born": 1815}, ["wrote the first program"])
        await graph.create_node("Bob", "person")
        await graph.create_node("Notes", "paper")
        await graph.create_edge("Ada", "wrote", "Notes", {"year": 1843})
        await graph.create_edge("Bob", "read", "Notes")
        yield graph


async def everything(graph: Graph | View) -> object:
    """All that can be read of this little graph."""
    nodes = [node async for node in graph.all_nodes()]
    return to_json(
        [
            nodes,
            [edge async for edge in graph.all_edges()],
            [await graph.get_node(node.name) for node in nodes],
            [list(await graph.neighbors(node.name)) for node in nodes],
            list(await graph.names()),
            list(await graph.find_nodes(type="person", where={"born": 1815}, text="PROGRAM")),
            [(hit.node, hit.snippet) for hit in await graph.search("program")],
            await graph.count_edges(),
            await graph.statistics(),
            str(await graph.cursor()),
            await graph.changes(),
        ]
    )


async def upheaval(graph: Graph) -> None:
    """Change everything there is in the little graph."""
    await graph.patch_node("Ada", set={"born": 1816}, observe="counted", forget="wrote the first program")
    await graph.rename_node("Ada", "Countess")
    await graph.rename_node("Bob", "Ada")
    await graph.upsert_edge("Ada", "read", "Notes", {"year": 1})
    await graph.delete_node("Notes", detach=True)
    await graph.create_node("Notes", "song")
    await graph.create_edge("Ada", "wrote", "Notes")
    await graph.create_node("Zoe", "person")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_snapshot_sees_one_state_whatever_is_committed_meanwhile(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with filled(backend, tmp_path) as graph, graph.snapshot() as view:
            before = await everything(graph)
            assert await everything(view) == before
            await upheaval(graph)
            assert await everything(view) == before
            assert await everything(graph) != before
            await graph.delete_node("Countess")
            assert await everything(view) == before
            assert (await view.get_node("Ada")).attributes == {"born": 1815}
            with pytest.raises(NodeNotFoundError):
                await view.get_node("Zoe")

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_commit_can_be_read_again_by_its_number_its_cursor_and_its_time(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with filled(backend, tmp_path, options=StorageOptions(now=clock)) as graph:
            states: list[tuple[Cursor, datetime, object]] = []

            async def remember() -> None:
                states.append((await graph.cursor(), clock.time, await everything(graph)))
                clock.time += SECOND

            await remember()
            await graph.delete_edge("Bob", "read", "Notes")
            await remember()
            await graph.commit([UpsertNode("Ada", attributes={"born": None}), UpsertNode("Eve")])
            await remember()
            await upheaval(graph)
            await remember()
            for cursor, time, state in states:
                assert await everything(graph.at(cursor)) == state
                assert await everything(graph.at(str(cursor))) == state
                assert await everything(graph.at(cursor.seq)) == state
                assert await everything(graph.at(time)) == state
                assert await everything(graph.at(time + SECOND / 2)) == state
            nothing = graph.at(0)
            assert (await nothing.statistics()).nodes == 0
            assert [node async for node in graph.at(datetime(2025, 1, 1, tzinfo=UTC)).all_nodes()] == []

    run(main)


@pytest.mark.parametrize("on_existing", ["merge", "replace", "skip"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bulk_load_is_one_moment_like_any_other(backend: str, on_existing: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with filled(backend, tmp_path) as graph, graph.snapshot() as before:
            was = await everything(graph)
            records = [
                UpsertNode("Ada", "poet", {"town": "London"}, ["counted"]),
                *(UpsertNode(f"{number}", "number", {"n": number}) for number in range(20)),
                *(UpsertEdge("Ada", "counts", f"{number}") for number in range(20)),
                UpsertEdge("1", "next", "2"),
            ]
            loaded = await graph.load(records, on_existing=on_existing)
            assert await everything(before) == was
            async with graph.snapshot() as after:
                then = await everything(graph)
                await upheaval(graph)
                await graph.delete_node("7", detach=True)
                await graph.delete_edge("1", "next", "2")
                await graph.patch_node("8", set={"n": None})
                await graph.rename_node("9", "nine")
                assert await everything(before) == was
                assert await everything(after) == then
                assert await everything(graph.at(loaded.last)) == then
                assert await everything(graph.at(loaded.first)) == then
                assert await everything(graph.at(loaded.first - 1)) == was
            kinds = [change.kind for change in await graph.history("nine")]
            assert kinds == ["node.renamed", "graph.imported"]
            assert [change.kind for change in await graph.history("7", oldest_first=True)] == [
                "graph.imported", "node.deleted",
            ]  # fmt: skip

    run(main)


def test_a_number_inside_a_commit_means_the_end_of_that_commit() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            commit = await graph.commit([UpsertNode(name) for name in "abc"])
            await graph.create_node("d")
            for seq in range(commit.first, commit.last + 1):
                view = graph.at(seq)
                assert await view.names() == ("a", "b", "c")
                assert await view.cursor() == commit.cursor

    run(main)


def test_the_batches_of_one_durable_commit_are_moments_of_their_own() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.apply([Batch(UpsertNode(name)) for name in "abc"])
            assert [await graph.at(seq).names() for seq in (1, 2, 3)] == [("a",), ("a", "b"), ("a", "b", "c")]

    run(main)


def test_pages_of_a_snapshot_fit_together_while_others_write() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            names = [f"{number:03}" for number in range(40)]
            await graph.commit([UpsertNode(name) for name in names])
            async with graph.snapshot() as view:
                found, cursor = [], None
                while True:
                    page = await view.find_nodes(limit=7, cursor=cursor)
                    found += [node.name for node in page]
                    await graph.delete_node(names[len(found) - 1], missing_ok=True)
                    await graph.upsert_node(f"{len(found)} was here")
                    await graph.create_node(f"new {len(found)}")
                    if (cursor := page.next) is None:
                        break
                assert found == [f"{number:03}" for number in range(40)]

    run(main)


def test_a_missing_name_is_explained_by_names_there_were() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("Ada Lovelace")
            async with graph.snapshot() as view:
                await graph.rename_node("Ada Lovelace", "Ada King")
                with pytest.raises(NodeNotFoundError) as refused:
                    await view.get_node("Ada Lovelac")
                assert refused.value.near == ("Ada Lovelace",)
                with pytest.raises(NodeNotFoundError) as refused:
                    await view.neighbors("ada lovelace")
                assert refused.value.near == ("Ada Lovelace",)

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_was_trimmed_cannot_be_read_and_what_is_kept_can(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with filled(backend, tmp_path, options=StorageOptions(now=clock)) as graph:
            early, times = graph.at(2), [clock.time]
            assert await early.names() == ("Ada", "Bob")
            clock.time += SECOND
            await graph.create_node("Zoe")
            await graph.trim(5)
            assert await graph.at(5).names() == ("Ada", "Bob", "Notes")
            assert await graph.at(clock.time).names() == ("Ada", "Bob", "Notes", "Zoe")
            for view in (early, graph.at(2), graph.at(4), graph.at(times[0])):
                with pytest.raises(HistoryTrimmedError) as refused:
                    await view.names()
                assert refused.value.floor == 5

    run(main)


def test_a_cursor_of_another_history_is_refused() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph, open_graph("memory:") as other:
            await other.create_node("a")
            with pytest.raises(HistoryReplacedError):
                await graph.at(await other.cursor()).names()
            ahead = (await graph.cursor())._replace(seq=7)
            with pytest.raises(HistoryReplacedError):
                await graph.at(ahead).names()

    run(main)


@pytest.mark.parametrize("moment", [7, -1])
def test_a_number_that_no_change_has_is_refused(moment: int) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("a")
            with pytest.raises(InvalidValueError, match="there is no change"):
                await graph.at(moment).names()

    run(main)


@pytest.mark.parametrize(
    ("moment", "error"),
    [
        (datetime(2026, 1, 1), InvalidValueError),  # noqa: DTZ001 - that is the point
        (True, InvalidValueError),
        (1.0, InvalidValueError),
        (None, InvalidValueError),
        ("yesterday", InvalidCursorError),
        (Cursor("a", "b", "c"), InvalidCursorError),
    ],
)
def test_what_is_no_moment_is_refused_at_once(moment: Any, error: type[Exception]) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            with pytest.raises(error):
                graph.at(moment)

    run(main)


def test_a_past_that_lies_too_far_back_is_refused() -> None:
    async def main() -> None:
        async with open_graph("memory:", limits=Limits(past_changes=3)) as graph:
            for name in "abcd":
                await graph.create_node(name)
            assert await graph.at(1).names() == ("a",)
            with pytest.raises(LimitExceededError, match="past_changes"):
                await graph.at(0).names()

    run(main)


def test_a_view_reads_each_change_once() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            for number in range(30):
                await graph.upsert_node("a", attributes={"n": number})
            async with graph.snapshot() as view:
                for number in range(30):
                    await graph.upsert_node("a", attributes={"n": -number})
                    assert (await view.get_node("a")).attributes == {"n": 29}
                    assert view._past is not None
                    assert view._past.upto == (await graph.cursor()).seq
                await graph.delete_node("a")
                before, _ = await asyncio.gather(view.get_node("a"), view.statistics())
                assert before.attributes == {"n": 29}

    run(main)


def test_a_blocking_graph_has_the_same_views(tmp_path: Path) -> None:
    with open_graph_blocking(url("sqlite", tmp_path)) as graph:
        graph.create_node("a", attributes={"n": 1})
        with graph.snapshot() as view:
            graph.commit(PatchNode("a", Patch(set={"n": 2})))
            assert view.get_node("a").attributes == {"n": 1}
            assert [node.attributes for node in view.all_nodes()] == [{"n": 1}]
            assert view.cursor().seq == 1
        assert graph.at(1).get_node("a").attributes == {"n": 1}
        assert graph.at(2).get_node("a").attributes == {"n": 2}
