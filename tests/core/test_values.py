"""JSON values at the door: what is accepted keeps its type and never changes; what is refused is named by path."""

from __future__ import annotations

import copy
import enum
import json
import math
import pickle
from collections import ChainMap
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core.errors import InvalidNameError, InvalidValueError
from polaris_core.values import (
    EMPTY,
    MAX_DEPTH,
    FrozenDict,
    FrozenList,
    freeze,
    freeze_object,
    from_micros,
    normalize_name,
    normalize_text,
    normalize_type,
    thaw,
    to_micros,
)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4))


class Colour(str, enum.Enum):  # noqa: UP042 - its `str()` is not its value
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Liar(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def exactly(value: object) -> object:
    """A form in which 1, 1.0, True, 0.0 and -0.0 all differ."""
    if isinstance(value, dict):
        return {key: exactly(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [exactly(item) for item in value]
    return type(value).__name__, repr(value)


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(values)
def test_what_is_accepted_is_equal_to_what_was_given_and_keeps_its_types(value):
    assert exactly(freeze(value)) == exactly(value)


@given(values)
def test_freezing_what_is_frozen_changes_nothing(value):
    frozen = freeze(value)
    assert exactly(freeze(frozen)) == exactly(frozen)
    assert freeze(frozen) is frozen


@given(values)
def test_thawing_gives_plain_values_that_may_be_changed(value):
    thawed = thaw(freeze(value))
    assert exactly(thawed) == exactly(value)
    assert json.loads(json.dumps(thawed)) == thawed


@given(st.dictionaries(text, values))
def test_copies_and_pickles_of_frozen_values_are_equal_and_frozen(value):
    frozen = freeze_object(value)
    for other in (copy.copy(frozen), copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        assert type(other) is FrozenDict
        assert exactly(other) == exactly(frozen)


def test_changing_what_was_given_does_not_change_what_was_accepted():
    given_value = {"list": [1, {"a": 1}], "object": {"b": 2}}
    frozen = freeze_object(given_value)
    given_value["list"][1]["a"] = 9
    given_value["object"].clear()
    assert frozen == {"list": [1, {"a": 1}], "object": {"b": 2}}


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.__setitem__("a", 1),
        lambda value: value.__delitem__("a"),
        lambda value: value.update(a=1),
        lambda value: value.pop("a"),
        lambda value: value.popitem(),
        lambda value: value.clear(),
        lambda value: value.setdefault("z", 1),
        lambda value: value.__ior__({"z": 1}),
    ],
)
def test_a_frozen_object_refuses_every_change(change):
    frozen = freeze_object({"a": [1], "b": 2})
    with pytest.raises(TypeError, match="immutable"):
        change(frozen)
    assert frozen == {"a": [1], "b": 2}


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.__setitem__(0, 1),
        lambda value: value.__delitem__(0),
        lambda value: value.append(1),
        lambda value: value.extend([1]),
        lambda value: value.insert(0, 1),
        lambda value: value.remove(3),
        lambda value: value.pop(),
        lambda value: value.clear(),
        lambda value: value.sort(),
        lambda value: value.reverse(),
        lambda value: value.__iadd__([1]),
        lambda value: value.__imul__(2),
    ],
)
def test_a_frozen_array_refuses_every_change(change):
    frozen = freeze([3, 1, 2])
    with pytest.raises(TypeError, match="immutable"):
        change(frozen)
    assert frozen == [3, 1, 2]


def test_what_is_made_of_a_frozen_value_is_plain_and_its_own():
    frozen = freeze({"a": [1]})
    union = frozen | {"b": 2}
    union["c"] = 3
    longer = frozen["a"] + [2]
    longer.append(3)
    assert frozen == {"a": [1]}


@pytest.mark.parametrize("mapping", [MappingProxyType({"a": 1}), ChainMap({"a": 1}), FrozenDict(a=1)])
def test_any_mapping_is_taken_as_an_object(mapping):
    assert freeze(mapping) == {"a": 1}


def test_a_tuple_is_taken_as_an_array():
    assert freeze((1, ("a",))) == [1, ["a"]]
    assert type(freeze((1,))) is FrozenList


@pytest.mark.parametrize(("value", "stored"), [(Colour.RED, "red"), (Level.HIGH, 3), (Liar("truth"), "truth")])
def test_a_subclass_is_stored_as_what_it_derives_from(value, stored):
    assert exactly(freeze([value, {"key": value}])) == exactly([stored, {"key": stored}])


def test_a_key_of_an_enum_is_the_string_and_not_the_enums_name():
    frozen = freeze({Colour.RED: 1})
    assert list(frozen) == ["red"]
    assert type(next(iter(frozen))) is str


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [0, math.nan]}, ("a", 1)),
        ({"a": {"b": math.inf}}, ("a", "b")),
        ([-math.inf], (0,)),
        ([2**63], (0,)),
        ([-(2**63) - 1], (0,)),
        ([2**64], (0,)),
        ({"a": "nul \x00"}, ("a",)),
        ({"a": "\ud800"}, ("a",)),
        ({"a": {"\udfff": 1}}, ("a",)),
        ({"a": {"nul \x00": 1}}, ("a",)),
        ({"a": {1: 2}}, ("a",)),
        ({"a": {None: 2}}, ("a",)),
        ([b"bytes"], (0,)),
        ([{1, 2}], (0,)),
        ([Decimal(1)], (0,)),
        ([datetime(2026, 1, 1, tzinfo=UTC)], (0,)),
        ([object()], (0,)),
        ([1j], (0,)),
        ([iter(())], (0,)),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_path(value, path):
    with pytest.raises(InvalidValueError) as caught:
        freeze(value)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "value", [2**63 - 1, -(2**63), 5e-324, 1.7976931348623157e308, -0.0, "\u2028\ufeff\u202e", "\x01"]
)
def test_the_outermost_values_are_accepted(value):
    assert exactly(freeze([value])) == exactly([value])


