"""What is accepted as the schema of a type has one verdict: that of jsonschema, as corrected, and of jsonschema-rs."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from polaris_core import InvalidSchemaError, SchemaViolationError, TypeSchema
from polaris_core.schema import Checker, Work, accept, reference
from polaris_core.schema.checker import fast_validator
from polaris_core.schema.reference import Reference
from polaris_core.values import freeze

WORK = 1 << 40
EXACT = 2**53  # beyond it not every integer is a float
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 2, 3, 1.0, 0.0, -0.0, -1.0, 1.5, 0.1, 0.3, 3.0, 1e22, 1e300, 5e-324]),
    st.sampled_from([EXACT, EXACT + 1, float(EXACT), -EXACT - 1, float(-EXACT), 2**63 - 1, -(2**63), 2.0**63]),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
texts = st.sampled_from(["", "a", "b", "ab", "é", "e\u0301", "😀", "a😀", "\u00df", "ss"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4
)
keys = st.sampled_from(["a", "b", "é", "e\u0301", "😀", ""])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
alike = st.lists(values, min_size=1, max_size=3).flatmap(lambda some: st.lists(st.sampled_from(some), max_size=40))
"""Arrays in which much comes again, some of them long."""

counts = st.integers(0, 3)
some_names = st.lists(keys, max_size=2, unique=True)
kinds = st.sampled_from(["array", "boolean", "integer", "null", "number", "object", "string"])


def keywords(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    some = st.lists(inner, min_size=1, max_size=3)
    counted = ("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains")
    return {
        "type": kinds | st.lists(kinds, min_size=1, max_size=3, unique=True),
        "const": values,
        "enum": st.lists(values, min_size=1, max_size=4),
        "multipleOf": st.sampled_from([1, 2, 3, 7, EXACT, EXACT + 1, 2**63 - 1]),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), numbers),
        **dict.fromkeys((*counted, "minProperties", "maxProperties"), counts),
        "uniqueItems": st.booleans(),
        "required": some_names,
        "dependentRequired": st.dictionaries(keys, some_names, max_size=2),
        "dependentSchemas": st.dictionaries(keys, inner, max_size=2),
        **dict.fromkeys(("properties",), st.dictionaries(keys, inner, max_size=3)),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), some),
        **dict.fromkeys(
            ("not", "if", "then", "else", "items", "contains", "additionalProperties", "propertyNames"), inner
        ),
        "format": st.sampled_from(["date", "email", "uri", "no such format"]),
        "default": values,
        "title": texts,
    }


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of a few keywords each: of many, nothing would fit."""
    table = keywords(inner)
    some = st.lists(st.sampled_from(sorted(table)), max_size=3, unique=True)
    return some.flatmap(lambda chosen: st.fixed_dictionaries({keyword: table[keyword] for keyword in chosen}))


