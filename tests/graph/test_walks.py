"""Walks, traversals and shortest paths find what a naive search finds, read or remembered, now, in transactions and in the past."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf, nan
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polaris_core import (
    Batch,
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
    NodeNotFoundError,
    Reached,
    Route,
    StoreDamagedError,
    Transaction,
    View,
    Walk,
    open_graph,
    open_graph_blocking,
)
from polaris_core.abc import Image, NodeRecord
from polaris_core.storage.memory import MemoryStorage

Direction = Literal["out", "in", "both"]
DIRECTIONS: tuple[Direction, ...] = ("out", "in", "both")
NODES = tuple("abcdefg")
TYPES = ("t", "u")


class Naive(NamedTuple):
    """A graph as its edges in the order in which they were created, with what they weigh, and the number of each node."""

    edges: dict[EdgeKey, int]

    def near(
        self, name: str, direction: Direction, types: Sequence[str] | None, least: int = 0
    ) -> Iterator[tuple[str, EdgeKey]]:
        for key, weight in self.edges.items():
            if (types is None or key.type in types) and weight >= least:
                if direction != "in" and key.source == name:
                    yield key.target, key
                if direction != "out" and key.target == name:
                    yield key.source, key

    def levels(
        self,
        starts: Sequence[str],
        direction: Direction,
        types: Sequence[str] | None,
        least: int = 0,
        before: Iterable[str] = (),
    ) -> Iterator[list[str]]:
        seen, frontier = {*starts, *before}, list(starts)
        while frontier:
            yield frontier
            further: dict[str, None] = {}
            for name in frontier:
                further.update(
                    dict.fromkeys(other for other, _ in self.near(name, direction, types, least) if other not in seen)
                )
            seen |= further.keys()
            frontier = list(further)

    def length(self, source: str, target: str, direction: Direction, types: Sequence[str] | None) -> int | None:
        for length, names in enumerate(self.levels((source,), direction, types)):
            if target in names:
                return length
        return None

    def least(self, source: str, target: str, direction: Direction, types: Sequence[str] | None) -> float:
        """Return the length of the lightest path, by relaxing every edge as often as there are nodes."""
        lengths = dict.fromkeys(NODES, inf)
        lengths[source] = 0
        for _ in NODES:
            for name in NODES:
                for other, key in self.near(name, direction, types):
                    lengths[other] = min(lengths[other], lengths[name] + self.edges[key])
        return lengths[target]


graphs = st.dictionaries(
    st.builds(EdgeKey, st.sampled_from(NODES), st.sampled_from(TYPES), st.sampled_from(NODES)),
    st.integers(0, 5),
    max_size=20,
).map(Naive)
types = st.sampled_from([None, ("t",), ("u",), ("u", "t")])


def mutations(naive: Naive) -> list[Any]:
    nodes = [CreateNode(name, "even" if at % 2 else "odd", {"n": at}) for at, name in enumerate(NODES)]
    return [*nodes, *(CreateEdge(*key, {"w": weight}) for key, weight in naive.edges.items())]


State = Graph | View | Transaction


async def everywhere(naive: Naive, url: str, law: Callable[[State], Awaitable[None]]) -> None:
    """Hold a law where a walk is read, where it is remembered, in a transaction that wrote the graph, and in the past."""
    async with open_graph(url) as graph:
        async with graph.transaction() as tx:
            tx.add(*mutations(naive))
            await law(tx)
        await law(graph)
        await law(graph)
        place = await graph.cursor()
        await graph.commit([CreateNode("later"), CreateEdge("a", "v", "later"), CreateEdge("later", "t", "b")])
        await law(graph.at(place))


@attrs.frozen
class Step:
    """A step of a walk, and its filters."""

    direction: Direction
    types: tuple[str, ...] | None
    depth: tuple[int, int]
    heavier: int
    admit: str | None
    first: int | None

    def naive(self, naive: Naive, starts: list[str]) -> list[str]:
        least, most = self.depth
        if least == 0:
            levels = list(naive.levels(starts, self.direction, self.types, self.heavier))
        else:
            near = dict.fromkeys(
                other for name in starts for other, _ in naive.near(name, self.direction, self.types, self.heavier)
            )
            beyond = naive.levels([*near], self.direction, self.types, self.heavier, {*starts})
            levels = [starts, *beyond] if near else [starts]
        reached = [name for names in levels[least : most + 1] for name in names]
        if self.admit:
            reached = [name for name in reached if (NODES.index(name) % 2 == 1) == (self.admit == "even")]
        return reached[: self.first]

    def walk(self, walk: Walk) -> Walk:
        go = {"out": walk.out, "in": walk.in_, "both": walk.both}[self.direction]
        edges = {"w": {"$gte": self.heavier}} if self.heavier else None
        longer = go(*(self.types or ()), depth=self.depth, edges=edges)
        if self.admit:
            longer = longer.where(type=self.admit)
        return longer.limit(self.first) if self.first else longer


steps = st.builds(
    Step,
    direction=st.sampled_from(DIRECTIONS),
    types=types,
    depth=st.sampled_from([(1, 1), (1, 2), (0, 1), (2, 2), (0, 3), (1, 9)]),
    heavier=st.sampled_from([0, 0, 3]),
    admit=st.sampled_from([None, None, "even", "odd"]),
    first=st.sampled_from([None, None, 1, 2]),
)


async def walks(naive: Naive, starts: list[str], path: Sequence[Step], url: str) -> None:
    expected = starts
    for step in path:
        expected = step.naive(naive, expected)

    async def law(state: State) -> None:
        walk = state.walk(*starts)
        for step in path:
            walk = step.walk(walk)
        assert list(await walk.names()) == expected
        assert [node.name for node in await walk] == expected
        assert await walk.count() == len(expected)

    await everywhere(naive, url, law)


starting = st.lists(st.sampled_from(NODES), min_size=1, max_size=3, unique=True)


@given(graphs, starting, st.lists(steps, max_size=3))
@settings(max_examples=150)
def test_a_walk_ends_where_a_naive_search_ends(naive: Naive, starts: list[str], path: list[Step]) -> None:
    asyncio.run(walks(naive, starts, path, "memory:"))


@pytest.mark.parametrize("backend", ["json", "sqlite"])
def test_a_walk_ends_where_a_naive_search_ends_on_every_backend(
    backend: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @given(graphs, starting, st.lists(steps, max_size=3))
    @settings(max_examples=10)
    def law(naive: Naive, starts: list[str], path: list[Step]) -> None:
        asyncio.run(walks(naive, starts, path, f"{backend}:///{tmp_path_factory.mktemp('kg') / 'kg'}"))

    law()


@given(graphs, st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from(DIRECTIONS), types)
@settings(max_examples=150)
def test_a_path_leads_from_one_to_the_other_and_none_is_shorter(
    naive: Naive, source: str, target: str, direction: Direction, types: tuple[str, ...] | None
) -> None:
    fewest = naive.length(source, target, direction, types)
    least = naive.least(source, target, direction, types)

    def leads(route: Route) -> None:
        assert (route.nodes[0], route.nodes[-1]) == (source, target)
        for (near, far), key in zip(pairwise(route.nodes), route.edges, strict=True):
            assert (far, key) in naive.near(near, direction, types)

    async def law(state: State) -> None:
        route = await state.shortest_path(source, target, direction=direction, types=types)
        assert (None if route is None else route.length) == fewest
        if route is not None:
            leads(route)
            assert len(route.edges) == fewest
            assert await state.shortest_path(source, target, direction=direction, types=types) == route
            filtered = await state.shortest_path(
                source, target, direction=direction, types=types, edges={"w": {"$gte": 0}}
            )
            assert filtered is not None
            assert filtered.length == fewest
        light = await state.shortest_path(source, target, direction=direction, types=types, weight="w")
        assert (inf if light is None else light.length) == least
        if light is not None:
            leads(light)
            assert sum(naive.edges[key] for key in light.edges) == least

    asyncio.run(everywhere(naive, "memory:", law))


@given(graphs, st.sampled_from(NODES), st.sampled_from(DIRECTIONS), types, st.integers(1, 4), st.integers(1, 8))
@settings(max_examples=100)
def test_a_traversal_comes_by_the_nearest_first_each_over_an_edge_from_nearer(
    naive: Naive, start: str, direction: Direction, types: tuple[str, ...] | None, most: int, limit: int
) -> None:
    levels = list(naive.levels((start,), direction, types))[: most + 1]
    depths = {name: depth for depth, names in enumerate(levels) for name in names}

    async def law(state: State) -> None:
        found = await state.traverse(start, depth=(0, most), direction=direction, types=types, limit=limit)
        assert found.complete == (len(depths) <= limit)
        assert len(found) == min(len(depths), limit)
        reached = [item.depth for item in found]
        assert reached == sorted(reached)
        assert reached == sorted(depths.values())[: len(reached)]
        for item in found:
            assert depths[item.node.name] == item.depth
            over(item)

    def over(item: Reached) -> None:
        if item.edge is None:
            assert item.node.name == start
            return
        others = {item.edge.source, item.edge.target} - {item.node.name}
        assert others
        assert depths[others.pop()] == item.depth - 1

    asyncio.run(everywhere(naive, "memory:", law))


# --- what is asked for beyond that --------------------------------------------------------------------------------------


def on_graph(scenario: Callable[[Graph], Awaitable[None]], url: str = "memory:", **settings: Any) -> None:
    async def main() -> None:
        async with open_graph(url, **settings) as graph:
            await scenario(graph)

    asyncio.run(main())


async def chain(graph: Graph, *names: str, weight: Any = 1) -> None:
    await graph.commit(
        [*map(CreateNode, names), *(CreateEdge(one, "next", other, {"w": weight}) for one, other in pairwise(names))]
    )


def hops_of(graph: Graph) -> list[int]:
    """Count the hops of a graph's reads from now on."""
    hops, read = [0], graph.service.storage.read

    async def counted(program: Any) -> Any:
        hops[0] += 1
        return await read(program)

    graph.service.storage.read = counted  # type: ignore[assignment]
    return hops


