"""The bulk load: what becomes of records that are new, that exist, that come twice, and that lack their ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polaris_core import (
    AlreadyExistsError,
    Batch,
    ConflictError,
    CreateNode,
    Edge,
    EdgeExistsError,
    ExpectLinks,
    Graph,
    InvalidValueError,
    LimitExceededError,
    Limits,
    Loaded,
    Node,
    NodeExistsError,
    NodeNotFoundError,
    Observation,
    StoreClosedError,
    Tally,
    UpsertEdge,
    UpsertNode,
    open_graph,
    open_graph_blocking,
)
from polaris_core.codec import (
    FreshBodies,
    body_of_edge,
    body_of_node,
    change_body,
    recorded,
)
from polaris_core.model import EdgeKey, Provenance, unchecked_edge, unchecked_node
from polaris_core.values import EMPTY, freeze_object, from_micros

BACKENDS = ("memory", "json", "sqlite")
SMALL: list[Node | Edge] = [
    Node("Ada", "person", {"born": 1815}, ["Wrote the first program."]),
    Edge("Ada", "wrote", "Note G", {"year": 1843}),
    Node("Note G", "text"),
]


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path}/{'store' if backend == 'json' else 'graph.db'}"


def on_graph(
    backend: str, path: Path, scenario: Callable[[Graph], Awaitable[Any]], limits: Limits | None = None
) -> Any:
    async def main() -> Any:
        async with open_graph(url(backend, path), limits=limits) as graph:
            return await scenario(graph)

    return asyncio.run(main())


async def content(graph: Graph) -> Any:
    """Everything a graph holds, without what differs from store to store."""
    nodes = [node async for node in graph.all_nodes()]
    edges = [edge async for edge in graph.all_edges()]
    changes = [
        (change.kind, change.id, change.key, change.commit, timeless(change.data)) for change in await graph.changes()
    ]
    return [*map(bare, nodes)], [*map(bare, edges)], changes


def bare(record: Any) -> Any:
    """A record without its times."""
    provenance = record.provenance and (record.provenance.version, record.provenance.revision, record.provenance.author)
    if isinstance(record, Node):
        return record.name, record.type, record.attributes, texts(record), provenance
    return record.key, record.attributes, provenance


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if not key.endswith("_at")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def texts(node: Node) -> list[tuple[str, str | None]]:
    return [(item.text, item.source) for item in node.observations]


each_backend = pytest.mark.parametrize("backend", BACKENDS)


@each_backend
def test_all_that_is_new_is_one_commit_and_one_change(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("before")
        loaded = await graph.load(SMALL, author="me")
        assert (loaded.first, loaded.last, loaded.missing) == (2, 2, 0)
        assert (loaded.nodes, loaded.edges) == (Tally(created=2), Tally(created=1))
        assert loaded.cursor == await graph.cursor()
        ada, note = await graph.get_node("Ada"), await graph.get_node("Note G")
        edge = await graph.get_edge("Ada", "wrote", "Note G")
        for record in (ada, note, edge):
            assert record.provenance is not None
            assert (record.provenance.version, record.provenance.revision, record.provenance.author) == (1, 2, "me")
        assert (ada.type, ada.attributes, texts(ada)) == (
            "person",
            {"born": 1815},
            [("Wrote the first program.", None)],
        )
        assert ada.provenance is not None
        assert ada.observations[0].recorded_at == ada.provenance.created_at
        assert edge.attributes == {"year": 1843}
        (change,) = await graph.changes(after=f"{loaded.cursor.store}:{loaded.cursor.epoch}:1")
        assert (change.kind, change.id, change.key, change.author) == ("graph.imported", 0, None, "me")
        assert change.data == {"nodes": 2, "edges": 1, "first_id": 2, "last_id": 4}
        assert change.time == loaded.time
        assert [item.node.name for item in await graph.neighbors("Ada")] == ["Note G"]

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_what_is_loaded_is_there_when_the_store_is_opened_again(backend: str, tmp_path: Path) -> None:
    if backend == "memory":
        return

    async def load(graph: Graph) -> Any:
        await graph.load(SMALL)
        return await content(graph)

    assert on_graph(backend, tmp_path, load) == on_graph(backend, tmp_path, content)


@each_backend
def test_a_record_that_takes_the_place_of_one_without_a_type_brings_its_own(backend: str, tmp_path: Path) -> None:
    async def load(graph: Graph) -> str:
        await graph.create_node("a", "old")
        await graph.load([UpsertNode("a"), Node("a", "new")], on_existing="replace")
        return (await graph.get_node("a")).type

    assert on_graph(backend, tmp_path, load) == "new"


@each_backend
def test_a_load_of_nothing_changes_nothing(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        before = await graph.cursor()
        loaded = await graph.load([])
        assert (loaded.first, loaded.last, loaded.cursor) == (1, 0, before)

    on_graph(backend, tmp_path, scenario)


@each_backend
@pytest.mark.parametrize("twice", ["in the graph", "in the load"])
@pytest.mark.parametrize(
    ("policy", "attributes", "observed", "type_", "year"),
    [
        ("skip", {"born": 1815}, ["Wrote the first program."], "person", {"year": 1843}),
        ("replace", {"died": 1852}, ["Was a countess."], "countess", {"month": 9}),
        (
            "merge",
            {"born": 1815, "died": 1852},
            ["Wrote the first program.", "Was a countess."],
            "countess",
            {"year": 1843, "month": 9},
        ),
    ],
)
def test_what_exists_is_left_or_replaced_or_merged_in_the_graph_and_in_the_load(
    backend: str, policy: Any, twice: str, attributes: Any, observed: Any, type_: str, year: Any, tmp_path: Path
) -> None:
    second: list[Node | Edge] = [
        Node("Ada", "countess", {"died": 1852}, ["Was a countess."]),
        Edge("Ada", "wrote", "Note G", {"month": 9}),
    ]

    async def scenario(graph: Graph) -> None:
        if twice == "in the graph":
            await graph.load(SMALL)
            loaded = await graph.load(second, on_existing=policy)
            kinds = [] if policy == "skip" else ["node.updated", "edge.updated"]
            assert [change.kind for change in await graph.changes()] == ["graph.imported", *kinds]
        else:
            loaded = await graph.load([*SMALL, *second], on_existing=policy)
            assert [change.kind for change in await graph.changes()] == ["graph.imported"]
        counted = "skipped" if policy == "skip" else "updated"
        assert getattr(loaded.nodes, counted) == getattr(loaded.edges, counted) == 1
        ada, edge = await graph.get_node("Ada"), await graph.get_edge("Ada", "wrote", "Note G")
        assert (ada.type, ada.attributes, [text for text, _ in texts(ada)]) == (type_, attributes, observed)
        assert edge.attributes == year

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_what_exists_refuses_the_whole_load_unless_told_otherwise(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.load(SMALL)
        before = await content(graph)
        refusals: tuple[tuple[type[AlreadyExistsError], list[Node | Edge]], ...] = (
            (NodeExistsError, [Node("new"), Node("Ada")]),
            (EdgeExistsError, [Node("new"), Edge("Ada", "wrote", "Note G")]),
            (NodeExistsError, [Node("new"), Node("new")]),
            (EdgeExistsError, [Node("new"), Edge("new", "is", "new"), Edge("new", "is", "new")]),
        )
        for error, records in refusals:
            with pytest.raises(error):
                await graph.load(records)
        assert await content(graph) == before

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_the_ends_that_are_nowhere_refuse_or_are_made_or_take_their_edges_with_them(
    backend: str, tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("here")
        records = [Edge("here", "x", "nowhere"), Node("new"), Edge("new", "x", "nowhere"), Edge("new", "x", "here")]
        with pytest.raises(NodeNotFoundError, match="nowhere"):
            await graph.load(records)
        assert await graph.names() == ("here",)
        loaded = await graph.load(records, on_dangling="skip")
        assert (loaded.missing, loaded.nodes, loaded.edges) == (1, Tally(created=1), Tally(created=1, skipped=2))
        assert await graph.names() == ("here", "new")
        loaded = await graph.load([Edge("new", "y", "nowhere")], on_dangling="create")
        assert (loaded.missing, loaded.nodes, loaded.edges) == (1, Tally(), Tally(created=1))
        made = await graph.get_node("nowhere")
        assert (made.type, made.attributes, made.observations) == ("node", {}, ())
        assert [item.node.name for item in await graph.neighbors("new")] == ["here", "nowhere"]

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_edges_at_nodes_that_were_there_before_are_told_one_by_one(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("old")
        since = await graph.cursor()
        loaded = await graph.load([Node("new"), Edge("old", "knows", "new"), Edge("new", "is", "new")])
        changes = await graph.changes(after=since)
        assert [(change.kind, change.key, change.commit) for change in changes] == [
            ("graph.imported", None, 2),
            ("edge.created", EdgeKey("old", "knows", "new"), 2),
        ]
        assert changes[0].data["edges"] == 1
        assert loaded.edges == Tally(created=2)
        with pytest.raises(ConflictError):
            await graph.commit(Batch(CreateNode("x"), expect=ExpectLinks("old", since)))

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_node_that_a_load_brought_under_a_name_refuses_who_relied_on_the_one_before(
    backend: str, tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a")
        since = await graph.cursor()
        await graph.delete_node("a")
        loaded = await graph.load([Node("a")])
        for place, refused in ((since, True), (loaded.cursor, False)):
            for _ in range(2):
                batch = Batch(CreateNode("x"), expect=ExpectLinks("a", place))
                if refused:
                    with pytest.raises(ConflictError):
                        await graph.commit(batch)
                    await graph.patch_node("a", set={"n": (await graph.cursor()).seq})
                else:
                    await graph.commit(batch)
                    await graph.delete_node("x")

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_the_past_before_a_load_holds_nothing_of_it(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("old", attributes={"n": 1})
        before = await graph.cursor()
        await graph.load([Node("old", attributes={"n": 2}), Node("new"), Edge("old", "x", "new")], on_existing="merge")
        past = graph.at(before)
        assert [bare(node) async for node in past.all_nodes()] == [("old", "node", {"n": 1}, [], (1, 1, None))]
        assert [edge async for edge in past.all_edges()] == []
        assert (await graph.get_node("old")).attributes == {"n": 2}

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_writes_of_others_while_records_are_taken_in_are_kept_and_counted_on(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        async def records() -> AsyncIterator[Node | Edge]:
            yield Node("a")
            await graph.create_node("meanwhile")
            yield Node("b")
            yield Edge("a", "x", "b")
            await graph.create_edge("meanwhile", "y", "meanwhile")

        loaded = await graph.load(records())
        assert (loaded.first, loaded.last) == (3, 3)
        assert [(node.name, node.provenance.revision) async for node in graph.all_nodes() if node.provenance] == [
            ("meanwhile", 1),
            ("a", 3),
            ("b", 3),
        ]
        assert [edge.key async for edge in graph.all_edges()] == [("meanwhile", "y", "meanwhile"), ("a", "x", "b")]
        await graph.create_node("after")
        assert len({change.id for change in await graph.changes()}) == 4

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_two_loads_at_one_time_are_two_commits(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        loads = [graph.load([Node(f"{one}{n}") for n in range(3_000)]) for one in "ab"]
        first, second = sorted([loaded.first for loaded in await asyncio.gather(*loads)])
        assert (first, second) == (1, 2)
        assert (await graph.statistics()).nodes == 6_000

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_load_that_is_cancelled_leaves_nothing_and_the_next_one_goes_through(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        begun = asyncio.Event()

        async def records() -> AsyncIterator[Node]:
            for number in range(1_500):
                yield Node(f"n{number}")
            begun.set()
            await asyncio.Event().wait()

        load = asyncio.ensure_future(graph.load(records()))
        await begun.wait()
        load.cancel()
        with suppress(asyncio.CancelledError):
            await load
        assert (await graph.cursor()).seq == 0
        await graph.load(SMALL)

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_an_iterable_that_fails_leaves_nothing(backend: str, tmp_path: Path) -> None:
    def records() -> Any:
        yield from SMALL
        raise OSError("the file is gone")

    async def scenario(graph: Graph) -> None:
        with pytest.raises(OSError, match="gone"):
            await graph.load(records())
        assert (await graph.cursor()).seq == 0

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_load_is_bounded_by_its_own_limit_and_each_record_by_those_of_records(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        for limit, records in (
            ("load_records", [Node(f"n{number}") for number in range(21)]),
            ("record_bytes", [Node("a", attributes={"a": "é" * 300})]),
            ("record_bytes", [Node("a"), Edge("a", "x", "a", {"a": "b" * 600})]),
            ("observations", [Node("a", observations=["1", "2", "3"])]),
        ):
            with pytest.raises(LimitExceededError) as refusal:
                await graph.load(records)
            assert refusal.value.limit == limit
        await graph.load([Node("a", observations=["1", "2"])])
        for records in ([Node("a", observations=["3"])], [Node("b", observations=[str(n)]) for n in range(3)]):
            with pytest.raises(LimitExceededError):
                await graph.load(records, on_existing="merge")
        assert await graph.names() == ("a",)
        await graph.load([Node(f"n{number}") for number in range(20)])

    limits = Limits(load_records=20, record_bytes=512, observations=2, commit_records=5, batch_mutations=5)
    on_graph(backend, tmp_path, scenario, limits)


@each_backend
def test_a_load_that_has_ended_takes_nothing_more(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        for stored in (True, False):
            loading = await graph.service.load(on_existing="merge")
            await loading.add([Node("a")])
            await (loading.finish() if stored else loading.discard())
            for again in (loading.add([Node("a"), Node("b")]), loading.add([]), loading.finish()):
                with pytest.raises(StoreClosedError, match="this load has ended"):
                    await again
            await loading.discard()
        assert await graph.names() == ("a",)

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_load_that_was_refused_a_record_stores_none_but_one_that_was_refused_whole_may_go_on(
    backend: str, tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        loading = await graph.service.load()
        with pytest.raises(NodeExistsError):
            await loading.add([Node("a"), Node("a"), Edge("a", "x", "a")])
        with pytest.raises(StoreClosedError):
            await loading.finish()
        await loading.discard()
        assert await graph.names() == ()
        loading = await graph.service.load()
        await loading.add([Edge("a", "x", "b")])
        with pytest.raises(NodeNotFoundError):
            await loading.finish()
        await loading.add([Node("a"), Node("b")])
        assert (await loading.finish()).edges.created == 1
        await loading.discard()

    on_graph(backend, tmp_path, scenario)


def test_what_is_no_record_or_no_policy_is_refused() -> None:
    async def scenario(graph: Graph) -> None:
        for wrong in (None, 7, b"ab"):
            with pytest.raises(InvalidValueError, match="records to load cannot be told from"):
                await graph.load(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="takes nodes and edges, not str"):
            await graph.load(["Ada"])  # type: ignore[list-item]
        with pytest.raises(InvalidValueError, match="on_existing is"):
            await graph.load([], on_existing="explode")  # type: ignore[arg-type]
        with pytest.raises(InvalidValueError, match="on_dangling is"):
            await graph.load([], on_dangling="merge")  # type: ignore[arg-type]

    on_graph("memory", Path(), scenario)


def test_a_load_into_a_closed_graph_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        for backend in BACKENDS:
            graph = await open_graph(url(backend, tmp_path))

            async def records(graph: Graph = graph) -> AsyncIterator[Node]:
                yield Node("a")
                await graph.close()
                yield Node("b")

            with pytest.raises(StoreClosedError):
                await graph.load(records())
            with pytest.raises(StoreClosedError):
                await graph.load([])

    asyncio.run(main())


def test_progress_tells_how_much_was_taken_in() -> None:
    async def scenario(graph: Graph) -> None:
        told: list[tuple[int, int | None]] = []
        await graph.load([Node(f"n{n}") for n in range(2_500)], progress=lambda *of: told.append(of))
        assert told == [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]
        told.clear()
        await graph.load(iter([Node("a")]), progress=lambda *of: told.append(of))
        assert told == [(1, None)]

    on_graph("memory", Path(), scenario)


def test_a_blocking_load_reads_its_records_where_it_is_called() -> None:
    with open_graph_blocking("memory:") as source, open_graph_blocking("memory:") as target:
        source.load(SMALL)
        loaded = target.load(source.all_nodes())
        target.load(source.all_edges())
        assert loaded.nodes == Tally(created=2)
        assert target.get_edge("Ada", "wrote", "Note G").attributes == {"year": 1843}


# --- laws -------------------------------------------------------------------------------------------------------------

attributes = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=3),
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('aé\u2028"\\/', max_size=4) | st.lists(st.integers(0, 3), max_size=2),
    max_size=3,
)  # fmt: skip
moments = st.none() | st.integers(0, 4 * 10**15).map(from_micros)
observed = st.lists(
    st.builds(Observation, st.text('aé"', min_size=1, max_size=2), st.none() | st.just("s"), moments),
    max_size=3,
    unique_by=lambda item: item.text,
)


@given(attributes, observed, st.integers(0, 4 * 10**15), st.none() | st.sampled_from(["me", 'a "b" é']))
def test_fresh_bodies_are_those_of_the_codec(
    given_attributes: Any, given_observed: Any, micros: int, author: str | None
) -> None:
    time = from_micros(micros)
    bodies, provenance, frozen = (
        FreshBodies(time, author),
        Provenance(1, 7, time, time, author),
        freeze_object(given_attributes),
    )
    stored = tuple(recorded(item, time) for item in given_observed)
    assert bodies.node(frozen, given_observed) == body_of_node(unchecked_node("n", "t", frozen, stored, provenance))
    assert bodies.edge(frozen) == body_of_edge(unchecked_edge("a", "x", "b", frozen, provenance))
    assert bodies.bare_node == body_of_node(unchecked_node("n", "t", EMPTY, (), provenance))
    made, key = bodies.node(frozen, given_observed), EdgeKey("a", "x", 'b"é')
    assert bodies.created_node("n", 't"', made) == change_body("n", time, author, {"type": 't"', "record": made})
    assert bodies.created_edge(key, made) == change_body(key, time, author, {"record": made})


names = st.sampled_from("abcd")
plain = st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2)
notes = st.lists(st.sampled_from(["one", "two", "three"]), max_size=2)
node_records = st.builds(Node, names, st.sampled_from(["t", "u"]), plain, notes) | st.builds(
    UpsertNode, names, st.none() | st.just("v"), plain, notes
)
edge_records = st.builds(Edge, names, st.sampled_from(["k", "l"]), names, plain) | st.builds(
    UpsertEdge, names, st.just("k"), names, plain
)
loads = st.tuples(
    st.lists(node_records | edge_records, max_size=12),
    st.sampled_from(["error", "skip", "replace", "merge"]),
    st.sampled_from(["error", "skip", "create"]),
    st.booleans(),
)


async def load_all(graph: Graph, plan: Any) -> list[Any]:
    """What became of each load: its tallies, or the error's class and key."""
    became: list[Any] = []
    for records, on_existing, on_dangling, disturbed in plan:

        async def stream(records: Any = records, disturbed: bool = disturbed) -> AsyncIterator[Any]:
            for record in records:
                yield record
            if disturbed:
                await graph.upsert_node("a", None, {"z": (await graph.cursor()).seq})

        try:
            loaded: Loaded = await graph.load(stream(), on_existing=on_existing, on_dangling=on_dangling)
            became.append(attrs.asdict(loaded, filter=lambda field, _: field.name not in ("time", "cursor")))
        except (NodeExistsError, EdgeExistsError, NodeNotFoundError) as error:
            became.append((type(error), error.key))
    return became


