"""What it costs to remember a node or an edge, in bytes: an estimate for CPython on 64 bits, rather too high than too low."""

from __future__ import annotations

from collections.abc import Collection
from sys import getsizeof
from typing import Any, Final

from polaris_core.model import Edge, Node
from polaris_core.values import FrozenDict, FrozenList

__all__ = ["weight_of"]

_ENTRY: Final = 200  # a key and its place in a cache
_RECORD: Final = 350  # a node or an edge with its provenance and times
_OBSERVATION: Final = 130
_CONTAINER: Final = 120
_PLACE: Final = 80  # in an object, with a key of some ten characters; in an array it is less
_NUMBER: Final = 32


def weight_of(value: Node | Edge | None) -> int:
    """Return the bytes that an entry of a cache takes: of a record, or of the knowledge that there is none."""
    if value is None:
        return _ENTRY
    weight = _ENTRY + _RECORD + _of(value.attributes.values())
    if isinstance(value, Edge):
        return weight + len(value.source) + len(value.target)
    for observation in value.observations:
        weight += _OBSERVATION + getsizeof(observation.text)
    return weight


def _of(values: Collection[Any]) -> int:
    """Return what the values in an object or an array weigh, with their places in it."""
    weight = _PLACE * len(values)
    for value in values:
        kind = type(value)  # exact: what is in a record was frozen
        if kind is str:
            weight += getsizeof(value)
        elif kind is FrozenDict:
            weight += _CONTAINER + _of(value.values()) + sum(map(len, value))
        elif kind is FrozenList:
            weight += _CONTAINER + _of(value)
        else:
            weight += _NUMBER
    return weight