def test_what_has_been_walked_before_is_walked_without_a_hop_until_something_changes() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *"abcd")

        async def asked() -> list[Any]:
            walk = graph.walk("a").out(depth=3)
            return [
                await walk.names(),
                await walk,
                await graph.shortest_path("a", "d"),
                await graph.get_edge("a", "next", "b"),
            ]

        first = await asked()
        hops = hops_of(graph)
        assert await asked() == first
        assert hops == [0]
        await graph.rename_node("b", "x")
        assert (await graph.walk("a").out(depth=3).names()) == ("x", "c", "d")
        assert hops == [1]

    on_graph(scenario)


def test_a_step_reaches_what_is_one_link_away_be_it_where_the_step_begins_or_not() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *"abc")
        await graph.create_edge("c", "next", "c")
        await graph.create_edge("a", "next", "c")
        for _ in range(2):
            assert await graph.walk("a", "b").out().names() == ("b", "c")
            assert await graph.walk("c").out().names() == ("c",)
            assert await graph.walk("a").out().out().names() == ("c",)
            assert await graph.walk("a").both(depth=3).names() == ("b", "c")

    on_graph(scenario)


def test_the_bound_of_a_walk_is_the_same_where_it_is_remembered() -> None:
    async def scenario(graph: Graph) -> None:
        names = [f"n{number}" for number in range(20)]
        await chain(graph, *names)
        for name in names:
            await graph.walk(name).out().names()
        with pytest.raises(LimitExceededError):
            await graph.walk("n0").out(depth=19).names()

    on_graph(scenario, limits=Limits(walk=10))


