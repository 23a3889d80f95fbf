"""The laws of the JSON Lines format: what is written reads back equal, and a file from outside is not trusted."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core import (
    Edge,
    Node,
    Observation,
    Provenance,
    UpsertEdge,
    UpsertNode,
    ValidationError,
    open_graph_blocking,
    to_json,
)
from polaris_core.abc import MAX_LINE_BYTES, Losses
from polaris_core.formats import jsonl
from polaris_core.formats.plugin import polaris_formats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

LOSSES = Losses("jsonl", "error")  # this format has none

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
texts = st.text(characters, min_size=1, max_size=40)
times = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters, max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters, max_size=8), inner, max_size=4),
    max_leaves=12,
)
attributes = st.dictionaries(st.text(characters, max_size=8), values, max_size=4)
nodes = st.builds(
    Node,
    name=names,
    type=names,
    attributes=attributes,
    observations=st.lists(st.builds(Observation, texts, st.none() | texts, st.none() | times), max_size=3),
)


async def follow(records: Sequence[Node | Edge]) -> AsyncIterator[Node | Edge]:
    for record in records:
        yield record


def written(records: Sequence[Node | Edge]) -> bytes:
    async def body() -> bytes:
        return b"".join([chunk async for chunk in jsonl.write(follow(records), LOSSES)])

    return asyncio.run(body())


def read(data: bytes) -> list[UpsertNode | UpsertEdge]:
    return list(jsonl.read(io.BytesIO(data), LOSSES))


@given(st.lists(nodes, max_size=4), attributes)
def test_what_is_written_is_read_back_equal(found: list[Node], held: dict[str, object]) -> None:
    edges = [Edge(node.name, node.type, node.name, held) for node in found]
    mutations = read(written([*found, *edges]))
    assert mutations == [
        *(UpsertNode(node.name, node.type, node.attributes, node.observations) for node in found),
        *(UpsertEdge(edge.source, edge.type, edge.target, edge.attributes) for edge in edges),
    ]
    # Equality takes 1 for 1.0 and for True, and 0.0 for -0.0; their JSON does not.
    expected = [json.dumps(node.attributes) for node in found] + [json.dumps(edge.attributes) for edge in edges]
    assert [json.dumps(mutation.attributes) for mutation in mutations] == expected


provenances = st.builds(
    Provenance, st.integers(1, 2**40), st.integers(1, 2**40), times, times, author=st.none() | texts
)


@given(nodes, attributes, st.none() | provenances)
def test_a_line_is_what_to_json_says_and_the_kind(node: Node, held: dict[str, object], provenance: Provenance) -> None:
    stored = attrs.evolve(node, provenance=provenance)
    edge = Edge(node.name, node.type, node.name, held, provenance)
    lines = [json.loads(line) for line in written([stored, edge]).split(b"\n") if line]
    assert lines == [{"kind": "node", **to_json(stored)}, {"kind": "edge", **to_json(edge)}]


@given(st.lists(nodes, min_size=1, max_size=4, unique_by=lambda node: node.name), attributes)
def test_a_graph_that_is_exported_and_imported_is_equal_and_importing_again_changes_nothing(
    found: list[Node], held: dict[str, object]
) -> None:
    with open_graph_blocking("memory:") as one, open_graph_blocking("memory:") as other:
        one.commit([UpsertNode(node.name, node.type, node.attributes, node.observations) for node in found])
        one.create_edge(found[0].name, "near", found[-1].name, held)
        data = written([*one.all_nodes(), *one.all_edges()])
        for status in ("created", "unchanged"):
            assert {result.status for result in other.commit(read(data)).results} == {status}
        assert list(map(_facts, other.all_nodes())) == list(map(_facts, one.all_nodes()))
        assert list(map(_facts, other.all_edges())) == list(map(_facts, one.all_edges()))


def _facts(record: Node | Edge) -> dict[str, object]:
    return {key: value for key, value in to_json(record).items() if key != "provenance"}


def test_a_file_keeps_the_times_and_sources_of_observations_and_names_the_provenance() -> None:
    with open_graph_blocking("memory:") as graph:
        node = graph.create_node("Ada", "person", observations=[Observation("wrote", "letter")])
    line = json.loads(written([node]))
    assert line["kind"] == "node"
    assert line["provenance"]["version"] == 1
    assert line["observations"] == [to_json(node.observations[0])]
    (mutation,) = read(json.dumps(line).encode())
    assert mutation == UpsertNode("Ada", "person", {}, node.observations)


def test_many_records_are_written_a_bounded_piece_at_a_time() -> None:
    async def body() -> list[int]:
        records = [Node(f"node {number}", attributes={"text": "x" * 1_000}) for number in range(1_000)]
        return [len(chunk) async for chunk in jsonl.write(follow(records), LOSSES)]

    sizes = asyncio.run(body())
    assert len(sizes) > 10
    assert max(sizes) < 70_000


def test_a_node_after_an_edge_is_refused_when_writing() -> None:
    with pytest.raises(ValidationError, match="'b' came after"):
        written([Node("a"), Edge("a", "near", "a"), Node("b")])


def test_only_a_line_feed_ends_a_line_and_empty_lines_count_but_say_nothing() -> None:
    line = '{"kind":"node","name":"a\u2028b","observations":["c\u0085d"]}'.encode()
    (first, second) = read(line + b"\r\n\n  \n" + b'{"kind":"node","name":"last"}')
    assert first == UpsertNode("a\u2028b", "node", {}, ["c\u0085d"])
    assert second == UpsertNode("last", "node")
    with pytest.raises(ValidationError, match=r"^line 3: "):
        read(b"\n\nnonsense\n")


HOSTILE = {
    "no JSON": b"nonsense",
    "no object": b"[1]",
    "a bare text": b'"node"',
    "no kind": b'{"name":"a"}',
    "another kind": b'{"kind":"person","name":"a"}',
    "a kind that is no text": b'{"kind":["node"],"name":"a"}',
    "no name": b'{"kind":"node"}',
    "an empty name": b'{"kind":"node","name":""}',
    "a control character": b'{"kind":"node","name":"a\\u001b[31m"}',
    "U+0000": b'{"kind":"node","name":"a","attributes":{"b":"\\u0000"}}',
    "a lone surrogate": b'{"kind":"node","name":"\\ud800"}',
    "not UTF-8": b'{"kind":"node","name":"\xff"}',
    "a byte order mark": b'\xef\xbb\xbf{"kind":"node","name":"a"}',
    "an unknown key": b'{"kind":"node","name":"a","nmae":"b"}',
    "attributes that are a list": b'{"kind":"node","name":"a","attributes":[]}',
    "an observation that is a number": b'{"kind":"node","name":"a","observations":[1]}',
    "a time without a zone": b'{"kind":"node","name":"a","observations":[{"text":"b","recorded_at":"2024-01-01"}]}',
    "a time that is none": b'{"kind":"node","name":"a","observations":[{"text":"b","recorded_at":"soon"}]}',
    "NaN": b'{"kind":"node","name":"a","attributes":{"b":NaN}}',
    "1e999": b'{"kind":"node","name":"a","attributes":{"b":1e999}}',
    "2**63": b'{"kind":"node","name":"a","attributes":{"b":9223372036854775808}}',
    "2**64": b'{"kind":"node","name":"a","attributes":{"b":18446744073709551616}}',
    "5000 digits": b'{"kind":"node","name":"a","attributes":{"b":' + b"1" * 5_000 + b"}}",
    "65 levels": b'{"kind":"node","name":"a","attributes":{"b":' + b"[" * 65 + b"]" * 65 + b"}}",
    "100,000 levels": b'{"kind":"node","name":"a","attributes":{"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "a name of a megabyte": b'{"kind":"node","name":"' + b"a" * (1 << 20) + b'"}',
    "an edge without a target": b'{"kind":"edge","source":"a","type":"b"}',
    "a provenance that is none": b'{"kind":"node","name":"a","provenance":{"version":"one"}}',
    "a YAML tag": b"!!python/object/apply:os.system ['true']",
    "a pickle": b"cos\nsystem\n(S'true'\ntR.",
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_node_or_edge_is_refused_with_its_line(line: bytes) -> None:
    with pytest.raises(ValidationError, match=r"^line 2: ") as caught:
        read(b'{"kind":"node","name":"good"}\n' + line + b"\n")
    assert len(str(caught.value)) < 1_000


def test_a_line_without_an_end_is_refused_before_it_is_read_to_it() -> None:
    file = io.BytesIO(b" " * (2 * MAX_LINE_BYTES))
    with pytest.raises(ValidationError, match="line 1: longer than"):
        list(jsonl.read(file, LOSSES))
    assert file.tell() == MAX_LINE_BYTES + 1


def test_the_plugin_offers_both_ways() -> None:
    (specification,) = polaris_formats()
    assert specification.name == "jsonl"
    assert specification.write is not None
    assert specification.read is not None
    assert specification.write is not None
    data = written([Node("a")])
    assert list(specification.read(io.BytesIO(data), LOSSES)) == [UpsertNode("a", "node")]
