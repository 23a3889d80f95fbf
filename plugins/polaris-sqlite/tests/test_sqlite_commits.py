"""What a commit asks of the database, and what it need not ask again as long as nobody else has committed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from polaris_sqlite.storage import SqliteStorage

from polaris_core import CreateNode, Graph, NodeExistsError, SchemaViolationError, open_graph

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
            asked = (" FROM head", " FROM indexes", " FROM meta")  # there, for the schema of the node's type
            assert sum(statement.endswith(asked) for statement in statements) == len(asked)
            changes = await graph.changes()
            assert [change.cursor.seq for change in changes] == list(range(1, len(changes) + 1))

    asyncio.run(scenario())


@pytest.mark.parametrize("through", ["the same opening", "another opening"])
def test_a_schema_counts_from_the_commit_after_it_though_there_was_known_to_be_none(path: Path, through: str) -> None:
    async def scenario() -> None:
        async with open_graph(f"sqlite:///{path}") as graph, open_graph(f"sqlite:///{path}") as beside:
            other = graph if through == "the same opening" else beside
            await graph.create_node("first")
            await graph.create_node("second")  # which knows of no schema, and asks for none
            await other.set_schema("node", "node", {"required": ["born"]})
            with pytest.raises(SchemaViolationError):
                await graph.create_node("third")
            await other.delete_schema("node", "node")
            await graph.create_node("third")
            await other.set_schema("node", "node", {"required": ["born"]})
            with pytest.raises(SchemaViolationError):
                await graph.create_node("fourth")

    asyncio.run(scenario())


def test_of_records_that_are_absent_no_more_than_so_many_keys_are_remembered(path: Path) -> None:
    async def scenario() -> None:
        async with open_graph(f"sqlite:///{path}") as graph:
            for number in range(0, 3_000, 100):
                await graph.commit([CreateNode(f"{number}-{at}", f"type {number + at}") for at in range(100)])
            storage = graph.service.storage
            assert isinstance(storage, SqliteStorage)
            assert 0 < len(storage._known[1].absent) <= 1_000

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
