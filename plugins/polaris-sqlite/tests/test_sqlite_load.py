"""The bulk load into SQLite: staged beside other writers, stored by one transaction, whole or not at all."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core import Edge, Graph, Node, open_graph
from polaris_core.abc import Verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

COUNT = 3_000


def records() -> Iterator[Node | Edge]:
    for number in range(COUNT):
        yield Node(f"n{number}", "package", {"size": number}, [f"The package of number {number}, with some text."])
        yield Edge(f"n{number}", "depends", f"n{number * 7 % COUNT}", {"at": number})


def on_graph(path: Path, scenario: Callable[[Graph], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with open_graph(f"sqlite:///{path}") as graph:
            return await scenario(graph)

    return asyncio.run(main())


async def state(graph: Graph) -> tuple[int, int, int]:
    """How many nodes, edges and changes there are; nothing may be damaged."""
    assert isinstance(graph.service.storage, Verify)
    assert (await graph.service.storage.verify()).findings == ()
    counted = await graph.statistics()
    return counted.nodes, counted.edges, (await graph.cursor()).seq


async def temporary(graph: Graph) -> tuple[int, int]:
    """How many temporary tables the writer has, and where it would keep them: 2 is memory."""
    file = graph.service.storage._file  # type: ignore[attr-defined]

    def look(database: Any) -> tuple[int, int]:
        (tables,) = database.execute("SELECT count(*) FROM sqlite_temp_schema").fetchone()
        (where,) = database.execute("PRAGMA temp_store").fetchone()
        return tables, where

    found: tuple[int, int] = await file.prepare(look)
    return found


DIES = """
import signal
from polaris_core import Edge, Node

async def main():
    async with open_graph(f"sqlite:///{path}") as graph:
        await graph.create_node("before")

        def dies(statement):
            if statement.startswith(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)

        async def records():
            for number in range(3000):
                yield Node(f"n{number}")
                yield Edge(f"n{number}", "depends", f"n{number * 7 % 3000}")
                if number == int(sys.argv[3]):
                    await watch()

        async def watch():
            await graph.service.storage._file.prepare(lambda database: database.set_trace_callback(dies))

        await graph.load(records())
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("statement", "after", "kept"),
    [
        ("INSERT OR REPLACE INTO temp.", 2_000, False),
        ("COMMIT", 2_000, False),  # of the staging
        ("INSERT INTO nodes", 2_999, False),
        ("INSERT INTO edges", 2_999, False),
        ("INSERT INTO changes", 2_999, False),
        ("UPDATE head", 2_999, False),
        ("COMMIT", 2_999, False),
        ("DROP TABLE", 2_999, True),
        ("nothing that is ever said", 2_999, True),
    ],
)
def test_a_process_killed_at_any_point_of_a_load_leaves_all_of_it_or_nothing(
    path: Path, processes: Any, statement: str, after: int, kept: bool
) -> None:
    process = processes.start(DIES, statement, str(after))
    _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (-signal.SIGKILL, "")
    assert on_graph(path, state) == ((COUNT + 1, COUNT, 2) if kept else (1, 0, 1))

    async def again(graph: Graph) -> Any:
        await graph.load(records(), on_existing="replace")
        return await state(graph)

    assert on_graph(path, again)[:2] == (COUNT + 1, COUNT)


def test_a_load_holds_up_no_other_process_before_it_commits_and_counts_on_what_they_wrote(
    path: Path, processes: Any
) -> None:
    program = """
        async def main():
            store = storage(busy_seconds=0.05)
            await store.open()
            await put(store, CreateNode(sys.argv[2]))
            await store.close()

        asyncio.run(main())
    """

    async def scenario(graph: Graph) -> Any:
        async def beside() -> AsyncIterator[Node | Edge]:
            for number, record in enumerate(records()):
                yield record
                if number in (1, 3_500, 2 * COUNT - 1):
                    await asyncio.to_thread(processes.run, program, f"other{number}")

        loaded = await graph.load(beside())
        assert (loaded.first, loaded.last) == (4, 4)
        return await state(graph)

    assert on_graph(path, scenario) == (COUNT + 3, COUNT, 4)


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_is_left_of_the_stage(path: Path, broken: bool) -> None:
    def breaking() -> Iterable[Node | Edge]:
        yield from records()
        if broken:
            raise OSError("no more")

    async def scenario(graph: Graph) -> None:
        try:
            await graph.load(breaking())
        except OSError:
            assert broken
        assert await temporary(graph) == (0, 2)

    on_graph(path, scenario)
    assert sorted(item.name for item in path.parent.iterdir()) == ["graph.db", "graph.db.lock"]


def test_the_log_of_a_load_is_copied_back_and_does_not_stay_long(path: Path) -> None:
    async def scenario(graph: Graph) -> int:
        await graph.load(records())
        for _ in range(3):
            await graph.create_node(f"after{_}")
        return (await graph.statistics()).nodes

    assert on_graph(path, scenario) == COUNT + 3
    assert not Path(f"{path}-wal").exists()
