"""Any filter and order over any data: every backend answers as the interpreter does, with indexes and without."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from hypothesis import example, given
from hypothesis import strategies as st

from polaris_core import And, Batch, Graph, StorageOptions, open_graph
from polaris_core.abc import Index, Query, Selected, Session, interpret, interpret_count
from polaris_core.model import Patch
from polaris_core.mutations import CreateEdge, CreateNode, DeleteNode, PatchNode
from polaris_core.query import Kind
from polaris_core.testing.queries import NAMES, NUMBERS, TEXTS, TIMES, TYPES, attributes, filters, orders


@attrs.frozen
class Data:
    """What a graph is made of: nodes as (name, type, attributes, observations), then edges by their places, then changes."""

    nodes: list[tuple[str, str, dict[str, Any], list[str]]]
    edges: list[tuple[int, str, int, dict[str, Any]]]
    patched: list[tuple[int, dict[str, Any]]]
    deleted: list[int]


def named(rows: list[tuple[str, dict[str, Any], list[str]]]) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    return [
        (NAMES[place] if place < len(NAMES) else f"n{place}", type, held, seen)
        for place, (type, held, seen) in enumerate(rows)
    ]


SEEN = st.lists(st.sampled_from([text for text in TEXTS if text] + ["some TEXT"]), max_size=2, unique=True)
DATA = st.builds(
    Data,
    st.lists(st.tuples(st.sampled_from(TYPES), attributes(), SEEN), min_size=1, max_size=12).map(named),
    st.lists(st.tuples(st.integers(0, 11), st.sampled_from(TYPES), st.integers(0, 11), attributes()), max_size=8),
    st.lists(st.tuples(st.integers(0, 11), attributes()), max_size=3),
    st.lists(st.integers(0, 11), max_size=2),
)
INDEXES = st.lists(
    st.builds(
        Index,
        st.sampled_from(("node", "edge")),
        st.sampled_from(["a", "a", "b", "x", "a.a", '"a.b"', '""', r'"q\"q"']),
    ),
    max_size=4,
)


def queries(kind: Kind) -> st.SearchStrategy[Query]:
    return st.builds(
        lambda wanted, order, limit: Query(kind=kind, filter=wanted, order=order, limit=limit),
        filters(kind) | st.builds(And, st.lists(filters(kind), min_size=2, max_size=3)),
        orders(kind),
        st.sampled_from((1, 2, 3, 100)),
    )


async def fill(graph: Graph, data: Data, clock: list[int]) -> None:
    for place, (name, type, held, seen) in enumerate(data.nodes):
        clock[0] = MOMENTS[place % len(MOMENTS)]
        await graph.commit(Batch(CreateNode(name, type, held, seen), author=None if place % 3 else f"n{place}"))
    keys = {}
    for source, type, target, held in data.edges:
        ends = data.nodes[source % len(data.nodes)][0], data.nodes[target % len(data.nodes)][0]
        keys.setdefault((ends[0], type, ends[1]), held)
    await graph.commit([CreateEdge(*key, held) for key, held in keys.items()])
    await graph.commit(
        [PatchNode(data.nodes[place % len(data.nodes)][0], Patch(set=held)) for place, held in data.patched]
    )
    for place in data.deleted:
        name = data.nodes[place % len(data.nodes)][0]
        await graph.commit(DeleteNode(name, detach=True, missing_ok=True))


def micros(text: str) -> int:
    from datetime import datetime

    from polaris_core.values import to_micros

    return to_micros(datetime.fromisoformat(text))


MOMENTS = [micros(text) for text in TIMES]
Ask = Callable[[Query], Awaitable[Selected]]


async def pages(ask: Ask, query: Query) -> list[Any]:
    """All that a query selects, page after page."""
    found: list[Any] = []
    for _ in range(200):
        selected = await ask(query)
        assert len(selected.records) <= query.limit
        found += selected.records
        if selected.rest is None:
            return found
        query = query.resumed(query.cursor(selected.rest))
    raise AssertionError("the pages do not end")


async def compare(graph: Graph, query: Query) -> list[Any]:
    """What a query selects, by the backend and by the interpreter over the same state."""

    async def program(session: Session) -> tuple[list[Any], list[Any], int, int]:
        select = getattr(session, "select", None)
        count = getattr(session, "count", None)
        theirs = await pages(select or (lambda query: interpret(session, query)), query)
        ours = await pages(lambda query: interpret(session, query), query)
        number = await (count(query) if count else interpret_count(session, query))
        return theirs, ours, number, await interpret_count(session, query)

    theirs, ours, number, counted = await graph.service.read(program)
    assert theirs == ours
    assert number == counted == len(ours)
    return [record[:4] for record in ours]


def nested(levels: int, width: int, *combining: str) -> dict[str, Any]:
    """A filter as deep as it may be, of as many conditions: SQL has bounds of its own."""
    form: dict[str, Any] = {"a": {"$in": [1, 0.1, "a", None, [1], True]}}
    for level in range(levels):
        operator = combining[level % len(combining)]
        others = [{"x": {"$ne": number}} if operator == "$and" else {"x": -number} for number in range(1, width)]
        form = {"$not": form} if operator == "$not" else {operator: [*others, form]}
    return form


LONG = "x" * 256
PROBES = [
    Query(kind="node", filter=nested(31, 5, "$or", "$and")),
    Query(kind="node", filter=nested(31, 5, "$not", "$or"), order="x", limit=3),
    Query(kind="node", filter=nested(31, 5, "$not", "$and", "$or"), order="a", limit=3),
    Query(kind="node", filter=nested(31, 1, "$not")),
    Query(kind="node", filter=nested(1, 120, "$and")),
    Query(kind="node", filter=nested(2, 60, "$or", "$and")),
    Query(kind="node", filter={"a": {"$gte": LONG}}, order="a", limit=2),
    Query(kind="node", filter={"a": {"$gt": LONG}}),
    Query(kind="node", filter={"a": {"$gt": LONG}}, order="a"),
    Query(kind="node", filter={"a": {"$lt": LONG + "y"}}, order="-a", limit=1),
    Query(kind="node", filter={"a": {"$startsWith": LONG + "y"}}),
    Query(kind="node", filter={"a": LONG}),
    Query(kind="node", filter={"a": {"$in": [LONG, 1, 1.0, True, None, []]}}, order="b"),
    Query(kind="node", filter={"a": {"$exists": False}}, limit=1),
    Query(kind="node", filter={"a": {"$startsWith": "\U0010ffff"}}),
    Query(kind="node", filter={"a": {"$startsWith": "\ud7ff"}}),
    Query(kind="node", filter={"name": {"$startsWith": "n"}}, order="name", limit=1),
    Query(kind="node", filter={"a": {"$gt": 0, "$lt": "x"}}),
    Query(kind="node", filter={"$not": {"a": {"$gt": 0.1}}}, order="-x", limit=2),
    Query(kind="node", order="a", limit=1),
    Query(kind="node", order="-a", limit=2),
    Query(kind="node", filter={"a": []}),
    Query(kind="node", filter={"a": {"$in": [[1], "a"]}}),
    Query(kind="node", filter={"a": {"$exists": True}}),
    Query(kind="node", filter={"a": {"$in": [*NUMBERS, True, "a"]}}),
    Query(kind="node", filter={"a": {"$nin": [*NUMBERS, None, [1]]}}),
    Query(kind="node", filter={"a": {"$in": [2, 3, 5, 7, 2.0**63, -(2**63), 0.25]}}),
    Query(kind="node", filter={"a": {"$gt": 0.1}}, order="a"),
]
VALUES = [LONG, LONG + "y", LONG + "z", "x" * 255, 1, [], 0.1, [1], {}, None, True, "a", 2.0, -(2**63), 2**63 - 1, 0.25]
EXAMPLE = Data(
    named([("t", {"a": value, "x": place}, []) for place, value in enumerate(VALUES)]),
    edges=[],
    patched=[],
    deleted=[0, 4],
)


@given(DATA, INDEXES, INDEXES, st.lists(queries("node") | queries("edge"), min_size=1, max_size=6))
@example(EXAMPLE, [Index("node", "a")], [Index("node", "x")], PROBES)
@example(EXAMPLE, [], [], PROBES)
def test_every_backend_answers_as_the_interpreter_does(
    data: Data, before: list[Index], after: list[Index], asked: list[Query]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            answers = []
            for url in ("memory:", f"json:///{folder}/graph", f"sqlite:///{folder}/graph.db"):
                clock = [MOMENTS[0]]
                options = StorageOptions(now=lambda clock=clock: clock[0], durability="process")
                async with open_graph(url, options=options) as graph:
                    if url.startswith("sqlite"):
                        for index in before:
                            await graph.create_index(*index)
                    await fill(graph, data, clock)
                    if url.startswith("sqlite"):
                        for index in after:
                            await graph.create_index(*index)
                    answers.append([await compare(graph, query) for query in asked])
            assert answers[0] == answers[1] == answers[2]

    asyncio.run(run())
