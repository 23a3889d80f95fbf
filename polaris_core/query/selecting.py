"""Queries answered by the core: the interpreter over what every session has.

Names and the ends of edges lead straight to records. Anything else looks at all records, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest, nsmallest
from typing import Any

from polaris_core.errors import LimitExceededError
from polaris_core.query.cursors import Position
from polaris_core.query.facts import Facts, key_reader
from polaris_core.query.filters import ANYTHING, Equal, OneOf, conjuncts
from polaris_core.query.interpreter import needs_ends, predicate
from polaris_core.query.ordering import OrderKey
from polaris_core.query.queries import Order, Query, Selected
from polaris_core.records import Direction, Session

__all__ = ["beyond", "facts_of", "interpret", "interpret_count", "too_many"]

_CHUNK = 2_000
_ENDS: tuple[tuple[str, Direction], ...] = (("source", "out"), ("target", "in"))


async def interpret(session: Session, query: Query) -> Selected:
    """Answer a query; raises `LimitExceededError` where an order needs a look at more than `scan` records."""
    if query.order is not None:
        return await _ordered(session, query, query.order)
    holds, found = predicate(query.filter), list[Any]()
    candidates = _Candidates(session, query, query.after.id if query.after else 0)
    while records := await candidates.more():
        for facts in await facts_of(session, query, records):
            if holds(facts):
                found.append(facts.record)
                if len(found) == query.limit:
                    return Selected(found, Position(facts.record.id))
    return Selected(found, Position(candidates.last) if candidates.cut else None)


async def _ordered(session: Session, query: Query, order: Order) -> Selected:
    holds, key = predicate(query.filter), key_reader(order.field)
    take = nlargest if order.descending else nsmallest
    best: list[tuple[OrderKey, int, Any]] = []
    candidates = _Candidates(session, query, 0)
    while records := await candidates.more():
        rows = (
            (key(facts), facts.record.id, facts.record)
            for facts in await facts_of(session, query, records)
            if holds(facts)
        )
        best = take(query.limit, [*best, *(row for row in rows if beyond(query.after, order, row[0], row[1]))])
    if candidates.cut:
        raise too_many(query, f"to order by {order.field}")
    rest = Position(best[-1][1], best[-1][0]) if len(best) == query.limit else None
    return Selected([record for _, _, record in best], rest)


def beyond(after: Position | None, order: Order, key: OrderKey, id: int) -> bool:
    """Return whether a record with this key and id follows a position in an order."""
    if after is None or after.key is None:
        return True
    return (key, id) < (after.key, after.id) if order.descending else (key, id) > (after.key, after.id)


async def interpret_count(session: Session, query: Query) -> int:
    """Return how many records a filter admits; raises `LimitExceededError` where that takes a look at more than `scan`."""
    if query.filter == ANYTHING:
        nodes, edges = await session.counts()
        return nodes if query.kind == "node" else edges
    holds, found = predicate(query.filter), 0
    candidates = _Candidates(session, query, 0)
    while records := await candidates.more():
        found += sum(map(holds, await facts_of(session, query, records)))
    if candidates.cut:
        raise too_many(query, "to count")
    return found


def too_many(query: Query, purpose: str) -> LimitExceededError:
    """Return the error that says that too many records would have to be looked at for a purpose."""
    return LimitExceededError(
        f"{purpose} more than {query.scan} {query.kind}s would have to be looked at: narrow the filter, "
        "or create an index on the path where the backend has indexes",
        limit="scan",
        size=query.scan + 1,
        maximum=query.scan,
    )


async def facts_of(session: Session, query: Query, records: Sequence[Any]) -> Sequence[Facts]:
    """Return the facts of records, with the names of edges' ends where the filter or the order asks for them."""
    fields = () if query.order is None else (query.order.field,)
    if query.kind == "node" or not needs_ends(query.filter, *fields):
        return list(map(Facts, records))
    ids = sorted({end for record in records for end in (record.source, record.target)})
    names = {record.id: record.name for record in await session.nodes(ids) if record}
    return [Facts(record, names[record.source], names[record.target]) for record in records]


class _Candidates:
    """Records among which all are that a filter admits, ordered by id, chunk by chunk, and no more than may be looked at.

    `last` is the id of the last one given; `cut` says that there may be more, which were not looked at.
    """

    def __init__(self, session: Session, query: Query, after: int) -> None:
        self.last = after
        self.cut = False
        self._session = session
        self._query = query
        self._left = query.scan
        self._named = _named(query, "name")
        self._ends: list[tuple[Sequence[str], Direction]] = [
            (names, way) for end, way in _ENDS if (names := _named(query, end)) is not None
        ]

    async def more(self) -> Sequence[Any]:
        """Return the next chunk; an empty one is the last."""
        records = await self._chunk(min(_CHUNK, max(self._left, 1)))
        if records and not self._left:
            self.cut = True
            return ()
        self._left -= len(records)
        if records:
            self.last = records[-1].id
        return records

    async def _chunk(self, limit: int) -> Sequence[Any]:
        session, query = self._session, self._query
        if self._named is not None:
            found = {record.id: record for record in await session.nodes(self._named) if record}
            return [found[id] for id in sorted(found) if id > self.last][:limit]
        if not self._ends:
            return await session.scan(query.kind, self.last, limit)
        names, way = self._ends[0]
        ids = [record.id for record in await session.nodes(names) if record]
        links = await session.links(ids, way, None, limit, self.last) if ids else ()
        return [record for record in await session.edges([link.id for link in links]) if record]


def _named(query: Query, root: str) -> Sequence[str] | None:
    """Return the names of which a record's must be one; None where they may be any."""
    for one in conjuncts(query.filter):
        if isinstance(one, (Equal, OneOf)) and one.field.root == root:
            values = (one.value,) if isinstance(one, Equal) else one.values
            return [value for value in values if isinstance(value, str)]
    return None
