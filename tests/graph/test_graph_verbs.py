"""What each verb of a graph does and refuses, over the memory backend; the same laws hold for every backend by construction."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from polaris_core import (
    Batch,
    CreateNode,
    Cursor,
    EdgeExistsError,
    EdgeNotFoundError,
    Graph,
    HistoryReplacedError,
    InvalidCursorError,
    InvalidNameError,
    InvalidValueError,
    LimitExceededError,
    Limits,
    NodeExistsError,
    NodeHasEdgesError,
    NodeNotFoundError,
    Observation,
    StoreClosedError,
    ValidationError,
    open_graph,
)


def on_graph(scenario: Callable[[Graph], Awaitable[None]], **settings: object) -> None:
    async def main() -> None:
        async with open_graph("memory:", **settings) as graph:  # type: ignore[arg-type]
            await scenario(graph)

    asyncio.run(main())


def test_a_created_node_is_read_back_equal() -> None:
    async def scenario(graph: Graph) -> None:
        created = await graph.create_node(
            "Ada", "person", {"born": 1815, "tags": ["a", {"b": None}]}, ["wrote programs"]
        )
        assert await graph.get_node("Ada") == created
        assert created.provenance is not None
        assert created.provenance.version == 1

    on_graph(scenario)


def test_names_are_normalised_at_every_entrance() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Zoe\u0308")
        assert (await graph.get_node("Zo\u00eb")).name == "Zo\u00eb"
        with pytest.raises(NodeExistsError):
            await graph.create_node("Zo\u00eb")

    on_graph(scenario)


@pytest.mark.parametrize("name", ["", "\x00", "a\nb", "a\x1b[0m", "\ud800", "x" * 1025, None, 3])
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_tried(name: str) -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(InvalidNameError):
            await graph.create_node(name)
        with pytest.raises(InvalidNameError):
            await graph.get_node(name)
        assert (await graph.statistics()).nodes == 0

    on_graph(scenario)


def test_creating_what_exists_is_refused_and_changes_nothing() -> None:
    async def scenario(graph: Graph) -> None:
        before = await graph.create_node("Ada", "person")
        with pytest.raises(NodeExistsError) as refused:
            await graph.create_node("Ada", "machine")
        assert refused.value.key == "Ada"
        assert await graph.get_node("Ada") == before

    on_graph(scenario)


def test_a_missing_node_is_reported_with_names_that_look_alike() -> None:
    async def scenario(graph: Graph) -> None:
        for name in ("Ada Lovelace", "Charles Babbage", "libssl3"):
            await graph.create_node(name)
        for asked, near in (("ada lovelace", "Ada Lovelace"), ("Ada Lovelac", "Ada Lovelace"), ("libssl", "libssl3")):
            with pytest.raises(NodeNotFoundError, match="did you mean") as missing:
                await graph.get_node(asked)
            assert near in missing.value.near
        with pytest.raises(NodeNotFoundError) as refused:
            await graph.create_edge("Ada Lovelac", "knows", "Charles Babbage")
        assert refused.value.near == ("Ada Lovelace",)

    on_graph(scenario)


def test_put_replaces_attributes_and_keeps_observations() -> None:
    async def scenario(graph: Graph) -> None:
        created = await graph.create_node("Ada", "person", {"a": 1, "b": 2}, ["text"])
        put = await graph.put_node("Ada", "mathematician", {"b": 3})
        assert (put.type, put.attributes) == ("mathematician", {"b": 3})
        assert put.observations == created.observations

    on_graph(scenario)


def test_upsert_creates_or_merges_top_level_keys() -> None:
    async def scenario(graph: Graph) -> None:
        assert (await graph.upsert_node("Ada")).type == "node"
        await graph.upsert_node("Ada", "person", {"a": {"x": 1}, "b": 2}, ["one"])
        merged = await graph.upsert_node("Ada", attributes={"a": {"y": 1}}, observations=["one", "two"])
        assert (merged.type, merged.attributes) == ("person", {"a": {"y": 1}, "b": 2})
        assert [item.text for item in merged.observations] == ["one", "two"]

    on_graph(scenario)


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada", "person", {"a": {"b": 1, "c": 2}, "d.e": 3, "f": None}, ["one", "two"])
        patched = await graph.patch_node(
            "Ada", set={("a", "b"): 9, ("g", "h"): [1], "f": None}, unset=["d.e"], observe=["three"], forget=["one"]
        )
        assert patched.attributes == {"a": {"b": 9, "c": 2}, "f": None, "g": {"h": [1]}}
        assert [item.text for item in patched.observations] == ["two", "three"]

    on_graph(scenario)


def test_a_mutation_that_changes_nothing_writes_no_change() -> None:
    async def scenario(graph: Graph) -> None:
        before = await graph.create_node("Ada", "person", {"n": 1}, ["one"])
        for unchanged in (
            await graph.patch_node("Ada", set={"n": 1}, unset=["missing"], observe=["one"]),
            await graph.put_node("Ada", "person", {"n": 1}),
            await graph.upsert_node("Ada", attributes={"n": 1}),
            await graph.rename_node("Ada", "Ada"),
        ):
            assert unchanged == before
        assert len(await graph.changes()) == 1
        await graph.put_node("Ada", "person", {"n": 1.0})
        assert len(await graph.changes()) == 2

    on_graph(scenario)


def test_observations_are_unique_by_text_and_keep_their_source() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada")
        await graph.observe("Ada", "plain", Observation("told", source="a letter"))
        node = await graph.observe("Ada", "told")
        assert [(item.text, item.source) for item in node.observations] == [("plain", None), ("told", "a letter")]
        assert all(item.recorded_at for item in node.observations)
        assert [item.text for item in (await graph.forget("Ada", "plain", "absent")).observations] == ["told"]

    on_graph(scenario)


def test_a_rename_keeps_edges_and_history() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("Ada")
        await graph.create_node("Engine")
        await graph.create_edge("Ada", "wrote-for", "Engine")
        await graph.rename_node("Ada", "Ada Lovelace")
        assert await graph.get_edge("Ada Lovelace", "wrote-for", "Engine")
        with pytest.raises(NodeNotFoundError):
            await graph.get_node("Ada")
        with pytest.raises(NodeExistsError):
            await graph.rename_node("Ada Lovelace", "Engine")

    on_graph(scenario)


def test_a_node_with_edges_is_deleted_only_when_detached() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a")
        await graph.create_node("b")
        await graph.create_edge("a", "x", "b")
        await graph.create_edge("a", "x", "a")
        with pytest.raises(NodeHasEdgesError) as refused:
            await graph.delete_node("a")
        assert refused.value.key == "a"
        assert await graph.delete_node("a", detach=True)
        assert (await graph.statistics()).edges == 0
        assert not (await graph.neighbors("b")).items

    on_graph(scenario)


def test_deleting_what_is_absent_is_an_error_unless_it_may_be_missing() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a")
        with pytest.raises(NodeNotFoundError):
            await graph.delete_node("b")
        with pytest.raises(EdgeNotFoundError):
            await graph.delete_edge("a", "x", "a")
        assert not await graph.delete_node("b", missing_ok=True)
        assert not await graph.delete_edge("a", "x", "b", missing_ok=True)

    on_graph(scenario)


def test_an_edge_needs_both_ends_and_exists_once() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("a")
        with pytest.raises(NodeNotFoundError) as refused:
            await graph.create_edge("a", "x", "b")
        assert refused.value.key == "b"
        await graph.create_node("b")
        edge = await graph.create_edge("a", "x", "b", {"w": 1})
        with pytest.raises(EdgeExistsError):
            await graph.create_edge("a", "x", "b")
        assert await graph.get_edge("a", "x", "b") == edge
        assert (await graph.upsert_edge("a", "x", "b", {"v": 2})).attributes == {"v": 2, "w": 1}
        assert (await graph.put_edge("a", "x", "b", {"v": 3})).attributes == {"v": 3}
        assert (await graph.patch_edge("a", "x", "b", set={("u", "t"): 1}, unset=["v"])).attributes == {"u": {"t": 1}}
        assert await graph.get_edges([("a", "x", "b"), ("b", "x", "a")]) == {
            ("a", "x", "b"): await graph.get_edge("a", "x", "b")
        }
        with pytest.raises(EdgeNotFoundError):
            await graph.get_edge("b", "x", "a")

    on_graph(scenario)


def test_neighbors_are_paged_in_the_order_of_their_edges() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode("hub"), *(CreateNode(f"n{number}") for number in range(25))])
        for number in range(25):
            ends = ("hub", f"n{number}") if number % 2 else (f"n{number}", "hub")
            await graph.create_edge(ends[0], "odd" if number % 2 else "even", ends[1])
        await graph.create_edge("hub", "self", "hub")
        seen, cursor = [], None
        while True:
            page = await graph.neighbors("hub", limit=7, cursor=cursor)
            seen.extend(item.node.name for item in page)
            if (cursor := page.next) is None:
                break
        assert seen == [*(f"n{number}" for number in range(25)), "hub"]
        assert len(await graph.neighbors("hub", direction="out", types=["odd"])) == 12
        assert len(await graph.neighbors("hub", direction="in", types="odd")) == 0
        with pytest.raises(InvalidCursorError):
            await graph.neighbors("hub", direction="in", cursor=(await graph.neighbors("hub", limit=2)).next)

    on_graph(scenario)


def test_find_matches_everything_that_is_given_and_pages() -> None:
    async def scenario(graph: Graph) -> None:
        for number in range(30):
            await graph.create_node(
                f"n{number:02}",
                "odd" if number % 2 else "even",
                {"n": number, "deep": {"flag": number < 10}},
                [f"Text {number}"],
            )
        assert [node.name for node in await graph.find_nodes(type="odd", where={("deep", "flag"): True})] == [
            "n01", "n03", "n05", "n07", "n09",
        ]  # fmt: skip
        assert [node.name for node in await graph.find_nodes(text="tExT 2", where={"n": 2.0})] == ["n02"]
        assert not (await graph.find_nodes(where={("deep", "flag"): 1})).items
        assert len(await graph.find_nodes(prefix="n1")) == 10
        names, cursor = [], None
        while True:
            page = await graph.find_nodes(type="even", limit=4, cursor=cursor)
            names.extend(node.name for node in page)
            if (cursor := page.next) is None:
                break
        assert names == [f"n{number:02}" for number in range(0, 30, 2)]
        assert [node.name async for node in graph.all_nodes(type="even")] == names
        with pytest.raises(InvalidCursorError):
            await graph.find_nodes(type="odd", cursor=(await graph.find_nodes(type="even", limit=1)).next)

    on_graph(scenario)


def test_a_page_looks_at_a_bounded_number_of_records_and_says_where_to_go_on() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit([CreateNode(f"n{number:02}", "rare" if number == 19 else "common") for number in range(20)])
        pages, cursor = 0, None
        while True:
            page = await graph.find_nodes(type="rare", cursor=cursor)
            pages += 1
            if page.items or (cursor := page.next) is None:
                break
        assert [node.name for node in page] == ["n19"]
        assert pages == 4

    on_graph(scenario, limits=Limits(scan=5))


def test_limits_are_checked_and_named() -> None:
    async def scenario(graph: Graph) -> None:
        for refused, limit in (
            (graph.create_node("a", attributes={"text": "x" * 2000}), "record_bytes"),
            (graph.create_node("a", observations=[str(number) for number in range(6)]), "observations"),
            (graph.commit([CreateNode(str(number)) for number in range(11)]), "batch_mutations"),
        ):
            with pytest.raises(LimitExceededError) as error:
                await refused
            assert error.value.limit == limit
            assert error.value.size > error.value.maximum
        assert (await graph.statistics()).nodes == 0
        for wrong in (0, -1, True, "1"):
            with pytest.raises(InvalidValueError):
                await graph.find_nodes(limit=wrong)  # type: ignore[arg-type]

    on_graph(scenario, limits=Limits(record_bytes=1000, observations=5, batch_mutations=10))


def test_what_a_caller_gets_back_cannot_be_changed() -> None:
    async def scenario(graph: Graph) -> None:
        mine = {"list": [1, {"a": 2}]}
        node = await graph.create_node("Ada", attributes=mine)
        mine["list"].append(3)
        for attempt in (
            lambda: node.attributes["list"].append(9),
            lambda: node.attributes["list"][1].update(a=3),
            lambda: node.attributes.__setitem__("x", 1),  # type: ignore[attr-defined]
        ):
            with pytest.raises(TypeError):
                attempt()
        assert (await graph.get_node("Ada")).attributes == {"list": [1, {"a": 2}]}

    on_graph(scenario)


def test_changes_are_read_in_commit_order_from_a_cursor() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.commit(Batch([CreateNode("a"), CreateNode("b")], author="me"))
        place = await graph.cursor()
        await graph.create_edge("a", "x", "b")
        await graph.rename_node("a", "c")
        await graph.delete_node("c", detach=True)
        later = await graph.changes(str(place))
        assert [(change.kind, change.key) for change in later] == [
            ("edge.created", ("a", "x", "b")),
            ("node.renamed", "c"),
            ("edge.deleted", ("c", "x", "b")),
            ("node.deleted", "c"),
        ]
        everything = await graph.changes()
        assert [change.cursor.seq for change in everything] == [1, 2, 3, 4, 5, 6]
        assert everything[0].author == "me"
        with pytest.raises(HistoryReplacedError):
            await graph.changes(Cursor(place.store, "another", 1))
        with pytest.raises(HistoryReplacedError):
            await graph.changes(place._replace(seq=99))
        for wrong in ("", "a:b", "a:b:c", "a:b:-1", "x" * 500):
            with pytest.raises(InvalidCursorError):
                await graph.changes(wrong)

    on_graph(scenario)


def test_a_closed_graph_refuses_and_closing_twice_is_closing_once() -> None:
    async def main() -> None:
        graph = await open_graph("memory:")
        await graph.close()
        await graph.close()
        with pytest.raises(StoreClosedError):
            await graph.create_node("a")

    asyncio.run(main())


def test_a_batch_of_what_is_no_mutation_is_refused() -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(ValidationError):
            await graph.commit(["no mutation"])  # type: ignore[list-item]

    on_graph(scenario)


@pytest.mark.parametrize(
    "ask",
    [
        lambda graph: graph.get_edges([None]),
        lambda graph: graph.get_edges([("a", "b")]),
        lambda graph: graph.get_edge("a", None, "b"),
        lambda graph: graph.names(None),
        lambda graph: graph.names(b"x"),
        lambda graph: graph.find_nodes(prefix=b"x"),
        lambda graph: graph.find_nodes(where={"a"}),
        lambda graph: graph.find_nodes(limit=10**5000 * -1),
        lambda graph: graph.find_edges(where=[1]),
        lambda graph: graph.neighbors("a", direction=["out"]),
        lambda graph: graph.changes(b"x"),
        lambda graph: graph.changes({"a": 1}),
    ],
)
def test_a_question_of_the_wrong_type_is_refused_in_words(ask: Callable[[Graph], Awaitable[object]]) -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(ValidationError):
            await ask(graph)

    on_graph(scenario)


@pytest.mark.parametrize("author", [5, "", "y" * 2_000, "\ud800", "a\x00b"])
def test_a_graph_acts_as_nobody_whom_the_store_could_not_name(author: Any) -> None:
    async def scenario() -> None:
        async with open_graph("memory:") as graph:
            with pytest.raises(InvalidValueError):
                graph.acting_as(author)
            with pytest.raises(InvalidValueError):
                Graph(graph.service, author)
            with pytest.raises(AttributeError):
                graph.author = author  # type: ignore[misc]
            assert graph.author is None

    asyncio.run(scenario())
