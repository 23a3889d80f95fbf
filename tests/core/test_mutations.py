"""What may be asked is checked when it is made: nothing malformed reaches planning and hurts its neighbours there."""

from __future__ import annotations

import attrs
import pytest

from polaris_core.errors import InvalidNameError, InvalidValueError, ValidationError
from polaris_core.model import Cursor, EdgeKey, Observation, Patch
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
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    UpsertEdge,
    UpsertNode,
)

SINCE = Cursor("store", "epoch", 3)
OF_NODES = [CreateNode, PutNode, UpsertNode, DeleteNode]
OF_EDGES = [CreateEdge, PutEdge, UpsertEdge, DeleteEdge]


@pytest.mark.parametrize("mutation", OF_NODES)
def test_every_mutation_of_a_node_normalises_its_name(mutation):
    assert mutation("Ame\u0301lie").name == "Am\u00e9lie"
    with pytest.raises(InvalidNameError):
        mutation("")


@pytest.mark.parametrize("mutation", OF_EDGES)
def test_every_mutation_of_an_edge_normalises_its_key(mutation):
    assert mutation("e\u0301", "e\u0301", "e\u0301").key == EdgeKey("\u00e9", "\u00e9", "\u00e9")
    for key in (("", "t", "b"), ("a", "", "b"), ("a", "t", "\n")):
        with pytest.raises(InvalidNameError):
            mutation(*key)


@pytest.mark.parametrize("mutation", [CreateNode, PutNode, UpsertNode])
def test_what_is_written_is_frozen_when_it_is_asked_for(mutation):
    attributes = {"a": [1]}
    asked = mutation("a", attributes=attributes)
    attributes["a"].append(2)
    assert asked.attributes == {"a": [1]}
    with pytest.raises(InvalidValueError):
        mutation("a", attributes={"a": float("nan")})


def test_an_events_data_and_a_meta_records_value_are_frozen_too():
    data = [1]
    event, record = Emit("happened", data=data), SetMeta("key", data)
    data.append(2)
    assert (event.data, record.value) == ([1], [1])
    with pytest.raises(InvalidValueError):
        Emit("happened", data=object())
    with pytest.raises(InvalidValueError):
        SetMeta("key", 2**63)


@pytest.mark.parametrize("mutation", [Batch(CreateNode("a")), CreateNode("a"), ExpectUnchanged(SINCE)])
def test_what_was_asked_cannot_be_changed_afterwards(mutation):
    field = attrs.fields(type(mutation))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(mutation, field, None)


@pytest.mark.parametrize("patch", [None, {}, "a", {"set": {"a": 1}}, Patch])
def test_a_patch_is_a_patch(patch):
    with pytest.raises(ValidationError):
        PatchNode("a", patch)
    with pytest.raises(ValidationError):
        PatchEdge("a", "t", "b", patch)


@pytest.mark.parametrize("patch", [Patch(observe="x"), Patch(forget="x"), Patch(type="t")])
def test_an_edge_has_no_observations_and_keeps_its_type(patch):
    PatchNode("a", patch)
    with pytest.raises(ValidationError):
        PatchEdge("a", "t", "b", patch)


def test_one_mutation_alone_is_a_batch_of_one():
    assert Batch(CreateNode("a")) == Batch([CreateNode("a")]) == Batch((CreateNode("a"),))
    assert Batch([], ExpectUnchanged(SINCE)).expect == (ExpectUnchanged(SINCE),)


@pytest.mark.parametrize("mutations", [["a"], [None], [CreateNode], "ab", [[CreateNode("a")]], [SINCE]])
def test_a_batch_holds_mutations_and_nothing_else(mutations):
    with pytest.raises(ValidationError):
        Batch(mutations)


@pytest.mark.parametrize("expect", [["a"], [None], [CreateNode("a")], [SINCE], "ab"])
def test_a_batch_expects_expectations_and_nothing_else(expect):
    with pytest.raises(ValidationError):
        Batch([], expect=expect)


@pytest.mark.parametrize("key", [(), ("a", "b"), ("a", "t", "b", "c"), 3, None, b"a", ("a", 1, "b")])
def test_an_expected_key_is_a_name_or_a_triple(key):
    with pytest.raises(ValidationError):
        ExpectRevision(key, 1)


@pytest.mark.parametrize("revision", [None, "1", 1.0, True])
def test_an_expected_revision_is_an_integer(revision):
    with pytest.raises(ValidationError):
        ExpectRevision("a", revision)


@pytest.mark.parametrize("since", [None, 3, "store:epoch:3", ("store", "epoch", 3), Cursor("store", "epoch", "3")])
def test_a_point_in_history_is_a_cursor(since):
    with pytest.raises(ValidationError):
        ExpectLinks("a", since)
    with pytest.raises(ValidationError):
        ExpectUnchanged(since)


@pytest.mark.parametrize("key", ["", "\n", "x" * 1_025, 3])
def test_an_idempotency_key_is_bounded_like_a_name(key):
    with pytest.raises(InvalidNameError):
        Batch([], key=key)


@pytest.mark.parametrize("author", ["", "\x00", "\ud800", "x" * 1_025, "\u00e9" * 513, 3])
def test_an_author_is_a_short_text(author):
    Batch([], author="Ada Lovelace\nand friends")
    with pytest.raises(InvalidValueError):
        Batch([], author=author)


@pytest.mark.parametrize("key", ["", "\x00", None])
def test_a_meta_records_key_is_a_name(key):
    for mutation in (lambda: SetMeta(key, 1), lambda: DeleteMeta(key)):
        with pytest.raises(InvalidNameError):
            mutation()


def test_both_names_of_a_rename_are_normalised():
    assert RenameNode("e\u0301", "o\u0308") == RenameNode("\u00e9", "\u00f6")


def test_observations_of_a_new_node_are_unique_by_text():
    assert CreateNode("a", observations=["x", "x"]).observations == (Observation("x"),)
