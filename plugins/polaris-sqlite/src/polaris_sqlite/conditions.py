"""Filters as SQL conditions over one row, `r`: with parameters only, and with word of whether they say it all.

Where SQL cannot say exactly what a filter says, a condition admits more than it should, or, under a negation, less; the
rows are then looked at again by the core's interpreter. Nothing a caller sent ever becomes a part of a statement: paths are
parameters too, and those that SQLite's paths cannot express are left to the interpreter.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from polaris_core import (
    And,
    Compare,
    Contains,
    Equal,
    Exists,
    Field,
    Mentions,
    Not,
    OneOf,
    Or,
    StartsWith,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core import Filter

__all__ = ["Condition", "Parameters", "condition"]

_BY = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# SQLite reads the decimal digits of a stored number to within a few units in the last place, Python exactly.
_SLACK = 1e-14
_LEAST = 1e-322
_FEW_NUMBERS = 4
# SQLite's parser has a stack of a hundred; a level takes three places of it, and a condition and its statement up to fifty.
DEEPEST = 12
_INT64 = 2**63


class Parameters(dict[str, Any]):
    """The named parameters of one statement."""

    def add(self, value: Any) -> str:
        """Return the placeholder of one more parameter."""
        name = f"p{len(self)}"
        self[name] = value
        return f":{name}"


class Condition(NamedTuple):
    """An expression that is 0 or 1 and never NULL; `exact` says that it holds where the filter does and nowhere else."""

    sql: str
    exact: bool = True


class _Place(NamedTuple):
    """Where a field stands in a row: SQL for the type of the value, as `json_type` calls it or '', and for the value."""

    type: str
    value: str


TRUE, FALSE = Condition("1"), Condition("0")


def condition(filter: Filter, parameters: Parameters, *, more: bool = True, depth: int = 0) -> Condition:
    """Return the condition of a filter; one that is not exact admits `more` rows than the filter, or else fewer.

    What is nested deeper than SQLite's parser goes is left to the interpreter.
    """
    if depth > DEEPEST:
        return _vague(more)
    match filter:
        case And(filters):
            return _joined(" AND ", [condition(one, parameters, more=more, depth=depth + 1) for one in filters], TRUE)
        case Or(filters):
            return _joined(" OR ", [condition(one, parameters, more=more, depth=depth + 1) for one in filters], FALSE)
        case Not(negated):
            inner = condition(negated, parameters, more=not more, depth=depth + 1)
            return Condition(f"NOT ({inner.sql})", inner.exact)
        case Mentions(_):
            return _vague(more)
        case _:
            place = _place(filter.field, parameters)
            return _vague(more) if place is None else _Writer(place, filter.field, parameters, more).write(filter)


def _vague(more: bool) -> Condition:
    return Condition("1" if more else "0", exact=False)


def _joined(operator: str, conditions: Sequence[Condition], none: Condition) -> Condition:
    """Join conditions without more brackets than they need, for the sake of SQLite's parser.

    Each adds a level to the expression, of which there may be a thousand: more than a filter has conditions.
    """
    if len(conditions) < 2:
        return conditions[0] if conditions else none
    return Condition(f"({operator.join(one.sql for one in conditions)})", all(one.exact for one in conditions))


_OWN = {
    "name": _Place("'text'", "r.name"),
    "type": _Place("'text'", "r.type"),
    "source": _Place("'text'", "(SELECT name FROM nodes WHERE id = r.source)"),
    "target": _Place("'text'", "(SELECT name FROM nodes WHERE id = r.target)"),
    "observations": _Place("'array'", "NULL"),
    "provenance.revision": _Place("'integer'", "r.revision"),
    "provenance.version": _Place("'integer'", "json_extract(r.body, '$.version')"),
    # Without its Z, so that the order of the strings is that of the times.
    "provenance.created_at": _Place("'text'", "rtrim(json_extract(r.body, '$.created_at'), 'Z')"),
    "provenance.updated_at": _Place("'text'", "rtrim(json_extract(r.body, '$.updated_at'), 'Z')"),
    "provenance.author": _Place("ifnull(json_type(r.body, '$.author'), '')", "json_extract(r.body, '$.author')"),
}


def _place(field: Field, parameters: Parameters) -> _Place | None:
    if field.root in _OWN:
        return _OWN[field.root]
    path = _path(field.keys)
    if path is None:
        return None
    name = parameters.add(path)
    return _Place(f"ifnull(json_type(r.body, {name}), '')", f"json_extract(r.body, {name})")


def _path(keys: Sequence[str]) -> str | None:
    """Return SQLite's path to attributes; None for keys that it finds only in the spelling that the JSON happens to have."""
    if any(character in '"\\' or character < " " for key in keys for character in key):
        return None
    return "$.attributes" + "".join(f'."{key}"' for key in keys)


