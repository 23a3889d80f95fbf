"""A bulk load is held against the schemas of types: all of it, or nothing of it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from polaris_core import (
    ConflictError,
    CreateEdge,
    CreateNode,
    Edge,
    EdgeEndsError,
    EdgeKey,
    Graph,
    Node,
    PolarisError,
    SchemaViolationError,
    SetSchema,
    UpsertEdge,
    UpsertNode,
    open_graph,
)
from polaris_core.codec import dumps

BACKENDS = ("memory", "json", "sqlite")
PERSON = {"properties": {"born": {"type": "integer"}}, "required": ["born"]}
POLICIES: list[Any] = ["error", "skip", "replace", "merge"]


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path}/{'store' if backend == 'json' else 'graph.db'}"


@pytest.fixture(params=BACKENDS)
def on_graph(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    def run(scenario: Callable[[Graph], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with open_graph(url(request.param, tmp_path)) as graph:
                return await scenario(graph)

        return asyncio.run(main())

    return run


def test_one_record_that_does_not_fit_refuses_the_whole_load(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", PERSON)
        place = await graph.cursor()
        records = [Node(f"n{at}", "person", {"born": at if at != 1_500 else "x"}) for at in range(2_000)]
        with pytest.raises(SchemaViolationError) as caught:
            await graph.load(records)
        assert (caught.value.key, caught.value.path) == ("n1500", ("born",))
        assert (await graph.cursor(), await graph.names()) == (place, ())
        assert (await graph.load(records[:1_500])).nodes.created == 1_500

    on_graph(scenario)


def test_edges_are_held_against_their_schema_wherever_their_ends_stand(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("edge", "wrote", {"required": ["year"]}, sources=["person"], targets=["text"])
        await graph.commit([CreateNode("Ada", "person"), CreateNode("Note G", "text")])
        year = {"year": 1843}
        for records in (
            [Node("a", "text"), Node("b", "text"), Edge("a", "wrote", "b", year)],  # both new
            [Edge("a", "wrote", "b", year), Node("a", "person"), Node("b", "person")],  # both come later
            [Node("a", "text"), Edge("a", "wrote", "Note G", year)],
            [Node("a", "person"), Edge("Ada", "wrote", "a", year)],
            [Edge("Note G", "wrote", "Ada", year)],  # both stored
        ):
            with pytest.raises(EdgeEndsError):
                await graph.load(records)
        for ends in (("Ada", "Note G"), ("a", "Note G"), ("Ada", "b"), ("a", "b")):
            with pytest.raises(SchemaViolationError) as caught:
                await graph.load([Node("a", "person"), Node("b", "text"), Edge(ends[0], "wrote", ends[1])])
            assert caught.value.key == EdgeKey(ends[0], "wrote", ends[1])
            await graph.load([Edge(ends[0], "wrote", ends[1], year), Node("a", "person"), Node("b", "text")])
            for name in ("a", "b"):
                await graph.delete_node(name, detach=True)

    on_graph(scenario)


def test_nodes_that_are_made_for_the_ends_of_edges_have_to_fit_too(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("edge", "wrote", targets=["text"])
        with pytest.raises(EdgeEndsError):
            await graph.load([Edge("a", "wrote", "b")], on_dangling="create")
        await graph.delete_schema("edge", "wrote")
        await graph.set_schema("node", "node", PERSON)
        with pytest.raises(SchemaViolationError, match="the node 'a'"):
            await graph.load([Edge("a", "wrote", "b")], on_dangling="create")
        await graph.delete_schema("node", "node")
        assert (await graph.load([Edge("a", "wrote", "b")], on_dangling="create")).missing == 2

    on_graph(scenario)


def test_what_exists_is_held_by_what_becomes_of_it(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada", "person", {"born": 1815})
        await graph.create_node("old", "person")
        await graph.set_schema("node", "person", PERSON)
        await graph.load([UpsertNode("Ada", None, {"died": 1852})], on_existing="merge")
        await graph.load([Node("Ada", "person", {"born": "left out"})], on_existing="skip")
        await graph.load([UpsertNode("old", None, {}, ["seen"])], on_existing="merge")
        with pytest.raises(SchemaViolationError):
            await graph.load([Node("Ada", "person", {"died": 1852})], on_existing="replace")
        with pytest.raises(SchemaViolationError):
            await graph.load([UpsertNode("old", None, {"died": 1})], on_existing="merge")

    on_graph(scenario)


def test_what_comes_twice_is_held_by_what_becomes_of_both(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.set_schema("node", "person", PERSON)
        await graph.set_schema("edge", "x", {"required": ["a", "b"]})
        mended = [UpsertNode("a", "person"), UpsertEdge("a", "x", "a", {"a": 1})]
        mending = [UpsertNode("a", None, {"born": 1}), UpsertEdge("a", "x", "a", {"b": 1})]
        for records in ([*mended, *mending], [*mending, *mended]):
            await graph.load(records, on_existing="merge")
            await graph.delete_node("a", detach=True)
        spoilt = [Node("a", "person", {"born": 1}), Node("a", "person", {"born": "x"})]
        for policy in ("merge", "replace"):
            with pytest.raises(SchemaViolationError):
                await graph.load(spoilt, on_existing=policy)
        await graph.load(spoilt, on_existing="skip")
        await graph.delete_node("a")
        await graph.load(spoilt[::-1], on_existing="replace")

    on_graph(scenario)


@pytest.mark.parametrize("before", [None, {"required": ["name"]}])
@pytest.mark.parametrize("after", [None, PERSON])
def test_a_schema_that_changes_while_a_load_is_taken_in_conflicts(
    on_graph: Callable[..., Any], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    async def set_to(graph: Graph, schema: Mapping[str, Any] | None) -> None:
        await (graph.delete_schema("node", "t") if schema is None else graph.set_schema("node", "t", schema))

    async def scenario(graph: Graph) -> None:
        await set_to(graph, before)

        async def records() -> Any:
            yield Node("a", "t", {"name": "a"})
            await set_to(graph, after)
            await graph.set_schema("node", "other", PERSON)  # which is about nothing here

        if before == after:
            await graph.load(records())
            return
        with pytest.raises(ConflictError) as caught:
            await graph.load(records())
        assert caught.value.key == "schema/node/t"
        assert await graph.names() == ()

    on_graph(scenario)


def test_ends_that_a_schema_begins_to_hold_while_a_load_is_taken_in_conflict(on_graph: Callable[..., Any]) -> None:
    async def scenario(graph: Graph) -> None:
        async def records() -> Any:
            yield Node("a", "t")
            yield Edge("a", "x", "a")
            await graph.set_schema("edge", "x", sources=["u"])

        with pytest.raises(ConflictError):
            await graph.load(records())
        assert await graph.names() == ()

    on_graph(scenario)


# --- the law ----------------------------------------------------------------------------------------------------------

names = st.sampled_from("abcd")
types = st.sampled_from("tu")
attributes = st.dictionaries(st.sampled_from("xy"), st.sampled_from([1, 2.0, "s", None]), max_size=2)
shapes = st.sampled_from([{}, {"required": ["x"]}, {"properties": {"x": {"type": "integer"}}}, {"maxProperties": 1}])
ends = st.none() | st.lists(types, min_size=1, max_size=1)
records = st.lists(
    st.one_of(
        st.builds(Node, names, types, attributes),
        st.builds(UpsertNode, names, st.none() | types, attributes),
        st.builds(Edge, names, types, names, attributes),
        st.builds(UpsertEdge, names, types, names, attributes),
    ),
    max_size=8,
)
stored = st.builds(
    lambda nodes, edges: [
        *(CreateNode(name, *node) for name, node in nodes.items()),
        *(CreateEdge(*key, held) for key, held in edges.items() if key[0] in nodes and key[2] in nodes),
    ],
    st.dictionaries(names, st.tuples(types, attributes), max_size=3),
    st.dictionaries(st.tuples(names, types, names), attributes, max_size=3),
)
schemas = st.builds(
    lambda nodes, edges: [
        *(SetSchema("node", type_, shape) for type_, shape in nodes.items()),
        *(SetSchema("edge", type_, *edge) for type_, edge in edges.items()),
    ],
    st.dictionaries(st.sampled_from(["t", "u", "node"]), shapes, max_size=2),
    st.dictionaries(types, st.tuples(shapes, ends, ends), max_size=2),
)


async def held(graph: Graph) -> dict[Any, str]:
    """What schemas are about, as text, by key."""
    nodes = {node.name: dumps([node.type, node.attributes]) async for node in graph.all_nodes()}
    return nodes | {edge.key: dumps(edge.attributes) async for edge in graph.all_edges()}


async def misplaced(graph: Graph, before: dict[str, str], old: set[EdgeKey]) -> set[str]:
    """The nodes with another type than before that edges of before may not join."""
    ends = {schema.type: (schema.sources, schema.targets) for schema in await graph.schemas() if schema.kind == "edge"}
    found = set()
    async for edge in graph.all_edges():
        sides = zip((edge.source, edge.target), ends.get(edge.type, (None, None)), strict=True)
        for name, allowed in sides if edge.key in old else ():
            type_ = (await graph.get_node(name)).type
            if allowed is not None and type_ not in allowed and before.get(name) != type_:
                found.add(name)
    return found


async def loaded(graph: Graph, given_records: Any, policy: Any, dangling: Any) -> PolarisError | None:
    try:
        await graph.load(given_records, on_existing=policy, on_dangling=dangling)
    except PolarisError as error:
        return error
    return None


@given(stored, schemas, records, st.sampled_from(POLICIES), st.sampled_from(["error", "skip", "create"]))
@example(
    [CreateNode("a", "t")],
    [SetSchema("edge", "x", {}, ["t"])],
    [Node("a", "u"), Edge("a", "x", "a")],  # the type that the load gives it counts
    "replace",
    "error",
)
@settings(max_examples=300)
def test_a_load_is_refused_where_it_would_write_what_does_not_fit_and_nowhere_else(
    there: Any, kept: Any, given_records: Any, policy: Any, dangling: Any
) -> None:
    async def main() -> None:
        async with open_graph("memory:") as free, open_graph("memory:") as bound:
            for graph in (free, bound):
                await graph.commit(there)
            before = await held(free)
            types_before = {node.name: node.type async for node in free.all_nodes()}
            edges_before = {edge.key async for edge in free.all_edges()}
            await bound.commit(kept)
            outcomes = [await loaded(graph, given_records, policy, dangling) for graph in (free, bound)]
            written = {key for key, text in (await held(free)).items() if before.get(key) != text}
            await free.commit(kept)
            wrong = {
                violation.key
                for schema in await free.schemas()
                async for violation in free.violations(schema.kind, schema.type)  # type: ignore[arg-type]
            }
            wrong = (wrong & written) | await misplaced(free, types_before, edges_before)
            event("other refusal" if outcomes[0] else "does not fit" if wrong else "fits")
            if outcomes[0] is not None:
                assert isinstance(outcomes[1], (type(outcomes[0]), SchemaViolationError))
            elif wrong:
                assert isinstance(outcomes[1], SchemaViolationError)
                assert await held(bound) == before
            else:
                assert outcomes[1] is None
                assert await held(bound) == await held(free)

    asyncio.run(main())
