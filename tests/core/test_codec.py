"""The only door between models and JSON: what was accepted is read back equal, equal values have equal bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polaris_core.codec import (
    body_of_edge,
    body_of_node,
    change_body,
    decode_change,
    decode_edge,
    decode_node,
    digest_of,
    dumps,
    from_json,
    loads,
    parse_json,
    receipt_body,
    receipt_results,
    seal,
    to_json,
)
from polaris_core.errors import PolarisError, StoreDamagedError, ValidationError
from polaris_core.model import Cursor, Edge, EdgeKey, Node, Observation, Patch, Provenance
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    ExpectLinks,
    ExpectRevision,
    ExpectUnchanged,
    Mutation,
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.outcomes import Result
from polaris_core.records import ChangeRecord, EdgeRecord, Head, NodeRecord
from polaris_core.values import FrozenDict, FrozenList, freeze

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
attributes = st.dictionaries(text, values, max_size=4)
times = st.datetimes(timezones=st.just(UTC))
texts = text.filter(bool)
observed = st.builds(Observation, texts, st.none() | texts, st.none() | times)
provenances = st.builds(
    Provenance, st.integers(1, 2**40), st.integers(1, 2**62), times, times, author=st.none() | texts
)  # fmt: skip
nodes = st.builds(Node, names, names, attributes, st.lists(observed, max_size=3), provenances)
edges = st.builds(Edge, names, names, names, attributes, provenances)

paths = st.lists(text, min_size=1, max_size=3).map(tuple)
patches = st.builds(
    Patch,
    set=st.dictionaries(paths, values, max_size=3),
    unset=st.lists(paths, max_size=2),
    observe=st.lists(observed, max_size=2),
    forget=st.lists(texts, max_size=2),
    type=st.none() | names,
)
edge_patches = st.builds(Patch, set=st.dictionaries(paths, values, max_size=3), unset=st.lists(paths, max_size=2))
cursors = st.builds(Cursor, st.just("ab"), st.just("cd"), st.integers(0, 2**60))
ends = (names, names, names)
mutations = st.one_of(
    st.builds(CreateNode, names, names, attributes, st.lists(observed, max_size=2)),
    st.builds(PutNode, names, names, attributes),
    st.builds(UpsertNode, names, st.none() | names, attributes, st.lists(observed, max_size=2)),
    st.builds(PatchNode, names, patches),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.booleans(), missing_ok=st.booleans()),
    st.builds(CreateEdge, *ends, attributes),
    st.builds(PutEdge, *ends, attributes),
    st.builds(UpsertEdge, *ends, attributes),
    st.builds(PatchEdge, *ends, edge_patches),
    st.builds(DeleteEdge, *ends, missing_ok=st.booleans()),
    st.builds(Emit, names, st.none() | names, values),
    st.builds(SetMeta, names, values),
    st.builds(DeleteMeta, names),
)
expectations = st.one_of(
    st.builds(ExpectRevision, names | st.tuples(names, names, names), st.integers(0, 2**60)),
    st.builds(ExpectLinks, names, cursors),
    st.builds(ExpectUnchanged, cursors),
)
batches = st.builds(
    Batch, st.lists(mutations, max_size=4), st.lists(expectations, max_size=2), st.none() | names, st.none() | names
)


def exactly(value: object) -> object:
    """A form in which 1, 1.0, True, 0.0 and -0.0 all differ."""
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return type(value).__name__, repr(value)


def sealed(value: object) -> bool:
    if isinstance(value, dict):
        return type(value) is FrozenDict and all(map(sealed, value.values()))
    return type(value) is FrozenList and all(map(sealed, value)) if isinstance(value, list) else True


# --- bodies -----------------------------------------------------------------------------------------------------------


@given(values)
def test_what_is_accepted_is_read_back_equal_with_its_types_and_immutable(value):
    back = seal(loads(dumps(freeze(value))))
    assert exactly(back) == exactly(freeze(value))
    assert sealed(back)


@given(st.dictionaries(text, scalars, min_size=2, max_size=5))
def test_equal_objects_have_equal_bytes_whatever_the_order_of_their_keys(value):
    turned = dict(reversed(value.items()))
    assert dumps(freeze(turned)) == dumps(freeze(value))


@given(values)
def test_stored_bytes_are_canonical(value):
    stored = dumps(freeze(value))
    assert dumps(freeze(loads(stored))) == stored
    assert json.loads(stored) == value


@given(nodes)
def test_a_node_is_read_back_from_its_record(node):
    record = NodeRecord(7, node.name, node.type, node.provenance.revision, body_of_node(node))
    back = decode_node(record)
    assert back == node
    assert exactly(back.attributes) == exactly(node.attributes)
    assert sealed(back.attributes)
    assert body_of_node(back) == record.body


@given(edges)
def test_an_edge_is_read_back_from_its_record(edge):
    record = EdgeRecord(7, 1, edge.type, 2, edge.provenance.revision, body_of_edge(edge))
    back = decode_edge(record, edge.source, edge.target)
    assert back == edge
    assert exactly(back.attributes) == exactly(edge.attributes)
    assert body_of_edge(back) == record.body


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "3", "{}", '{"attributes":{}}', "\udc80",
     '{"attributes":{},"author":null,"created_at":"x","observations":[],"updated_at":"x","version":1}',
     '{"attributes":{},"author":null,"created_at":1,"observations":[],"updated_at":"x","version":1}'],
)  # fmt: skip
def test_a_damaged_body_is_reported_as_damage(body):
    with pytest.raises(StoreDamagedError):
        decode_node(NodeRecord(7, "a", "t", 1, body))
    with pytest.raises(StoreDamagedError):
        decode_edge(EdgeRecord(7, 1, "t", 2, 1, body), "a", "b")
    with pytest.raises(StoreDamagedError):
        decode_change(ChangeRecord(7, 7, "node.created", 1, 0, 0, body), Head("s", "e"))


@pytest.mark.parametrize("key", [None, "a", EdgeKey("a", "t", "b")])
def test_a_change_is_read_back_with_its_cursor(key):
    body = change_body(key, NOON, "ann", {"patch": {"set": [[["a"], 1.0]]}, "record": '{"x":1}'})
    change = decode_change(ChangeRecord(7, 5, "node.updated", 3, 1, 2, body), Head("s", "e", 9))
    assert change.cursor == Cursor("s", "e", 7)
    assert (change.commit, change.kind, change.id, change.key) == (5, "node.updated", 3, key)
    assert (change.time, change.author) == (NOON, "ann")
    assert exactly(change.data) == exactly({"patch": {"set": [[["a"], 1.0]]}, "record": {"x": 1}})
    assert sealed(change.data)


def test_a_receipt_keeps_the_results_without_their_values():
    results = (
        Result("created", "a", 1, 5, Node("a")),
        Result("deleted", EdgeKey("a", "t", "b"), 2, 6),
        Result("emitted", None, 0, 7),
    )
    kept = receipt_results(receipt_body(results))
    assert kept == results
    assert all(result.value is None for result in kept)
    assert isinstance(kept[1].key, EdgeKey)


# --- JSON from outside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    ["", "{", "nul", "NaN", "Infinity", "1e999", "'a'", '"\\ud800"', '{"a" 1}', "[1,]", "\ufeff1", "01",
     "[" * 100_000, "[" * 100_000 + "]" * 100_000, "9" * 5_000, b"\xff", b'"\xed\xa0\x80"'],
)  # fmt: skip
def test_what_is_not_json_is_refused(document):
    with pytest.raises(ValidationError):
        parse_json(document)


@pytest.mark.parametrize("digits", ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "1" * 300])
@pytest.mark.parametrize("kind", [str.encode, str])
def test_an_integer_beyond_64_bits_is_refused_and_never_becomes_a_float(digits, kind):
    with pytest.raises(ValidationError):
        from_json(Node, {"name": "a", "attributes": parse_json(kind('{"deep":[' + digits + "]}"))})


@given(values)
def test_what_any_json_library_wrote_is_read_with_its_types(value):
    assert exactly(parse_json(json.dumps(value))) == exactly(value)


def test_long_digits_that_are_no_large_integer_are_read_as_they_stand():
    document = (
        '["9999999999999999999999", 0.12345678901234567890123, 1.0e22, 9223372036854775807, -9223372036854775808]'
    )
    assert exactly(parse_json(document)) == exactly(json.loads(document))


def test_of_equal_keys_the_last_one_counts():
    assert parse_json('{"a":1,"a":2}') == {"a": 2}


def test_a_thousand_levels_of_json_are_refused_by_the_model():
    deep = parse_json("[" * 1_000 + "]" * 1_000)
    with pytest.raises(ValidationError):
        from_json(Node, {"name": "a", "attributes": {"x": deep}})


# --- the documented form ----------------------------------------------------------------------------------------------


@given(st.one_of(nodes, edges, patches, observed, batches))
@settings(max_examples=200)
def test_the_json_form_is_plain_json_and_is_read_back_equal(value):
    form = to_json(value)
    assert from_json(type(value), parse_json(json.dumps(form))) == value
    assert exactly(to_json(from_json(type(value), form))) == exactly(form)


@given(batches)
def test_equal_requests_have_equal_digests_whatever_their_idempotency_key(batch):
    again = from_json(Batch, {**to_json(batch), "key": "another"})
    assert digest_of(again) == digest_of(batch)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Batch(CreateNode("a", attributes={"x": 1})), Batch(CreateNode("a", attributes={"x": 1.0}))),
        (Batch(CreateNode("a", attributes={"x": 0.0})), Batch(CreateNode("a", attributes={"x": -0.0}))),
        (Batch(CreateNode("a", attributes={"x": 1})), Batch(CreateNode("a", attributes={"x": True}))),
        (Batch(CreateNode("a")), Batch(UpsertNode("a", "node"))),
        (Batch(CreateNode("a")), Batch(CreateNode("a"), author="ann")),
        (Batch(CreateNode("a")), Batch(CreateNode("a"), expect=[ExpectRevision("a", 0)])),
        (Batch([CreateNode("a"), CreateNode("b")]), Batch([CreateNode("b"), CreateNode("a")])),
    ],
)
def test_requests_that_ask_for_different_things_have_different_digests(one, other):
    assert digest_of(one) != digest_of(other)


def test_times_are_written_as_rfc_3339_in_utc():
    assert to_json(Observation("x", None, NOON)) == {"text": "x", "source": None, "recorded_at": "2026-11-01T12:00:00Z"}


@pytest.mark.parametrize("written", ["x", ["x"], [{"text": "x"}]])
def test_a_bare_string_is_one_observation_and_is_not_taken_apart(written):
    assert from_json(Node, {"name": "a", "observations": written}).observations == (Observation("x"),)
    assert from_json(Patch, {"observe": written}).observe == (Observation("x"),)


def test_a_bare_string_is_one_path_and_one_text():
    assert from_json(Patch, {"unset": "name", "forget": "seen"}) == Patch(unset="name", forget="seen")


@pytest.mark.parametrize(
    ("cls", "value", "path"),
    [
        (Node, {}, "$.name"),
        (Node, {"name": 1}, "$.name"),
        (Node, {"name": "a", "type": None}, "$.type"),
        (Node, {"name": "a", "attributes": []}, "$.attributes"),
        (Node, {"name": "a", "observations": [1]}, "$.observations"),
        (Node, {"name": "a", "provenance": {"version": "1"}}, "$.provenance.version"),
        (Node, {"name": "a", "attributes": {"x": {"y": [2**63]}}}, "['x']['y'][0]"),
        (Node, {"name": "a", "nmae": 1}, "'nmae'"),
        (Edge, {"source": "a", "type": "t"}, "$.target"),
        (Batch, {"mutations": [{"op": "CreateNode", "name": "a"}, {"op": "CreateNode"}]}, "$.mutations[1].name"),
        (Batch, {"mutations": [{"op": "Nope"}]}, "'op'"),
        (Batch, {"mutations": [{"name": "a"}]}, "$.mutations[0]"),
        (Batch, {"mutations": [{"op": ["CreateNode"]}]}, "$.mutations[0]"),
        (Batch, {"mutations": [3]}, "$.mutations[0]"),
        (Batch, {"mutations": "CreateNode"}, "$.mutations"),
        (Batch, {"mutations": {}}, "$.mutations"),
        (
            Batch,
            {"mutations": [], "expect": [{"expect": "ExpectLinks", "name": "a", "since": "x"}]},
            "$.expect[0].since",
        ),
        (Batch, {"mutations": [{"op": "PatchNode", "name": "a", "patch": {"typ": "x"}}]}, "$.mutations[0].patch"),
        (Batch, {"mutations": [{"op": "DeleteNode", "name": "a", "detach": 1}]}, "$.mutations[0].detach"),
    ],
)
def test_a_fault_is_reported_with_its_path(cls, value, path):
    with pytest.raises(ValidationError) as caught:
        from_json(cls, value)
    assert path in str(caught.value)


junk = st.recursive(
    scalars | st.floats() | st.integers() | st.sampled_from(["op", "expect", "CreateNode", "PatchNode", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["op", "name", "patch", "set", "mutations", "expect", "since", "text"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from([Node, Edge, Batch, Patch, Observation, Mutation, CreateNode, PatchNode, Cursor]), junk)
@settings(max_examples=300)
def test_whatever_is_sent_is_understood_or_refused_and_nothing_else(cls, value):
    try:
        from_json(cls, value)
    except PolarisError:
        return


@pytest.mark.parametrize("cls", [Node, Batch, CreateNode])
def test_a_strangers_keys_are_shown_escaped_and_short(cls):
    with pytest.raises(ValidationError) as caught:
        from_json(cls, {"name": "a", "mutations": [], "\n\x1b[31m" + "x" * 1_000_000: 1})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1_000