def test_a_walk_is_one_hop_however_far_it_goes() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *(f"n{number}" for number in range(50)))
        hops = hops_of(graph)
        assert await graph.walk("n0").out(depth=49).where({"name": "n49"}).count() == 1
        assert (await graph.traverse("n0", depth=49)).complete
        assert await graph.shortest_path("n0", "n49", weight="w")
        assert hops == [3]

    on_graph(scenario, cache=None)


def test_a_node_that_is_not_there_is_an_error_with_names_that_look_alike() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, "Ada Lovelace", "Note G")
        asked: list[Callable[[], Awaitable[object]]] = [
            lambda: graph.walk("ada lovelace").out().names(),
            lambda: graph.walk("ada lovelace").names(),
            lambda: graph.walk("ada lovelace").limit(1).names(),
            lambda: graph.walk("Note G", "ada lovelace").both().nodes(),
            lambda: graph.traverse("ada lovelace"),
            lambda: graph.shortest_path("ada lovelace", "Note G"),
            lambda: graph.shortest_path("Note G", "ada lovelace"),
            lambda: graph.shortest_path("Note G", "ada lovelace", weight="w"),
            lambda: graph.shortest_path("ada lovelace", "ada lovelace"),
            lambda: graph.shortest_path("ada lovelace", "ada lovelace", weight="w"),
        ]
        for _ in range(2):  # the second time what can be remembered is
            await graph.get_node("Note G")
            for question in asked:
                with pytest.raises(NodeNotFoundError) as caught:
                    await question()
                assert caught.value.near == ("Ada Lovelace",)

    on_graph(scenario)


