"""Two nodes made one: everything of the one is at the other afterwards, nothing is lost to others who write meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polaris_core import (
    ConflictError,
    CreateEdge,
    CreateNode,
    Edge,
    EdgeKey,
    Graph,
    InvalidValueError,
    LimitExceededError,
    Limits,
    Node,
    NodeHasEdgesError,
    NodeNotFoundError,
    Observation,
    Transaction,
    View,
    open_graph,
    open_graph_blocking,
)

BACKENDS = ["memory", "json", "sqlite"]
THEN = datetime(2026, 1, 1, tzinfo=UTC)


def on_graph(scenario: Callable[[Graph], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        async with open_graph("memory:", **options) as graph:
            await scenario(graph)

    asyncio.run(main())


# --- the law ----------------------------------------------------------------------------------------------------------

names = st.sampled_from("abcd")
attributes = st.dictionaries(st.sampled_from("xyz"), st.sampled_from([None, 0, True, [1], {"k": 1}]), max_size=3)
observed = st.lists(
    st.builds(Observation, st.sampled_from("opq"), st.sampled_from([None, "me"]), st.just(THEN)),
    max_size=3,
    unique_by=lambda item: item.text,
)
nodes_of_all = st.fixed_dictionaries(
    {name: st.tuples(st.sampled_from("tu"), attributes, observed.map(tuple)) for name in "abcd"}
)
edges_of_some = st.dictionaries(st.tuples(names, st.sampled_from("tu"), names), attributes, max_size=14)
pairs = st.tuples(names, names).filter(lambda pair: pair[0] != pair[1])
Naive = tuple[dict[str, Any], dict[tuple[str, str, str], Any]]


def merged_by_hand(graph: Naive, name: str, into: str, *, keep_loops: bool) -> Naive:
    """What a merge is to leave of nodes and edges in plain dicts, edges in the order they were made."""
    nodes, edges = graph
    (kind, kept, sentences), (_, others, more) = nodes[into], nodes[name]
    texts = {sentence.text for sentence in sentences}
    joined = (*sentences, *(sentence for sentence in more if sentence.text not in texts))
    left = {other: node for other, node in nodes.items() if other != name} | {into: (kind, {**others, **kept}, joined)}
    stay = {key: value for key, value in edges.items() if name not in (key[0], key[2])}
    for (source, type_, target), value in edges.items():
        if name not in (source, target) or ({source, target} == {name, into} and not keep_loops):
            continue
        key = (into if source == name else source, type_, into if target == name else target)
        stay[key] = {**value, **stay.get(key, {})}
    return left, stay


async def all_of(graph: Graph | View | Transaction) -> Naive:
    nodes: list[Node] = [node async for node in graph.all_nodes()]
    edges: list[Edge] = [edge async for edge in graph.all_edges()]
    return (
        {node.name: (node.type, dict(node.attributes), node.observations) for node in nodes},
        {tuple(edge.key): dict(edge.attributes) for edge in edges},
    )


async def filled(graph: Graph, naive: Naive) -> None:
    nodes, edges = naive
    await graph.commit([CreateNode(name, *node) for name, node in nodes.items()])
    await graph.commit([CreateEdge(*key, value) for key, value in edges.items()])


@given(nodes_of_all, edges_of_some, pairs, st.booleans())
@example(
    dict.fromkeys("abcd", ("t", {}, ())),
    {("a", "t", "a"): {"x": 1}, ("b", "t", "a"): {"x": 2}, ("b", "t", "b"): {"y": 3}, ("a", "t", "b"): {"x": 4}},
    ("a", "b"),
    True,
)
def test_a_merge_is_the_one_made_by_hand(nodes: Any, edges: Any, pair: tuple[str, str], keep_loops: bool) -> None:
    async def scenario(graph: Graph) -> None:
        await filled(graph, (nodes, edges))
        before = await graph.cursor()
        found = await graph.merge_nodes(*pair, keep_loops=keep_loops)
        expected = merged_by_hand((nodes, edges), *pair, keep_loops=keep_loops)
        assert await all_of(graph) == expected
        assert found == await graph.get_node(pair[1])
        assert len({change.commit for change in await graph.changes(before)}) == 1
        assert await all_of(graph.at(before)) == (nodes, edges)

    on_graph(scenario)


@given(nodes_of_all, edges_of_some, pairs, st.booleans())
def test_undo_takes_a_merge_back(nodes: Any, edges: Any, pair: tuple[str, str], keep_loops: bool) -> None:
    async def scenario(graph: Graph) -> None:
        await filled(graph, (nodes, edges))
        await graph.merge_nodes(*pair, keep_loops=keep_loops)
        await graph.undo((await graph.cursor()).seq)
        assert await all_of(graph) == (nodes, edges)

    on_graph(scenario)


@given(nodes_of_all, edges_of_some, st.lists(pairs, min_size=1, max_size=3, unique_by=lambda pair: pair[0]))
def test_a_transaction_merges_as_the_graph_does_on_top_of_its_own_writes(
    nodes: Any, edges: Any, merges: list[tuple[str, str]]
) -> None:
    async def scenario(graph: Graph) -> None:
        expected: Naive = nodes, edges
        async with graph.transaction() as tx:
            tx.add(*(CreateNode(name, *node) for name, node in nodes.items()))
            tx.add(*(CreateEdge(*key, value) for key, value in edges.items()))
            for name, into in merges:
                if into not in expected[0]:
                    with pytest.raises(NodeNotFoundError):
                        await tx.merge_nodes(name, into)
                    continue
                found = await tx.merge_nodes(name, into)
                expected = merged_by_hand(expected, name, into, keep_loops=False)
                assert (found.type, dict(found.attributes), found.observations) == expected[0][into]
            assert await all_of(tx) == expected
        assert await all_of(graph) == expected

    on_graph(scenario)


# --- history stays ----------------------------------------------------------------------------------------------------


def test_the_history_of_what_was_merged_away_stays() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada L.", observations=["wrote"])
        await graph.create_node("Ada")
        await graph.create_edge("Ada L.", "knows", "Ada L.")
        await graph.merge_nodes("Ada L.", "Ada")
        assert [change.kind for change in await graph.history("Ada L.")] == ["node.deleted", "node.created"]
        assert [change.kind for change in await graph.history("Ada")] == ["node.updated", "node.created"]
        gone = await graph.history(("Ada L.", "knows", "Ada L."))
        assert [change.kind for change in gone] == ["edge.deleted", "edge.created"]
        await graph.undo((await graph.history("Ada L.")).items[0])
        assert await graph.names() == ("Ada", "Ada L.")

    on_graph(scenario)


def test_observations_keep_their_source_and_time() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a", observations=[Observation("said", "a book", THEN), "both"])
        await graph.create_node("b", observations=[Observation("both", "another")])
        both, said = (await graph.merge_nodes("a", "b")).observations
        assert said == Observation("said", "a book", THEN)
        assert both.source == "another"

    on_graph(scenario)


def test_a_merge_carries_the_author_of_the_graph() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode("a"), CreateNode("b")])
        await graph.acting_as("Ada").merge_nodes("a", "b")
        assert (await graph.history("a")).items[0].author == "Ada"

    on_graph(scenario)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [("Ada", "Adi"), ("Adi", "Ada")])
def test_a_node_that_is_missing_is_named_with_what_looks_like_it(pair: tuple[str, str]) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada")
        with pytest.raises(NodeNotFoundError) as caught:
            await graph.merge_nodes(*pair)
        assert (caught.value.key, caught.value.near) == ("Adi", ("Ada",))

    on_graph(scenario)


def test_a_node_is_not_merged_into_itself_however_it_is_spelt() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("é")
        with pytest.raises(InvalidValueError):
            await graph.merge_nodes("é", "e\u0301")

    on_graph(scenario)


@pytest.mark.parametrize("edges", [4, 5, 9, 10, 11, 40])
def test_a_node_with_more_edges_than_a_commit_may_move_is_refused_and_nothing_is_written(edges: int) -> None:
    async def scenario(graph: Graph) -> None:
        for name in ("a", "b", *map(str, range(edges))):
            await graph.create_node(name)
        for number in range(edges):
            await graph.create_edge("a", "x", str(number))
        before = await graph.cursor()
        if 2 * edges + 1 <= 10:  # an edge is deleted and created; the node is deleted
            await graph.merge_nodes("a", "b")
            assert await graph.degree("b") == edges
            return
        for merge in (graph.merge_nodes, lambda name, into: graph.transact(lambda tx: tx.merge_nodes(name, into))):
            with pytest.raises(LimitExceededError) as caught:
                await merge("a", "b")
            assert (caught.value.limit, caught.value.maximum) == ("commit_records", 10)
        assert await graph.cursor() == before

    on_graph(scenario, limits=Limits(commit_records=10))


def test_more_observations_than_a_node_may_have_are_refused() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a", observations=["1", "2"])
        await graph.create_node("b", observations=["3", "4"])
        with pytest.raises(LimitExceededError, match="observations"):
            await graph.merge_nodes("a", "b")
        assert await graph.names() == ("a", "b")

    on_graph(scenario, limits=Limits(observations=3))


# --- others write meanwhile -------------------------------------------------------------------------------------------


@asynccontextmanager
async def opened_twice(backend: str, path: Path) -> AsyncIterator[tuple[Graph, Graph]]:
    """A graph as two processes have it open; one in memory is this process's alone."""
    async with AsyncExitStack() as stack:
        if backend == "memory":
            graph = await stack.enter_async_context(open_graph("memory:"))
            yield graph, graph
        else:
            url = f"{backend}:///{path / 'kg'}"
            yield (
                await stack.enter_async_context(open_graph(url)),
                await stack.enter_async_context(open_graph(url)),
            )