def test_sixty_four_levels_are_accepted_and_one_more_is_not():
    freeze(nested(MAX_DEPTH))
    with pytest.raises(InvalidValueError):
        freeze(nested(MAX_DEPTH + 1))


def test_frozen_parts_do_not_add_up_to_more_levels_than_are_accepted():
    half = freeze(nested(MAX_DEPTH // 2))
    whole: object = half
    for _ in range(MAX_DEPTH // 2):
        whole = [whole]
    freeze(whole)
    with pytest.raises(InvalidValueError):
        freeze([whole])


def test_a_value_that_holds_itself_is_refused():
    value: list[object] = []
    value.append(value)
    with pytest.raises(InvalidValueError):
        freeze(value)


def test_a_thousand_levels_are_refused_without_a_recursion_error():
    with pytest.raises(InvalidValueError):
        freeze(nested(1_000))


@pytest.mark.parametrize("value", [[], "", 0, False, [("a", 1)], "text", 1, object()])
def test_attributes_are_a_mapping_and_nothing_else(value):
    with pytest.raises(InvalidValueError):
        freeze_object(value)


def test_no_attributes_are_the_one_empty_object():
    assert freeze_object(None) is EMPTY
    assert freeze_object({}) is EMPTY


# --- names ------------------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


@given(names)
def test_normalising_a_name_twice_is_normalising_it_once(name):
    assert normalize_name(normalize_name(name)) == normalize_name(name)


def test_composed_and_decomposed_spellings_are_one_name():
    assert normalize_name("Ame\u0301lie") == normalize_name("Am\u00e9lie")


@pytest.mark.parametrize(
    "name",
    [
        "../x", "/etc/passwd", ".", "CON", "dot.", "space ", "Foo", "\u200bzero-width", "\u202eoverride", "\uff0f",
        "line\u2028separator", "\ufeffmark", "'; DROP TABLE nodes; --", '$."a"', "NEAR(", "*", "a:b", "o'brien",
        "(" * 1_000, "(a+)+$", "{0.__class__}", "%s", "\U0001f600", "\U0010ffff", "!!python/object:os.system",
    ],
)  # fmt: skip
def test_a_strange_name_is_a_name_like_any_other(name):
    assert normalize_name(name) == name


def test_names_differ_in_case():
    assert normalize_name("Foo") != normalize_name("foo")


@pytest.mark.parametrize(
    "name", ["", "\x00", "a\x00b", "a\nb", "\x1b[31m", "\x7f", "\x85", "tab\t", "\ud800", "caf\u00e9\ud800", "\u00e9\n"]
)
def test_an_empty_name_a_control_character_and_half_a_character_are_refused(name):
    with pytest.raises(InvalidNameError) as caught:
        normalize_name(name)
    assert caught.value.name == name


@pytest.mark.parametrize("name", [None, 1, b"name", ["a"], object()])
def test_what_is_no_string_is_no_name(name):
    with pytest.raises(InvalidNameError):
        normalize_name(name)


@pytest.mark.parametrize(("check", "limit"), [(normalize_name, 1_024), (normalize_type, 256)])
@pytest.mark.parametrize("character", ["a", "\u00e9", "\u4e2d", "\U0001f600"])
def test_a_name_is_bounded_by_its_bytes_in_utf_8(check, limit, character):
    size = len(character.encode())
    check(character * (limit // size))
    with pytest.raises(InvalidNameError):
        check(character * (limit // size + 1))


def test_a_name_of_a_megabyte_is_refused_and_not_repeated_in_the_error():
    for name in ("a" * 1_000_000, "\u00e9" * 1_000_000):
        with pytest.raises(InvalidNameError) as caught:
            normalize_name(name)
        assert len(str(caught.value)) < 200
        assert len(str(caught.value.name)) < 200


def test_a_name_that_composes_to_more_bytes_is_measured_as_it_is_stored():
    grows = "\u0958"  # NFC takes it apart: one character of three bytes becomes two
    with pytest.raises(InvalidNameError):
        normalize_name(grows * 341)


@pytest.mark.parametrize("subclass", [Colour.RED, Liar("red")])
def test_the_name_of_a_subclass_of_str_is_its_string(subclass):
    assert normalize_name(subclass) == "red"
    assert type(normalize_name(subclass)) is str
    assert type(normalize_text(subclass)) is str


def test_a_text_is_kept_as_it_is():
    for value in ("Ame\u0301lie", " spaces ", "two\nlines", "\x1b[31m"):
        assert normalize_text(value) == value


@pytest.mark.parametrize("value", ["", "\x00", "\ud800", None, 1, b"text"])
def test_a_text_that_cannot_be_stored_is_refused(value):
    with pytest.raises(InvalidValueError):
        normalize_text(value)


# --- times ------------------------------------------------------------------------------------------------------------

OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS))  # noqa: DTZ001
def test_a_time_is_kept_to_the_microsecond_whatever_its_zone(time):
    assert from_micros(to_micros(time)) == time


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(InvalidValueError):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001
