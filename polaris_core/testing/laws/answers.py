"""Laws of the capabilities `query`, `indexes` and `search`: a backend answers as the core would, only sooner."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from polaris_core.abc.capabilities import Index, Indexes
from polaris_core.abc.storage import Storage
from polaris_core.model import Patch
from polaris_core.mutations import Batch, CreateEdge, CreateNode, DeleteNode, Mutation, PatchNode
from polaris_core.query import And, Field, Kind, Order, Query, Selected, interpret, interpret_count
from polaris_core.search import TextQuery, parse_text, scan_text
from polaris_core.testing.laws.subject import Subject, put
from polaris_core.testing.programs import everything, writing
from polaris_core.testing.queries import TYPES, attributes, filters, orders
from polaris_core.testing.skipping import not_applicable

__all__ = ["AnswerLaws"]

_INDEXES = (Index("node", "a"), Index("edge", "a"), Index("node", "b"))
_rows = st.lists(st.tuples(st.sampled_from(TYPES), attributes()), min_size=1, max_size=8)
_ends = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(TYPES), st.integers(0, 7)), max_size=6, unique=True)
_changed = st.lists(st.tuples(st.integers(0, 7), attributes()), max_size=2)


def _queries(kind: Kind) -> st.SearchStrategy[Query]:
    return st.builds(
        lambda wanted, order, limit: Query(kind=kind, filter=wanted, order=order, limit=limit),
        filters(kind),
        orders(kind),
        st.sampled_from((1, 3, 100)),
    )


_KINDS: tuple[Kind, ...] = ("node", "edge")
_ORDERED = [
    Query(kind=kind, filter=And(()), order=Order(Field("attributes", ("a",)), descending), limit=limit)
    for kind in _KINDS
    for descending in (False, True)
    for limit in (1, 100)
]
"""What chance may leave out: everything, by a value that differs, both ways."""
_asked = st.lists(_queries("node") | _queries("edge"), min_size=1, max_size=5)


async def _all(ask: Callable[[Query], Awaitable[Selected]], query: Query) -> list[Any]:
    found: list[Any] = []
    for _ in range(30):
        selected = await ask(query)
        assert len(selected.records) <= query.limit
        found += selected.records
        if selected.rest is None:
            return found
        query = query.resumed(query.cursor(selected.rest))
    raise AssertionError("the pages of a query do not end")


async def _compare(storage: Storage, queries: Sequence[Query]) -> None:
    async def program(session: Any) -> None:
        for query in queries:
            expected = await _all(lambda query: interpret(session, query), query)
            assert await _all(session.select, query) == expected, f"{query} is answered otherwise by the core"
            assert await session.count(query) == await interpret_count(session, query)

    await storage.read(program)


class AnswerLaws(Subject):
    """What a session is asked of filters, types, degrees and words."""

    def _needs_answers(self, *capabilities: str) -> None:
        for capability in capabilities:
            if capability not in self.capabilities:
                not_applicable(f"{capability!r} is not among the capabilities")

    def test_any_query_is_answered_as_the_core_answers_it(self) -> None:
        self._needs_answers("query")

        @self.searching()
        @example([("t", {"a": 2}), ("u", {"a": 1}), ("T", {})], [(0, "t", 1), (1, "u", 2)], [(1, {"a": 3})], _ORDERED)
        @given(_rows, _ends, _changed, _asked)
        def law(rows: list[Any], ends: list[Any], changed: list[Any], asked: list[Query]) -> None:
            async def on_it() -> None:
                async with self.place().opened() as storage:
                    if "indexes" in self.capabilities:
                        assert isinstance(storage, Indexes)
                        await storage.create_index(_INDEXES[0])
                    await storage.commit(writing(Batch(_graph(rows, ends))))
                    await storage.commit(writing(Batch(_changes(rows, changed))))
                    await _compare(storage, asked)

            asyncio.run(on_it())

        law()

    def test_types_and_degrees_are_counted(self) -> None:
        self._needs_answers("query")

        async def law(storage: Storage) -> None:
            edges = [CreateEdge(a, type, b) for a in "abc" for b in "abc" for type in ("t", "\U0001f600", "T")]
            await put(storage, *(CreateNode(name, type) for name, type in zip("abc", ("u", "U", "u"), strict=True)))
            await put(storage, *edges, DeleteNode("c", detach=True), CreateNode("d", "\uffff"), CreateNode("e", "u"))

            async def program(session: Any) -> None:
                for kind in ("node", "edge"):
                    counted = Counter(record.type for record in await session.scan(kind, 0, 999))
                    assert [tuple(row) for row in await session.types(kind)] == sorted(counted.items())
                for direction in ("out", "in", "both"):
                    for types in (None, [], ["t"], ["t", "T", "t"], ["missing"]):
                        for id in (1, 2, 3, 99):
                            links = await session.links([id], direction, types, 999, 0)
                            assert await session.degree(id, direction, types) == len(links)

            await storage.read(program)

        self.on_a_store(law)

    def test_an_index_is_made_once_listed_and_dropped_and_is_no_part_of_history(self) -> None:
        self._needs_answers("indexes")

        async def law(storage: Storage) -> None:
            assert isinstance(storage, Indexes)
            await storage.commit(writing(Batch(_graph([("t", {"a": 1}), ("t", {"b": "\u2028"})], [(0, "t", 1)]))))
            before = await storage.read(everything)
            assert [await storage.create_index(index) for index in (*_INDEXES, _INDEXES[0])] == [
                True,
                True,
                True,
                False,
            ]
            assert list(await storage.indexes()) == list(_INDEXES)
            assert [await storage.drop_index(_INDEXES[1]) for _ in range(2)] == [True, False]
            assert list(await storage.indexes()) == [_INDEXES[0], _INDEXES[2]]
            assert await storage.read(everything) == before

        self.on_a_store(law)

    def test_an_index_is_kept_up_by_every_commit_and_over_openings(self) -> None:
        self._needs_answers("indexes", "query")

        async def law() -> None:
            place = self.place()
            queries = [
                *(Query(kind="node", filter={"a": {"$gte": number}}, order="-a", limit=2) for number in range(4)),
                *(Query(kind="edge", filter={"a": number}) for number in range(4)),
                Query(kind="node", filter={"b": {"$exists": True}}, order="b"),
            ]
            async with place.opened() as storage:
                await storage.commit(writing(Batch(_graph([("t", {"a": number % 3}) for number in range(6)], []))))
                await _make(storage, _INDEXES)
                await _compare(storage, queries)
                await put(storage, PatchNode("n1", Patch(set={"a": 3, "b": [1]})), DeleteNode("n2"))
                await put(storage, *(CreateEdge("n0", "t", f"n{at}", {"a": at}) for at in (0, 1, 3)))
                await _compare(storage, queries)
                if not self.persistent:
                    return
            async with place.opened() as storage:
                assert isinstance(storage, Indexes)
                assert list(await storage.indexes()) == list(_INDEXES)
                await put(storage, PatchNode("n3", Patch(unset=["a"])), CreateNode("n9", "t", {"a": 2}))
                await _compare(storage, queries)

        self.run(law)

    def test_a_search_finds_the_nodes_that_the_core_finds(self) -> None:
        self._needs_answers("search")
        texts = (
            *("first program", "the program's first line", "Programme", "LINE of the first", "libc6-dev", "o'brien"),
            *(
                "Zo\u00eb",
                "zoe\u0308",
                "\u0401\u043b\u043a\u0430",
                "\u0435\u043b\u043a\u0430",
                "stra\u00dfe",
                "\u304c",
                "\u304b",
            ),
        )
        asked = (
            *("program", "first program", '"first program"', "prog*", "line first", "libc6-dev", "o'brien", "nobody"),
            *("zoe", "\u0451\u043b\u043a\u0430", "\u0415\u043b*", "STRASSE", "\u304c", "\u304b*"),
        )

        async def law(storage: Storage) -> None:
            nodes = [CreateNode(f"n{at}", "tu"[at % 2], {}, [text]) for at, text in enumerate(texts)]
            for mutations in (
                [*nodes, CreateNode("first of all")],
                [PatchNode("n0", Patch(forget=["first program"], observe=["another line"])), CreateNode("program")],
                [DeleteNode("n1"), DeleteNode("n5"), CreateNode("n5", "t", {}, ["program program"])],
            ):
                await put(storage, *mutations)
                for text in asked:
                    for type in (None, "t"):
                        await _search(storage, TextQuery(phrases=parse_text(text), type=type, limit=50))

        self.on_a_store(law)


async def _search(storage: Storage, query: TextQuery) -> None:
    async def program(session: Any) -> None:
        answer = await session.search(query)
        if answer is None:  # the index cannot tell, and the core looks itself
            return
        expected = await scan_text(session, query)
        found = {hit.record for hit in answer.found}
        assert found == {hit.record for hit in expected.found}, f"{query} finds something else than the core"
        scores = [hit.score for hit in answer.found]
        assert scores == sorted(scores, reverse=True), "the best come first"
        assert len(found) == len(answer.found)

    await storage.read(program)


async def _make(storage: Storage, indexes: Sequence[Index]) -> None:
    assert isinstance(storage, Indexes)
    for index in indexes:
        await storage.create_index(index)


def _graph(rows: Sequence[tuple[str, Any]], ends: Sequence[tuple[int, str, int]]) -> list[Mutation]:
    nodes: list[Mutation] = [CreateNode(f"n{at}", type, held) for at, (type, held) in enumerate(rows)]
    size = len(rows)
    triples = dict.fromkeys((f"n{source % size}", type, f"n{target % size}") for source, type, target in ends)
    held = [held for _, held in rows]
    return [*nodes, *(CreateEdge(*triple, held[at % size]) for at, triple in enumerate(triples))]


def _changes(rows: Sequence[Any], changed: Sequence[tuple[int, Any]]) -> list[Mutation]:
    return [PatchNode(f"n{at % len(rows)}", Patch(set=held)) for at, held in changed]