class _Writer:
    """Writes the conditions of one field."""

    def __init__(self, place: _Place, field: Field, parameters: Parameters, more: bool) -> None:
        self._type, self._value = place
        self._field = field
        self._add = parameters.add
        self._parameters = parameters
        self._more = more

    def write(self, filter: Equal | OneOf | Compare | Exists | Contains | StartsWith) -> Condition:
        """Return the condition of a filter on this field."""
        match filter:
            case Equal(_, value):
                return self._equal(value)
            case OneOf(_, values):
                return self._among(values)
            case Compare(_, by, value):
                return self._compared(by, value)
            case Exists(_):
                return Condition(f"{self._type} <> ''")
            case StartsWith(_, text):
                start = self._add(text)
                return self._text(f"substr({self._value}, 1, length({start})) = {start}")
            case Contains(_, value):
                return self._contains(value)

    def _text(self, test: str) -> Condition:
        return Condition(f"({self._type} = 'text' AND {test})")

    def _operand(self, value: str) -> str:
        return self._add(value.removesuffix("Z") if self._field.is_time else value)

    def _equal(self, value: Any) -> Condition:
        if isinstance(value, str):
            return self._text(f"{self._value} = {self._operand(value)}")
        return self._like(value, self._type, self._value)

    def _like(self, value: Any, type: str, found: str) -> Condition:
        """Return that a value which is no text is equal to what is found."""
        if value is None:
            return Condition(f"{type} = 'null'")
        if isinstance(value, bool):
            return Condition(f"{type} = '{'true' if value else 'false'}'")
        if isinstance(value, (int, float)):
            if not self._more:
                return Condition(f"({type} = 'integer' AND {found} = {self._add(value)})", exact=False)
            least, most = self._add(_below(value)), self._add(_above(value))
            return Condition(f"({type} IN ('integer', 'real') AND {found} BETWEEN {least} AND {most})", exact=False)
        if not self._more:
            return _vague(more=False)
        return Condition(f"{type} = '{'array' if isinstance(value, list) else 'object'}'", exact=False)

    def _among(self, values: Sequence[Any]) -> Condition:
        texts = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
        others = [value for value in values if not isinstance(value, (str, int, float)) or isinstance(value, bool)]
        if len(numbers) <= _FEW_NUMBERS:
            others += numbers
        found = list(dict.fromkeys(self._like(value, self._type, self._value) for value in others))
        if len(numbers) > _FEW_NUMBERS:
            found.append(self._among_numbers(numbers))
        if texts:
            if self._field.is_time:
                texts = [text.removesuffix("Z") for text in texts]
            listed = self._add(orjson.dumps(texts).decode())
            found.append(self._text(f"{self._value} IN (SELECT value FROM json_each({listed}))"))  # noqa: S608 - a placeholder
        return _joined(" OR ", found, FALSE)

    def _among_numbers(self, numbers: Sequence[float]) -> Condition:
        """Return that the value is one of many numbers, with few parameters: SQLite takes time by the square of how many."""
        whole = [int(value) for value in numbers if -_INT64 <= value < _INT64 and value == int(value)]
        listed = self._add(orjson.dumps(whole).decode())
        among = f"{self._type} = 'integer' AND {self._value} IN (SELECT value FROM json_each({listed}))"  # noqa: S608 - a placeholder
        if not self._more:
            return Condition(f"({among})", exact=False)
        least, most = self._add(_below(min(numbers))), self._add(_above(max(numbers)))
        return Condition(
            f"({among} OR {self._type} = 'real' AND {self._value} BETWEEN {least} AND {most})", exact=False
        )

    def _compared(self, by: str, value: float | str) -> Condition:
        if isinstance(value, str):
            return self._text(f"{self._value} {_BY[by]} {self._operand(value)}")
        if self._more:
            bound = self._add(_below(value) if by.startswith("gt") else _above(value))
            return Condition(f"({self._type} IN ('integer', 'real') AND {self._value} {_BY[by]} {bound})", exact=False)
        whole, broken = self._add(value), self._add(_above(value) if by.startswith("gt") else _below(value))
        return Condition(
            f"({self._type} = 'integer' AND {self._value} {_BY[by]} {whole} "
            f"OR {self._type} = 'real' AND {self._value} {_BY[by]} {broken})",
            exact=False,
        )

    def _contains(self, value: Any) -> Condition:
        element = self._element(value)
        if element is None:
            return _vague(self._more)
        if not isinstance(value, str):
            return element
        return _joined(" OR ", [element, self._text(f"instr({self._value}, {self._add(value)}) > 0")], FALSE)

    def _element(self, value: Any) -> Condition | None:
        """Return that the value is an array with an element that is equal."""
        if self._field.root == "observations":
            if not isinstance(value, str):
                return FALSE
            wanted = self._add(value)
            return Condition(
                "EXISTS (SELECT 1 FROM json_each(r.body, '$.observations') AS e "  # noqa: S608 - a placeholder
                f"WHERE json_extract(e.value, '$.text') = {wanted})"
            )
        if self._field.root != "attributes":
            return FALSE
        path = _path(self._field.keys)
        if isinstance(value, str):
            equal = Condition(f"(e.type = 'text' AND e.value = {self._add(value)})")
        else:
            equal = self._like(value, "e.type", "e.value")
        where = f"SELECT 1 FROM json_each(r.body, {self._add(path)}) AS e WHERE {equal.sql}"  # noqa: S608 - placeholders
        return Condition(f"({self._type} = 'array' AND EXISTS ({where}))", equal.exact)


def _below(value: float) -> float:
    return math.nextafter(float(value) - abs(float(value)) * _SLACK - _LEAST, -math.inf)


def _above(value: float) -> float:
    return math.nextafter(float(value) + abs(float(value)) * _SLACK + _LEAST, math.inf)