parts = st.recursive(st.booleans() | st.just({}), objects, max_leaves=6)
references = st.sampled_from([{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two"}])
schemas = st.one_of(
    objects(parts),
    st.builds(
        lambda root, one, two: {**root, "$defs": {"one": one, "two": two}}, objects(parts | references), parts, parts
    ),
)


@given(schemas, st.lists(values | alike, min_size=1, max_size=6))
@example({"uniqueItems": True}, [[[1], [True], [1]], [1, 1.0], [1, True], [0.0, -0.0], [EXACT + 1, float(EXACT)]])
@example({"uniqueItems": True}, [[{"a": 1}, {"a": 1.0}], [{"a": 1}, {"a": True}], [*range(2, 40), 7.0]])
@example({"enum": [EXACT + 1, [1], {"a": True}]}, [float(EXACT), EXACT + 1, [1.0], [True], {"a": 1}, {"a": True}])
@example({"const": 0}, [-0.0, False, 0.0, None, ""])
@example({"multipleOf": 3}, [1e300, 9.0, 2**63 - 1, -9, True, 1.5, "9"])
@example({"maxLength": 1}, ["😀", "e\u0301", "é"])
@example({"type": "integer"}, [1.0, 1e300, True, 2**63 - 1, 1.5])
@settings(max_examples=400)
def test_both_validators_say_the_same_of_what_is_accepted(schema: dict[str, Any], instances: list[Any]) -> None:
    try:
        accept(freeze(schema))
    except InvalidSchemaError:  # such as too many parts on one value
        assume(False)
    fast, exact = fast_validator(schema), Reference(schema)
    assert fast is not None, "jsonschema-rs is installed where this is tested"
    for instance in instances:
        verdict = exact.is_valid(freeze(instance))
        event("fits" if verdict else "does not fit")
        assert fast.is_valid(instance) is verdict, instance
        assert (exact.fault(freeze(instance), 100) is None) is verdict


def checker(schema: dict[str, Any]) -> Checker:
    return Checker(TypeSchema(kind="node", type="t", schema=freeze(schema), version=1, revision=1))


NESTED = {"properties": {"a": {"items": {"type": "integer"}, "uniqueItems": True}}, "required": ["a"]}


@pytest.mark.parametrize("installed", [True, False])
def test_the_words_are_the_same_with_and_without_the_fast_one(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    if not installed:
        monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    assert (fast_validator({}) is not None) is installed
    held = checker(NESTED)
    held.check(freeze({"a": [1, 2]}), "n", Work(WORK))
    with pytest.raises(SchemaViolationError) as caught:
        held.check(freeze({"a": [1, "x"]}), "n", Work(WORK))
    assert str(caught.value) == (
        "the node 'n' does not fit the schema of its type 't', version 1: ['a'][1]: 'x' is not of type 'integer'"
    )
    assert (caught.value.key, caught.value.path, caught.value.expected) == ("n", ("a", 1), "integer")


def test_what_an_error_expected_cannot_change_the_schema() -> None:
    held = checker({"enum": [1, {"a": [2]}]})
    with pytest.raises(SchemaViolationError) as caught:
        held.check(freeze(3), "n", Work(WORK))
    expected: Any = caught.value.expected
    for change in (lambda: expected.append(3), expected[1].clear, lambda: expected[1]["a"].append(3)):
        with pytest.raises(TypeError):
            change()
    assert not held.fits(freeze(3), WORK)


LONG = "x" * 10_000
LONG_VALUES = [LONG, [LONG], {LONG: 1}, [1] * 10_000, [[[LONG]] * 20] * 20]


@pytest.mark.parametrize("value", LONG_VALUES, ids=["text", "array", "key", "numbers", "nested"])
def test_long_values_and_keywords_are_not_written_out_for_each_fault(value: Any) -> None:
    for schema in ({"const": value}, {"not": True}, {"anyOf": [False]}, {"not": {"not": {"enum": [value]}}}):
        fault = Reference(schema).fault(freeze([value]), 100)
        assert fault is not None
        assert len(fault.message) < 500


def test_a_long_value_does_not_hide_what_was_expected_of_it() -> None:
    with pytest.raises(SchemaViolationError, match=r"x'… is too long$"):
        checker({"maxLength": 3}).check(LONG, "n", Work(WORK))


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_the_faults_of_alternatives_are_not_all_kept(keyword: str) -> None:
    exact, value = Reference({keyword: [{"items": {"type": "string"}}]}), freeze([1] * 5_000)
    exact.fault(freeze([1]), 100)  # imports what it takes
    tracemalloc.start()
    try:
        assert exact.fault(value, 100) == ((0,), "1 is not of type 'string'", "string")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_more_faults_of_an_alternative_are_found_only_where_a_value_fits_none(
    monkeypatch: pytest.MonkeyPatch, keyword: str
) -> None:
    found: list[str] = []

    def noted(message: str, *rest: Any) -> Any:
        found.append(message)
        return make(message, *rest)

    make = reference._found
    monkeypatch.setattr(reference, "_found", noted)
    assert Reference({keyword: [{"const": "x", "enum": ["x"], "multipleOf": 2}, True]}).is_valid(1)
    assert len(found) == 1


@given(schemas, values)
@settings(max_examples=200)
def test_a_check_refuses_what_does_not_fit_and_nothing_else(schema: dict[str, Any], value: Any) -> None:
    try:
        held = checker(schema)
    except InvalidSchemaError:
        assume(False)
    try:
        held.check(freeze(value), "n", Work(WORK))
    except SchemaViolationError:
        assert not held.fits(freeze(value), WORK)
    else:
        assert held.fits(freeze(value), WORK)
