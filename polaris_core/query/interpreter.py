"""Filters as functions of records: what every backend's answer is held against."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from polaris_core.query.facts import Facts, moment, reader
from polaris_core.query.fields import Field
from polaris_core.query.filters import (
    And,
    Compare,
    Condition,
    Contains,
    Equal,
    Exists,
    Filter,
    Mentions,
    Not,
    OneOf,
    Or,
    StartsWith,
    conditions,
)
from polaris_core.query.ordering import MISSING, equal

__all__ = ["Predicate", "needs_ends", "predicate"]

Predicate: TypeAlias = Callable[[Facts], bool]

_COMPARISONS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}
_BESIDE_THE_BODY = ("name", "type", "source", "target", "provenance.revision")


def predicate(filter: Filter) -> Predicate:
    """Return whether a filter holds, as a function."""
    match filter:
        case And(filters):
            tests = _cheapest_first(filters)
            return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) for test in tests)
        case Or(filters):
            choices = _cheapest_first(filters)
            return lambda facts: any(test(facts) for test in choices)
        case Not(negated):
            holds = predicate(negated)
            return lambda facts: not holds(facts)
        case Mentions(text):
            return lambda facts: _mentions(facts, text)
        case _:
            return _condition(filter)


def _cheapest_first(filters: Sequence[Filter]) -> list[Predicate]:
    return [predicate(filter) for filter in sorted(filters, key=_reads_body)]


def _reads_body(filter: Filter) -> bool:
    return any(isinstance(one, Mentions) or one.field.root not in _BESIDE_THE_BODY for one in conditions(filter))


def needs_ends(filter: Filter, *fields: Field) -> bool:
    """Return whether a filter, or one of some fields, asks for the names of an edge's ends."""
    asked = {one.field.root for one in conditions(filter) if not isinstance(one, Mentions)}
    return not asked.union(field.root for field in fields).isdisjoint(("source", "target"))


def _condition(condition: Condition) -> Predicate:
    read, test = reader(condition.field), _test(condition)  # type: ignore[union-attr]
    return lambda facts: test(read(facts))


def _test(condition: Condition) -> Callable[[Any], bool]:
    match condition:
        case Equal(_, value):
            if type(value) is str:
                return lambda found: bool(found == value)
            return lambda found: equal(found, value)
        case OneOf(_, values):
            return _among(values)
        case Compare(field, by, value):
            return _comparison(field, by, value)
        case Exists(_):
            return lambda found: found is not MISSING
        case Contains(_, value):
            return lambda found: _contains(found, value)
        case StartsWith(_, text):
            return lambda found: isinstance(found, str) and found.startswith(text)
        case _:
            raise AssertionError(condition)


def _among(values: Sequence[Any]) -> Callable[[Any], bool]:
    texts = frozenset(value for value in values if isinstance(value, str))
    others = [value for value in values if not isinstance(value, str)]

    def test(found: Any) -> bool:
        return found in texts if isinstance(found, str) else any(equal(found, value) for value in others)

    return test


def _comparison(field: Field, by: str, value: float | str) -> Callable[[Any], bool]:
    compare = _COMPARISONS[by]
    if field.is_time and isinstance(value, str):
        wanted = moment(value)
        return lambda found: bool(compare(moment(found), wanted))
    if isinstance(value, str):
        return lambda found: isinstance(found, str) and bool(compare(found, value))
    return lambda found: isinstance(found, (int, float)) and not isinstance(found, bool) and bool(compare(found, value))


def _contains(found: Any, value: Any) -> bool:
    if isinstance(found, list):
        return any(equal(item, value) for item in found)
    return isinstance(found, str) and isinstance(value, str) and value in found


def _mentions(facts: Facts, text: str) -> bool:
    if text in facts.record.name.casefold():  # type: ignore[union-attr]
        return True
    return any(text in observation["text"].casefold() for observation in facts.body["observations"])
