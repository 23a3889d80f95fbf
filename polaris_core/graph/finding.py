"""Questions with a filter: pages of nodes and edges, rows of what stands at some paths, counts, and whether there is any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import attrs

from polaris_core.abc.capabilities import QuerySession
from polaris_core.codec import decode_edge, decode_node, seal
from polaris_core.graph.questions import Question
from polaris_core.model import Edge, Node
from polaris_core.query import (
    MISSING,
    Facts,
    Field,
    Page,
    Query,
    Selected,
    interpret,
    interpret_count,
    reader,
    too_many,
)
from polaris_core.records import Session
from polaris_core.values import FrozenDict

__all__ = ["Count", "FindEdges", "FindNodes", "FindRows", "HasAny", "Row"]

Row: TypeAlias = Mapping[str, Any]
"""What stands at some paths of one record, by path; a path where nothing stands is left out. It cannot be changed."""


def answering_itself(session: Session) -> QuerySession | None:
    """Return a session that has the capability `query` as what it is; None of any other."""
    return cast("QuerySession", session) if hasattr(session, "select") else None  # isinstance takes as long as a query


async def _select(session: Session, query: Query) -> Selected:
    """Let the backend answer where it can, and the core where not."""
    answering = answering_itself(session)
    return await (interpret(session, query) if answering is None else answering.select(query))


def _next(query: Query, selected: Selected) -> str | None:
    return None if selected.rest is None else query.cursor(selected.rest)


@attrs.frozen
class FindNodes(Question[Page[Node]]):
    """The nodes that a query selects."""

    query: Query

    async def __call__(self, session: Session) -> Page[Node]:
        """Return a page of nodes; raises `LimitExceededError` as `select` does."""
        selected = await _select(session, self.query)
        return Page(tuple(map(decode_node, selected.records)), _next(self.query, selected))


@attrs.frozen
class FindEdges(Question[Page[Edge]]):
    """The edges that a query selects."""

    query: Query

    async def __call__(self, session: Session) -> Page[Edge]:
        """Return a page of edges; raises `LimitExceededError` as `select` does."""
        selected = await _select(session, self.query)
        names = await _names(session, selected.records)
        edges = [decode_edge(record, names[record.source], names[record.target]) for record in selected.records]
        return Page(tuple(edges), _next(self.query, selected))


async def _names(session: Session, edges: Sequence[Any]) -> dict[int, str]:
    ids = sorted({end for record in edges for end in (record.source, record.target)})
    return {record.id: record.name for record in await session.nodes(ids) if record} if ids else {}


@attrs.frozen
class FindRows(Question[Page[Row]]):
    """What stands at some fields of the records that a query selects. `fields` are pairs of what to call one and the field."""

    query: Query
    fields: tuple[tuple[str, Field], ...]

    async def __call__(self, session: Session) -> Page[Row]:
        """Return a page of rows; raises `LimitExceededError` as `select` does."""
        selected = await _select(session, self.query)
        read = [(name, reader(field)) for name, field in self.fields]
        rows = []
        for facts in await self._facts(session, selected.records):
            found = ((name, value(facts)) for name, value in read)
            rows.append(FrozenDict({name: seal(value) for name, value in found if value is not MISSING}))
        return Page(tuple(rows), _next(self.query, selected))

    async def _facts(self, session: Session, records: Sequence[Any]) -> list[Facts]:
        if self.query.kind == "node" or not any(field.root in ("source", "target") for _, field in self.fields):
            return list(map(Facts, records))
        names = await _names(session, records)
        return [Facts(record, names[record.source], names[record.target]) for record in records]


@attrs.frozen
class Count(Question[int]):
    """How many records a query's filter admits."""

    query: Query

    async def __call__(self, session: Session) -> int:
        """Return the number; raises `LimitExceededError` where too many records would have to be looked at."""
        answering = answering_itself(session)
        return await (interpret_count(session, self.query) if answering is None else answering.count(self.query))


@attrs.frozen
class HasAny(Question[bool]):
    """Whether a query's filter admits any record."""

    query: Query

    async def __call__(self, session: Session) -> bool:
        """Return whether there is one; raises `LimitExceededError` where too many records would have to be looked at."""
        selected = await _select(session, self.query)
        if not selected.records and selected.rest is not None:
            raise too_many(self.query, "to find any")
        return bool(selected.records)
