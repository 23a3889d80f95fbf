"""Equality and order of JSON values: typed, total, and the same wherever a filter is answered.

Values of different types are never equal and stand in the order missing, null, boolean, number, string, array, object.
Numbers compare by value, whatever their form, so `1` and `1.0` are equal. Strings compare by code point; of a string that is
no name the order looks at the first `KEY_CHARACTERS`. Arrays stand level with arrays and objects with objects. What stands
level is ordered by id.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

__all__ = ["KEY_CHARACTERS", "MISSING", "Missing", "OrderKey", "Rank", "equal", "order_key"]

KEY_CHARACTERS = 256
"""How much of a string decides where it stands, so that cursors and indexes stay small."""


class Missing(Enum):
    """What is found where nothing is: not null, which is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Rank:
    """The places of the types in the order."""

    MISSING = 0
    NULL = 1
    BOOLEAN = 2
    NUMBER = 3
    STRING = 4
    ARRAY = 5
    OBJECT = 6


OrderKey: TypeAlias = tuple[int, int | float | str]
"""A rank, and what orders values of that rank: 0 where nothing does."""


def order_key(value: Any) -> OrderKey:
    """Return where a JSON value, or `MISSING`, stands in the order."""
    if isinstance(value, str):
        return (Rank.STRING, value[:KEY_CHARACTERS])
    if isinstance(value, bool):
        return (Rank.BOOLEAN, int(value))
    if isinstance(value, (int, float)):
        return (Rank.NUMBER, value)
    if value is None:
        return (Rank.NULL, 0)
    if value is MISSING:
        return (Rank.MISSING, 0)
    return (Rank.ARRAY if isinstance(value, list) else Rank.OBJECT, 0)


def equal(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: `1` and `1.0` are, `true` and `1` are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)
