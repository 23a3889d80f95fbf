"""What a graph holds, as frozen values: nodes, edges, observations, where they come from, and the changes between states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias, cast

import attrs

from polaris_core.errors import InvalidCursorError, InvalidValueError
from polaris_core.unchecked import unchecked
from polaris_core.values import (
    EMPTY,
    INT64_MAX,
    MAX_DEPTH,
    FrozenDict,
    each,
    freeze,
    freeze_object,
    from_micros,
    normalize_name,
    normalize_text,
    normalize_type,
    to_micros,
)

__all__ = [
    "Change",
    "Cursor",
    "Edge",
    "EdgeKey",
    "Key",
    "Node",
    "Observation",
    "Patch",
    "Provenance",
    "edge_key",
    "observations",
    "path_of",
    "unchecked_edge",
    "unchecked_node",
    "unchecked_observation",
    "unchecked_provenance",
]


class EdgeKey(NamedTuple):
    """What names an edge: its two ends, by name, and its type. Two nodes have at most one edge of a type each way."""

    source: str
    type: str
    target: str

    @classmethod
    def of(cls, source: str, type: str, target: str) -> EdgeKey:
        """Return the key with its parts normalised; raise `InvalidNameError` when one cannot be a name."""
        return cls(normalize_name(source), normalize_type(type), normalize_name(target))

    def __str__(self) -> str:
        return f"{self.source!r} -[{self.type}]-> {self.target!r}"


def edge_key(key: tuple[str, str, str]) -> EdgeKey:
    """Return source, type and target, in whatever sequence of three, as a normalised key."""
    if not isinstance(cast("object", key), (tuple, list)) or len(key) != 3:
        raise InvalidValueError(f"an edge is named by source, type and target, not by {type(key).__name__}")
    return EdgeKey.of(*key)


Key: TypeAlias = str | EdgeKey
"""A node's name or an edge's triple."""


class Cursor(NamedTuple):
    """A place in the history of one store: after change number `seq` of `epoch`. Its text form is `store:epoch:seq`."""

    store: str
    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.store}:{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the cursor that `str(cursor)` wrote; raise `InvalidCursorError` for any other text."""
        parts = text.split(":") if len(text) < 200 else []
        digits = parts[2] if len(parts) == 3 and parts[2].isascii() and parts[2].isdecimal() else ""
        seq = int(digits) if 0 < len(digits) < 20 else INT64_MAX + 1
        if seq > INT64_MAX:
            raise InvalidCursorError(f"not a cursor: {text[:80]!r}", cursor=text[:80])
        return cls(parts[0], parts[1], seq)


def _utc(time: datetime | None) -> datetime | None:
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise InvalidValueError(f"a time is a datetime, not {type(time).__name__}")
    if type(time) is datetime and time.tzinfo is UTC:
        return time
    try:
        return from_micros(to_micros(time))  # a plain datetime, whatever the subclass: the encoder knows no other
    except OverflowError:
        raise InvalidValueError(f"in UTC {time.isoformat()} lies outside the years 1 to 9999") from None


def _optional_text(text: str | None) -> str | None:
    return None if text is None else normalize_text(text)


@attrs.frozen(weakref_slot=False)
class Observation:
    """One sentence about a node, and where it comes from. `recorded_at` is filled in by the commit that stores it."""

    text: str = attrs.field(converter=normalize_text)
    source: str | None = attrs.field(default=None, converter=_optional_text)
    recorded_at: datetime | None = attrs.field(default=None, converter=_utc)


unchecked_observation: Callable[[str, str | None, datetime | None], Observation] = unchecked(Observation)


def observations(values: Iterable[str | Observation] | str) -> tuple[Observation, ...]:
    """Return observations from texts or observations, the first of equal texts only; one bare string is one observation."""
    if isinstance(values, (str, Observation)):
        values = (values,)
    unique: dict[str, Observation] = {}
    for value in each(values, "observations"):
        observation = (
            value if isinstance(value, Observation) else unchecked_observation(normalize_text(value), None, None)
        )
        unique.setdefault(observation.text, observation)
    return tuple(unique.values())


@attrs.frozen(weakref_slot=False)
class Provenance:
    """When, by whom and how often a record was written.

    `version` counts 1, 2, 3; `revision` is the number of the change that last wrote the record and never repeats in a store.
    Times are aware, in UTC, to the microsecond.
    """

    version: int
    revision: int
    created_at: datetime
    updated_at: datetime
    author: str | None = None


