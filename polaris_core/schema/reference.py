"""jsonschema, made exact and bounded where it is not.

Of the keywords that are accepted, jsonschema takes quadratic time to tell whether the objects of an array are unique, and
takes arrays for equal or not by what sorting them brings together. Here equality is that of draft 2020-12: numbers by their
value, however they are written, and true is no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as Found
    from jsonschema.protocols import Validator

__all__ = ["Fault", "Reference"]


class Fault(NamedTuple):
    """What does not fit: where, in words, and what the schema says there."""

    path: tuple[str | int, ...]
    message: str
    expected: Any


class Reference:
    """A schema that was accepted, in jsonschema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        from referencing import Registry

        self._validator: Validator = _dialect()(schema, registry=Registry())

    def is_valid(self, value: Any) -> bool:
        """Return whether a value fits."""
        return self._validator.is_valid(value)

    def fault(self, value: Any, most: int) -> Fault | None:
        """Return the fault that says most, of the first so many; None where a value fits."""
        from jsonschema.exceptions import best_match

        found = best_match(islice(self._validator.iter_errors(value), most))
        return None if found is None else Fault(tuple(found.absolute_path), found.message, found.validator_value)


@cache
def _dialect() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    keywords = {"const": _const, "enum": _enum, "multipleOf": _multiple_of, "uniqueItems": _unique_items}
    return extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]


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


def _found(message: str) -> Found:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


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
