"""Text search: what a text asks for, what matches, in which order, and what no text can do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polaris_core import (
    ConflictError,
    Graph,
    InvalidValueError,
    Limits,
    Node,
    Transaction,
    open_graph,
    open_graph_blocking,
)
from polaris_core.search import Phrase, parse_text, words_of

BACKENDS = ("memory", "json", "sqlite")
each_backend = pytest.mark.parametrize("backend", BACKENDS)


def on_graph(
    backend: str, path: Path, scenario: Callable[[Graph], Awaitable[Any]], limits: Limits | None = None
) -> Any:
    place = "memory:" if backend == "memory" else f"{backend}:///{path}/{'store' if backend == 'json' else 'graph.db'}"

    async def main() -> Any:
        async with open_graph(place, limits=limits) as graph:
            return await scenario(graph)

    return asyncio.run(main())


async def found(graph: Graph, text: str, **options: Any) -> list[str]:
    return [hit.node.name for hit in await graph.search(text, **options)]


PEOPLE = [
    Node("Ada Lovelace", "person", {"field": "mathematics", "home": {"city": "London"}}, ["Wrote the first program."]),
    Node("Charles Babbage", "person", {"field": "engines"}, ["Ada wrote about his Analytical Engine."]),
    Node("Analytical Engine", "machine", {}, ["Never built.", "Program cards, as in a loom"]),
    Node("Café Zoë", "place", {}, ["O'Brien's favourite; libc6-dev is not served."]),
]


@each_backend
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ada", {"Ada Lovelace", "Charles Babbage"}),
        ("ADA wrote", {"Ada Lovelace", "Charles Babbage"}),
        ('"first program"', {"Ada Lovelace"}),
        ('"program first"', set()),
        ('"never built program"', {"Analytical Engine"}),
        ("prog*", {"Ada Lovelace", "Analytical Engine"}),
        ('"analytical eng"*', {"Charles Babbage", "Analytical Engine"}),
        ("prog", set()),
        ("engine -ada", {"Charles Babbage"}),
        ("cafe ZOE", {"Café Zoë"}),
        ("o'brien", {"Café Zoë"}),
        ("libc6-dev", {"Café Zoë"}),
        ("dev-libc6", set()),
        ('ada "lovelace', {"Ada Lovelace"}),
        ("mathematics", set()),
    ],
)
def test_words_phrases_and_beginnings_are_found_wherever_all_of_them_stand(
    backend: str, text: str, names: set[str], tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.load(PEOPLE)
        assert set(await found(graph, text)) == names

    on_graph(backend, tmp_path, scenario)


@each_backend
@pytest.mark.parametrize(
    ("text", "seen", "others"),
    [
        ("ЁЛКА", "Новогодняя ёлка", "ель"),
        ("мой", "мой дом", "моё"),
        ("елка", "ёлка", "ёл"),
        ("がく", "がく かく", "かく"),
        ("ΟΔΟΣ", "η οδός", "οδη"),
        ("strasse", "STRAẞE", "strase"),
        ("STRASSE", "straße", "stra"),
        ("i", "İ", "ı"),
        ("\U00010400*", "\U00010428\U00010429", "\U0001042a"),
        ("\U0001e900", "\U0001e922", "\U0001e923"),
        ("a", "a\ue000b", "\ue000"),
        ("e\u0301t\u00e9", "\u00c9TE\u0301", "et"),
        ("१२", "१२ दिन", "१३"),
        ("\u304c", "\u304b\u3099\u304f \u304b\u3099", "\u304b"),
        ("\u304b\u3099", "\u304c", "\u304b"),
        ("a\u09dcb", "a\u09a1\u09bcb", "a\u09a1b"),
        ("a\u09a1\u09bcb", "a\u09dcb", "a\u09a1b"),
        ("\ufb49\u05dc", "\u05e9\u05bc\u05dc", "\u05e9"),
        ("\u0622", "\u0627\u0653", "\u0627"),
    ],
)
def test_words_of_every_script_are_found_whatever_their_case_and_marks(
    backend: str, text: str, seen: str, others: str, tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.load([Node("one", observations=[seen]), Node("two", observations=[others])])
        assert await found(graph, text) == ["one"]

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_node_is_found_by_its_name_as_it_was_typed(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        for name in ("\ufb49\u05dc", "a\u09dcb", "\u304b\u3099", "\u212b"):
            made = await graph.create_node(name)
            assert await found(graph, name) == [made.name]

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_the_best_come_first_and_say_why(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.load(PEOPLE)
        hits = await graph.search("ada")
        assert [hit.node.name for hit in hits] == ["Ada Lovelace", "Charles Babbage"]
        assert hits.items[0].score > hits.items[1].score > 0
        assert [hit.snippet for hit in hits] == ["[Ada] Lovelace", "[Ada] wrote about his Analytical Engine."]
        assert hits.items[0].node == await graph.get_node("Ada Lovelace")
        assert (hits.complete, hits.scanned) == (True, None if backend == "sqlite" else 4)
        assert await found(graph, "ada", limit=1) == ["Ada Lovelace"]
        assert await found(graph, "analytical", type="machine") == ["Analytical Engine"]

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_attributes_are_searched_where_they_were_chosen(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.load(PEOPLE)
        assert await graph.searched_attributes() == ()
        assert await found(graph, "mathematics") == []
        await graph.set_searched_attributes("field", ("home", "city"))
        assert await graph.searched_attributes() == (("field",), ("home", "city"))
        assert await found(graph, "mathematics london") == ["Ada Lovelace"]
        await graph.patch_node("Ada Lovelace", set={"field": ["poetical", "science"]})
        assert await found(graph, "poetical") == ["Ada Lovelace"]
        assert await found(graph, "mathematics") == []
        await graph.set_searched_attributes()
        assert await found(graph, "poetical") == []

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_search_sees_every_write_before_it_and_none_after(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        assert await found(graph, "loom") == []
        await graph.create_node("Loom")
        assert await found(graph, "loom") == ["Loom"]
        place = await graph.cursor()
        await graph.rename_node("Loom", "Jacquard machine")
        assert await found(graph, "loom") == []
        await graph.observe("Jacquard machine", "A loom with cards.")
        await graph.load([Node("Power loom"), Node("Hand loom")])
        assert set(await found(graph, "loom")) == {"Jacquard machine", "Power loom", "Hand loom"}
        await graph.delete_node("Hand loom")
        assert set(await found(graph, "loom")) == {"Jacquard machine", "Power loom"}
        assert [hit.node.name for hit in await graph.at(place).search("loom")] == ["Loom"]
        await graph.trim(await graph.cursor())
        await graph.create_node("Loom")
        assert set(await found(graph, "loom")) == {"Jacquard machine", "Power loom", "Loom"}

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_transaction_finds_what_it_wrote_and_conflicts_with_who_changed_the_answer(
    backend: str, tmp_path: Path
) -> None:
    async def scenario(graph: Graph) -> None:
        async def write(transaction: Transaction) -> list[str]:
            await transaction.create_node("Ada")
            return [hit.node.name for hit in await transaction.search("ada")]

        assert await graph.transact(write) == ["Ada"]
        with pytest.raises(ConflictError):
            async with graph.transaction() as transaction:
                assert len(await transaction.search("ada")) == 1
                await graph.create_node("Ada Lovelace")
                await transaction.create_node("counted")

    on_graph(backend, tmp_path, scenario)


@each_backend
def test_a_snippet_is_short_however_long_a_word_is(backend: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("n", observations=["x" * 100_000 + " ada " + "y " * 1_000])
        (hit,) = (await graph.search("ada")).items
        assert len(hit.snippet) <= 400

    on_graph(backend, tmp_path, scenario)


def test_a_scan_that_ends_at_its_bound_says_so() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.load([Node(f"node {number}") for number in range(30)])
        hits = await graph.search("node", limit=100)
        assert (len(hits), hits.complete, hits.scanned) == (20, False, 20)

    on_graph("memory", Path(), scenario, Limits(scan=20))


@each_backend
@pytest.mark.parametrize(
    "text",
    [
        '"',
        '""',
        "*",
        "'",
        "NEAR(",
        "a:b",
        "name:ada",
        "{name} : ada",
        "-ada",
        "ada OR x",
        "ada AND",
        "NOT ada",
        "^ada",
        "ada + x",
        "a\0b",
        '" OR 1 --',
        "'; DROP TABLE nodes; --",
        "(" * 900,
        "\\",
        "\ud800",
        "\u2028",
        "\u202eada",
        "ﬁ ß ǅ İ ı \u0345",
        "日本 語* العربية ไทย",
        "\U0001f680 rocket*",
        "%_%",
        "{0.__class__}",
        "\x1b[31m\n",
    ],
)
def test_nothing_that_a_caller_types_is_anything_but_words(backend: str, text: str, tmp_path: Path) -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_node("ada a b")
        try:
            hits = await graph.search(text)
        except InvalidValueError:
            assert not words_of(text)
            return
        words = {word.text for word in words_of(text)}
        assert len(hits) == (words <= {"ada", "a", "b"})

    on_graph(backend, tmp_path, scenario)


@pytest.mark.parametrize("text", ["", "   ", "!!", "x" * 1_001, " ".join(map(str, range(33))), None, 7, ["ada"]])
def test_a_search_without_a_word_or_with_too_much_is_refused(text: Any) -> None:
    with open_graph_blocking("memory:") as graph, pytest.raises(InvalidValueError):
        graph.search(text)


def test_what_a_text_asks_for() -> None:
    assert parse_text('Ada "First Program"* o\'Brien* a*b ada') == (
        Phrase(("ada",)),
        Phrase(("first", "program"), prefix=True),
        Phrase(("o", "brien"), prefix=True),
        Phrase(("a", "b")),
    )


def test_a_damaged_choice_of_attributes_hides_no_names() -> None:
    from polaris_core import SetMeta

    with open_graph_blocking("memory:") as graph:
        graph.commit([SetMeta("search/attributes", ["a", 7, ["x", 1]])])
        graph.create_node("ada")
        assert [hit.node.name for hit in graph.search("ada")] == ["ada"]


letters = st.characters(categories=["L", "N"]).filter(str.isalnum)
words = st.text("ab", min_size=1, max_size=2) | st.text(letters, min_size=1, max_size=2)
texts = st.lists(words | st.sampled_from([", ", "-", "'", '"', "*", "B"]), max_size=5).map(" ".join)
nodes = st.builds(
    Node,
    st.builds(lambda text, number: f"{text} {number}", words, st.integers(0, 3)),
    st.sampled_from(["t", "u"]),
    st.fixed_dictionaries({}, optional={"x": texts, "y": st.lists(texts, max_size=2) | st.integers(-9, 9)}),
    st.lists(texts.filter(str.strip), max_size=2),
)
beginnings = st.builds(lambda word: f"{word}*", words)
phrases = st.builds(lambda one, two: f'"{one} {two}"', words, words)
asked = st.lists(words | beginnings | phrases, min_size=1, max_size=3)
steps = st.lists(
    st.tuples(st.just("upsert"), nodes)
    | st.tuples(st.just("delete"), nodes)
    | st.tuples(st.just("choose"), st.lists(st.sampled_from("xy"), unique=True))
    | st.tuples(st.just("load"), st.lists(nodes, max_size=3))
    | st.tuples(st.just("search"), asked.map(" ".join)),
    max_size=8,
)


@settings(max_examples=40)
@given(steps=steps, last=asked.map(" ".join))
def test_the_index_and_the_scan_find_the_same_nodes(steps: Any, last: str, tmp_path_factory: Any) -> None:
    async def scenario(graph: Graph) -> list[set[str]]:
        answers = []
        for verb, value in [*steps, ("search", last)]:
            match verb:
                case "upsert":
                    await graph.upsert_node(value.name, value.type, value.attributes, value.observations)
                case "delete":
                    await graph.delete_node(value.name, missing_ok=True)
                case "choose":
                    await graph.set_searched_attributes(*value)
                case "load":
                    await graph.load(value, on_existing="merge")
                case "search":
                    answers.append({*await found(graph, value)})
                    answers.append({*await found(graph, value, type="t")})
        return answers

    path = tmp_path_factory.mktemp("search")
    assert on_graph("sqlite", path, scenario) == on_graph("memory", path, scenario)
