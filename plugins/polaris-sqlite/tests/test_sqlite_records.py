"""How a session answers over SQLite: by indexes, whole, and merged where there is too much to sort."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage, schema, session

from polaris_core import (
    CreateEdge,
    CreateNode,
    ProgramError,
    StoreDamagedError,
)
from polaris_core.abc import CommitPlan, Link, NodeRecord, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"


@asynccontextmanager
async def opened(store: SqliteStorage) -> AsyncIterator[SqliteStorage]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def asked(method: Any, *arguments: Any) -> Any:
    async def program(seen: Session) -> Any:
        return await getattr(seen, method)(*arguments)

    return program


@pytest.mark.parametrize("at_once", [1, 20_000], ids=["merged", "sorted"])
@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_an_edge_between_two_of_the_nodes_asked_for_stands_once(
    storage: Make, put: Put, monkeypatch: pytest.MonkeyPatch, direction: Any, at_once: Any
) -> None:
    monkeypatch.setattr(session, "_SORTED_AT_ONCE", at_once)

    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, *map(CreateNode, "abc"), CreateEdge("b", "x", "a"), CreateEdge("a", "x", "b"))
            await put(store, CreateEdge("a", "x", "a"), CreateEdge("c", "x", "a"), CreateEdge("c", "y", "c"))
            everyone = [
                Link(4, 2, "x", 1),
                Link(5, 1, "x", 2),
                Link(6, 1, "x", 1),
                Link(7, 3, "x", 1),
                Link(8, 3, "y", 3),
            ]
            of = {"out": everyone[:3], "in": everyone[:4], "both": everyone[:4]}[direction]
            assert await store.read(asked("links", [2, 1, 2], direction, None, 10, 0)) == of
            assert await store.read(asked("links", [2, 1], direction, None, 2, 4)) == of[1:3]
            assert await store.read(asked("links", [1, 2], direction, ["y"], 2, 0)) == []
            assert await store.read(asked("links", [], direction, None, 2, 0)) == []

    asyncio.run(main())


def test_a_plan_that_contradicts_itself_is_refused_and_leaves_nothing(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:

            async def contradictory(seen: Session) -> Any:
                head = await seen.head()
                twins = [NodeRecord(1, "same", "node", 1, "{}"), NodeRecord(2, "same", "node", 2, "{}")]
                return CommitPlan(expected=head, head=head._replace(seq=2, next_id=3), put_nodes=twins)

            with pytest.raises(ProgramError, match="contradicts"):
                await store.commit(contradictory)
            await put(store, CreateNode("b"))
            return await store.read(asked("scan", "node", 0, 9))

    assert [(node.id, node.name) for node in asyncio.run(main())] == [(1, "b")]


@pytest.mark.parametrize("direction", ["out", "in", "both"])
@pytest.mark.parametrize("types", [None, ["x"]])
def test_a_walk_reads_indexes_only_and_sorts_nothing(direction: Any, types: Any) -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    schema.GRAPH.bring_forward(database)
    for node, tail in ((1, "ORDER BY id LIMIT 9"), ("[1, 2]", "LIMIT 9")):
        statement, parameters = session._links_statement(node, direction, types, 0)
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement} {tail}", parameters)]
        searches = [step for step in plan if " edges" in step]
        assert len(searches) == (2 if direction == "both" else 1)
        assert all(step.startswith("SEARCH edges USING COVERING INDEX") for step in searches)
        assert not [step for step in plan if "TEMP B-TREE" in step]
    database.close()


@pytest.mark.parametrize(
    ("statement", "parameters", "index"),
    [
        (session._CHANGES_OF, {"id": 1, "after": 0, "limit": 9}, "changes_"),
        (session._OF_TRIPLES, ("[]",), "(source=? AND type=? AND target=?)"),
        (f"{session._NODE} WHERE name {session._AMONG}", ("[]",), "(name=?)"),
        (session._KEYS["node"], ("", 9), "(name>?)"),
    ],
)
def test_what_is_asked_by_key_is_searched_by_an_index(statement: Any, parameters: Any, index: Any) -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    schema.GRAPH.bring_forward(database)
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    steps = [step for step in plan if any(f" {table} " in step for table in ("nodes", "edges", "changes"))]
    assert steps
    assert all(step.startswith("SEARCH") and index in step for step in steps)
    assert not [step for step in plan if "TEMP B-TREE" in step]
    database.close()


@pytest.mark.parametrize(
    "method",
    [("head",), ("nodes", ["a"]), ("links", [1], "both", None, 9, 0), ("keys", "node", "", 9), ("counts",)],
    ids=lambda method: method[0],
)
def test_a_table_that_is_missing_inside_a_program_is_damage_in_our_words(storage: Make, path: Any, method: Any) -> None:
    async def main() -> None:
        async with opened(storage()) as store:
            with sqlite3.connect(path) as database:
                for table in ("head", "nodes", "edges"):
                    database.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
            database.close()

            async def program(seen: Session) -> Any:
                with pytest.raises(
                    StoreDamagedError, match=r"graph\.db lacks a part of what it is made of \(no such table"
                ):
                    await getattr(seen, method[0])(*method[1:])

            await store.read(program)

    asyncio.run(main())
