"""Filters as values: what a record must be like. Each class says when it holds; none changes, and all can be written as JSON.

A comparison holds only of a value that is there and of the right type. Negation is `Not` of it, so it holds of what is
missing, too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

import attrs

from polaris_core.errors import InvalidValueError
from polaris_core.query.fields import Field, Kind, field_of
from polaris_core.values import freeze, from_micros, to_micros

__all__ = [
    "ANYTHING",
    "And",
    "Compare",
    "Contains",
    "Equal",
    "Exists",
    "Filter",
    "Mentions",
    "Not",
    "OneOf",
    "Or",
    "StartsWith",
    "check_filter",
    "conditions",
    "conjuncts",
]

MAX_CONDITIONS = 256
MAX_NESTING = 32
MAX_VALUES = 1_000
MAX_TEXT = 1_000

Comparison: TypeAlias = Literal["gt", "gte", "lt", "lte"]


def _operand(value: object, holder: Any) -> Any:
    return _fitting(value, holder.field)


def _fitting(value: object, field: Field) -> Any:
    """Return what a field is compared with in the form in which the field has it."""
    if field.is_time:
        return _time(value)
    frozen = freeze(value)
    return unicodedata.normalize("NFC", frozen) if field.is_name and isinstance(frozen, str) else frozen


def _time(value: object) -> str:
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidValueError(f"not a time: {value[:64]!r}; write it like 2026-01-31T12:00:00Z") from None
    elif isinstance(value, datetime):
        time = value
    else:
        raise InvalidValueError(f"a time is compared with a time, not with {type(value).__name__}")
    try:
        return from_micros(to_micros(time)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise InvalidValueError("a time lies in the years 1 to 9999") from None


def _bound(value: object, holder: Any) -> Any:
    operand = _fitting(value, holder.field)
    if isinstance(operand, bool) or not isinstance(operand, (int, float, str)):
        raise InvalidValueError("more and less are asked of numbers and strings")
    return operand


def _operands(values: object, holder: Any) -> tuple[Any, ...]:
    if not isinstance(values, (list, tuple)):
        raise InvalidValueError(f"the values to be among are a list, not {type(values).__name__}")
    if len(values) > MAX_VALUES:
        raise InvalidValueError(f"a list of values to be among has at most {MAX_VALUES}")
    return tuple(_fitting(value, holder.field) for value in values)


def _start(value: object, holder: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValueError(f"what a string starts with is a string, not {type(value).__name__}")
    if holder.field.is_time:
        raise InvalidValueError("a time has no beginning; compare it with $gte and $lt")
    return cast("str", _fitting(value, holder.field))


def _part(value: object, holder: Any) -> Any:
    if holder.field.is_time:
        raise InvalidValueError("a time has no parts; compare it with $gte and $lt")
    return _fitting(value, holder.field)


def _comparison(value: object) -> Any:
    if value not in ("gt", "gte", "lt", "lte"):
        raise InvalidValueError("a comparison is gt, gte, lt or lte")
    return value


def _folded(text: object) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise InvalidValueError(f"a text to look for has 1 to {MAX_TEXT} characters")
    return cast("str", freeze(text)).casefold()


def _filters(values: object) -> tuple[Filter, ...]:
    if not isinstance(values, (list, tuple)):
        raise InvalidValueError(f"filters are a list, not {type(values).__name__}")
    return tuple(map(_filter, values))


def _filter(value: object) -> Filter:
    if not isinstance(value, _CLASSES):
        raise InvalidValueError(f"a filter is one of the filter classes, not {type(value).__name__}")
    return value


@attrs.frozen
class Equal:
    """The value is equal, in type too: `1` and `1.0` are equal, `1` and `true` are not."""

    field: Field = attrs.field(converter=field_of)
    value: Any = attrs.field(converter=attrs.Converter(_operand, takes_self=True))  # type: ignore[misc]


@attrs.frozen
class OneOf:
    """The value is equal to one of these, of which there are at most a thousand."""

    field: Field = attrs.field(converter=field_of)
    values: tuple[Any, ...] = attrs.field(converter=attrs.Converter(_operands, takes_self=True))  # type: ignore[misc]


@attrs.frozen
class Compare:
    """The value is more or less: a number than a number, a string than a string, a time than a time."""

    field: Field = attrs.field(converter=field_of)
    by: Comparison = attrs.field(converter=_comparison)
    value: int | float | str = attrs.field(converter=attrs.Converter(_bound, takes_self=True))  # type: ignore[misc]


@attrs.frozen
class Exists:
    """There is a value, be it null."""

    field: Field = attrs.field(converter=field_of)


@attrs.frozen
class Contains:
    """The value is an array with an element that is equal, or a string with this string in it."""

    field: Field = attrs.field(converter=field_of)
    value: Any = attrs.field(converter=attrs.Converter(_part, takes_self=True))  # type: ignore[misc]


@attrs.frozen
class StartsWith:
    """The value is a string that starts with this one."""

    field: Field = attrs.field(converter=field_of)
    text: str = attrs.field(converter=attrs.Converter(_start, takes_self=True))  # type: ignore[misc]


@attrs.frozen
class Mentions:
    """A node's name or one of its observations has this text in it, upper or lower case."""

    text: str = attrs.field(converter=_folded)


@attrs.frozen
class And:
    """All of these hold; of none it is true."""

    filters: tuple[Filter, ...] = attrs.field(converter=_filters)


@attrs.frozen
class Or:
    """One of these holds; of none it is false."""

    filters: tuple[Filter, ...] = attrs.field(converter=_filters)


@attrs.frozen
class Not:
    """This does not hold."""

    filter: Filter = attrs.field(converter=_filter)


Condition: TypeAlias = Equal | OneOf | Compare | Exists | Contains | StartsWith | Mentions
Filter: TypeAlias = Condition | And | Or | Not
_CLASSES = (Equal, OneOf, Compare, Exists, Contains, StartsWith, Mentions, And, Or, Not)
ANYTHING = And(())


def conjuncts(filter: Filter) -> tuple[Filter, ...]:
    """Return filters that all have to hold: those of an `And`, taken apart."""
    if isinstance(filter, And):
        return tuple(inner for one in filter.filters for inner in conjuncts(one))
    return (filter,)


def conditions(filter: Filter) -> Iterator[Condition]:
    """Yield every condition, however it is combined; raise `InvalidValueError` for a filter that is too large."""
    waiting: list[tuple[Filter, int]] = [(filter, 0)]
    seen = 0
    while waiting:
        one, depth = waiting.pop()
        seen += 1
        if depth > MAX_NESTING:
            raise InvalidValueError(f"a filter is nested at most {MAX_NESTING} deep")
        if seen > MAX_CONDITIONS:
            raise InvalidValueError(f"a filter has at most {MAX_CONDITIONS} conditions")
        if isinstance(one, (And, Or)):
            waiting.extend((inner, depth + 1) for inner in one.filters)
        elif isinstance(one, Not):
            waiting.append((one.filter, depth + 1))
        else:
            yield one


def check_filter(filter: Filter, kind: Kind) -> None:
    """Raise `InvalidValueError` for a filter that is too large, or asks for what records of this kind do not have."""
    for condition in conditions(_filter(filter)):
        if not isinstance(condition, Mentions):
            condition.field.check(kind)
        elif kind == "edge":
            raise InvalidValueError("an edge has no text to look in")