unchecked_provenance: Callable[[int, int, datetime, datetime, str | None], Provenance] = unchecked(Provenance)


@attrs.frozen(weakref_slot=False)
class Node:
    """A thing with a name, a type, JSON attributes and observations. `provenance` is None until it is stored."""

    name: str = attrs.field(converter=normalize_name)
    type: str = attrs.field(default="node", converter=normalize_type)
    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)
    observations: tuple[Observation, ...] = attrs.field(default=(), converter=observations)
    provenance: Provenance | None = None

    @property
    def key(self) -> str:
        """What names it: its name."""
        return self.name


unchecked_node: Callable[[str, str, Mapping[str, Any], tuple[Observation, ...], Provenance | None], Node] = unchecked(
    Node
)


@attrs.frozen(weakref_slot=False)
class Edge:
    """A typed, directed edge between two nodes, named by its ends and type, with JSON attributes."""

    source: str = attrs.field(converter=normalize_name)
    type: str = attrs.field(converter=normalize_type)
    target: str = attrs.field(converter=normalize_name)
    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)
    provenance: Provenance | None = None

    @property
    def key(self) -> EdgeKey:
        """What names it: source, type and target."""
        return EdgeKey(self.source, self.type, self.target)


unchecked_edge: Callable[[str, str, str, Mapping[str, Any], Provenance | None], Edge] = unchecked(Edge)


Path: TypeAlias = tuple[str, ...]


def path_of(path: str | Iterable[str]) -> Path:
    """Return a path into attributes as a tuple of keys; a bare string is one key, dots and all."""
    steps = (path,) if isinstance(path, str) else tuple(each(path, "the keys of a path"))
    if not steps or not all(isinstance(step, str) for step in steps):
        raise InvalidValueError(f"a path is one key or a tuple of keys, not {path!r}")
    if len(steps) > MAX_DEPTH:
        raise InvalidValueError(f"nested deeper than {MAX_DEPTH} levels", path=steps[:3])
    return tuple(freeze(step) for step in steps)


def _assignments(values: Mapping[str | Path, object]) -> tuple[tuple[Path, Any], ...]:
    if not isinstance(values, Mapping):
        try:
            values = dict(values)
        except (TypeError, ValueError):
            raise InvalidValueError(f"what to set maps paths to values; it is no {type(values).__name__}") from None
    return tuple((steps := path_of(path), freeze(value, steps))[0:2] for path, value in values.items())


def _paths(values: Iterable[str | Path] | str) -> tuple[Path, ...]:
    return tuple(path_of(path) for path in ((values,) if isinstance(values, str) else each(values, "paths")))


def _texts(values: Iterable[str | Observation] | str) -> tuple[str, ...]:
    return tuple(observation.text for observation in observations(values))


def _optional_type(value: str | None) -> str | None:
    return None if value is None else normalize_type(value)


@attrs.frozen
class Patch:
    """What to change in a record, and nothing else.

    `unset` removes paths and `set` then assigns them in order; a path is a key or a tuple of keys into nested objects, null is
    a value, an array is replaced whole. Missing objects on the way are made; a path through anything else refuses the batch.
    `observe` adds observations whose text is new, `forget` removes texts; removing what is absent is no error.
    """

    set: tuple[tuple[Path, Any], ...] = attrs.field(default=(), converter=_assignments)
    unset: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    observe: tuple[Observation, ...] = attrs.field(default=(), converter=observations)
    forget: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    type: str | None = attrs.field(default=None, converter=_optional_type)


@attrs.frozen(kw_only=True)
class Change:
    """One entry of the feed: what one mutation did to one record.

    `cursor` is the place after it; `commit` the number of the first change of its commit; `kind` one of `node.created`,
    `node.updated`, `node.renamed`, `node.deleted`, the same for `edge` without renaming, `meta.set`, `meta.deleted`,
    `event` and `graph.imported`, which stands for all that a load brought. `data` holds the whole record under `record` for
    what was created or deleted, else `patch` and `undo`, the new `version`. Under `previous` stands which change wrote the
    record before, its `revision`; where the rest of the record does not say it, its author and time too.
    """

    cursor: Cursor
    commit: int
    kind: str
    id: int
    key: Key | None
    time: datetime
    author: str | None
    data: FrozenDict
