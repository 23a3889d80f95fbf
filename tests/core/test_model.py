"""The model as a caller meets it: normalised when it is made, immutable from then on."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core.errors import InvalidCursorError, InvalidNameError, InvalidValueError
from polaris_core.model import Cursor, Edge, EdgeKey, Node, Observation, Patch, Provenance, observations, path_of

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=5))


class Frozen(datetime):
    """What a library that fakes the clock hands out."""


class Nowhere(tzinfo):
    def utcoffset(self, _when):
        return None


def test_a_name_is_normalised_wherever_it_enters():
    spelled, name = "Ame\u0301lie", "Am\u00e9lie"
    assert Node(spelled).name == name
    assert Edge(spelled, spelled, spelled).key == EdgeKey(name, name, name)
    assert EdgeKey.of(spelled, spelled, spelled) == EdgeKey(name, name, name)


@pytest.mark.parametrize("make", [lambda: Node(""), lambda: Edge("a", "", "b"), lambda: EdgeKey.of("a", "b", "\n")])
def test_a_name_that_cannot_be_one_is_refused_wherever_it_enters(make):
    with pytest.raises(InvalidNameError):
        make()


def test_a_node_cannot_be_changed():
    node = Node("a", attributes={"list": [1]}, observations=["seen"])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        node.name = "b"
    with pytest.raises(TypeError):
        node.attributes["list"].append(2)
    assert isinstance(node.observations, tuple)


def test_a_node_does_not_follow_what_it_was_made_of():
    attributes, seen = {"a": [1]}, ["x"]
    node = Node("a", attributes=attributes, observations=seen)
    attributes["a"].append(2)
    seen.append("y")
    assert node.attributes == {"a": [1]}
    assert [observation.text for observation in node.observations] == ["x"]


def test_models_are_equal_by_value_and_survive_copies_and_pickles():
    node = Node("a", "t", {"x": [1]}, [Observation("seen", "me", NOON)], Provenance(1, 2, NOON, NOON, "ann"))
    edge = Edge("a", "t", "b", {"x": {"y": 1}})
    for value in (node, edge, Patch(set={"a": [1]}), Cursor("s", "e", 1)):
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value


def test_an_edge_is_named_by_its_ends_and_type_and_reads_as_an_arrow():
    assert Edge("a", "knows", "b").key == EdgeKey("a", "knows", "b")
    assert str(EdgeKey("a", "knows", "b")) == "'a' -[knows]-> 'b'"


# --- observations -----------------------------------------------------------------------------------------------------


def test_observations_are_unique_by_text_and_the_first_one_stays():
    assert observations([Observation("x", "first"), "y", Observation("x", "second")]) == (
        Observation("x", "first"),
        Observation("y"),
    )


def test_a_bare_string_is_one_observation():
    assert observations("seen") == (Observation("seen"),)
    assert Node("a", observations="seen").observations == (Observation("seen"),)


@pytest.mark.parametrize("value", [1, None, b"seen", "", "\x00", "\ud800"])
def test_an_observation_is_a_text_that_can_be_stored(value):
    with pytest.raises(InvalidValueError):
        observations([value])


@pytest.mark.parametrize("kind", [datetime, Frozen])
def test_a_time_becomes_a_plain_datetime_in_utc(kind):
    recorded = Observation("a", recorded_at=kind(2026, 11, 1, 17, tzinfo=EAST)).recorded_at
    assert recorded == NOON
    assert type(recorded) is datetime
    assert recorded.tzinfo is UTC


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 1, 1),  # noqa: DTZ001
        datetime(2026, 1, 1, tzinfo=Nowhere()),
        datetime(1, 1, 1, tzinfo=EAST),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
        "2026-01-01T00:00:00Z",
        1_700_000_000,
    ],
)
def test_what_is_no_moment_in_utc_is_refused(time):
    with pytest.raises(InvalidValueError):
        Observation("a", recorded_at=time)


# --- cursors ----------------------------------------------------------------------------------------------------------

hexadecimal = st.text("0123456789abcdef", max_size=32)


@given(hexadecimal, hexadecimal, st.integers(0, 2**63 - 1))
def test_a_cursor_is_read_back_from_its_text(store, epoch, seq):
    cursor = Cursor(store, epoch, seq)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:b", "a:b:", "a:b:-1", "a:b:1:2", "a:b:1.0", "a:b:\u0661", "a:b:\u00b2", "a:b: 1",
     f"a:b:{2**63}", "a:b:" + "9" * 5_000, "x" * 1_000_000],
)  # fmt: skip
def test_any_other_text_is_no_cursor(text):
    with pytest.raises(InvalidCursorError) as caught:
        Cursor.parse(text)
    assert caught.value.cursor == text[:80]


# --- patches ----------------------------------------------------------------------------------------------------------


def test_a_bare_string_is_one_key_dots_and_all():
    assert path_of("a.b") == ("a.b",)
    assert Patch(unset="a.b").unset == (("a.b",),)
    assert Patch(set={"a.b": 1}).set == ((("a.b",), 1),)


def test_a_path_is_a_tuple_of_keys():
    assert Patch(set={("a", "b"): 1}, unset=[("c", "d")]) == Patch(set=[(("a", "b"), 1)], unset=(["c", "d"],))


@pytest.mark.parametrize("path", [(), [], ("a", 1), (1,), 5 * ("\x00",), ("\ud800",), ("a",) * 65])
def test_what_leads_nowhere_is_no_path(path):
    with pytest.raises(InvalidValueError):
        path_of(path)


def test_what_a_patch_sets_lies_no_deeper_than_values_may():
    Patch(set={("a",) * 64: 1})
    with pytest.raises(InvalidValueError):
        Patch(set={("a",) * 64: {}})
    with pytest.raises(InvalidValueError):
        Patch(set={("a", "b"): float("nan")})


def test_a_refused_value_in_a_patch_is_named_by_its_whole_path():
    with pytest.raises(InvalidValueError) as caught:
        Patch(set={("a", "b"): {"c": [2**63]}})
    assert caught.value.path == ("a", "b", "c", 0)


def test_forgetting_takes_texts_or_observations():
    assert Patch(forget=["x", Observation("y", "me")]).forget == ("x", "y")
    assert Patch(forget="x").forget == ("x",)
