"""Filters in their JSON form: what they mean, what is refused and where, and that writing and reading change nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from polaris_core import (
    And,
    Compare,
    Contains,
    Equal,
    Exists,
    Filter,
    InvalidValueError,
    Mentions,
    Not,
    OneOf,
    Or,
    StartsWith,
    filter_form,
    parse_filter,
)
from polaris_core.query import Query
from polaris_core.testing.queries import filters


@pytest.mark.parametrize(
    ("form", "filter"),
    [
        ({}, And(())),
        ({"born": 1815}, Equal("born", 1815)),
        ({"born": None}, Equal("born", None)),
        ({"tags": ["a"]}, Equal("tags", ["a"])),
        ({"address": {"$eq": {"city": "London"}}}, Equal("address", {"city": "London"})),
        ({"address.city": "London"}, Equal(("address", "city"), "London")),
        ({("name",): "x"}, Equal("attributes.name", "x")),
        ({"born": {"$ne": 1}}, Not(Equal("born", 1))),
        ({"born": {"$gt": 1800, "$lte": 1900}}, And([Compare("born", "gt", 1800), Compare("born", "lte", 1900)])),
        ({"born": {"$gte": "a", "$lt": "b"}}, And([Compare("born", "gte", "a"), Compare("born", "lt", "b")])),
        ({"born": {"$in": [1, "a", None]}}, OneOf("born", [1, "a", None])),
        ({"born": {"$nin": []}}, Not(OneOf("born", []))),
        ({"born": {"$exists": True}}, Exists("born")),
        ({"born": {"$exists": False}}, Not(Exists("born"))),
        ({"tags": {"$contains": "x"}}, Contains("tags", "x")),
        ({"name": {"$startsWith": "Ada"}}, StartsWith("name", "Ada")),
        ({"born": {"$not": {"$gt": 1800}}}, Not(Compare("born", "gt", 1800))),
        ({"$not": {"a": 1, "b": 2}}, Not(And([Equal("a", 1), Equal("b", 2)]))),
        ({"$or": [{"a": 1}, {"b": 2}]}, Or([Equal("a", 1), Equal("b", 2)])),
        ({"$and": [{"a": 1}, {}]}, And([Equal("a", 1), And(())])),
        ({"a": 1, "$or": []}, And([Equal("a", 1), Or(())])),
        ({"$text": "ADA"}, Mentions("ada")),
    ],
)
def test_a_form_is_read_as_the_filter_it_stands_for(form: dict[Any, Any], filter: Filter) -> None:
    assert parse_filter(form) == filter
    assert parse_filter(filter) is filter
    assert parse_filter(json.loads(json.dumps(filter_form(filter)))) == filter


@given(filters("node") | filters("edge"))
def test_every_filter_is_written_as_json_and_read_back(filter: Filter) -> None:
    assert parse_filter(json.loads(json.dumps(filter_form(filter)))) == filter


@pytest.mark.parametrize(
    ("form", "path", "words"),
    [
        ([], (), "a filter is a mapping"),
        ("x", (), "a filter is a mapping"),
        ({"a": {"b": 1}}, ("a", "b"), '{"$eq": {...}}'),
        ({"a": {}}, ("a",), '{"$eq": {}}'),
        ({"a": {"$regex": "(a+)+$"}}, ("a", "$regex"), "no operator '$regex'"),
        ({"a": {"$where": "1"}}, ("a", "$where"), "no operator"),
        ({"$nor": []}, ("$nor",), "no operator"),
        ({"a": {"$exists": 1}}, ("a", "$exists"), "true or false"),
        ({"a": {"$in": "abc"}}, ("a", "$in"), "a list"),
        ({"a": {"$in": [0] * 1001}}, ("a", "$in"), "at most 1000"),
        ({"a": {"$gt": None}}, ("a", "$gt"), "numbers and strings"),
        ({"a": {"$gt": True}}, ("a", "$gt"), "numbers and strings"),
        ({"a": {"$lt": [1]}}, ("a", "$lt"), "numbers and strings"),
        ({"a": {"$startsWith": 1}}, ("a", "$startsWith"), "a string"),
        ({"a": {"$not": 1}}, ("a", "$not"), "object of operators"),
        ({"$not": [1]}, ("$not",), "object of paths"),
        ({"$or": {"a": 1}}, ("$or",), "a list"),
        ({"$or": [{"a": 1}, {"b": {"$gt": None}}]}, ("$or", 1, "b", "$gt"), "numbers and strings"),
        ({"$or": [1]}, ("$or", 0), "object of paths"),
        ({"$text": ""}, ("$text",), "1 to 1000"),
        ({"$text": "x" * 1001}, ("$text",), "1 to 1000"),
        ({"a..b": 1}, ("a..b",), "not a path"),
        ({"name.x": 1}, ("name.x",), "nothing stands below"),
        ({3: 1}, ("3",), "a path is a text"),
        ({"a": float("nan")}, ("a",), "NaN"),
        ({"a": float("inf")}, ("a",), "NaN"),
        ({"a": 2**63}, ("a",), "64 bits"),
        ({"a": "\ud800"}, ("a",), "surrogate"),
        ({"a": "\x00"}, ("a",), "U+0000"),
        ({"a": {"$eq": object()}}, ("a", "$eq"), "not a JSON value"),
        ({"provenance.created_at": 5}, ("provenance.created_at",), "compared with a time"),
        ({"provenance.created_at": "yesterday"}, ("provenance.created_at",), "not a time"),
        ({"provenance.created_at": {"$startsWith": "2026"}}, ("provenance.created_at", "$startsWith"), "no beginning"),
        ({"provenance.updated_at": {"$gt": datetime(2026, 1, 1)}}, ("provenance.updated_at", "$gt"), "time zone"),  # noqa: DTZ001
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(form: Any, path: tuple[str | int, ...], words: str) -> None:
    with pytest.raises(InvalidValueError) as error:
        parse_filter(form)
    assert error.value.path[: len(path)] == path
    assert words in str(error.value)


def nested(depth: int) -> dict[str, Any]:
    form: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        form = {"$not": form}
    return form


@pytest.mark.parametrize(
    "form",
    [
        nested(33),
        nested(10_000),
        {"$and": [{"a": 1}] * 257},
        {"$or": [{}] * 100_000},
        {f"a{number}": 1 for number in range(257)},
        {"a": {"$eq": "x" * (1 << 18)}},
        {"a": {"$in": ["x" * 1000] * 1000}},
    ],
    ids=["deep", "deeper", "many", "empty", "paths", "long", "longer"],
)
def test_a_filter_is_bounded_in_depth_number_and_size(form: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="at most"):
        Query(kind="node", filter=form)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("node", {"source": "a"}),
        ("node", {"$not": {"$or": [{"target": "a"}]}}),
        ("edge", {"name": "a"}),
        ("edge", {"observations": {"$contains": "a"}}),
        ("edge", {"$text": "a"}),
    ],
)
def test_what_a_record_has_no_part_for_is_refused_rather_than_never_found(kind: Any, form: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="has no"):
        Query(kind=kind, filter=form)


def test_names_are_compared_in_nfc_and_attributes_as_they_are() -> None:
    assert parse_filter({"name": "e\u0301"}) == Equal("name", "\u00e9")
    assert parse_filter({"source": {"$in": ["e\u0301", 1]}}) == OneOf("source", ["\u00e9", 1])
    assert parse_filter({"x": "e\u0301"}).value == "e\u0301"  # type: ignore[union-attr]


def test_times_are_compared_as_times_whatever_their_zone_and_fraction() -> None:
    paris = datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))
    for same in (paris, paris.astimezone(UTC), "2026-01-31T12:00:00Z", "2026-01-31T13:00:00.000+01:00"):
        assert parse_filter({"provenance.created_at": same}) == Equal("provenance.created_at", "2026-01-31T12:00:00Z")
