"""The questions about the schemas of types: which there are, and what is stored that does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from polaris_core.errors import LimitExceededError, SchemaNotFoundError, SchemaViolationError
from polaris_core.graph.finding import FindEdges, FindNodes
from polaris_core.graph.questions import Question
from polaris_core.model import Edge, EdgeKey, Key, Node
from polaris_core.planning import stored_schemas
from polaris_core.query import Page, Query
from polaris_core.records import MetaRecord, Session
from polaris_core.schema import Checker, SchemaKind, TypeSchema, Work, checker_of, schema_key, stored_schema

__all__ = ["OneSchema", "Schemas", "Violation", "Violations"]


@attrs.frozen
class Violation:
    """A node or edge that is stored and does not fit the schema of its type: where, and what is expected there.

    `path` leads into the attributes, or is `("source",)` or `("target",)` where an edge's end is of another type.
    """

    key: Key
    message: str
    path: tuple[str | int, ...]
    expected: object = attrs.field(repr=False)


@attrs.frozen
class Schemas(Question[tuple[TypeSchema, ...]]):
    """All schemas, by kind and type."""

    async def __call__(self, session: Session) -> tuple[TypeSchema, ...]:
        """Return the schemas; raises `StoreDamagedError` where one is none."""
        return tuple(map(_decoded, (await stored_schemas(session)).values()))


@attrs.frozen
class OneSchema(Question[TypeSchema]):
    """The schema of one type."""

    kind: SchemaKind
    type: str

    async def __call__(self, session: Session) -> TypeSchema:
        """Return the schema; raises `SchemaNotFoundError`."""
        return _decoded(await _record(session, self.kind, self.type))


@attrs.frozen
class Violations(Question[Page[Violation]]):
    """What a query, of one type, selects and does not fit the schema of that type."""

    type: str
    query: Query
    work: int

    async def __call__(self, session: Session) -> Page[Violation]:
        """Return a page of faults, which may be empty and not the last; raises `SchemaNotFoundError`."""
        record = await _record(session, self.query.kind, self.type)
        checker = checker_of(record.key, record.body)
        found: Page[Node] | Page[Edge]
        if self.query.kind == "node":
            found = await FindNodes(self.query)(session)
        else:
            found = await FindEdges(self.query)(session)
        types = await _end_types(session, found)
        faults = (_fault(checker, record, types, self.work) for record in found)
        return Page(tuple(fault for fault in faults if fault), found.next)


async def _end_types(session: Session, records: Iterable[Node | Edge]) -> dict[str, str]:
    names = {name for record in records if isinstance(record, Edge) for name in (record.source, record.target)}
    return {record.name: record.type for record in await session.nodes(tuple(names)) if record} if names else {}


def _fault(checker: Checker, record: Node | Edge, types: Mapping[str, str], work: int) -> Violation | None:
    key = record.key if isinstance(record, Edge) else record.name
    try:
        if isinstance(key, EdgeKey):
            checker.check_ends(key, types[key.source], types[key.target])
        checker.check(record.attributes, key, Work(work))
    except SchemaViolationError as error:
        return Violation(key, str(error), error.path, error.expected)
    except LimitExceededError as error:
        return Violation(key, str(error), (), None)
    return None


async def _record(session: Session, kind: SchemaKind, type: str) -> MetaRecord:
    key = schema_key(kind, type)
    (record,) = await session.meta((key,))
    if record is None:
        raise SchemaNotFoundError(f"no schema is kept for the {kind} type {type!r}", key=key)
    return record


def _decoded(record: MetaRecord) -> TypeSchema:
    return stored_schema(record.key, record.revision, record.body)
