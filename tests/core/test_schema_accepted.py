"""Which schemas of types are accepted: those of bounded work and one verdict; every other is refused with its place."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import pytest

from polaris_core import (
    DeleteSchema,
    InvalidSchemaError,
    InvalidValueError,
    LimitExceededError,
    SchemaViolationError,
    SetSchema,
    TypeSchema,
)
from polaris_core.schema import Checker, Work, accept
from polaris_core.schema.accepted import MAX_BYTES, MAX_DEPTH, MAX_WEIGHT
from polaris_core.values import freeze


def refused(schema: Any) -> InvalidSchemaError:
    with pytest.raises(InvalidSchemaError) as caught:
        SetSchema("node", "t", schema)
    return caught.value


@pytest.mark.parametrize(
    ("schema", "path", "said"),
    [
        ({"pattern": "a+"}, ("pattern",), "enum, const, minLength and maxLength"),
        ({"properties": {"a": {"patternProperties": {}}}}, ("properties", "a", "patternProperties"), "propertyNames"),
        ({"$ref": "https://example.org/s"}, ("$ref",), "#/$defs/NAME"),
        ({"$ref": "#"}, ("$ref",), "#/$defs/NAME"),
        ({"$ref": "#/properties/a"}, ("$ref",), "#/$defs/NAME"),
        ({"$ref": "#/$defs/a/b"}, ("$ref",), "#/$defs/NAME"),
        ({"$ref": "#/$defs/%61", "$defs": {"a": True}}, ("$ref",), "#/$defs/NAME"),
        ({"$ref": "#/$defs/gone"}, ("$ref",), "no part 'gone'"),
        ({"$dynamicRef": "#a"}, ("$dynamicRef",), "#/$defs/NAME"),
        ({"$id": "https://example.org/s"}, ("$id",), "named by its type"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",), "2020-12"),
        ({"items": {"$defs": {}}}, ("items", "$defs"), "not known"),
        ({"unevaluatedProperties": False}, ("unevaluatedProperties",), "additionalProperties"),
        ({"requried": ["a"]}, ("requried",), "not known"),
        ({"type": "text"}, ("type",), "a type is one of"),
        ({"type": []}, ("type",), "a type is one of"),
        ({"type": ["null", "null"]}, ("type",), "once"),
        ({"required": "a"}, ("required",), "array of texts"),
        ({"required": ["a", "a"]}, ("required",), "once"),
        ({"minLength": -1}, ("minLength",), "integer from 0"),
        ({"minLength": 1.0}, ("minLength",), "integer from 0"),
        ({"minItems": True}, ("minItems",), "integer from 0"),
        ({"minimum": "1"}, ("minimum",), "a number"),
        ({"maximum": True}, ("maximum",), "a number"),
        ({"multipleOf": 0.01}, ("multipleOf",), "smallest unit"),
        ({"multipleOf": 0}, ("multipleOf",), "at least 1"),
        ({"enum": []}, ("enum",), "at least one"),
        ({"anyOf": []}, ("anyOf",), "at least one"),
        ({"anyOf": [{}, {"items": [{}]}]}, ("anyOf", 1, "items"), "a schema"),
        ({"properties": []}, ("properties",), "an object"),
        ({"uniqueItems": "yes"}, ("uniqueItems",), "true or false"),
        ({"title": 1}, ("title",), "a text"),
        ({"examples": {}}, ("examples",), "an array"),
        ({"dependentRequired": {"a": ["b", "b"]}}, ("dependentRequired", "a"), "once"),
    ],
    ids=str,
)
def test_what_is_not_accepted_is_refused_with_its_place_and_what_to_do(
    schema: Any, path: tuple[str | int, ...], said: str
) -> None:
    error = refused(schema)
    assert error.path == path
    assert said in str(error)


def nested(keyword: str, depth: int) -> Any:
    schema: Any = {}
    for _ in range(depth - 1):
        schema = {keyword: [schema] if keyword == "allOf" else schema}
    return schema


def test_subschemas_nest_up_to_a_bound() -> None:
    accept(nested("not", MAX_DEPTH))
    with pytest.raises(InvalidSchemaError, match="nest at most"):
        accept(nested("not", MAX_DEPTH + 1))


@pytest.mark.parametrize("length", [MAX_DEPTH, 3_000])
def test_references_nest_up_to_the_same_bound(length: int) -> None:
    parts = {f"p{at}": {"$ref": f"#/$defs/p{at + 1}"} for at in range(length)}
    with pytest.raises(InvalidSchemaError, match="nest at most"):
        accept({"$ref": "#/$defs/p0", "$defs": {**parts, f"p{length}": {}}})


def test_a_part_that_was_looked_at_before_nests_like_any_other() -> None:
    shallow_first = {"a": {"$ref": "#/$defs/tall"}, "tall": nested("not", MAX_DEPTH - 1)}
    deep = {"not": {"not": {"$ref": "#/$defs/tall"}}}
    accept({"$ref": "#/$defs/tall", "$defs": {"tall": shallow_first["tall"]}})
    with pytest.raises(InvalidSchemaError, match="nest at most"):
        accept({"properties": {"a": {"$ref": "#/$defs/tall"}, "b": deep}, "$defs": {"tall": shallow_first["tall"]}})


@pytest.mark.parametrize(
    "parts",
    [
        {"a": {"$ref": "#/$defs/a"}},
        {"a": {"properties": {"child": {"$ref": "#/$defs/a"}}}},
        {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"items": {"$ref": "#/$defs/a"}}},
    ],
)
@pytest.mark.parametrize("used", [True, False])
def test_a_schema_that_refers_to_itself_is_refused(parts: dict[str, Any], used: bool) -> None:
    with pytest.raises(InvalidSchemaError, match="may not refer to itself"):
        accept({**({"$ref": "#/$defs/a"} if used else {}), "$defs": parts})


def test_a_schema_that_explodes_is_refused_before_it_does() -> None:
    twice = [{"$ref": f"#/$defs/p{at + 1}"} for at in range(12) for _ in range(2)]
    parts = {f"p{at}": {"allOf": twice[2 * at : 2 * at + 2]} for at in range(12)}
    with pytest.raises(InvalidSchemaError, match="look at one value"):
        accept({"$ref": "#/$defs/p0", "$defs": {**parts, "p12": {}}})


@pytest.mark.parametrize(
    ("schema", "weight"),
    [
        ({}, 1),
        ({"properties": {name: {"type": "string"} for name in "abc"}}, 1),
        ({"properties": {"a": {"anyOf": [True, True]}}, "additionalProperties": True, "propertyNames": True}, 4),
        ({"items": True, "prefixItems": [{"not": True}], "contains": True}, 3),
        ({"allOf": [{"properties": {"a": True}}] * 3}, 4),
        ({"if": True, "then": True, "else": True}, 4),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [True] * 5}}}, 7),
        ({"uniqueItems": True, "items": {"uniqueItems": True, "items": {"uniqueItems": False}}}, 3),
        ({"enum": ["a"] * 15}, 1),
        ({"enum": ["a"] * 16}, 2),
        ({"enum": [*range(8)]}, 2),
        ({"const": [["a"] * 14]}, 2),
        ({"required": [f"k{at}" for at in range(127)]}, 1),
        ({"properties": {f"k{at}": True for at in range(128)}}, 2),
    ],
    ids=str,
)
def test_the_weight_is_how_many_parts_look_at_one_value(schema: Any, weight: int) -> None:
    assert accept(schema) == weight


def test_a_weight_beyond_the_bound_is_refused() -> None:
    accept({"anyOf": [True] * (MAX_WEIGHT - 1)})
    with pytest.raises(InvalidSchemaError, match="look at one value"):
        accept({"anyOf": [True] * MAX_WEIGHT})


def test_a_schema_is_bounded_in_bytes() -> None:
    assert f"at most {MAX_BYTES} bytes" in str(refused({"title": "x" * MAX_BYTES}))


def test_only_edges_have_ends() -> None:
    with pytest.raises(InvalidSchemaError, match="only edges"):
        SetSchema("node", "t", {}, sources=["person"])


@pytest.mark.parametrize("sources", [[], [f"t{at}" for at in range(101)]])
def test_an_end_is_of_some_types_and_not_of_too_many(sources: list[str]) -> None:
    with pytest.raises(InvalidSchemaError, match="1 to 100 types"):
        SetSchema("edge", "t", {}, sources=sources)


def test_the_types_of_an_end_are_kept_once_and_in_order() -> None:
    assert SetSchema("edge", "t", {}, ["b", "a", "b"], "c") == SetSchema("edge", "t", {}, ("a", "b"), ["c"])


@pytest.mark.parametrize("kind", ["nodes", "", None, 7])
def test_a_schema_is_of_a_known_kind(kind: Any) -> None:
    for make in (SetSchema, DeleteSchema):
        with pytest.raises(InvalidSchemaError, match="node, an edge or an event"):
            make(kind, "t")


def test_what_is_no_object_is_no_schema() -> None:
    with pytest.raises(InvalidValueError):
        SetSchema("node", "t", [1])


def test_a_record_whose_check_would_take_too_long_is_refused_before_it_is_made() -> None:
    schema = freeze({"properties": {"a": {"items": {"anyOf": [{"type": "integer"}] * 50}}}})
    held = Checker(TypeSchema(kind="node", type="t", schema=schema, version=1, revision=1))
    held.check(freeze({"a": [1] * 10}), "n", Work(1_000))
    with pytest.raises(LimitExceededError) as caught:
        held.check(freeze({"a": [1] * 1_000}), "n", Work(1_000))
    assert (caught.value.limit, caught.value.maximum, caught.value.size) == ("schema_work", 1_000, 51 * 1_002)
    assert not held.fits(freeze({"a": [1] * 1_000}), 1_000)


def held_as(kind: bool, monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any]) -> Checker:
    if not kind:
        monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    return Checker(TypeSchema(kind="node", type="t", schema=freeze(schema), version=1, revision=1))


@pytest.mark.parametrize(
    ("installed", "schema", "spent"),
    [
        (False, {"items": {"type": "integer"}}, 100),
        (True, {"items": {"type": "integer"}}, 12),
        (True, {"items": {"anyOf": [{"enum": [0.5, 1.5]}, True]}}, 300),
        (True, {"items": {"type": "string"}}, 100),
        (False, {"items": {"type": "string"}}, 100),
        (False, {}, 0),
    ],
    ids=str,
)
def test_what_was_done_is_counted_be_it_for_what_fits_or_not(
    monkeypatch: pytest.MonkeyPatch, installed: bool, schema: dict[str, Any], spent: int
) -> None:
    work = Work(1_000)
    with suppress(SchemaViolationError):
        held_as(installed, monkeypatch, schema).check(freeze([1] * 99), "n", work)
    assert work.spent == spent


def test_records_that_together_take_too_long_to_check_are_refused_before_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, work = held_as(False, monkeypatch, {"items": {"type": "integer"}}), Work(1_000, 250)
    for _ in range(2):
        held.check(freeze([1] * 99), "n", work)
    with pytest.raises(LimitExceededError, match="the records so far") as caught:
        held.check(freeze(["x"] * 99), "n", work)
    assert (caught.value.limit, caught.value.maximum, caught.value.size) == ("commit_schema_work", 250, 300)
    assert work.spent == 200
