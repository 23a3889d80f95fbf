"""Schemas of types: what is written fits, whoever writes it and however; what is stored already stays as it is."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    Batch,
    Commit,
    ConflictError,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    DeleteSchema,
    EdgeEndsError,
    EdgeKey,
    Emit,
    Graph,
    InvalidSchemaError,
    InvalidValueError,
    LimitExceededError,
    Limits,
    Node,
    Patch,
    PatchNode,
    PutNode,
    SchemaNotFoundError,
    SchemaViolationError,
    SetMeta,
    SetSchema,
    UpsertNode,
    open_graph,
    open_graph_blocking,
)
from polaris_core.planning import load
from polaris_core.planning.load import Current
from polaris_core.records import Session
from polaris_core.schema import checker_of
from polaris_core.storage import queues

BACKENDS = ("memory", "json", "sqlite")
PERSON = {"properties": {"born": {"type": "integer"}}, "required": ["born"]}
LOOSE = {"properties": {"born": {"type": ["integer", "string"]}}}


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path}/{'store' if backend == 'json' else 'graph.db'}"


@pytest.fixture(params=BACKENDS)
def on_graph(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    def run(scenario: Callable[[Graph], Awaitable[Any]], limits: Limits | None = None) -> Any:
        async def main() -> Any:
            async with open_graph(url(request.param, tmp_path), limits=limits) as graph:
                return await scenario(graph)

        return asyncio.run(main())

    return run


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_schemas_are_listed_with_their_versions_by_kind_and_type(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        assert await graph.schemas() == ()
        first = await graph.set_schema("node", "person", PERSON)
        await graph.set_schema("event", "met", {"type": "object"})
        await graph.set_schema("edge", "a/wrote", {}, sources="person", targets=["text", "book"])
        second = await graph.set_schema("node", "person", LOOSE)
        assert (first.version, first.schema) == (1, PERSON)
        assert (second.version, second.revision) == (2, (await graph.cursor()).seq)
        edge, event, node = await graph.schemas()
        assert (edge.kind, edge.type, edge.sources, edge.targets) == ("edge", "a/wrote", ("person",), ("book", "text"))
        assert (event.kind, event.type, event.version) == ("event", "met", 1)
        assert node == second == await graph.get_schema("node", "person")

    on_graph(scenario)


def test_the_same_again_changes_nothing(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        first = await graph.set_schema("edge", "wrote", PERSON, sources=["person", "group"])
        place = await graph.cursor()
        again = await graph.set_schema("edge", "wrote", dict(reversed(PERSON.items())), sources=["group", "person"])
        assert again == first
        assert await graph.cursor() == place

    on_graph(scenario)


def test_numbers_that_are_written_otherwise_are_another_version(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "t", {"minimum": 1})
        assert (await graph.set_schema("node", "t", {"minimum": 1.0})).version == 2

    on_graph(scenario)


def test_a_deleted_schema_holds_nothing_any_more(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", PERSON)
        assert await graph.delete_schema("node", "person")
        assert not await graph.delete_schema("node", "person")
        await graph.create_node("Ada", "person")
        with pytest.raises(SchemaNotFoundError, match="node type 'person'"):
            await graph.get_schema("node", "person")

    on_graph(scenario)


def test_a_view_lists_the_schemas_of_then(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", LOOSE)
        await graph.create_node("Ada", "person", {"born": "1815"})
        then = await graph.cursor()
        await graph.set_schema("node", "person", PERSON)
        await graph.set_schema("node", "text", {})
        view = graph.at(then)
        assert [(schema.type, schema.version) for schema in await view.schemas()] == [("person", 1)]
        assert [violation async for violation in view.violations("node", "person")] == []
        assert [violation.key async for violation in graph.violations("node", "person")] == ["Ada"]

    on_graph(scenario)


def test_how_many_schemas_there_are_is_bounded_through_deletions_and_refusals(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "a")
        with pytest.raises(LimitExceededError, match="schemas is limited to 2"):
            await graph.commit([SetSchema("node", "b"), SetSchema("node", "c")])
        await graph.commit([DeleteSchema("node", "a"), SetSchema("node", "b"), SetSchema("node", "c")])
        with pytest.raises(LimitExceededError, match="schemas is limited to 2"):
            await graph.set_schema("node", "a")
        await graph.set_schema("node", "b", PERSON)

    on_graph(scenario, Limits(schemas=2))


def test_a_schema_cannot_be_smuggled_in_as_a_record_beside_the_graph(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        for key, value in (
            ("schema/node/t", {"schema": {"pattern": "(a+)+$"}}),
            ("schema/node/t", {"schema": {}, "sources": ["t"]}),
            ("schema/node/t", {"schema": {}, "more": 1}),
            ("schema/node/t", 7),
            ("schema/graph/t", {"schema": {}}),
        ):
            with pytest.raises(InvalidSchemaError):
                await graph.commit(SetMeta(key, value))
        await graph.commit(SetMeta("schema/node/t", {"schema": PERSON, "version": 99}))
        assert (await graph.get_schema("node", "t")).version == 1

    on_graph(scenario)


# --- what is held against them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mutation",
    [
        CreateNode("new", "person", {"born": "1815"}),
        CreateNode("new", "person"),
        PutNode("new", "person", {"born": None}),
        UpsertNode("new", "person", {"name": "x"}),
        PutNode("Ada", "person", {}),
        UpsertNode("Ada", None, {"born": 1815.5}),
        PatchNode("Ada", Patch({"born": "x"})),
        PatchNode("Ada", Patch(unset=["born"])),
        PatchNode("text", Patch(type="person")),
        UpsertNode("text", "person"),
        PutNode("text", "person"),
        Emit("met", None, "Ada"),
        CreateEdge("Ada", "wrote", "text", {"year": "1843"}),
    ],
    ids=repr,
)
def test_whatever_is_written_has_to_fit_and_a_refusal_changes_nothing(
    on_graph: Callable[..., Any], mutation: Any
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", PERSON)
        await graph.set_schema("event", "met", {"type": "object"})
        await graph.set_schema("edge", "wrote", {"properties": {"year": {"type": "integer"}}})
        await graph.commit([CreateNode("Ada", "person", {"born": 1815}), CreateNode("text", "text")])
        place = await graph.cursor()
        with pytest.raises(SchemaViolationError):
            await graph.commit(mutation)
        assert await graph.cursor() == place

    on_graph(scenario)


def test_the_result_of_a_patch_counts_and_not_the_patch(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", PERSON)
        await graph.create_node("Ada", "person", {"born": 1815})
        await graph.patch_node("Ada", set={"died": 1852})
        await graph.upsert_node("Ada", attributes={"field": "mathematics"})
        await graph.create_node("Grace", "sailor", {"born": 1906})
        assert (await graph.patch_node("Grace", type="person")).type == "person"

    on_graph(scenario)


def test_the_error_says_of_which_record_where_and_what_was_expected(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", PERSON)
        with pytest.raises(SchemaViolationError) as caught:
            await graph.create_node("Ada", "person", {"born": "1815"})
        assert (caught.value.key, caught.value.path, caught.value.expected) == ("Ada", ("born",), "integer")
        assert str(caught.value) == (
            "the node 'Ada' does not fit the schema of its type 'person', version 1: ['born']: '1815' is not of type 'integer'"
        )
        await graph.set_schema("event", "met", {"required": ["who"]})
        with pytest.raises(SchemaViolationError, match="the event 'met' does not fit") as caught:
            await graph.commit(Emit("met", None, {}))
        assert caught.value.key == "met"

    on_graph(scenario)


def test_an_edge_joins_what_its_type_may_join(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("edge", "wrote", sources=["person", "group"], targets=["text"])
        await graph.commit([CreateNode("Ada", "person"), CreateNode("Note G", "text"), CreateNode("Engine", "machine")])
        await graph.create_edge("Ada", "wrote", "Note G")
        for write in (graph.create_edge, graph.put_edge, graph.upsert_edge):
            with pytest.raises(EdgeEndsError) as caught:
                await write("Engine", "wrote", "Note G")
            assert caught.value.key == EdgeKey("Engine", "wrote", "Note G")
            assert (caught.value.path, caught.value.expected) == (("source",), ("group", "person"))
            with pytest.raises(EdgeEndsError, match=r"its target 'Engine' is of type 'machine', .* allows 'text'"):
                await write("Ada", "wrote", "Engine")
        await graph.create_edge("Engine", "printed", "Ada")

    on_graph(scenario)


def test_a_node_with_edges_keeps_to_a_type_that_they_may_join(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("edge", "wrote", sources=["person", "group"], targets=["text"])
        await graph.commit([CreateNode("Ada", "person"), CreateNode("Note G", "text"), CreateNode("alone", "person")])
        await graph.create_edge("Ada", "wrote", "Note G")
        for name, expected in (("Ada", ("group", "person")), ("Note G", ("text",))):
            for write in (
                PatchNode(name, Patch(type="machine")),
                PutNode(name, "machine"),
                UpsertNode(name, "machine"),
            ):
                with pytest.raises(EdgeEndsError, match="cannot be of type 'machine'") as caught:
                    await graph.commit(write)
                assert (caught.value.key, caught.value.path, caught.value.expected) == (name, ("type",), expected)
            with pytest.raises(EdgeEndsError):
                await graph.load([Node(name, "machine")], on_existing="replace")
        await graph.patch_node("Ada", type="group")
        await graph.patch_node("alone", type="machine")
        await graph.commit([DeleteEdge("Ada", "wrote", "Note G"), PatchNode("Ada", Patch(type="machine"))])

    on_graph(scenario)


def test_a_type_is_held_against_more_edges_than_are_deleted_before_it(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("edge", "wrote", sources=["person"])
        await graph.commit([CreateNode("Ada", "person"), *map(CreateNode, "abc")])
        await graph.commit([CreateEdge("Ada", "wrote", name) for name in "abc"])
        gone: list[Any] = [DeleteEdge("Ada", "wrote", "a"), DeleteNode("b", detach=True)]
        with pytest.raises(EdgeEndsError):
            await graph.commit([*gone, PatchNode("Ada", Patch(type="t"))])
        with pytest.raises(EdgeEndsError):
            await graph.commit([SetSchema("edge", "x", targets=["u"]), CreateEdge("a", "x", "b"), UpsertNode("b", "t")])
        await graph.commit([*gone, DeleteEdge("Ada", "wrote", "c"), PatchNode("Ada", Patch(type="t"))])

    on_graph(scenario)


def test_a_mutation_is_held_against_the_schema_and_the_types_that_stand_before_it(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode("Ada", "person"), SetSchema("node", "person", PERSON)])
        with pytest.raises(SchemaViolationError):
            await graph.commit([SetSchema("node", "text", PERSON), CreateNode("Note G", "text")])
        await graph.commit([SetSchema("node", "text", PERSON), DeleteSchema("node", "text"), CreateNode("N", "text")])
        await graph.set_schema("edge", "wrote", sources=["person"])
        await graph.commit([PatchNode("N", Patch({"born": 1}, type="person")), CreateEdge("N", "wrote", "Ada")])

    on_graph(scenario)


def test_batches_that_travel_together_see_the_schemas_of_those_before(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        outcomes = await graph.apply(
            [
                Batch([SetSchema("node", "t", PERSON), CreateNode("a", "u"), CreateNode("a", "u")]),  # refused
                Batch(CreateNode("b", "t")),
                Batch(SetSchema("node", "t", PERSON)),
                Batch(CreateNode("c", "t")),
                Batch(CreateNode("d", "t", {"born": 1})),
            ]
        )
        assert [isinstance(outcome, Commit) for outcome in outcomes] == [False, True, True, False, True]
        assert await graph.names() == ("b", "d")

    on_graph(scenario)


def test_what_is_stored_already_stays_and_what_does_not_touch_its_attributes_goes_on(
    on_graph: Callable[..., Any],
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode("Ada", "person"), CreateNode("Note G"), CreateEdge("Ada", "wrote", "Note G")])
        await graph.set_schema("node", "person", PERSON)
        await graph.set_schema("edge", "wrote", PERSON, sources=["machine"])
        await graph.observe("Ada", "Wrote the first program.")
        await graph.rename_node("Ada", "Ada Lovelace")
        await graph.upsert_node("Ada Lovelace")
        await graph.upsert_edge("Ada Lovelace", "wrote", "Note G")
        with pytest.raises(SchemaViolationError):
            await graph.patch_node("Ada Lovelace", set={"died": 1852})
        assert await graph.delete_node("Ada Lovelace", detach=True)

    on_graph(scenario)


def test_a_record_that_takes_too_long_to_check_is_refused(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "t", {"properties": {"a": {"items": {"type": "integer"}}}})
        with pytest.raises(LimitExceededError, match="schema_work"):
            await graph.create_node("n", "t", {"a": list(range(100))})

    on_graph(scenario, Limits(schema_work=100))


# --- what does not fit ------------------------------------------------------------------------------------------------


HEAVY = {"properties": {"a": {"items": {"type": "integer"}}}}


@pytest.fixture
def without_the_fast_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    checker_of.cache_clear()
    yield
    checker_of.cache_clear()


@pytest.mark.usefixtures("without_the_fast_library")
def test_a_load_may_hold_more_records_against_their_schemas_than_a_batch(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "t", HEAVY)
        with pytest.raises(LimitExceededError, match="commit_schema_work"):
            await graph.commit([CreateNode(f"n{number}", "t", {"a": [1] * 10}) for number in range(50)])
        assert (await graph.statistics()).nodes == 0
        for value, tally in ((1, "created"), (2, "updated")):
            records = [UpsertNode(f"n{number}", "t", {"a": [value] * 10}) for number in range(50)]
            loaded = await graph.load(records, on_existing="merge")
            assert getattr(loaded.nodes, tally) == 50

    on_graph(scenario, Limits(commit_schema_work=100))


@pytest.mark.usefixtures("without_the_fast_library")
def test_of_heavy_batches_that_wait_few_are_read_in_vain(
    on_graph: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def counted(session: Session, batches: Sequence[Batch], limits: Limits) -> Current:
        sizes.append(len(batches))
        return await load(session, batches, limits)

    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "t", HEAVY)
        monkeypatch.setattr(queues, "load", counted)
        await asyncio.gather(*(graph.create_node(f"n{number}", "t", {"a": [1] * 10}) for number in range(100)))
        await asyncio.gather(*(graph.create_node(f"light {number}") for number in range(100)))
        assert (await graph.statistics()).nodes == 200

    on_graph(scenario, Limits(commit_schema_work=20))
    assert sum(sizes) < 100 + 2 * 100 + 2 * 100  # those of the first group, each one twice, and the light ones
    assert max(sizes[100:]) > 10  # and as many as before travel together again


def test_violations_are_those_stored_that_do_not_fit_page_after_page(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(f"n{at}", "t", {"born": at if at % 3 else "x"}) for at in range(10)])
        await graph.commit(
            [CreateNode("u", "u"), CreateEdge("n1", "x", "u"), CreateEdge("u", "x", "n1", {"born": "x"})]
        )
        await graph.set_schema("node", "t", PERSON)
        found = [violation async for violation in graph.violations("node", "t")]
        assert [violation.key for violation in found] == ["n0", "n3", "n6", "n9"]
        assert (found[0].path, found[0].expected) == (("born",), "integer")
        assert "'x' is not of type 'integer'" in found[0].message
        await graph.set_schema("edge", "x", {"required": ["born"]}, sources=["u"])
        found = [violation async for violation in graph.violations("edge", "x")]
        assert [(violation.key, violation.path) for violation in found] == [(EdgeKey("n1", "x", "u"), ("source",))]

    on_graph(scenario, Limits(page=3))


def test_violations_need_a_schema_and_records(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(SchemaNotFoundError):
            await anext(graph.violations("node", "t"))
        with pytest.raises(InvalidValueError, match="of nodes or of edges"):
            await anext(graph.violations("event", "t"))  # type: ignore[arg-type]

    on_graph(scenario)


# --- the past ---------------------------------------------------------------------------------------------------------


def test_an_undone_schema_is_the_one_of_before_in_another_version(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "t", LOOSE)
        changed = await graph.commit(SetSchema("node", "t", PERSON))
        undone = await graph.undo(changed)
        known = await graph.get_schema("node", "t")
        assert (known.schema, known.version) == (LOOSE, 3)
        await graph.undo(undone)
        known = await graph.get_schema("node", "t")
        assert (known.schema, known.version) == (PERSON, 4)
        await graph.undo(await graph.commit(DeleteSchema("node", "t")))
        assert (await graph.get_schema("node", "t")).schema == PERSON

    on_graph(scenario)


def test_an_undo_brings_nothing_back_that_does_not_fit(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a", "t", {"born": "x"})
        changed = await graph.commit(PatchNode("a", Patch({"born": 1})))
        await graph.set_schema("node", "t", PERSON)
        with pytest.raises(SchemaViolationError):
            await graph.undo(changed)
        assert (await graph.get_node("a")).attributes == {"born": 1}

    on_graph(scenario)


def test_a_commit_that_mends_and_then_tightens_is_undone_as_one(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a", "t", {"born": "x"})
        await graph.undo(await graph.commit([PatchNode("a", Patch({"born": 1})), SetSchema("node", "t", PERSON)]))
        assert (await graph.get_node("a")).attributes == {"born": "x"}
        assert await graph.schemas() == ()

    on_graph(scenario)


# --- others at the same time ------------------------------------------------------------------------------------------


def test_a_transaction_sees_its_own_schemas_and_is_held_against_them(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as tx:
            assert (await tx.set_schema("node", "t", PERSON)).version == 1
            with pytest.raises(SchemaViolationError):
                await tx.create_node("a", "t")
            await tx.create_node("a", "t", {"born": 1})
            assert [schema.type for schema in await tx.schemas()] == ["t"]
            assert await graph.schemas() == ()
        assert (await graph.get_schema("node", "t")).version == 1

    on_graph(scenario)


def test_a_schema_that_comes_before_a_transaction_commits_refuses_what_it_had_foreseen(
    on_graph: Callable[..., Any],
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a", "t", {"born": "x"})
        with pytest.raises(SchemaViolationError):
            async with graph.transaction() as tx:
                await tx.get_node("a")
                await tx.patch_node("a", set={"born": "y"})
                await graph.set_schema("node", "t", PERSON)
        assert (await graph.get_node("a")).attributes == {"born": "x"}

    on_graph(scenario)


def test_a_transaction_that_relied_on_a_schema_conflicts_with_its_change(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "t", PERSON)
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                await tx.get_schema("node", "t")
                await graph.set_schema("node", "t", LOOSE)
                await tx.create_node("a", "t", {"born": 1})
        assert await graph.names() == ()

    on_graph(scenario)


@pytest.mark.parametrize("backend", ["json", "sqlite"])
def test_between_two_openings_whoever_commits_second_is_decided_on_what_is_stored_then(
    backend: str, tmp_path: Path
) -> None:
    async def attempt(write: Awaitable[Any]) -> bool:
        try:
            await write
        except SchemaViolationError:
            return False
        return True

    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as one, open_graph(url(backend, tmp_path)) as other:
            for round_ in range(15):
                type_ = f"t{round_}"
                _, *written = await asyncio.gather(
                    one.set_schema("node", type_, PERSON),
                    *(attempt(other.create_node(f"{type_}-{at}", type_)) for at in range(4)),
                )
                schema = await other.get_schema("node", type_)
                for at, was_written in enumerate(written):
                    found = (await one.get_nodes([f"{type_}-{at}"])).values()
                    assert len(found) == was_written
                    assert all(node.provenance.revision < schema.revision for node in found if node.provenance)

    asyncio.run(main())


# --- without async ----------------------------------------------------------------------------------------------------


def test_the_verbs_are_there_without_async() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.create_node("a", "t")
        assert graph.set_schema("node", "t", PERSON).version == 1
        assert [violation.key for violation in graph.violations("node", "t")] == ["a"]
        assert [schema.type for schema in graph.schemas()] == ["t"]
        assert graph.get_schema("node", "t").schema == PERSON
        assert graph.delete_schema("node", "t")
