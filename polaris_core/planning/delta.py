"""Differences between two states of a record, and the way from one to the other.

Comparison is of JSON as stored: `1`, `1.0` and `true` differ, and so do `0.0` and `-0.0`.
"""

from __future__ import annotations

from typing import Any

from polaris_core.errors import InvalidValueError
from polaris_core.model import Observation, Patch, Path
from polaris_core.values import FrozenDict

__all__ = ["attributes_delta", "observations_delta", "patched", "same"]


def same(one: Any, other: Any) -> bool:
    """Return whether two frozen values have the same stored bytes."""
    if one is other:
        return True
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if type(one) is not type(other):
        return False
    return repr(one) == repr(other) if type(one) is float else bool(one == other)


def attributes_delta(before: FrozenDict, after: FrozenDict) -> dict[str, list[Any]]:
    """Return the least `set` and `unset` that lead from one object to another; nested objects are compared by key."""
    assigned: list[Any] = []
    removed: list[Any] = []
    _compare(before, after, (), assigned, removed)
    return {name: value for name, value in (("set", assigned), ("unset", removed)) if value}


def _compare(before: Any, after: Any, path: Path, assigned: list[Any], removed: list[Any]) -> None:
    for key, value in after.items():
        if key not in before:
            assigned.append([[*path, key], value])
        elif isinstance(value, dict) and isinstance(before[key], dict):
            _compare(before[key], value, (*path, key), assigned, removed)
        elif not same(before[key], value):
            assigned.append([[*path, key], value])
    removed.extend([*path, key] for key in before if key not in after)


def observations_delta(before: tuple[Observation, ...], after: tuple[Observation, ...]) -> dict[str, list[Any]]:
    """Return what was observed, each with its place, and the texts that were forgotten."""
    old = {observation.text: observation for observation in before}
    new = {observation.text: observation for observation in after}
    observed = [
        {"at": place, "text": item.text, "source": item.source, "recorded_at": item.recorded_at}
        for place, item in enumerate(after)
        if old.get(item.text) != item
    ]
    forgotten = [item.text for item in before if new.get(item.text) != item]
    return {name: value for name, value in (("observe", observed), ("forget", forgotten)) if value}


def patched(attributes: FrozenDict, patch: Patch) -> FrozenDict:
    """Return attributes with a patch's `unset` and then its `set` applied; the original is left as it is."""
    for path in patch.unset:
        attributes = _without(attributes, path)
    for path, value in patch.set:
        attributes = _with(attributes, path, value, path)
    return attributes


def _without(value: Any, path: Path) -> Any:
    key, *rest = path
    if not isinstance(value, dict) or key not in value:
        return value
    if not rest:
        return FrozenDict({name: item for name, item in value.items() if name != key})
    return FrozenDict({**value, key: _without(value[key], tuple(rest))})


def _with(value: Any, path: Path, item: Any, whole: Path) -> Any:
    if not isinstance(value, dict):
        raise InvalidValueError("a patch cannot set a key inside what is no object", path=whole)
    key, *rest = path
    return FrozenDict({**value, key: _with(value.get(key, {}), tuple(rest), item, whole) if rest else item})