def test_a_walk_that_comes_by_too_much_is_refused() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *(f"n{number}" for number in range(20)))
        asked: list[Callable[[], Awaitable[object]]] = [
            lambda: graph.walk(*(f"n{number}" for number in range(11))).names(),
            lambda: graph.walk("n0").out(depth=19).names(),
            lambda: graph.walk("n0").out(depth=19, edges={"w": 1}).names(),
            lambda: graph.traverse("n0", depth=19),
            lambda: graph.shortest_path("n0", "n19"),
            lambda: graph.shortest_path("n0", "n19", weight="w"),
        ]
        for question in asked:
            with pytest.raises(LimitExceededError) as caught:
                await question()
            assert caught.value.limit == "walk"
        assert len(await graph.walk("n0").out(depth=9).names()) == 9

    on_graph(scenario, limits=Limits(walk=10))


def test_more_nodes_than_a_call_returns_are_refused_and_their_names_are_not() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.apply([Batch([CreateNode("hub"), *(CreateNode(f"n{n}") for n in range(6))])])
        await graph.commit([CreateEdge("hub", "t", f"n{n}") for n in range(6)])
        walk = graph.walk("hub").out()
        with pytest.raises(LimitExceededError, match="give it a limit"):
            await walk
        assert len(await walk.names()) == 6
        assert len(await walk.limit(5)) == 5

    on_graph(scenario, limits=Limits(page=5))


def test_a_walk_to_and_fro_is_a_hop_where_it_comes_by_many_nodes_however_few_they_are() -> None:
    async def scenario(graph: Graph) -> None:
        names = [f"n{number}" for number in range(30)]
        await graph.load([*map(Node, names), *(Edge(one, "t", other) for one in names for other in names)])
        walk = graph.walk("n0")
        for _ in range(20):
            walk = walk.out(depth=(0, 1))
        await walk.names()
        hops = hops_of(graph)
        assert len(await walk.names()) == 30
        assert hops == [0]
        for _ in range(20):
            walk = walk.out(depth=(0, 1))
        assert len(await walk.names()) == 30
        assert hops == [1]

    on_graph(scenario)


def test_of_nodes_that_are_only_named_counted_or_looked_at_no_more_than_a_page_is_in_memory() -> None:
    async def scenario(graph: Graph) -> None:
        names = [f"n{number}" for number in range(3_000)]
        await graph.load([Node("hub"), *(Node(name, "t", {"text": "x" * 10_000}) for name in names)])
        await graph.load([Edge("hub", "t", name) for name in names])
        walk = graph.walk("hub").out()
        looked_at = walk.where({"text": {"$exists": False}})
        for answer in (walk.names, walk.count, looked_at.count):
            tracemalloc.start()
            try:
                await answer()
                assert tracemalloc.get_traced_memory()[1] < 18 << 20
            finally:
                tracemalloc.stop()

    with TemporaryDirectory() as folder:
        on_graph(scenario, url=f"sqlite:///{folder}/kg.db", cache=None)


def test_a_hub_is_walked_over_again_and_not_remembered() -> None:
    async def scenario(graph: Graph) -> None:
        names = [f"n{number}" for number in range(1_001)]
        await graph.load([*map(Node, ("hub", *names)), *(Edge("hub", "t", name) for name in names)])
        hops = hops_of(graph)
        for _ in range(2):
            assert len(await graph.walk("hub").out().names()) == 1_001
        assert hops == [2]
        for _ in range(2):
            assert await graph.walk("n7").in_().names() == ("hub",)
        assert hops == [3]

    on_graph(scenario)


def test_a_damaged_node_that_a_walk_only_passes_costs_nobody_an_answer() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *"abc")
        await graph.commit([CreateNode("lost"), CreateEdge("b", "t", "lost")])
        image = cast("Image", cast("MemoryStorage", graph.service.storage)._image)
        (lost,) = image.nodes(("lost",))

        class Damaged(Image):
            def nodes(self, refs: Sequence[int | str]) -> list[NodeRecord | None]:
                return [None if record == lost else record for record in super().nodes(refs)]

        image.__class__ = Damaged
        walk = graph.walk("a").out(depth=2).limit(2)
        answers = await asyncio.gather(walk.names(), graph.get_node("b", fresh=True), walk.count())
        assert answers[0] == ("b", "c")
        assert answers[1].name == "b"
        assert answers[2] == 2
        with pytest.raises(StoreDamagedError, match="is not there"):
            await graph.walk("a").out(depth=2).names()

    on_graph(scenario)


