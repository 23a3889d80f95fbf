"""What it costs to remember a node or an edge, in bytes: an estimate for CPython on 64 bits, rather too high than too low."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from sys import getsizeof
from typing import Any, Final

from polaris_core.model import Edge, Node
from polaris_core.values import FrozenDict, FrozenList

__all__ = ["weight_of"]

_ENTRY: Final = 180  # a place in a cache, without the key
_ABSENT: Final = 450  # the same with a key that is not long
_RECORD: Final = 240  # a node or an edge with its provenance and times
_OBSERVATION: Final = 130
_CONTAINER: Final = 120
_PLACE: Final = 25  # in an object or an array, without the key
_NUMBER: Final = 32


def weight_of(value: Node | Edge | None) -> int:
    """Return the bytes that an entry of a cache takes: of a record, or of the knowledge that there is none, under a short key."""
    if value is None:
        return _ABSENT
    weight = _ENTRY + _RECORD + getsizeof(value.type) + _object(value.attributes)
    if value.provenance is not None and value.provenance.author is not None:
        weight += getsizeof(value.provenance.author)
    if isinstance(value, Edge):
        return weight + getsizeof(value.source) + getsizeof(value.target)
    weight += 2 * getsizeof(value.name)  # once as the key
    for observation in value.observations:
        weight += _OBSERVATION + getsizeof(observation.text)
        if observation.source is not None:
            weight += getsizeof(observation.source)
    return weight


def _object(values: Mapping[str, Any]) -> int:
    """Return what the keys and values in an object weigh."""
    return sum(map(getsizeof, values)) + _array(values.values())


def _array(values: Collection[Any]) -> int:
    """Return what the values in an array weigh, with their places in it."""
    weight = _PLACE * len(values)
    for value in values:
        kind = type(value)  # exact: what is in a record was frozen
        if kind is str:
            weight += getsizeof(value)
        elif kind is FrozenDict:
            weight += _CONTAINER + _object(value)
        elif kind is FrozenList:
            weight += _CONTAINER + _array(value)
        else:
            weight += _NUMBER
    return weight
