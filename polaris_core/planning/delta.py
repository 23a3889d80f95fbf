"""Differences between two states of a record, and the way from one to the other.

Comparison is of JSON as stored: `1`, `1.0` and `true` differ, and so do `0.0` and `-0.0`.
"""

from __future__ import annotations

from typing import Any, cast

from polaris_core.codec import seal
from polaris_core.errors import InvalidValueError
from polaris_core.model import Observation, Patch, Path
from polaris_core.values import EMPTY, FrozenDict

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
    """Return what was observed, each with its place, and the texts that were forgotten; what moved is both."""
    if before is after:
        return {}
    places = {observation: place for place, observation in enumerate(before)}
    kept, last = set(), -1
    for observation in after:
        place = places.get(observation, -1)
        if place > last:
            kept.add(observation)
            last = place
    observed = [
        {"at": place, "text": item.text, "source": item.source, "recorded_at": item.recorded_at}
        for place, item in enumerate(after)
        if item not in kept
    ]
    forgotten = [item.text for item in before if item not in kept]
    return {name: value for name, value in (("observe", observed), ("forget", forgotten)) if value}


def patched(attributes: FrozenDict, patch: Patch) -> FrozenDict:
    """Return attributes with a patch's `unset` and then its `set` applied; the original is left as it is.

    An object is copied once, when it is first changed, however many of its keys the patch names.
    """
    if not patch.unset and not patch.set:
        return attributes
    changed = dict(attributes)
    for path in patch.unset:
        at: Any = changed
        for key in path[:-1]:
            at = _own(at, key) if isinstance(at, dict) and key in at else None
        if isinstance(at, dict):
            at.pop(path[-1], None)
    for path, value in patch.set:
        at = changed
        for key in path[:-1]:
            at.setdefault(key, EMPTY)
            at = _own(at, key)
            if not isinstance(at, dict):
                raise InvalidValueError("a patch cannot set a key inside what is no object", path=path)
        at[path[-1]] = value
    return cast("FrozenDict", seal(changed))


def _own(parent: dict[str, Any], key: str) -> Any:
    """Return a value inside an object that is already a copy; an object is replaced by a copy of its own first."""
    value = parent[key]
    if type(value) is FrozenDict:
        value = parent[key] = dict(value)
    return value