@settings(max_examples=30)
@given(plan=st.lists(loads, max_size=4))
def test_every_backend_makes_the_same_graph_of_the_same_loads(plan: Any, tmp_path_factory: Any) -> None:
    async def scenario(graph: Graph) -> Any:
        return await load_all(graph, plan), await content(graph)

    path = tmp_path_factory.mktemp("loads")
    wanted = on_graph("memory", path, scenario)
    assert on_graph("sqlite", path, scenario) == wanted


@settings(max_examples=100)
@given(first=st.lists(node_records, max_size=4), records=st.lists(node_records | edge_records, max_size=12))
def test_a_load_that_merges_makes_what_upserts_make_one_after_the_other(first: Any, records: Any) -> None:
    def upserts(records: Any) -> list[Any]:
        """The same, nodes before edges, as a batch wants them."""
        ordered = sorted(records, key=lambda record: isinstance(record, (Edge, UpsertEdge)))
        nodes = {record.name for record in ordered if isinstance(record, (Node, UpsertNode))} | {
            record.name for record in first
        }
        ends = {
            name
            for record in ordered
            if isinstance(record, (Edge, UpsertEdge))
            for name in (record.source, record.target)
        }
        return [
            *(
                UpsertNode(record.name, record.type, record.attributes, record.observations)
                for record in ordered
                if isinstance(record, (Node, UpsertNode))
            ),
            *(UpsertNode(name) for name in ends - nodes),
            *(
                UpsertEdge(record.source, record.type, record.target, record.attributes)
                for record in ordered
                if isinstance(record, (Edge, UpsertEdge))
            ),
        ]

    async def holds(graph: Graph) -> Any:
        nodes = {node.name: (node.type, node.attributes, texts(node)) async for node in graph.all_nodes()}
        return nodes, {edge.key: edge.attributes async for edge in graph.all_edges()}

    async def by_load(graph: Graph) -> Any:
        await graph.load(first, on_existing="merge")
        await graph.load(records, on_existing="merge", on_dangling="create")
        return await holds(graph)

    async def by_upserts(graph: Graph) -> Any:
        await graph.commit(Batch(upserts(first)))
        await graph.commit(Batch(upserts(records)))
        return await holds(graph)

    assert on_graph("memory", Path(), by_load) == on_graph("memory", Path(), by_upserts)
