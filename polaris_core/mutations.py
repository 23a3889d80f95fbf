"""What a caller can ask of a graph's one door for writes: mutations, in batches, with what they expect to find.

Everything is checked and normalised when it is made, so what reaches planning can be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

import attrs

from polaris_core.errors import InvalidValueError, ValidationError
from polaris_core.model import Cursor, EdgeKey, Key, Observation, Patch, observations
from polaris_core.schema import SchemaKind, definition, schema_key, schema_kind
from polaris_core.unchecked import unchecked
from polaris_core.values import (
    EMPTY,
    MAX_NAME_BYTES,
    each,
    freeze,
    freeze_object,
    normalize_name,
    normalize_text,
    normalize_type,
)

__all__ = [
    "Batch",
    "CreateEdge",
    "CreateNode",
    "DeleteEdge",
    "DeleteMeta",
    "DeleteNode",
    "DeleteSchema",
    "Emit",
    "Expect",
    "ExpectLinks",
    "ExpectRevision",
    "ExpectUnchanged",
    "Mutation",
    "PatchEdge",
    "PatchNode",
    "PutEdge",
    "PutNode",
    "RenameNode",
    "SetMeta",
    "SetSchema",
    "UpsertEdge",
    "UpsertNode",
    "normalize_author",
    "unchecked_batch",
]


def _optional_type(value: str | None) -> str | None:
    return None if value is None else normalize_type(value)


def _optional_name(value: str | None) -> str | None:
    return None if value is None else normalize_name(value)


def _is_patch(_mutation: object, _field: object, patch: Any) -> None:
    if not isinstance(patch, Patch):
        raise ValidationError(f"expected a Patch, not {type(patch).__name__}")


@attrs.frozen
class _OfNode:
    name: str = attrs.field(converter=normalize_name)


@attrs.frozen
class CreateNode(_OfNode):
    """Create a node; one of this name that exists refuses the batch with `NodeExistsError`."""

    type: str = attrs.field(default="node", converter=normalize_type)
    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)
    observations: tuple[Observation, ...] = attrs.field(default=(), converter=observations)


@attrs.frozen
class PutNode(_OfNode):
    """Replace a node's type and attributes, or create it; id, observations and creation time stay."""

    type: str = attrs.field(default="node", converter=normalize_type)
    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)


@attrs.frozen
class UpsertNode(_OfNode):
    """Create a node, or merge top-level attributes and new observations into it. A type of None keeps what is there."""

    type: str | None = attrs.field(default=None, converter=_optional_type)
    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)
    observations: tuple[Observation, ...] = attrs.field(default=(), converter=observations)


@attrs.frozen
class PatchNode(_OfNode):
    """Change part of a node; one that does not exist refuses the batch with `NodeNotFoundError`."""

    patch: Patch = attrs.field(validator=_is_patch)


@attrs.frozen
class RenameNode(_OfNode):
    """Give a node another name; its id, edges and history stay. A name that is taken refuses with `NodeExistsError`."""

    to: str = attrs.field(converter=normalize_name)


@attrs.frozen
class DeleteNode(_OfNode):
    """Delete a node; with `detach` its edges too, without it edges refuse the batch with `NodeHasEdgesError`."""

    detach: bool = attrs.field(default=False, kw_only=True)
    missing_ok: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class _OfEdge:
    source: str = attrs.field(converter=normalize_name)
    type: str = attrs.field(converter=normalize_type)
    target: str = attrs.field(converter=normalize_name)

    @property
    def key(self) -> EdgeKey:
        """The edge's triple."""
        return EdgeKey(self.source, self.type, self.target)


@attrs.frozen
class CreateEdge(_OfEdge):
    """Create an edge; both ends must exist, and the triple must not."""

    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)


@attrs.frozen
class PutEdge(_OfEdge):
    """Replace an edge's attributes, or create it."""

    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)


@attrs.frozen
class UpsertEdge(_OfEdge):
    """Create an edge, or merge top-level attributes into it."""

    attributes: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)


def _edge_patch(edge: object, field: object, patch: Patch) -> None:
    _is_patch(edge, field, patch)
    if patch.observe or patch.forget or patch.type is not None:
        raise ValidationError("an edge has no observations, and its type is part of its key")


@attrs.frozen
class PatchEdge(_OfEdge):
    """Change part of an edge's attributes."""

    patch: Patch = attrs.field(validator=_edge_patch)


@attrs.frozen
class DeleteEdge(_OfEdge):
    """Delete an edge."""

    missing_ok: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class Emit:
    """Put the caller's own event into the feed, in the same commit as the rest of the batch."""

    type: str = attrs.field(converter=normalize_type)
    subject: str | None = attrs.field(default=None, converter=_optional_name)
    data: Any = attrs.field(default=None, converter=freeze)


@attrs.frozen
class SetMeta:
    """Write a record beside the graph."""

    key: str = attrs.field(converter=normalize_name)
    value: Any = attrs.field(converter=freeze)


@attrs.frozen
class DeleteMeta:
    """Delete a record beside the graph; one that is absent is no error."""

    key: str = attrs.field(converter=normalize_name)


@attrs.frozen
class _OfType:
    kind: SchemaKind = attrs.field(converter=schema_kind)
    type: str = attrs.field(converter=normalize_type)

    @property
    def key(self) -> str:
        """The key of the record that holds the schema."""
        return schema_key(self.kind, self.type)