async def merge_alone(graph: Graph) -> None:
    await graph.merge_nodes("gone", "kept")


async def merge_in_a_transaction(graph: Graph) -> None:
    await graph.transact(lambda tx: tx.merge_nodes("gone", "kept"), attempts=1_000)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("merge", [merge_alone, merge_in_a_transaction])
def test_what_others_wrote_before_the_merge_moves_and_later_they_hear_that_the_node_is_gone(
    backend: str, merge: Callable[[Graph], Coroutine[Any, Any, None]], tmp_path: Path
) -> None:
    async def main() -> None:
        async with opened_twice(backend, tmp_path) as (here, there):
            await here.commit([CreateNode("gone"), CreateNode("kept"), *(CreateNode(f"far {n}") for n in range(40))])
            acknowledged: dict[EdgeKey, int] = {}
            heard: list[str] = []

            async def write(graph: Graph, number: int) -> None:
                for turn in range(20):
                    far = f"far {(number * 5 + turn) % 40}"
                    key = (f"gone, x{number}, {far}" if turn % 2 else f"{far}, x{number}, gone").split(", ")
                    try:
                        await graph.upsert_edge(key[0], key[1], key[2], {f"turn {turn}": turn})
                        await graph.observe("gone", f"{number} in turn {turn}")
                    except NodeNotFoundError as error:
                        heard.append(str(error.key))
                        return
                    acknowledged[EdgeKey(*("kept" if end == "gone" else end for end in key))] = turn

            writers = [asyncio.create_task(write((here, there)[n % 2], n)) for n in range(8)]
            while len(acknowledged) < 8:
                await asyncio.sleep(0)
            await merge(there)
            await asyncio.gather(*writers)
            kept = await here.get_edges(acknowledged)
            assert {key: f"turn {turn}" in kept[key].attributes for key, turn in acknowledged.items()} == dict.fromkeys(
                acknowledged, True
            )
            assert set(heard) <= {"gone"}
            assert heard or merge is not merge_alone  # which no writer holds up, as they do a transaction
            nodes, edges = await all_of(here)
            assert "gone" not in nodes
            assert {end for source, _, target in edges for end in (source, target)} <= nodes.keys()

    asyncio.run(main())


def test_a_transaction_that_merged_conflicts_with_whatever_is_written_meanwhile() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode("a"), CreateNode("b"), CreateNode("c")])
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                await tx.merge_nodes("a", "b")
                await graph.create_edge("c", "x", "a")
        assert await graph.names() == ("a", "b", "c")

    on_graph(scenario)


def test_even_a_transaction_without_validation_takes_no_edge_away_that_it_has_not_seen() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode("a"), CreateNode("b"), CreateNode("c")])
        with pytest.raises(NodeHasEdgesError):
            async with graph.transaction(validate=False) as tx:
                await tx.merge_nodes("a", "b")
                await graph.create_edge("c", "x", "a")
        assert [edge.key async for edge in graph.all_edges()] == [("c", "x", "a")]

    on_graph(scenario)


def test_scripts_merge_too() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.create_node("a", attributes={"x": 1})
        graph.create_node("b", attributes={"y": 2})
        assert graph.merge_nodes("a", "b").attributes == {"x": 1, "y": 2}
        with graph.transaction() as tx:
            tx.create_node("c")
            assert tx.merge_nodes("b", "c").attributes == {"x": 1, "y": 2}
        assert graph.names() == ("c",)
