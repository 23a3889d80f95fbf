"""A session that reads the state after an earlier change: the state there is, with what happened since taken back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from heapq import merge
from itertools import islice
from operator import attrgetter
from typing import Any, Literal, TypeVar

from polaris_core.errors import LimitExceededError, StoreDamagedError
from polaris_core.history.keys import merged_keys
from polaris_core.history.past import Past
from polaris_core.history.places import change_at
from polaris_core.history.undoing import time_of, undone
from polaris_core.limits import Limits
from polaris_core.records import (
    ChangeRecord,
    Direction,
    EdgeRecord,
    EdgeRef,
    Head,
    KeyKind,
    Link,
    MetaRecord,
    NodeRecord,
    NodeRef,
    Receipt,
    Session,
)

__all__ = ["AsOf", "read_on"]

_PAGE = 2_000

R = TypeVar("R", NodeRecord, EdgeRecord)


async def read_on(session: Session, past: Past, limits: Limits, most: int = 20_000) -> Past:
    """Return a past as the difference to the state of a session, given it as the difference to that or an earlier state.

    Where more than `most` changes lie between, it comes nearer by so many, so that no hop takes long. Raises
    `LimitExceededError` where more has happened since than `past_changes`, or than `past_bytes` can hold.
    """
    head = await session.head()
    if head.seq - past.seq > limits.past_changes:
        raise LimitExceededError(
            f"{head.seq - past.seq} changes have happened since change {past.seq}; past_changes is limited to "
            f"{limits.past_changes}",
            limit="past_changes",
            size=head.seq - past.seq,
            maximum=limits.past_changes,
        )
    if past.upto == head.seq:
        return past
    later = past.copy()
    goal = min(head.seq, past.upto + most)
    while later.upto < goal:
        page = await session.changes(later.upto, min(_PAGE, goal - later.upto), None)
        if not page:
            raise StoreDamagedError(f"the changes after {later.upto} are missing", where=f"change {later.upto + 1}")
        later.add(page, limits)
    return later


class AsOf:
    """The state after change `past.seq`, read from a session whose head is at `past.upto`.

    The head's `floor` is that of now, and its `time` that of the change; 0 where that change was trimmed. A receipt that was
    forgotten or replaced since is not there.
    """

    def __init__(self, session: Session, past: Past) -> None:
        self._session = session
        self._past = past

    async def head(self) -> Head:
        """Return where the store stood."""
        head, past = await self._session.head(), self._past
        if past.seq == head.seq:
            return head
        time = 0
        if past.seq > head.floor:
            time = time_of(await change_at(self._session, past.seq))
        return head._replace(seq=past.seq, next_id=past.next_id or head.next_id, time=time)

    def _new(self, id: int) -> bool:
        """Return whether an id was given out since."""
        next_id = self._past.next_id
        return next_id is not None and id >= next_id

    # --- records --------------------------------------------------------------------------------------------------

    async def nodes(self, refs: Sequence[NodeRef]) -> Sequence[NodeRecord | None]:
        """Return nodes as they were."""
        past = self._past
        asked = [past.ids.get(ref, ref) if isinstance(ref, str) else ref for ref in refs]
        stored = await self._session.nodes(asked)
        return [self._node(ref, record) for ref, record in zip(asked, stored, strict=True)]

    def _node(self, ref: NodeRef, stored: NodeRecord | None) -> NodeRecord | None:
        past = self._past
        if isinstance(ref, str):  # a name that nobody has given up since
            if stored is None or self._new(stored.id) or stored.id in past.names:
                return None
            return self._before(stored.id, stored)
        return None if self._new(ref) else self._before(ref, past.nodes.get(ref, stored))

    async def edges(self, refs: Sequence[EdgeRef]) -> Sequence[EdgeRecord | None]:
        """Return edges as they were."""
        past = self._past
        asked = [past.triples.get(ref, ref) if isinstance(ref, tuple) else ref for ref in refs]
        stored = await self._session.edges(asked)
        return [
            self._edge(ref if isinstance(ref, int) else record.id if record else 0, record)
            for ref, record in zip(asked, stored, strict=True)
        ]

    def _edge(self, id: int, stored: EdgeRecord | None) -> EdgeRecord | None:
        return None if self._new(id) else self._before(id, self._past.edges.get(id, stored))

    def _before(self, id: int, later: R | None) -> R | None:
        """Return an old record as it was, from what it is now or was when it was deleted."""
        return undone(later, self._past.updates(id)) if later and self._past.updated(id) else later

    async def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> Sequence[Any]:
        """Return records as they were, ordered by id."""
        past = self._past
        order, gone = past.order(kind), past.nodes if kind == "node" else past.edges
        stored = [row for row in await self._session.scan(kind, after, limit) if not self._new(row.id)]
        deleted = (gone[id] for id in islice(order, bisect_right(order, after), None))
        rows: Iterable[Any] = merge(stored, deleted, key=attrgetter("id")) if gone else stored
        return [self._before(row.id, row) for row in islice(rows, limit)]

    async def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> Sequence[Link]:
        """Return links as they were."""
        links = [
            link for link in await self._session.links(ids, direction, types, limit, after) if not self._new(link.id)
        ]
        wanted, past = set(ids), self._past
        deleted = {
            link
            for id in wanted & past.links.keys()
            for link in islice(past.links[id], bisect_right(past.links[id], after, key=attrgetter("id")), None)
            if (types is None or link.type in types)
            and ((direction != "in" and link.source in wanted) or (direction != "out" and link.target in wanted))
        }
        return list(islice(merge(links, sorted(deleted)), limit)) if deleted else links

    async def counts(self) -> tuple[int, int]:
        """Return how many nodes and edges there were."""
        nodes, edges = await self._session.counts()
        return nodes - self._past.fewer_nodes, edges - self._past.fewer_edges

    # --- keys, and what stands beside the graph -----------------------------------------------------------------------

    async def keys(self, kind: KeyKind, after: str, limit: int) -> Sequence[str]:
        """Return names and keys as they were, in code point order."""
        past, session = self._past, self._session
        if kind == "receipt":
            return await merged_keys(session, kind, after, limit, self._kept_receipts, ())
        back = past.name_order if kind == "node" else past.meta_order
        kept = self._kept_names if kind == "node" else self._kept_meta
        return await merged_keys(session, kind, after, limit, kept, back[bisect_right(back, after) :])

    async def _kept_names(self, page: Sequence[str]) -> Sequence[str]:
        if self._past.next_id is None and not self._past.names:
            return page
        return [
            record.name
            for record in await self._session.nodes(page)
            if record and not self._new(record.id) and record.id not in self._past.names
        ]

    async def _kept_meta(self, page: Sequence[str]) -> Sequence[str]:
        return [key for key in page if key not in self._past.meta]

    async def _kept_receipts(self, page: Sequence[str]) -> Sequence[str]:
        return [receipt.key for receipt in await self.receipts(page) if receipt]

    async def meta(self, keys: Sequence[str]) -> Sequence[MetaRecord | None]:
        """Return records beside the graph as they were."""
        stored = await self._session.meta(keys)
        return [self._past.meta.get(key, record) for key, record in zip(keys, stored, strict=True)]

    async def receipts(self, keys: Sequence[str]) -> Sequence[Receipt | None]:
        """Return receipts as they were."""
        stored = await self._session.receipts(keys)
        return [receipt if receipt and receipt.last <= self._past.seq else None for receipt in stored]

    async def changes(self, after: int, limit: int, id: int | None) -> Sequence[ChangeRecord]:
        """Return the changes there were."""
        rows = await self._session.changes(after, limit, id)
        return [row for row in rows if row.seq <= self._past.seq]
