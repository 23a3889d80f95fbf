"""jsonschema, made exact and bounded where it is not.

Of the keywords that are accepted, jsonschema takes quadratic time to tell whether the objects of an array are unique, and
takes arrays for equal or not by what sorting them brings together. Here equality is that of draft 2020-12: numbers by their
value, however they are written, and true is no number.

For each fault jsonschema writes the whole value and the whole keyword out, and for alternatives it keeps all faults of each.
Here both are shown up to a length, and the first faults of each alternative have to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from polaris_core.values import freeze

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as Found
    from jsonschema.protocols import Validator

__all__ = ["Fault", "Reference"]

_MOST_OF_ALL = 20
_MOST_SHOWN = 150


class Fault(NamedTuple):
    """What does not fit: where, in words, and what the schema says there."""

    path: tuple[str | int, ...]
    message: str
    expected: Any


class Reference:
    """A schema that was accepted, in jsonschema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        from referencing import Registry

        self._validator: Validator = _dialect()(_briefly_shown(schema), registry=Registry())

    def is_valid(self, value: Any) -> bool:
        """Return whether a value fits."""
        return self._validator.is_valid(_briefly_shown(value))

    def fault(self, value: Any, most: int) -> Fault | None:
        """Return the fault that says most, of the first so many; None where a value fits."""
        from jsonschema.exceptions import best_match

        found = best_match(islice(self._validator.iter_errors(_briefly_shown(value)), most))
        if found is None:
            return None
        return Fault(tuple(map(freeze, found.absolute_path)), found.message, freeze(found.validator_value))


@cache
def _dialect() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    keywords = {
        "anyOf": _any_of,
        "const": _const,
        "enum": _enum,
        "multipleOf": _multiple_of,
        "oneOf": _one_of,
        "uniqueItems": _unique_items,
    }
    return extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]


def _any_of(validator: Any, subschemas: list[Any], instance: Any, _schema: Any) -> Iterator[Found]:
    if faults := _faults_of_each(validator, subschemas, instance):
        yield _found(f"{instance!r} is not valid under any of the given schemas", faults)


def _one_of(validator: Any, subschemas: list[Any], instance: Any, _schema: Any) -> Iterator[Found]:
    rest = iter(subschemas)
    if faults := _faults_of_each(validator, rest, instance):
        yield _found(f"{instance!r} is not valid under any of the given schemas", faults)
    elif any(validator.evolve(schema=subschema).is_valid(instance) for subschema in rest):
        yield _found(f"{instance!r} is valid under more than one of the given schemas")


def _faults_of_each(validator: Any, subschemas: Iterable[Any], instance: Any) -> list[Found]:
    """Return the first faults under each subschema, or none where a value fits one: that is known before more are found."""
    first: list[tuple[Found, Iterator[Found]]] = []
    for subschema in subschemas:
        rest = validator.descend(instance, subschema)
        found = next(rest, None)
        if found is None:
            return []
        first.append((found, rest))
    most = max(1, _MOST_OF_ALL // len(first))
    return [fault for found, rest in first for fault in (found, *islice(rest, most - 1))]


def _const(_validator: Any, const: Any, instance: Any, _schema: Any) -> Iterator[Found]:
    if not _equal(const, instance):
        yield _found(f"{const!r} was expected")


def _enum(_validator: Any, values: list[Any], instance: Any, _schema: Any) -> Iterator[Found]:
    if not any(_equal(value, instance) for value in values):
        yield _found(f"{instance!r} is not one of {values!r}")


def _multiple_of(_validator: Any, divisor: int, instance: Any, _schema: Any) -> Iterator[Found]:
    if isinstance(instance, bool) or not isinstance(instance, (int, float)):
        return
    if (isinstance(instance, float) and not instance.is_integer()) or int(instance) % divisor:
        yield _found(f"{instance!r} is not a multiple of {divisor!r}")


def _unique_items(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[Found]:
    if wanted and isinstance(instance, list) and len(set(map(_identity, instance))) < len(instance):
        yield _found("the items are not unique")


def _found(message: str, faults: Sequence[Found] = ()) -> Found:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message, context=faults)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and len(one) == len(other)
            and all(key in other and _equal(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _identity(value: Any) -> Any:
    """Return what can be hashed, and is equal for what `_equal` says is equal."""
    if isinstance(value, bool):
        return ("true",) if value else ("false",)
    if isinstance(value, list):
        return ("array", *map(_identity, value))
    if isinstance(value, dict):
        return frozenset((key, _identity(item)) for key, item in value.items())
    return value


# --- values as messages show them ----------------------------------------------------------------------------------------


class _Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"{str.__repr__(self[:_MOST_SHOWN])}…"


class _Array(list[Any]):
    __slots__ = ()

    def __repr__(self) -> str:
        return _beginning(_pieces(self))


class _Object(dict[str, Any]):
    __slots__ = ()

    def __repr__(self) -> str:
        return _beginning(_pieces(self))


def _briefly_shown(value: Any) -> Any:
    """Return an equal value whose `repr` has a bounded length, and so has that of all in it."""
    if isinstance(value, dict):
        return _Object({_briefly_shown(key): _briefly_shown(item) for key, item in value.items()})
    if isinstance(value, list):
        return _Array(map(_briefly_shown, value))
    return _Text(value) if isinstance(value, str) and len(value) > _MOST_SHOWN else value


def _beginning(pieces: Iterator[str]) -> str:
    shown = ""
    for piece in pieces:
        shown += piece
        if len(shown) > _MOST_SHOWN:
            return f"{shown[:_MOST_SHOWN]}…"
    return shown


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield "{"
        for number, (key, item) in enumerate(value.items()):
            yield f"{', ' * (number > 0)}{key!r}: "
            yield from _pieces(item)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield ", " * (number > 0)
            yield from _pieces(item)
        yield "]"
    else:
        yield repr(value)
