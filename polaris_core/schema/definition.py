"""The schema of a type as a graph keeps it: a record beside the graph, one for each kind and type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast, get_args

import attrs
import orjson

from polaris_core.errors import InvalidSchemaError, StoreDamagedError
from polaris_core.schema.accepted import MAX_BYTES, accept
from polaris_core.values import FrozenDict, each, freeze, freeze_object, normalize_type

__all__ = [
    "SCHEMAS",
    "SchemaKind",
    "TypeSchema",
    "definition",
    "fields_of",
    "restricts_ends",
    "schema_key",
    "schema_kind",
    "stored_schema",
    "type_schema",
]

SchemaKind: TypeAlias = Literal["node", "edge", "event"]

SCHEMAS = "schema/"
"""What the keys of schemas begin with; the kind and the type follow."""

MAX_ENDS = 100
_ENDS = ("sources", "targets")
_FIELDS = frozenset(("schema", "version", *_ENDS))


@attrs.frozen(kw_only=True)
class TypeSchema:
    """What the attributes of nodes or edges of a type, or the data of events of a type, have to be.

    `sources` and `targets` are the types of the nodes that an edge of the type may leave and enter, None for any. `version`
    counts 1, 2, 3 while the schema is there; `revision` is the change that wrote it last, and never repeats.
    """

    kind: SchemaKind
    type: str
    schema: Mapping[str, Any]
    sources: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    version: int
    revision: int


def schema_kind(kind: object) -> SchemaKind:
    """Return what a schema can be of; raises `InvalidSchemaError` for anything else."""
    if kind not in get_args(SchemaKind):
        raise InvalidSchemaError("a schema is of a node, an edge or an event type")
    return cast("SchemaKind", kind)


def schema_key(kind: SchemaKind, type: str) -> str:
    """Return the key of a type's schema."""
    return f"{SCHEMAS}{kind}/{type}"


def definition(
    kind: SchemaKind,
    schema: Mapping[str, Any],
    sources: Iterable[str] | None = None,
    targets: Iterable[str] | None = None,
) -> FrozenDict:
    """Return what is stored of a schema, but for its version; raises `InvalidSchemaError` for one that is not accepted."""
    ends = {"sources": _types(sources), "targets": _types(targets)}
    if kind != "edge" and any(types is not None for types in ends.values()):
        raise InvalidSchemaError("only edges have sources and targets")
    value = cast("FrozenDict", freeze({"schema": freeze_object(schema), **ends}))
    size = len(orjson.dumps(value))
    if size > MAX_BYTES:
        raise InvalidSchemaError(f"a schema has at most {MAX_BYTES} bytes as JSON, this one {size}")
    accept(value["schema"])
    return value


def _types(types: Iterable[str] | None) -> list[str] | None:
    if types is None:
        return None
    named = dict.fromkeys(map(normalize_type, (types,) if isinstance(types, str) else each(types, "types of nodes")))
    if not 0 < len(named) <= MAX_ENDS:
        raise InvalidSchemaError(f"an edge's end is one of 1 to {MAX_ENDS} types, or of any type, which is None")
    return sorted(named)


def fields_of(key: str, value: Any) -> FrozenDict:
    """Return the fields of a schema from what stands, or is to stand, under a key, as `definition` does.

    Raises `InvalidSchemaError` where the key or the value is not that of a schema.
    """
    kind, _, type_ = key.removeprefix(SCHEMAS).partition("/")
    if not isinstance(value, dict) or not isinstance(value.get("schema"), dict) or not _FIELDS.issuperset(value):
        raise InvalidSchemaError(f"what stands under {key!r} is an object of schema, sources and targets")
    normalize_type(type_)
    return definition(schema_kind(kind), value["schema"], *(value.get(end) for end in _ENDS))


def restricts_ends(key: str, body: str) -> bool:
    """Return whether a record beside the graph says what edges of a type join: at little cost, for all there are are asked.

    Raises `StoreDamagedError` where the record is no JSON.
    """
    try:
        fields = orjson.loads(body)
    except ValueError as error:
        raise _damaged(key, error) from error
    return isinstance(fields, dict) and any(fields.get(end) is not None for end in _ENDS)


def type_schema(key: str, revision: int, value: Any) -> TypeSchema:
    """Return the schema that a value which is to stand under a key is; raises `InvalidSchemaError` where it is none."""
    kind, _, type_ = key.removeprefix(SCHEMAS).partition("/")
    found = fields_of(key, value)
    version = value.get("version")
    if type(version) is not int:
        raise InvalidSchemaError(f"what is stored under {key!r} has no version: set the schema again")
    sources, targets = (None if found[end] is None else tuple(found[end]) for end in _ENDS)
    return TypeSchema(
        kind=schema_kind(kind),
        type=type_,
        schema=found["schema"],
        sources=sources,
        targets=targets,
        version=version,
        revision=revision,
    )


def stored_schema(key: str, revision: int, body: str) -> TypeSchema:
    """Return the schema that a stored record is; raises `StoreDamagedError` where it is none."""
    try:
        return type_schema(key, revision, orjson.loads(body))
    except ValueError as error:
        raise _damaged(key, error) from error


def _damaged(key: str, error: ValueError) -> StoreDamagedError:
    return StoreDamagedError(f"what is kept as {key!r} is no schema: {error}; set it again, or delete it", where=key)