def _end_types(types: Iterable[str] | None) -> tuple[str, ...] | None:
    return (types,) if isinstance(types, str) else None if types is None else tuple(each(types, "types of nodes"))


@attrs.frozen
class SetSchema(_OfType):
    """Say what the attributes of nodes or edges of a type, or the data of events of one, have to be from now on.

    Edges may also say the types of the nodes that they leave and enter. What is stored already stays as it is.
    """

    schema: Mapping[str, Any] = attrs.field(default=EMPTY, converter=freeze_object)
    sources: tuple[str, ...] | None = attrs.field(default=None, converter=_end_types)
    targets: tuple[str, ...] | None = attrs.field(default=None, converter=_end_types)

    def __attrs_post_init__(self) -> None:
        for end in ("sources", "targets"):  # as they are kept: each once, and in order
            types = self.value[end]
            object.__setattr__(self, end, None if types is None else tuple(types))

    @cached_property
    def value(self) -> Mapping[str, Any]:
        """What is to be kept, but for the version."""
        return definition(self.kind, self.schema, self.sources, self.targets)


@attrs.frozen
class DeleteSchema(_OfType):
    """Delete the schema of a type; one that is absent is no error."""


NodeMutation: TypeAlias = CreateNode | PutNode | UpsertNode | PatchNode | RenameNode | DeleteNode
EdgeMutation: TypeAlias = CreateEdge | PutEdge | UpsertEdge | PatchEdge | DeleteEdge
Mutation: TypeAlias = NodeMutation | EdgeMutation | Emit | SetMeta | DeleteMeta | SetSchema | DeleteSchema


def _key(key: Key | tuple[str, str, str]) -> Key:
    if isinstance(key, str):
        return normalize_name(key)
    if not isinstance(key, tuple) or len(key) != len(EdgeKey._fields):
        raise ValidationError("a key is a node's name or an edge's (source, type, target)")
    return EdgeKey.of(*key)


def _is_revision(_expect: object, _field: object, revision: Any) -> None:
    if type(revision) is not int:
        raise ValidationError(f"a revision is an integer, not {type(revision).__name__}")


def _is_cursor(_expect: object, _field: object, since: Any) -> None:
    if not isinstance(since, Cursor) or type(since.seq) is not int:
        raise ValidationError("expected a Cursor; `Cursor.parse` reads its text form")


@attrs.frozen
class ExpectRevision:
    """The node or edge of this key was last written by this change; 0 means that it does not exist."""

    key: Key = attrs.field(converter=_key)
    revision: int = attrs.field(validator=_is_revision)


@attrs.frozen
class ExpectLinks:
    """No change after `since` created, changed or deleted an edge of this node, or gave another node its name."""

    name: str = attrs.field(converter=normalize_name)
    since: Cursor = attrs.field(validator=_is_cursor)


@attrs.frozen
class ExpectUnchanged:
    """Nothing at all was changed after `since`."""

    since: Cursor = attrs.field(validator=_is_cursor)


Expect: TypeAlias = ExpectRevision | ExpectLinks | ExpectUnchanged


def _mutations(values: Iterable[Mutation] | Mutation) -> tuple[Mutation, ...]:
    if isinstance(values, MUTATIONS):
        return (values,)
    mutations = tuple(each(values, "mutations"))
    for mutation in mutations:
        if not isinstance(mutation, MUTATIONS):
            raise ValidationError(f"not a mutation: {type(mutation).__name__}")
    return mutations


MUTATIONS = (
    CreateNode, PutNode, UpsertNode, PatchNode, RenameNode, DeleteNode,
    CreateEdge, PutEdge, UpsertEdge, PatchEdge, DeleteEdge, Emit, SetMeta, DeleteMeta,
    SetSchema, DeleteSchema,
)  # fmt: skip


def _expectations(values: Iterable[Expect] | Expect) -> tuple[Expect, ...]:
    if values == ():  # as nearly always
        return ()
    expectations = (values,) if isinstance(values, EXPECTATIONS) else tuple(each(values, "expectations"))
    for expect in expectations:
        if not isinstance(expect, EXPECTATIONS):
            raise ValidationError(f"not an expectation: {type(expect).__name__}")
    return expectations


EXPECTATIONS = (ExpectRevision, ExpectLinks, ExpectUnchanged)


def normalize_author(value: str | None) -> str | None:
    """Return the name of whoever writes as it is stored; raises `InvalidValueError` for one that is too long."""
    if value is None:
        return None
    author = normalize_text(value)
    if len(author.encode()) > MAX_NAME_BYTES:  # it is written into every change, so nothing else bounds it
        raise InvalidValueError(f"an author has at most {MAX_NAME_BYTES} bytes in UTF-8")
    return author


@attrs.frozen(weakref_slot=False)
class Batch:
    """Mutations that happen together or not at all, each on top of those before it.

    `expect` is checked first. `key` makes a repeat of the same batch answer as the first did, without doing it again. `author`
    is written into what changes.
    """

    mutations: tuple[Mutation, ...] = attrs.field(converter=_mutations)
    expect: tuple[Expect, ...] = attrs.field(default=(), converter=_expectations)
    key: str | None = attrs.field(default=None, converter=_optional_name)
    author: str | None = attrs.field(default=None, converter=normalize_author)


unchecked_batch: Callable[[tuple[Mutation, ...], tuple[Expect, ...], str | None, str | None], Batch] = unchecked(Batch)
