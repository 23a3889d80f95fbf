"""What callers write when they ask, as values: filters, places in records, types and directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from polaris_core.errors import InvalidValueError
from polaris_core.model import Path
from polaris_core.query import (
    And,
    Equal,
    Field,
    Filter,
    Kind,
    Mentions,
    StartsWith,
    check_filter,
    field_of,
    parse_filter,
)
from polaris_core.records import Direction
from polaris_core.values import each, normalize_name, normalize_type

__all__ = ["Paths", "Where", "all_of", "direction_of", "fields_at", "filter_of", "names_of", "types_of"]

Where: TypeAlias = Mapping[str | Path, Any] | Filter
"""A filter, or its JSON form; there a tuple of keys is a path into the attributes, too."""
Paths: TypeAlias = Sequence[str | Path]

MAX_PATHS: Final = 100


def all_of(type: str | None, prefix: str | None, where: Where | None, text: str | None) -> Filter:
    """Return a filter that admits what is of a type, has a name that begins so, fits a filter and mentions a text."""
    filters = list[Filter]()
    if type is not None:
        filters.append(Equal("type", normalize_type(type)))
    if prefix is not None:
        filters.append(StartsWith("name", prefix))
    if where is not None:
        filters.append(parse_filter(where))
    if text is not None:
        filters.append(Mentions(text))
    return filters[0] if len(filters) == 1 else And(filters)


def fields_at(kind: Kind, paths: Paths) -> tuple[tuple[str, Field], ...]:
    """Return the places at some paths, each with what its path is called; raises `InvalidValueError`."""
    if not isinstance(cast("object", paths), (list, tuple)) or not 0 < len(paths) <= MAX_PATHS:
        raise InvalidValueError(f"what to select is a list of 1 to {MAX_PATHS} paths")
    fields = tuple((path if isinstance(path, str) else str(field_of(path)), field_of(path)) for path in paths)
    for _, field in fields:
        field.check(kind)
    return fields


def names_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return names, normalised, each once; one alone is one."""
    return tuple(dict.fromkeys(map(normalize_name, (names,) if isinstance(names, str) else each(names, "names"))))


def direction_of(direction: Direction) -> Direction:
    """Return a direction; raises `InvalidValueError` for anything else."""
    if direction not in ("out", "in", "both"):
        raise InvalidValueError("a direction is out, in or both")
    return direction


def types_of(types: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return types, normalised; one alone is one."""
    if types is None:
        return None
    return tuple(map(normalize_type, (types,) if isinstance(types, str) else each(types, "types")))


def filter_of(
    kind: Kind,
    *,
    type: str | None = None,
    prefix: str | None = None,
    where: Where | None = None,
    text: str | None = None,
) -> Filter | None:
    """Return a filter as `all_of`, checked for a kind of records; None where nothing is asked for."""
    if type is None and prefix is None and where is None and text is None:
        return None
    filter = all_of(type, prefix, where, text)
    check_filter(filter, kind)
    return filter
