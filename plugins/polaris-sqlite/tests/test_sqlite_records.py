"""What a session answers over SQLite, record by record."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage, schema, session

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    Patch,
    PatchNode,
    ProgramError,
    PutEdge,
    RenameNode,
    SetMeta,
    StoreUnavailableError,
)
from polaris_core.abc import CommitPlan, Link, NodeRecord, Session
from polaris_core.testing import writing

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


async def everything(seen: Session) -> Any:
    head = await seen.head()
    nodes, edges = await seen.scan("node", 0, 1000), await seen.scan("edge", 0, 1000)
    meta = await seen.meta(await seen.keys("meta", "", 1000))
    receipts = await seen.receipts(await seen.keys("receipt", "", 1000))
    return head, nodes, edges, meta, receipts, await seen.changes(0, 1000, None), await seen.counts()


def test_every_kind_of_record_comes_back_as_it_was_stored_after_reopening(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            plan = await put(
                store,
                CreateNode("Ada", "person", {"born": 1815, "π": [1, 1.0, True, None, -0.0]}, ["wrote a program"]),
                CreateNode("\N{GREEK SMALL LETTER ALPHA}'; DROP TABLE nodes --"),
                CreateEdge("Ada", "knows", "Ada", {"since": {"year": 1833}}),
                SetMeta("schema", {"type": "object"}),
                Emit("greeting", "Ada", {"text": "hello\u2028"}),
                key="first",
                author="me",
            )
            before = await store.read(everything)
        async with opened(storage()) as store:
            return plan, before, await store.read(everything)

    plan, before, after = asyncio.run(main())
    head, nodes, edges, meta, receipts, changes, counts = after
    assert before == after
    assert (head, nodes, edges) == (plan.head, list(plan.put_nodes), list(plan.put_edges))
    assert (meta, receipts, changes) == (list(plan.put_meta), list(plan.receipts), list(plan.changes))
    assert counts == (2, 1)


def test_answers_stand_in_the_order_of_what_was_asked(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, *map(CreateNode, "abc"), CreateEdge("a", "x", "b"), CreateEdge("b", "x", "c"))
            nodes = await store.read(asked("nodes", ["c", 1, "missing", "c", 99, 2]))
            edges = await store.read(asked("edges", [(2, "x", 3), 4, (3, "x", 2), 5, (1, "x", 2), (1, "y", 2)]))
            return nodes, edges

    nodes, edges = asyncio.run(main())
    assert [node and node.name for node in nodes] == ["c", "a", None, "c", None, "b"]
    assert [edge and edge.id for edge in edges] == [5, 4, None, 5, 4, None]


@pytest.mark.parametrize("many", [False, True])
def test_a_key_that_cannot_be_stored_is_found_nowhere(storage: Make, put: Put, many: Any) -> None:
    hostile = ["\ud800", "a\x00b", "", "x" * 100_000, "'", 2**63, 2**64, -(2**70)]

    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, CreateNode("a"))
            for key in hostile:
                keys = ["a", key] if many else [key]
                found = await store.read(asked("nodes", keys))
                assert found[-1] is None
                ids = [key] if isinstance(key, int) else [1]
                assert await store.read(asked("links", ids * (1 + many), "both", [str(key)], 10, 0)) == []
                triples = [(1, str(key), 2**63)] * (1 + many)
                assert await store.read(asked("edges", triples)) == [None] * len(triples)
                if isinstance(key, str):
                    assert await store.read(asked("meta", [key])) == [None]
                    assert await store.read(asked("receipts", [key])) == [None]

    asyncio.run(main())


def test_names_can_be_swapped_and_rotated_in_one_commit(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, *map(CreateNode, "abc"))
            await put(store, RenameNode("a", "z"), RenameNode("b", "a"), RenameNode("c", "b"), RenameNode("z", "c"))
            return await store.read(asked("nodes", [1, 2, 3, "a", "b", "c"]))

    assert [node.name for node in asyncio.run(main())] == ["c", "a", "b", "a", "b", "c"]


def test_a_name_is_free_for_another_node_in_the_commit_that_deletes_it(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, CreateNode("a"), CreateNode("b"))
            await put(store, DeleteNode("a"), RenameNode("b", "a"), CreateNode("b"))
            return await store.read(asked("nodes", ["a", "b"]))

    assert [node.id for node in asyncio.run(main())] == [2, 3]


def test_ids_are_never_given_out_again(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, CreateNode("a"), CreateNode("b"))
            await put(store, DeleteNode("b"))
        async with opened(storage()) as store:
            await put(store, CreateNode("b"))
            return await store.read(asked("nodes", ["b"]))

    (node,) = asyncio.run(main())
    assert node.id == 3


def test_the_links_of_a_hub_come_in_pages_ordered_by_edge_id(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, CreateNode("hub"), *(CreateNode(f"n{i}") for i in range(100)))
            out = [CreateEdge("hub", "even" if i % 2 == 0 else "odd", f"n{i}") for i in range(100)]
            back = [CreateEdge(f"n{i}", "back", "hub") for i in range(50)]
            await put(store, *out, *back, CreateEdge("hub", "self", "hub"))
            answers = {}
            for direction in ("out", "in", "both"):
                for types in (None, ["odd"], ["odd", "back", "self"], []):
                    found, after = [], 0
                    while page := await store.read(asked("links", [1], direction, types, 7, after)):
                        assert len(page) <= 7
                        found += page
                        after = page[-1].id
                    answers[direction, str(types)] = found
            return answers

    answers = asyncio.run(main())
    counted = {key: len(found) for key, found in answers.items()}
    assert counted == {
        ("out", "None"): 101, ("out", "['odd']"): 50, ("out", "['odd', 'back', 'self']"): 51, ("out", "[]"): 0,
        ("in", "None"): 51, ("in", "['odd']"): 0, ("in", "['odd', 'back', 'self']"): 51, ("in", "[]"): 0,
        ("both", "None"): 151, ("both", "['odd']"): 50, ("both", "['odd', 'back', 'self']"): 101, ("both", "[]"): 0,
    }  # fmt: skip
    for found in answers.values():
        assert [link.id for link in found] == sorted({link.id for link in found})


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


def test_names_come_in_pages_in_the_order_of_their_code_points(storage: Make, put: Put) -> None:
    names = ["B", "a", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\uffee", "\U0001f600", "Z", "a b"]

    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, *map(CreateNode, names))
            found: list[str] = []
            while page := await store.read(asked("keys", "node", found[-1] if found else "", 2)):
                found += page
            return found

    assert asyncio.run(main()) == sorted(names)


def test_changes_are_found_by_the_record_and_by_the_ends_of_an_edge(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            await put(store, *map(CreateNode, "abc"), CreateEdge("a", "x", "b"), CreateEdge("b", "x", "b"))
            await put(store, Emit("unrelated"), PatchNode("b", Patch(set={"k": 1})), PutEdge("a", "x", "b", {"k": 1}))
            await put(store, DeleteEdge("a", "x", "b"), SetMeta("m", 1), DeleteMeta("m"))
            found = {
                id: [change.seq for change in await store.read(asked("changes", 0, 99, id))] for id in (0, 1, 2, 4, 5)
            }
            page = await store.read(asked("changes", 2, 2, 2))
            return found, [change.seq for change in page]

    found, page = asyncio.run(main())
    assert found == {0: [1, 2, 3, 6, 7, 10, 11], 1: [1, 4, 8, 9], 2: [2, 4, 5, 7, 8, 9], 4: [4, 8, 9], 5: [5]}
    assert page == [4, 5]


def test_a_plan_made_from_another_state_is_refused_and_nothing_of_it_is_stored(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:
            plan = await put(store, CreateNode("a"))

            async def stale(_seen: Any) -> Any:
                return plan._replace(put_nodes=[NodeRecord(9, "z", "node", 9, "{}")])

            with pytest.raises(ProgramError):
                await store.commit(stale)
            return plan, await store.read(everything)

    plan, (head, nodes, *_) = asyncio.run(main())
    assert (head, nodes) == (plan.head, list(plan.put_nodes))


def test_a_program_that_fails_leaves_nothing_and_hurts_nobody(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store:

            async def failing(seen: Session) -> Any:
                await writing(Batch((CreateNode("a"),)))(seen)
                raise KeyError("its own")

            async def contradictory(seen: Session) -> Any:
                head = await seen.head()
                twins = [NodeRecord(1, "same", "node", 1, "{}"), NodeRecord(2, "same", "node", 2, "{}")]
                return CommitPlan(expected=head, head=head._replace(seq=2, next_id=3), put_nodes=twins)

            with pytest.raises(KeyError, match="its own"):
                await store.commit(failing)
            with pytest.raises(KeyError, match="its own"):
                await store.read(failing)
            with pytest.raises(ProgramError, match="contradicts"):
                await store.commit(contradictory)
            await put(store, CreateNode("b"))
            return await store.read(asked("scan", "node", 0, 9))

    assert [(node.id, node.name) for node in asyncio.run(main())] == [(1, "b")]


def test_a_read_sees_one_state_however_long_it_takes(storage: Make, put: Put) -> None:
    async def main() -> Any:
        async with opened(storage()) as store, opened(storage()) as other:
            await put(store, CreateNode("a"))
            loop = asyncio.get_running_loop()

            async def program(seen: Session) -> Any:
                first = await seen.head()
                asyncio.run_coroutine_threadsafe(put(other, CreateNode("b")), loop).result(30)
                return first, await seen.head(), await seen.counts()

            return await store.read(program)

    first, second, counts = asyncio.run(main())
    assert (first, counts) == (second, (1, 0))


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
def test_what_sqlite_says_inside_a_program_is_in_our_words(storage: Make, path: Any, method: Any) -> None:
    async def main() -> None:
        async with opened(storage()) as store:
            with sqlite3.connect(path) as database:
                for table in ("head", "nodes", "edges"):
                    database.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
            database.close()

            async def program(seen: Session) -> Any:
                with pytest.raises(StoreUnavailableError, match=r"graph\.db failed \(no such table"):
                    await getattr(seen, method[0])(*method[1:])

            await store.read(program)

    asyncio.run(main())
