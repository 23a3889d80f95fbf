"""Parts cut out of a graph, degrees and hubs: what one gets by looking at every edge, on every backend and in every state."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core import (
    ConflictError,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    Graph,
    Hub,
    InvalidValueError,
    LimitExceededError,
    Limits,
    NodeNotFoundError,
    Subgraph,
    Transaction,
    View,
    open_graph,
)

BACKENDS = ["memory", "json", "sqlite"]
NAMES = ["a", "b", "c", "d", "e", "f"]
KINDS = {"a": "t", "b": "u", "c": "t", "d": "t", "e": "u", "f": "u"}
Key = tuple[str, str, str]

names = st.sampled_from(NAMES)
keys = st.tuples(names, st.sampled_from("xyz"), names)
some_edges = st.lists(keys, unique=True, max_size=25)
some_types = st.one_of(st.none(), st.lists(st.sampled_from("xyz"), unique=True, max_size=2))
directions = st.sampled_from(["out", "in", "both"])


def on_graph(scenario: Callable[[Graph], Coroutine[Any, Any, None]], url: str = "memory:", **options: Any) -> None:
    async def main() -> None:
        async with open_graph(url, **options) as graph:
            await graph.commit([CreateNode(name, KINDS[name], {"is": name}) for name in NAMES])
            await scenario(graph)

    asyncio.run(main())


async def in_every_state(
    graph: Graph, edges: list[Key], check: Callable[[Graph | View | Transaction], Coroutine[Any, Any, None]]
) -> None:
    """Hold a check against these edges as they are committed, as they were, and as a transaction is about to write them."""
    half = len(edges) // 2
    await graph.commit([CreateEdge(*key, {"is": "".join(key)}) for key in edges[:half]])
    async with graph.transaction() as tx:
        tx.add(*(CreateEdge(*key, {"is": "".join(key)}) for key in edges[half:]))
        await check(tx)
    await check(graph)
    async with graph.snapshot() as view:
        await graph.commit([DeleteEdge(*key) for key in edges[1:]])
        await graph.create_node("late")
        await check(view)


def kept(types: Iterable[str] | None, key: Key) -> bool:
    return types is None or key[1] in types


def counted(edges: list[Key], direction: str, types: Iterable[str] | None) -> Counter[str]:
    """Degrees by hand."""
    ends: Counter[str] = Counter()
    for source, type_, target in edges:
        if kept(types, (source, type_, target)):
            ends.update({"out": {source}, "in": {target}, "both": {source, target}}[direction])
    return ends


# --- subgraphs --------------------------------------------------------------------------------------------------------


@given(some_edges, st.lists(names, max_size=8), some_types)
def test_a_subgraph_is_the_nodes_and_every_edge_between_two_of_them(
    edges: list[Key], wanted: list[str], types: list[str] | None
) -> None:
    async def check(state: Graph | View | Transaction) -> None:
        found = await state.subgraph(wanted, types=types)
        assert [node.name for node in found.nodes] == list(dict.fromkeys(wanted))
        assert [dict(node.attributes) for node in found.nodes] == [{"is": name} for name in dict.fromkeys(wanted)]
        inner = [key for key in edges if {key[0], key[2]} <= set(wanted) and kept(types, key)]
        assert [(edge.key, dict(edge.attributes)) for edge in found.edges] == [(k, {"is": "".join(k)}) for k in inner]

    on_graph(lambda graph: in_every_state(graph, edges, check))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_cuts_out_the_same_and_counts_the_same(backend: str, tmp_path: Path) -> None:
    edges = [key for number, key in enumerate(product(NAMES, "xyz", NAMES)) if number % 5 < 2]

    async def check(state: Graph | View | Transaction) -> None:
        for wanted, types in product((NAMES[:3], NAMES, ["a"]), (None, ["x"], ["y", "z"])):
            found = await state.subgraph(wanted, types=types)
            inner = [key for key in edges if {key[0], key[2]} <= set(wanted) and kept(types, key)]
            assert [edge.key for edge in found.edges] == inner
            for direction in ("out", "in", "both"):
                degrees = counted(edges, direction, types)
                assert await state.degrees(wanted, direction=direction, types=types) == {n: degrees[n] for n in wanted}

    url = "memory:" if backend == "memory" else f"{backend}:///{tmp_path / 'kg'}"
    on_graph(lambda graph: in_every_state(graph, edges, check), url)


def test_a_subgraph_of_nothing_is_empty_and_a_bare_string_is_one_name() -> None:
    async def scenario(graph: Graph) -> None:
        assert await graph.subgraph([]) == Subgraph((), ())
        assert [node.name for node in (await graph.subgraph("a")).nodes] == ["a"]
        with pytest.raises(InvalidValueError):
            await graph.subgraph(7)  # type: ignore[arg-type]

    on_graph(scenario)


@pytest.mark.parametrize("verb", [Graph.subgraph, Graph.degrees])
def test_a_name_that_no_node_has_is_told_with_what_looks_like_it(verb: Any) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada")
        with pytest.raises(NodeNotFoundError) as caught:
            await verb(graph, ["a", "Adi", "zzz"])
        assert (caught.value.key, caught.value.near) == ("Adi", ("Ada",))

    on_graph(scenario)


@pytest.mark.parametrize("verb", [Graph.subgraph, Graph.degrees])
def test_more_names_than_a_page_are_refused(verb: Any) -> None:
    async def scenario(graph: Graph) -> None:
        await verb(graph, ["a", "b", "c", "a"])
        with pytest.raises(LimitExceededError) as caught:
            await verb(graph, ["a", "b", "c", "d"])
        assert (caught.value.limit, caught.value.size, caught.value.maximum) == ("page", 4, 3)

    on_graph(scenario, limits=Limits(page=3))


def test_edges_that_leave_the_nodes_are_looked_at_up_to_a_limit_and_those_that_enter_are_not() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateEdge("a", "x", name) for name in NAMES])
        assert len((await graph.subgraph(NAMES[1:])).edges) == 0
        with pytest.raises(LimitExceededError) as caught:
            await graph.subgraph(["a", "b"])
        assert (caught.value.limit, caught.value.size, caught.value.maximum) == ("scan", 6, 5)
        assert len((await graph.subgraph(["a", "b"], types=["y"])).edges) == 0

    on_graph(scenario, limits=Limits(scan=5))


def test_a_transaction_that_cut_out_a_part_expects_that_nothing_changed() -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                await tx.subgraph(["a", "b"])
                await graph.create_edge("b", "x", "a")
                await tx.create_node("new")

    on_graph(scenario)


# --- degrees ----------------------------------------------------------------------------------------------------------


@given(some_edges, st.lists(names, max_size=6), directions, some_types)
def test_degrees_are_counted_by_hand(
    edges: list[Key], wanted: list[str], direction: Any, types: list[str] | None
) -> None:
    async def check(state: Graph | View | Transaction) -> None:
        expected = counted(edges, direction, types)
        assert await state.degrees(wanted, direction=direction, types=types) == {
            name: expected[name] for name in wanted
        }
        for name in wanted:
            assert await state.degree(name, direction=direction, types=types) == expected[name]

    on_graph(lambda graph: in_every_state(graph, edges, check))


def test_degrees_are_bounded_where_the_backend_does_not_count_itself(tmp_path: Path) -> None:
    async def bounded(graph: Graph) -> None:
        await graph.commit([CreateEdge("a", "x", name) for name in NAMES])
        assert await graph.degrees(["a"]) == {"a": 6}
        with pytest.raises(LimitExceededError) as caught:
            await graph.degrees(["a", "b"])
        assert (caught.value.limit, caught.value.size, caught.value.maximum) == ("scan", 7, 6)

    async def counting(graph: Graph) -> None:
        await graph.commit([CreateEdge("a", "x", name) for name in NAMES])
        assert await graph.degrees(["a", "b"]) == {"a": 6, "b": 1}

    on_graph(bounded, limits=Limits(scan=6))
    on_graph(counting, f"sqlite:///{tmp_path / 'kg'}", limits=Limits(scan=6))


def test_a_transaction_that_counted_degrees_expects_those_edges_unchanged_and_no_others() -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as tx:
            await tx.degrees(["a", "b"])
            await graph.create_edge("c", "x", "d")
            await tx.create_node("first")
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                await tx.degrees(["a", "b"])
                await graph.create_edge("c", "x", "b")
                await tx.create_node("second")
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                with pytest.raises(NodeNotFoundError):
                    await tx.degrees(["third"])
                await graph.create_node("third")
                await tx.create_node("fourth")

    on_graph(scenario)


# --- hubs -------------------------------------------------------------------------------------------------------------


@given(some_edges, st.integers(1, 7), directions, some_types, st.sampled_from([None, "t", "u", "v"]))
def test_hubs_are_the_nodes_with_most_edges_in_order(
    edges: list[Key], limit: int, direction: Any, types: list[str] | None, kind: str | None
) -> None:
    async def check(state: Graph | View | Transaction) -> None:
        degrees = counted(edges, direction, types)
        ranked = sorted(degrees, key=lambda name: (-degrees[name], NAMES.index(name)))
        expected = [(name, degrees[name]) for name in ranked if kind in (None, KINDS[name])][:limit]
        found = await state.hubs(limit, direction=direction, types=types, type=kind)
        assert [(hub.node.name, hub.degree) for hub in found] == expected

    on_graph(lambda graph: in_every_state(graph, edges, check))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_has_the_same_hubs(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateEdge("e", "x", name) for name in NAMES])
        assert await graph.hubs(2) == (Hub(await graph.get_node("e"), 6), Hub(await graph.get_node("a"), 1))
        assert [hub.node.name for hub in await graph.hubs(type="t", direction="in")] == ["a", "c", "d"]

    on_graph(scenario, "memory:" if backend == "memory" else f"{backend}:///{tmp_path / 'kg'}")


def test_more_edges_than_may_be_looked_at_have_no_hubs() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateEdge("a", "x", name) for name in NAMES])
        with pytest.raises(LimitExceededError) as caught:
            await graph.hubs()
        assert (caught.value.limit, caught.value.size, caught.value.maximum) == ("scan", 6, 5)

    on_graph(scenario, limits=Limits(scan=5))


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "7"])
def test_a_limit_of_hubs_is_a_positive_integer(limit: Any) -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(InvalidValueError):
            await graph.hubs(limit)

    on_graph(scenario)
