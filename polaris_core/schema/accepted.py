"""Which JSON Schemas a graph keeps for its types: a part of draft 2020-12 whose work is bounded and whose verdict is one.

Whoever writes to a graph may bring a schema, and every later write of the type runs it. So there is no regular expression
in it, no reference out of it and no recursion, and no value is looked at by more than `MAX_WEIGHT` subschemas. What is
accepted has the same verdict in jsonschema and in jsonschema-rs; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from polaris_core.errors import InvalidSchemaError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_WEIGHT", "accept", "lists_numbers"]

MAX_BYTES = 1 << 16
MAX_DEPTH = 32
MAX_WEIGHT = 100
MAX_COUNT = (1 << 31) - 1
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_PER_WEIGHT = 128
"""So many names that are looked up one by one cost about what one more subschema costs."""

_VALUE = 8
"""A value that is compared costs about what so many names cost."""

_NUMBER = 16
"""As a value does; jsonschema-rs takes longer over numbers."""

_TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))
_TEXTS = frozenset(("$comment", "title", "description", "format"))
_FLAGS = frozenset(("deprecated", "readOnly", "writeOnly", "uniqueItems"))
_COUNTS = frozenset(
    ("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties")
)
_NUMBERS = frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))
_ONE_HERE = frozenset(("not", "if", "then", "else"))
_SOME_HERE = frozenset(("allOf", "anyOf", "oneOf"))
_ONE_BELOW = frozenset(("items", "contains", "additionalProperties", "propertyNames"))
_INSTEAD = {
    "pattern": "regular expressions are not run on the way to a store; say it with enum, const, minLength and maxLength",
    "patternProperties": "regular expressions are not run on the way to a store; say it with properties, "
    "additionalProperties and propertyNames",
    "unevaluatedProperties": "say it with additionalProperties",
    "unevaluatedItems": "say it with prefixItems and items",
    "$id": "a schema of a type is named by its type",
    "$anchor": "name a part under $defs, and refer to it as #/$defs/NAME",
    "$dynamicAnchor": "name a part under $defs, and refer to it as #/$defs/NAME",
    "$dynamicRef": "refer to a part as #/$defs/NAME",
    "definitions": "it is called $defs",
    "dependencies": "say it with dependentRequired and dependentSchemas",
    "additionalItems": "say it with prefixItems and items",
}
_REF = "#/$defs/"

_Path = tuple[str | int, ...]


class _Cost(NamedTuple):
    """`weight`: how many subschemas look at one value, at most; `height`: how many stand one in another."""

    weight: int
    height: int


_LEAF = _Cost(1, 1)


def accept(schema: Mapping[str, Any]) -> int:
    """Return how many of its subschemas look at any one value at most.

    Raises `InvalidSchemaError`, with the path, for what is no JSON Schema of draft 2020-12 or beyond what is accepted.
    """
    return _Walk(schema).weight()


class _Walk:
    """One look at a schema. References are followed, so a part counts as often as it is referred to."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._parts: dict[str, Any] = {}
        self._costs: dict[str, _Cost | None] = {}  # None while a part is being looked at

    def weight(self) -> int:
        root = dict(self._schema)
        if root.pop("$schema", DIALECT) != DIALECT:
            _refuse(f"a schema is of draft 2020-12, {DIALECT}", "$schema")
        self._parts = _object(root.pop("$defs", {}), ("$defs",))
        weight = self._subschema(root, (), 1).weight
        for name in self._parts:
            self._part(name, ("$defs", name), 1)
        if weight > MAX_WEIGHT:
            _refuse(
                f"up to {weight} parts of the schema would look at one value, and {MAX_WEIGHT} may: "
                "nest allOf, anyOf, oneOf and $ref less, or name fewer keys"
            )
        return weight

    def _part(self, name: str, path: _Path, depth: int) -> _Cost:
        if name not in self._parts:
            _refuse(f"there is no part {name!r} under $defs", *path)
        if name not in self._costs:
            self._costs[name] = None
            self._costs[name] = self._subschema(self._parts[name], ("$defs", name), depth)
        cost = self._costs[name]
        if cost is None:
            _refuse("a schema may not refer to itself, not even through others", *path)
        if depth + cost.height > MAX_DEPTH + 1:
            _refuse(f"subschemas nest at most {MAX_DEPTH} deep, references followed", *path)
        return cost

    def _subschema(self, schema: Any, path: _Path, depth: int) -> _Cost:
        if isinstance(schema, bool):
            return _LEAF
        if depth > MAX_DEPTH:
            _refuse(f"subschemas nest at most {MAX_DEPTH} deep, references followed", *path)
        here: list[_Cost] = []
        below: dict[str, _Cost] = {}
        listed = 0
        for keyword, value in _object(schema, path).items():
            at = (*path, keyword)
            if keyword in _ONE_HERE:
                here.append(self._subschema(value, at, depth + 1))
            elif keyword in _SOME_HERE:
                here += self._each(enumerate(_array(value, at)), at, depth)
            elif keyword == "dependentSchemas":
                listed += _VALUE * len(_object(value, at))
                here += self._each(value.items(), at, depth)
            elif keyword == "$ref":
                here.append(self._reference(value, at, depth))
            elif keyword in _ONE_BELOW:
                below[keyword] = self._subschema(value, at, depth + 1)
            elif keyword == "properties":
                listed += len(_object(value, at))
                below[keyword] = _worst(self._each(value.items(), at, depth))
            elif keyword == "prefixItems":
                below[keyword] = _worst(self._each(enumerate(_array(value, at)), at, depth))
            elif keyword in _ASSERTIONS:
                listed += _ASSERTIONS[keyword](value, at)
            else:
                _refuse(_INSTEAD.get(keyword, "this keyword is not known; see docs/reference/schemas.md"), *at)
        here += [_LEAF] * (schema.get("uniqueItems") is True)  # which looks at all that stands below, too
        return _sum(1 + listed // _PER_WEIGHT, here, below)

    def _each(self, subschemas: Iterable[tuple[str | int, Any]], path: _Path, depth: int) -> list[_Cost]:
        return [self._subschema(value, (*path, step), depth + 1) for step, value in subschemas]

    def _reference(self, value: Any, path: _Path, depth: int) -> _Cost:
        name = value.removeprefix(_REF) if isinstance(value, str) and value.startswith(_REF) else ""
        if not name or not all(sign.isascii() and (sign.isalnum() or sign in "._-") for sign in name):
            _refuse("a reference is #/$defs/NAME, of ASCII letters, digits, '.', '_' and '-', within the schema", *path)
        return self._part(name, path, depth + 1)


def _sum(own: int, here: list[_Cost], below: Mapping[str, _Cost]) -> _Cost:
    """Return the cost of what looks at a value, together with `here`, and at its children, by the keywords of `below`."""
    weights = {keyword: cost.weight for keyword, cost in below.items()}
    of_key = max(weights.get("properties", 0), weights.get("additionalProperties", 0)) + weights.get("propertyNames", 0)
    of_item = max(weights.get("prefixItems", 0), weights.get("items", 0)) + weights.get("contains", 0)
    weight = max(own, of_key, of_item) + sum(cost.weight for cost in here)
    return _Cost(weight, 1 + max((cost.height for cost in (*here, *below.values())), default=0))


def _worst(costs: list[_Cost]) -> _Cost:
    return _Cost(max((cost.weight for cost in costs), default=0), max((cost.height for cost in costs), default=0))


# --- keywords without subschemas: each returns how much it lists, in names ------------------------------------------------


def _text(value: Any, path: _Path) -> int:
    if not isinstance(value, str):
        _refuse("this is a text", *path)
    return 0


def _flag(value: Any, path: _Path) -> int:
    if not isinstance(value, bool):
        _refuse("this is true or false", *path)
    return 0


def _count(value: Any, path: _Path) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        _refuse(f"this is an integer from 0 to {MAX_COUNT}", *path)
    return 0


def _number(value: Any, path: _Path) -> int:
    if type(value) not in (int, float):
        _refuse("this is a number", *path)
    return 0


def _divisor(value: Any, path: _Path) -> int:
    if type(value) is not int or value < 1:
        _refuse(
            "this is an integer of at least 1: fractions have no exact multiples; count in the smallest unit", *path
        )
    return 0


def _type(value: Any, path: _Path) -> int:
    names = [value] if isinstance(value, str) else _names(value, path)
    if not names or not _TYPES.issuperset(names):
        _refuse(f"a type is one of {', '.join(sorted(_TYPES))}, or an array of some of them", *path)
    return 0


def _names(value: Any, path: _Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or len({*value}) < len(value):
        _refuse("this is an array of texts, each of which stands there once", *path)
    return value


def _dependent(value: Any, path: _Path) -> int:
    return _VALUE * sum(1 + len(_names(names, (*path, key))) for key, names in _object(value, path).items())


def _examples(value: Any, path: _Path) -> int:
    if not isinstance(value, list):
        _refuse("this is an array", *path)
    return 0


def _inner(value: Any) -> int:
    """Return what comparing with what stands inside arrays and objects costs: it is done one by one."""
    if not isinstance(value, (dict, list)):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return _VALUE + sum(map(_compared, children))


def _compared(value: Any) -> int:
    return (_NUMBER if _is_number(value) else _VALUE) + _inner(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def lists_numbers(schema: Any) -> bool:
    """Tell whether values may be compared with more than one number by one keyword, or seem to be."""
    if isinstance(schema, list):
        return any(map(lists_numbers, schema))
    if not isinstance(schema, dict):
        return False
    listed = [value for value in (schema.get("enum"), schema.get("const")) if isinstance(value, (dict, list))]
    return any(map(_has_number, listed)) or any(map(lists_numbers, schema.values()))


def _has_number(value: Any) -> bool:
    if isinstance(value, (dict, list)):
        return any(map(_has_number, value.values() if isinstance(value, dict) else value))
    return _is_number(value)


_ASSERTIONS: dict[str, Callable[[Any, _Path], int]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_FLAGS, _flag),
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(_NUMBERS, _number),
    "multipleOf": _divisor,
    "type": _type,
    "required": lambda value, path: len(_names(value, path)),
    "dependentRequired": _dependent,
    "enum": lambda value, path: sum(map(_compared, _array(value, path))),
    "const": lambda value, _path: _inner(value),
    "default": lambda _value, _path: 0,
    "examples": _examples,
}


def _object(value: Any, path: _Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(
            "this is an object" if path[-1:] in (("properties",), ("$defs",)) else "this is a schema, an object", *path
        )
    return value


def _array(value: Any, path: _Path) -> list[Any]:
    if not isinstance(value, list) or not value:
        _refuse("this is an array of at least one value", *path)
    return value


def _refuse(message: str, *path: str | int) -> NoReturn:
    raise InvalidSchemaError(message, path=path)