def test_a_traversal_goes_on_from_what_it_may_go_through_and_returns_what_is_asked_for() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *"abcd")
        await graph.patch_node("c", type="gate")
        found = await graph.traverse("a", depth=9, through={"type": "node"})
        assert [item.node.name for item in found] == ["b", "c"]
        found = await graph.traverse("a", depth=9, type="gate")
        assert [(item.node.name, item.depth, item.edge and item.edge.source) for item in found] == [("c", 2, "b")]
        found = await graph.traverse("a", depth=9, edges={"target": {"$ne": "c"}})
        assert [item.node.name for item in found] == ["b"]

    on_graph(scenario)


def test_an_edge_without_a_weight_is_an_error_unless_there_is_a_word_for_it() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, "a", "b")
        for weight in (None, "heavy", True, -1, [1]):
            await graph.put_edge("a", "next", "b", {"w": weight})
            with pytest.raises(InvalidValueError, match="has no weight"):
                await graph.shortest_path("a", "b", weight="w", missing=1)
        await graph.put_edge("a", "next", "b", {"far": {"km": 2.5}})
        assert (await graph.shortest_path("a", "b", weight=("far", "km"))) == Route(
            ("a", "b"), (EdgeKey("a", "next", "b"),), 2.5
        )
        with pytest.raises(InvalidValueError, match="has no weight"):
            await graph.shortest_path("a", "b", weight="w")
        assert await graph.shortest_path("a", "b", weight="w", missing=7) == Route(
            ("a", "b"), (EdgeKey("a", "next", "b"),), 7
        )

    on_graph(scenario)


def test_a_path_may_be_bounded() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, *"abcd")
        assert await graph.shortest_path("a", "d", depth=2) is None
        assert (await graph.shortest_path("a", "d", depth=3)) is not None
        assert (await graph.shortest_path("d", "a")) is None
        assert await graph.shortest_path("a", "a") == Route(("a",), (), 0)

    on_graph(scenario)


def test_what_makes_no_sense_is_refused_at_once() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, "a", "b")
        walk = graph.walk("a")
        wrong: list[Callable[[], object]] = [
            graph.walk,
            lambda: walk.out(depth=0),
            lambda: walk.out(depth=(2, 1)),
            lambda: walk.out(depth=(-1, 1)),
            lambda: walk.out(depth=True),
            lambda: walk.out(depth="2"),  # type: ignore[arg-type]
            lambda: walk.limit(0),
            lambda: walk.where({"source": "a"}),
            lambda: walk.out(edges={"name": "a"}),
        ]
        for make in wrong:
            with pytest.raises(InvalidValueError):
                make()
        for _ in range(100):
            walk = walk.out()
        with pytest.raises(InvalidValueError, match="at most 100 steps"):
            walk.out()
        with pytest.raises(InvalidValueError, match="not both"):
            await graph.shortest_path("a", "b", weight="w", depth=2)
        with pytest.raises(InvalidValueError, match="together with a weight"):
            await graph.shortest_path("a", "b", missing=2)
        with pytest.raises(InvalidValueError, match="not at least"):
            await graph.shortest_path("a", "b", depth=(2, 3))  # type: ignore[arg-type]
        for missing in (-1, nan, inf, 10**400, True, "1"):
            with pytest.raises(InvalidValueError, match="a number of 0 or more"):
                await graph.shortest_path("a", "a", weight="w", missing=missing)  # type: ignore[arg-type]

    on_graph(scenario)


def test_a_transaction_that_walked_conflicts_with_whatever_was_written_since() -> None:
    async def scenario(graph: Graph) -> None:
        await chain(graph, "a", "b")
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                names = await tx.walk("a").out().names()
                await graph.create_node("c")
                await tx.create_node(f"{names}")

    on_graph(scenario)


def test_a_walk_without_async_waits_for_its_answers() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.commit([*map(CreateNode, "abc"), CreateEdge("a", "t", "b"), CreateEdge("b", "t", "c")])
        walk = graph.walk("a").out("t", depth=2)
        assert walk.names() == ("b", "c")
        assert [node.name for node in walk.where({"name": "c"}).nodes()] == ["c"]
        assert walk.limit(1).in_().both().count() == 1
        assert [item.depth for item in graph.traverse("a")] == [1, 2]
        route = graph.shortest_path("a", "c")
        assert route is not None
        assert route.nodes == ("a", "b", "c")
        assert "a" in repr(walk)
