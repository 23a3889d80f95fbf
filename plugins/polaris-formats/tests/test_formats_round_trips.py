"""What is written is read back equal, as far as the format claims; what it does not hold is counted, record by record."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polaris_formats.plugin import polaris_formats

from polaris_core import Edge, Node, Observation, Provenance, UpsertEdge, UpsertNode, ValidationError
from polaris_core.abc import Losses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

FORMATS: dict[str, Any] = {spec.name: spec for spec in polaris_formats()}
LOSSLESS = ["graphml", "node-link"]
# Keys that the formats and networkx use themselves, or that look like what they escape.
COLLIDING = [
    *("id", "type", "source", "target", "key", "name", "directed", "label", "self", "node_for_adding", "node_default"),
    *("u_for_edge", "v_for_edge", "polaris:", "polaris:type", "polaris:polaris:id", "polaris:observations"),
    *("polaris:provenance", "json:", "json:a", "json:json:", "a.b"),
]

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12) | st.sampled_from(COLLIDING)
texts = st.text(characters, min_size=1, max_size=20)
times = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters, max_size=12)
    | st.sampled_from(["", " ", "\t\n ", "1", "1.0", "true", "null", "\r\n", "]]>", "<a>&amp;", "\ufffe"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(characters), inner, max_size=3)
)
keys = st.text(characters, max_size=6) | st.sampled_from(COLLIDING)
attributes = st.dictionaries(keys, values, max_size=4)
observed = st.lists(st.builds(Observation, texts, st.none() | texts, st.none() | times), max_size=3)
provenances = st.none() | st.builds(
    Provenance, st.integers(1, 2**40), st.integers(1, 2**40), times, times, author=st.none() | texts
)
nodes = st.builds(Node, names, names, attributes, observed, provenances)


@st.composite
def graphs(draw: st.DrawFn) -> list[Node | Edge]:
    """Nodes, and edges between them, several of which may join the same two."""
    found = draw(st.lists(nodes, max_size=4, unique_by=lambda node: node.name))
    if not found:
        return []
    ends = st.sampled_from([node.name for node in found])
    edges = st.builds(Edge, ends, names, ends, attributes, provenances)
    return [*found, *draw(st.lists(edges, max_size=4, unique_by=lambda edge: edge.key))]


async def follow(records: Sequence[Node | Edge]) -> AsyncIterator[Node | Edge]:
    for record in records:
        yield record


def written(format: str, records: Sequence[Node | Edge], losses: Losses) -> bytes:
    async def body() -> bytes:
        return b"".join([piece async for piece in FORMATS[format].write(follow(records), losses)])

    return asyncio.run(body())


def read(format: str, data: bytes) -> list[UpsertNode | UpsertEdge]:
    return list(FORMATS[format].read(io.BytesIO(data), Losses("a graph", "error")))


def exact(record: Node | Edge | UpsertNode | UpsertEdge) -> tuple[Any, ...]:
    """All of a record but its provenance, such that 1, 1.0 and true, and 0.0 and -0.0, differ."""
    held = json.dumps(record.attributes, sort_keys=True)
    if isinstance(record, (Edge, UpsertEdge)):
        return record.source, record.type, record.target, held
    return record.name, record.type, held, record.observations


@pytest.mark.parametrize("format", LOSSLESS)
@UNHURRIED
@given(records=graphs())
def test_everything_that_a_graph_holds_survives(format: str, records: list[Node | Edge]) -> None:
    data = written(format, records, Losses("a file", "error"))
    found, nodes = read(format, data), [record for record in records if isinstance(record, Node)]
    assert list(map(exact, found[: len(nodes)])) == list(map(exact, nodes))
    assert sorted(map(exact, found[len(nodes) :])) == sorted(map(exact, records[len(nodes) :]))  # networkx groups edges


@UNHURRIED
@given(records=graphs())
def test_the_memory_server_gets_names_types_and_texts_and_the_rest_is_counted(records: list[Node | Edge]) -> None:
    losses = Losses("a file")
    data = written("mcp-memory", records, losses)
    assert list(map(exact, read("mcp-memory", data))) == [
        exact(Edge(record.source, record.type, record.target))
        if isinstance(record, Edge)
        else exact(Node(record.name, record.type, {}, [item.text for item in record.observations]))
        for record in records
    ]
    found = [node for node in records if isinstance(node, Node)]
    edges = [edge for edge in records if isinstance(edge, Edge)]
    expected = {
        ("node", "attributes"): sum(bool(node.attributes) for node in found),
        ("node", "observation sources"): sum(any(item.source for item in node.observations) for node in found),
        ("node", "observation times"): sum(any(item.recorded_at for item in node.observations) for node in found),
        ("node", "provenance"): sum(node.provenance is not None for node in found),
        ("edge", "attributes"): sum(bool(edge.attributes) for edge in edges),
        ("edge", "provenance"): sum(edge.provenance is not None for edge in edges),
    }
    counted = {(loss.of, loss.what): loss.count for loss in losses.counted()}
    assert counted == {kind: count for kind, count in expected.items() if count}


@UNHURRIED
@given(records=graphs())
def test_networkx_itself_reads_what_was_written(records: list[Node | Edge]) -> None:
    plain = [record for record in records if not {"self", "node_for_adding"} & set(record.attributes)]
    edges = [record for record in plain if isinstance(record, Edge)]
    ends = {end for edge in edges for end in (edge.source, edge.target)}
    held = [record for record in plain if isinstance(record, Node)]
    lacking = [Node(name) for name in sorted(ends - {node.name for node in held})]
    data = written("node-link", [*held, *lacking, *edges], Losses("a file"))
    graph = nx.node_link_graph(json.loads(data), edges="edges")
    assert set(graph) == {node.name for node in [*held, *lacking]}
    assert sorted((u, found["type"], v) for u, v, found in graph.edges(data=True)) == sorted(edge.key for edge in edges)
    xml = written("graphml", [*held, *lacking, *edges], Losses("a file"))
    again = nx.read_graphml(io.BytesIO(xml), force_multigraph=True)
    assert (len(again), again.number_of_edges()) == (len(graph), len(edges))


@pytest.mark.parametrize("format", ["graphml", "mcp-memory", "node-link"])
def test_an_empty_graph_is_a_file(format: str) -> None:
    assert read(format, written(format, [], Losses("a file"))) == []


@pytest.mark.parametrize("format", LOSSLESS)
def test_an_edge_before_its_ends_is_refused_when_writing(format: str) -> None:
    with pytest.raises(ValidationError, match="comes before its ends"):
        written(format, [Edge("a", "to", "a"), Node("a")], Losses("a file"))


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("limit", [{"MAX_RECORDS": 2}, {"MAX_BYTES": 1_000}], ids=["records", "bytes"])
def test_what_networkx_would_hold_in_memory_is_bounded(
    format: str, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [Node(f"node {number}", attributes={"text": "x" * 1_000}) for number in range(3)]
    data = written(format, records, Losses("a file"))
    for name, value in limit.items():
        monkeypatch.setattr(f"polaris_formats.networks.{name}", value)
    with pytest.raises(ValidationError, match="jsonl takes any"):
        written(format, records, Losses("a file"))
    with pytest.raises(ValidationError, match="jsonl takes any"):
        read(format, data)


def test_many_records_are_written_a_bounded_piece_at_a_time() -> None:
    async def body(format: str) -> list[int]:
        records = [Node(f"node {number}", observations=["x" * 1_000]) for number in range(1_000)]
        return [len(piece) async for piece in FORMATS[format].write(follow(records), Losses("a file"))]

    for format in ("graphml", "mcp-memory", "node-link"):
        sizes = asyncio.run(body(format))
        assert len(sizes) > 10
        assert max(sizes) < 70_000
