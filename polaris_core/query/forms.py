"""The JSON form of filters: `{"born": {"$gt": 1800}, "$or": [...]}`, read with the path of what is wrong, and written.

An object maps paths to values or to objects of operators, and all of them have to hold. A value stands for `{"$eq": value}`;
an object to be equal to is written so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from polaris_core.errors import InvalidValueError
from polaris_core.query.fields import Field, field_of
from polaris_core.query.filters import (
    MAX_CONDITIONS,
    MAX_NESTING,
    And,
    Compare,
    Contains,
    Equal,
    Exists,
    Filter,
    Mentions,
    Not,
    OneOf,
    Or,
    StartsWith,
)
from polaris_core.values import thaw

__all__ = ["OPERATORS", "filter_form", "parse_filter"]


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError(f"$exists is true or false, not {type(value).__name__}")
    return value


_CONDITIONS: dict[str, Callable[[Field, Any], Filter]] = {
    "$eq": Equal,
    "$ne": lambda field, value: Not(Equal(field, value)),
    "$gt": lambda field, value: Compare(field, "gt", value),
    "$gte": lambda field, value: Compare(field, "gte", value),
    "$lt": lambda field, value: Compare(field, "lt", value),
    "$lte": lambda field, value: Compare(field, "lte", value),
    "$in": OneOf,
    "$nin": lambda field, values: Not(OneOf(field, values)),
    "$exists": lambda field, value: Exists(field) if _truth(value) else Not(Exists(field)),
    "$contains": Contains,
    "$startsWith": StartsWith,
}
_COMBINING = ("$and", "$or", "$not", "$text")
OPERATORS = (*_CONDITIONS, *_COMBINING)


def parse_filter(form: object) -> Filter:
    """Return the filter of a JSON form, or a filter as it is; what is neither raises `InvalidValueError` with its path."""
    if isinstance(form, Mapping):
        return _Reader().read(cast("Mapping[object, object]", form), 0)
    if not isinstance(form, (Equal, OneOf, Compare, Exists, Contains, StartsWith, Mentions, And, Or, Not)):
        raise InvalidValueError(f"a filter is a mapping of paths or a filter, not {type(form).__name__}")
    return form


class _Reader:
    """Reads one form, and counts what it has read, so that no form takes long to refuse."""

    def __init__(self) -> None:
        self._conditions = 0

    def read(self, form: Mapping[object, object], depth: int) -> Filter:
        if depth > MAX_NESTING:
            raise InvalidValueError(f"a filter is nested at most {MAX_NESTING} deep")
        found = list[Filter]()
        for key, value in form.items():
            try:
                if isinstance(key, str) and key.startswith("$"):
                    found.append(self._combined(key, value, depth))
                else:
                    found.extend(self._of_field(field_of(key), value, depth))
            except InvalidValueError as error:
                raise _placed(error, str(key)[:80]) from error.__cause__
        return found[0] if len(found) == 1 else And(tuple(found))

    def _combined(self, operator: str, value: object, depth: int) -> Filter:
        if operator in ("$and", "$or"):
            filters = self._several(value, depth)
            return And(filters) if operator == "$and" else Or(filters)
        if operator == "$not":
            return Not(self.read(_mapping(value), depth + 1))
        self._count()
        if operator == "$text":
            return Mentions(cast("str", value))
        raise _unknown(operator, _COMBINING)

    def _several(self, value: object, depth: int) -> tuple[Filter, ...]:
        if not isinstance(value, (list, tuple)):
            raise InvalidValueError(f"filters are a list, not {type(value).__name__}")
        found = list[Filter]()
        for index, form in enumerate(value):
            try:
                self._count()
                found.append(self.read(_mapping(form), depth + 1))
            except InvalidValueError as error:
                raise _placed(error, index) from error.__cause__
        return tuple(found)

    def _of_field(self, field: Field, value: object, depth: int) -> list[Filter]:
        if depth > MAX_NESTING:
            raise InvalidValueError(f"a filter is nested at most {MAX_NESTING} deep")
        if not isinstance(value, Mapping):
            self._count()
            return [Equal(field, value)]
        operators = cast("Mapping[object, object]", value)
        if not operators:
            raise InvalidValueError('to compare with an empty object write {"$eq": {}}')
        found = list[Filter]()
        for operator, operand in operators.items():
            try:
                found.append(self._condition(field, operator, operand, depth))
            except InvalidValueError as error:
                raise _placed(error, str(operator)[:80]) from error.__cause__
        return found

    def _condition(self, field: Field, operator: object, operand: object, depth: int) -> Filter:
        self._count()
        if operator == "$not":
            if not isinstance(operand, Mapping):
                raise InvalidValueError("$not takes an object of operators")
            found = self._of_field(field, operand, depth + 1)
            return Not(found[0] if len(found) == 1 else And(tuple(found)))
        make = _CONDITIONS.get(operator) if isinstance(operator, str) else None
        if make is None:
            raise _unknown(operator, (*_CONDITIONS, "$not"))
        return make(field, operand)

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > 4 * MAX_CONDITIONS:  # `check_filter` counts what counts; groups are counted here, too
            raise InvalidValueError(f"a filter has at most {MAX_CONDITIONS} conditions")


def _mapping(value: object) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"a filter is an object of paths, not {type(value).__name__}")
    return cast("Mapping[object, object]", value)


def _placed(error: InvalidValueError, step: str | int) -> InvalidValueError:
    placed = error.fresh()
    placed.path = (step, *error.path)
    return placed


def _unknown(operator: object, known: tuple[str, ...]) -> InvalidValueError:
    if isinstance(operator, str) and operator.startswith("$"):
        return InvalidValueError(f"no operator {operator[:40]!r}; there are {', '.join(known)}")
    return InvalidValueError('an object here holds operators; to compare with an object write {"$eq": {...}}')


def filter_form(filter: Filter) -> dict[str, Any]:
    """Return the JSON form of a filter: reading it again gives an equal filter."""
    match filter:
        case And(filters):
            return {"$and": [filter_form(one) for one in filters]}
        case Or(filters):
            return {"$or": [filter_form(one) for one in filters]}
        case Mentions(text):
            return {"$text": text}
        case Not(Equal(field, value)):
            return {str(field): {"$ne": thaw(value)}}
        case Not(OneOf(field, values)):
            return {str(field): {"$nin": [thaw(value) for value in values]}}
        case Not(Exists(field)):
            return {str(field): {"$exists": False}}
        case Not(negated):
            return {"$not": filter_form(negated)}
        case _:
            operator, operand = _operation(filter)
            return {str(filter.field): {operator: operand}}


def _operation(condition: Equal | OneOf | Compare | Exists | Contains | StartsWith) -> tuple[str, Any]:
    match condition:
        case Equal(_, value):
            return "$eq", thaw(value)
        case OneOf(_, values):
            return "$in", [thaw(value) for value in values]
        case Compare(_, by, value):
            return f"${by}", value
        case Exists(_):
            return "$exists", True
        case Contains(_, value):
            return "$contains", thaw(value)
        case StartsWith(_, text):
            return "$startsWith", text
