"""What a commit asks of the database, and what it need not ask again as long as nobody else has committed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core import Graph, NodeExistsError, open_graph

if TYPE_CHECKING:
    from pathlib import Path


async def statements_of(graph: Graph, name: str) -> list[str]:
    """Return what a commit executes, without the values of its parameters."""
    said: list[str] = []
    file: Any = graph.service.storage._file  # type: ignore[attr-defined]
    await file.prepare(lambda database: database.set_trace_callback(said.append))
    await graph.create_node(name)
    await file.prepare(lambda database: database.set_trace_callback(None))
    return [statement.split(" VALUES ")[0].split(" SET ")[0].split(" WHERE ")[0] for statement in said]


def test_a_commit_asks_for_nothing_that_the_last_one_left(path: Path) -> None:
    async def scenario() -> None:
        async with open_graph(f"sqlite:///{path}") as graph:
            await graph.create_node("first")
            assert await statements_of(graph, "second") == [
                "BEGIN IMMEDIATE",
                "SELECT id, name, type, revision, body, checksum FROM nodes",
                "SELECT key, revision, body, checksum FROM meta",  # the schema of the node's type, which anybody may set
                "INSERT INTO nodes (id, name, type, revision, body, checksum)",
                'INSERT INTO changes (seq, "commit", kind, id, source, target, body, checksum)',
                "UPDATE head",
                "COMMIT",
            ]

    asyncio.run(scenario())


@pytest.mark.parametrize("through", ["another opening", "another program"])
def test_a_commit_asks_for_everything_after_somebody_elses(path: Path, through: str) -> None:
    async def scenario() -> None:
        async with open_graph(f"sqlite:///{path}") as graph:
            await graph.create_node("first")
            if through == "another opening":
                async with open_graph(f"sqlite:///{path}") as other:
                    await other.create_node("theirs")
            else:
                with closing(sqlite3.connect(path)) as database, database:
                    database.execute("CREATE TABLE theirs (x)")
            statements = await statements_of(graph, "second")
            assert statements[1] == "PRAGMA user_version"
            assert [statement for statement in statements if statement.endswith((" FROM head", " FROM indexes"))]
            changes = await graph.changes()
            assert [change.cursor.seq for change in changes] == list(range(1, len(changes) + 1))

    asyncio.run(scenario())


def test_a_commit_after_one_that_was_refused_is_right(path: Path) -> None:
    async def scenario() -> None:
        async with open_graph(f"sqlite:///{path}") as graph:
            await graph.create_node("first")
            with pytest.raises(NodeExistsError):
                await graph.create_node("first")
            await graph.create_node("second")
            assert await graph.count_nodes() == 2

    asyncio.run(scenario())


def test_a_commit_keeps_up_an_index_that_was_made_just_before_it(path: Path) -> None:
    async def scenario() -> None:
        async with open_graph(f"sqlite:///{path}") as graph:
            await graph.create_node("first", attributes={"v": 1})
            await graph.create_index("node", "v")
            await graph.create_node("second", attributes={"v": 1})
            await graph.drop_index("node", "v")
            await graph.create_node("third", attributes={"v": 1})
            await graph.create_index("node", "v")
            await graph.create_node("fourth", attributes={"v": 1})
            assert await graph.count_nodes(where={"v": 1}) == 4
            assert not (await graph.verify()).findings

    asyncio.run(scenario())
