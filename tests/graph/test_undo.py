"""Undoing a commit: a new commit that leaves everything as it was without it, or an error that changes nothing."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from polaris_core import (
    Batch,
    Commit,
    ConflictError,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    Graph,
    HistoryReplacedError,
    HistoryTrimmedError,
    InvalidValueError,
    Observation,
    Patch,
    PatchEdge,
    PatchNode,
    PutNode,
    RefusedError,
    RenameNode,
    SetMeta,
    UpsertEdge,
    UpsertNode,
    open_graph,
    open_graph_blocking,
)
from polaris_core.abc import Session
from polaris_core.codec import to_json

BACKENDS = ["memory", "json", "sqlite"]


def url(backend: str, path: Path) -> str:
    return "memory:" if backend == "memory" else f"{backend}:///{path / 'kg'}"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


async def said(graph: Graph) -> object:
    """Everything the graph says, whoever said it, when, and under which ids."""

    async def beside(session: Session) -> object:
        keys = await session.keys("meta", "", 100)
        return [(record.key, record.body) for record in await session.meta(keys) if record]

    nodes = [node async for node in graph.all_nodes()]
    edges = [edge async for edge in graph.all_edges()]
    return (
        {node.name: to_json((node.type, node.attributes, node.observations)) for node in nodes},
        {edge.key: to_json(edge.attributes) for edge in edges},
        await graph.service.read(beside),
    )


# --- the law ----------------------------------------------------------------------------------------------------------

names = st.sampled_from("abcd")
types = st.sampled_from("tu")
values = st.sampled_from([None, 0, 1, 1.0, True, -0.0, [1, {}], {}, {"y": 1}, {"x": {"y": 2}}])
attributes = st.dictionaries(st.sampled_from("xy"), values, max_size=2)
paths = st.lists(st.sampled_from("xy"), min_size=1, max_size=3).map(tuple)
sets = st.dictionaries(paths, values, max_size=2)
unsets = st.lists(paths, max_size=1)
times = st.sampled_from([None, datetime(2026, 1, 1, tzinfo=UTC)])
observed = st.lists(st.builds(Observation, st.sampled_from("opqr"), st.sampled_from([None, "me"]), times), max_size=3)
texts = st.lists(st.sampled_from("opqr"), max_size=2)
triples = (names, types, names)
mutations = st.one_of(
    st.builds(UpsertNode, names, st.none() | types, attributes, observed),
    st.builds(PutNode, names, types, attributes),
    st.builds(PatchNode, names, st.builds(Patch, sets, unsets, observed, texts, st.none() | types)),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.just(True), missing_ok=st.just(True)),
    st.builds(UpsertEdge, *triples, attributes),
    st.builds(PatchEdge, *triples, st.builds(Patch, sets, unsets)),
    st.builds(DeleteEdge, *triples, missing_ok=st.just(True)),
    st.builds(SetMeta, st.sampled_from("mn"), values),
    st.builds(DeleteMeta, st.sampled_from("mn")),
    st.builds(Emit, types, st.none() | names, values),
)
START = [
    Batch([CreateNode(name, "t", {"x": 1, "y": {"x": 2}}, list("opq")) for name in "abc"]),
    Batch([CreateEdge(*triple, {"x": {"y": [1]}}) for triple in ("atb", "aub", "btc", "btb", "cta")]),
    Batch([SetMeta("m", 1.0)]),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(mutations, min_size=1, max_size=5), min_size=1, max_size=4))
def test_undone_at_once_a_commit_leaves_what_there_was_before_it(written: list[list[Any]]) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.apply(START)
            for batch in written:
                before = await said(graph)
                (commit,) = await graph.apply([Batch(batch)])
                if not isinstance(commit, Commit) or commit.last < commit.first:
                    continue
                event("undone")
                after = await said(graph)
                undone = await graph.undo(commit)
                assert await said(graph) == before
                if undone.last >= undone.first:
                    await graph.undo(undone)
                    assert await said(graph) == after

    run(main)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(mutations, min_size=1, max_size=3), min_size=2, max_size=5), st.integers(1, 20))
def test_undone_later_a_commit_is_taken_back_or_refused_without_a_trace(written: list[list[Any]], seq: int) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.apply([*START, *map(Batch, written)])
            before, place = await said(graph), await graph.cursor()
            try:
                commit = await graph.undo(min(seq, place.seq))
            except ConflictError:
                event("refused")
                assert (await said(graph), await graph.cursor()) == (before, place)
            else:
                event("undone")
                if commit.last >= commit.first:
                    await graph.undo(commit)
                    assert await said(graph) == before

    run(main)


# --- what is undone ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_others_wrote_since_stays(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            await graph.create_node("Ada", "person", {"born": 1815, "town": "London"}, ["counts"])
            wrong = await graph.commit(
                [PatchNode("Ada", Patch(set={"born": 1915}, observe="lied")), RenameNode("Ada", "Adda")]
            )
            await graph.patch_node("Adda", set={"town": "Ockham"}, observe="wrote")
            undone = await graph.undo(wrong)
            node = await graph.get_node("Ada")
            assert node.attributes == {"born": 1815, "town": "Ockham"}
            assert [item.text for item in node.observations] == ["counts", "wrote"]
            assert node.provenance.revision == undone.last
            assert [change.kind for change in await graph.history("Ada")][:2] == ["node.updated", "node.renamed"]

    run(main)


def test_a_commit_is_named_by_itself_by_a_change_of_it_or_by_its_number() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            for _ in range(2):
                commit = await graph.commit([UpsertNode("a"), UpsertNode("b")])
                await graph.undo(commit)
                commit = await graph.commit([UpsertNode("a"), UpsertNode("b")])
                await graph.undo((await graph.changes(commit.cursor._replace(seq=commit.first)))[0])
                commit = await graph.commit([UpsertNode("a"), UpsertNode("b")])
                await graph.undo(commit.last)
                assert await graph.names() == ()

    run(main)


def test_a_detached_node_comes_back_with_its_edges_under_the_names_of_today() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.commit([CreateNode("a"), CreateNode("b"), CreateEdge("a", "x", "b", {"n": 1})])
            gone = await graph.commit(DeleteNode("a", detach=True))
            await graph.rename_node("b", "c")
            await graph.undo(gone)
            assert (await graph.get_edge("a", "x", "c")).attributes == {"n": 1}

    run(main)


# --- what is refused --------------------------------------------------------------------------------------------------

LATER = [
    ([CreateNode("n", attributes={"x": 1})], [PatchNode("n", Patch(set={"y": 1}))]),
    ([CreateNode("n")], [DeleteNode("n")]),
    ([CreateNode("n")], [CreateEdge("n", "t", "a")]),
    ([CreateEdge("b", "t", "b")], [PatchEdge("b", "t", "b", Patch(set={"y": 1}))]),
    ([CreateEdge("b", "t", "b")], [DeleteEdge("b", "t", "b")]),
    ([PatchNode("a", Patch(set={"x": 2}))], [PatchNode("a", Patch(set={"x": 3}))]),
    ([PatchNode("a", Patch(set={("d", "e"): 2}))], [PatchNode("a", Patch(unset=["d"]))]),
    ([PatchNode("a", Patch(unset=["x"]))], [PatchNode("a", Patch(set={"x": 1}))]),
    ([PatchNode("a", Patch(unset=[("d", "e")]))], [PatchNode("a", Patch(set={"d": 1}))]),
    ([PatchNode("a", Patch(observe="p"))], [PatchNode("a", Patch(forget="p"))]),
    ([PatchNode("a", Patch(forget="o"))], [PatchNode("a", Patch(observe="o"))]),
    ([PatchNode("a", Patch(type="u"))], [PatchNode("a", Patch(type="v"))]),
    ([PatchNode("a", Patch(type="u"))], [DeleteNode("a", detach=True)]),
    ([PatchEdge("a", "t", "b", Patch(set={"x": 2}))], [DeleteEdge("a", "t", "b")]),
    ([RenameNode("a", "n")], [RenameNode("n", "m")]),
    ([RenameNode("a", "n")], [CreateNode("a")]),
    ([DeleteNode("a", detach=True)], [CreateNode("a")]),
    ([DeleteEdge("a", "t", "b")], [CreateEdge("a", "t", "b")]),
    ([DeleteEdge("a", "t", "b")], [DeleteNode("b", detach=True)]),
    ([SetMeta("m", 1)], [SetMeta("m", 2)]),
    ([SetMeta("n", 1)], [DeleteMeta("n")]),
    ([DeleteMeta("m")], [SetMeta("m", 1)]),
]


@pytest.mark.parametrize(("done", "later"), LATER)
def test_what_was_touched_since_is_a_conflict(done: list[Any], later: list[Any]) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.commit([CreateNode("a", "t", {"x": 1, "d": {"e": 1}}, "o"), CreateNode("b")])
            await graph.commit([CreateEdge("a", "t", "b", {"x": 1}), SetMeta("m", 0)])
            commit = await graph.commit(done)
            await graph.commit(later)
            before, place = await said(graph), await graph.cursor()
            with pytest.raises(ConflictError, match="cannot be undone"):
                await graph.undo(commit)
            assert (await said(graph), await graph.cursor()) == (before, place)

    run(main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_commit_that_is_no_longer_kept_is_refused(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(url(backend, tmp_path)) as graph:
            first = await graph.commit([CreateNode("a"), CreateNode("b")])
            second = await graph.commit(CreateNode("c"))
            await graph.trim(first.cursor)
            for target in (first, 1, 2):
                with pytest.raises(HistoryTrimmedError):
                    await graph.undo(target)
            await graph.undo(second)
            assert await graph.names() == ("a", "b")

    run(main)


def test_a_bulk_load_is_not_undone() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            loaded = await graph.load([UpsertNode("a")])
            with pytest.raises(RefusedError, match="bulk load"):
                await graph.undo(loaded.last)

    run(main)


@pytest.mark.parametrize("target", [0, 2, -1, True, "1", None])
def test_what_names_no_commit_is_refused(target: Any) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("a")
            with pytest.raises(InvalidValueError):
                await graph.undo(target)

    run(main)


def test_a_commit_that_changed_nothing_or_is_of_another_store_is_refused() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph, open_graph("memory:") as other:
            await graph.create_node("a")
            with pytest.raises(InvalidValueError, match="changed nothing"):
                await graph.undo(await graph.commit(UpsertNode("a")))
            with pytest.raises(HistoryReplacedError):
                await graph.undo(await other.commit(UpsertNode("a")))

    run(main)


# --- authors ----------------------------------------------------------------------------------------------------------


def test_who_acts_as_an_author_signs_every_write_that_names_nobody_else() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            ann = graph.acting_as("ann")
            await ann.create_node("a")
            commit = await ann.commit([UpsertNode("b")])
            await ann.apply([Batch(UpsertNode("c"))])
            async with ann.transaction() as tx:
                await tx.create_node("d")
            await ann.transact(lambda tx: tx.create_node("e"))
            await ann.commit(Batch(UpsertNode("f"), author="bob"))
            await ann.undo(commit)
            await graph.create_node("g")
            authors = [(change.key, change.author) for change in await graph.changes()]
            assert authors == [
                ("a", "ann"), ("b", "ann"), ("c", "ann"), ("d", "ann"), ("e", "ann"), ("f", "bob"), ("b", "ann"),
                ("g", None),
            ]  # fmt: skip
            assert (await ann.get_node("a")).provenance.author == "ann"
            with pytest.raises(InvalidValueError):
                graph.acting_as("x" * 2_000)

    run(main)


def test_a_blocking_graph_undoes_and_signs_too() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.acting_as("ann").create_node("a")
        (change,) = graph.changes()
        assert change.author == "ann"
        graph.undo(change)
        assert graph.names() == ()
