"""What is remembered of a graph, as new as the store, because it follows the feed.

All of it is of one state, whose place in the feed is known, and the stamp that the store had there. While the store has that
stamp still, what is remembered is what the store holds. Once it has moved, in whatever process, the next read that makes a hop
brings along the changes since that place; what they touched is forgotten, and all the rest holds at the new place.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Final, NamedTuple, NoReturn, TypeVar, cast

from polaris_core.abc.cache import Cache
from polaris_core.abc.storage import drive
from polaris_core.errors import PolarisError
from polaris_core.history import Touched, touched
from polaris_core.model import EdgeKey, Node
from polaris_core.query import Filter
from polaris_core.records import Head, NodeRef, Session
from polaris_core.storage.adjacency import Adjacency
from polaris_core.storage.grounds import Exploration, Found, NotRemembered, Way

__all__ = ["UNKNOWN", "GraphCache", "Seen"]

T = TypeVar("T")

UNKNOWN: Final[Any] = object()
"""What `GraphCache` returns where it cannot say what the store holds."""

_log = logging.getLogger(__name__)

_FOLLOWED = 1_000  # changes, or links of renamed nodes, that are looked through; where there are more, all is forgotten
_EDGES = 10_000  # that are forgotten one by one, under all the names they had
_SHORT = 50  # characters of a name; a cache weighs no keys, so that what is called longer is absent is not remembered
_AT_ONCE = 1_000  # names whose neighbours one walk goes through on the event loop; more are worth a hop


class Seen(NamedTuple):
    """What a read saw: where the state stands, what it found there, and what to forget, None for everything.

    What to forget was touched after the change `since`. `assumed` says that nobody looked where the state stands, as the stamp
    before the read was that of what is known.
    """

    head: Head
    found: Found
    stale: Touched | None
    since: int = 0
    assumed: bool = False


class _Known(NamedTuple):
    """The state that everything is of, and its stamp; None where that is not known."""

    head: Head | None = None
    stamp: int | None = None


class GraphCache:
    """Nodes by their normalised names, edges by their keys, None for what is not there; and who is next to whom.

    `get` and `explore` may be called from any thread, `take` and `clear` on the event loop of the service only.
    """

    def __init__(self, cache: Cache, adjacency: Adjacency, walk: int = _AT_ONCE) -> None:
        self._cache = cache
        self._adjacency = adjacency
        self._at_once = min(walk, _AT_ONCE)
        self._known = _Known()  # replaced as a whole: who looks from another thread sees no half of it

    def get(self, key: str | EdgeKey, stamp: int | None) -> Any:
        """Return the node of a name or the edge of a key, or None where there is none, in the state of a stamp, or `UNKNOWN`."""
        if stamp is None or stamp != self._known.stamp:
            return UNKNOWN
        try:
            return self._cache.get(key, UNKNOWN)
        except Exception:  # noqa: BLE001 - a cache that fails keeps nobody from an answer
            _log.exception("the cache failed")
            return UNKNOWN

    def explore(self, exploration: Exploration[T], stamp: int | None) -> T:
        """Return what an exploration finds in what is remembered of the state of a stamp, or `UNKNOWN`."""
        known = self._known
        if stamp is None or stamp != known.stamp:
            return cast("T", UNKNOWN)
        try:
            answer = drive(exploration(_Remembered(self._cache, self._adjacency, self._at_once)))
        except NotRemembered:
            return cast("T", UNKNOWN)
        except PolarisError:
            if self._known is known:
                raise
            return cast("T", UNKNOWN)
        # In another thread than that of `take` it may have met parts of two states.
        return answer if self._known is known else cast("T", UNKNOWN)

    async def look(self, session: Session, found: Found, stamp: int | None) -> Seen:
        """Return what a read has seen, as part of its program; `stamp` is that from before it."""
        before, known = self._known
        if before is not None and stamp is not None and stamp == known:
            return Seen(before, found, _NOTHING, before.seq, assumed=True)
        head = await session.head()
        return Seen(head, found, await _stale(session, before, head), 0 if before is None else before.seq)

    def take(self, seen: Seen, stamp: int | None) -> None:
        """Take in what a read has seen, whose state had this stamp; None where the stamp moved while it was read.

        Of reads that end in another order than they began in, the one that saw less changes nothing; nor does one of another
        history while which the stamp moved, as that may be the history before.
        """
        if seen.assumed and stamp is None:  # it may be of the state after
            return
        head, (before, known) = seen.head, self._known
        if before != head:
            same_history = before is not None and before[:2] == head[:2]
            if before is not None and (before.seq > head.seq if same_history else stamp is None):
                return
            known = None
            self._known = _Known(before)
            if seen.stale is None or before is None or not same_history or before.seq < seen.since:
                self._forget_all()
            else:
                self._cache.invalidate_many(seen.stale.nodes)
                self._cache.invalidate_many(seen.stale.edges)
                self._adjacency.forget(seen.stale.ends)
        found = seen.found
        for name, node in found.nodes.items():
            if node is not None or len(name) <= _SHORT:
                self._cache.set(name, node)
        for key, edge in found.edges.items():
            if edge is not None or sum(map(len, key)) <= 2 * _SHORT:
                self._cache.set(key, edge)
        for (way, name), neighbors in found.links.items():
            self._adjacency.add(way, name, neighbors)
        for (way, name, neighbor), first in found.keys.items():
            self._adjacency.add_key(way, name, neighbor, first)
        self._known = _Known(head, known if stamp is None else stamp)  # last: from now on others are served the above

    def clear(self) -> None:
        """Forget everything."""
        self.distrust()
        try:
            self._forget_all()
        except Exception:  # noqa: BLE001 - as in `get`; nothing of it is served before it could be cleared
            _log.exception("the cache failed")

    def _forget_all(self) -> None:
        self._cache.clear()
        self._adjacency.clear()

    def distrust(self) -> None:
        """Serve nothing until another read was taken in."""
        self._known = _Known()


class _Remembered:
    """A `Ground` of what is remembered, where nodes are names; all else raises `NotRemembered`."""

    def __init__(self, cache: Cache, adjacency: Adjacency, most: int) -> None:
        self._cache = cache
        self._adjacency = adjacency
        self._most = self._left = most

    async def find(self, names: Sequence[str]) -> Sequence[NodeRef]:
        return names

    async def neighbors(self, nodes: Collection[NodeRef], way: Way) -> Mapping[NodeRef, Sequence[NodeRef]]:
        self._left -= len(nodes)
        if self._left < 0:
            raise NotRemembered
        near: Any = self._adjacency.near(way)
        return near  # type: ignore[no-any-return]

    async def crossings(self, nodes: Collection[NodeRef], way: Way, filter: Filter | None) -> NoReturn:  # noqa: ARG002
        raise NotRemembered

    async def keys(self, nodes: Sequence[NodeRef], way: Way) -> tuple[EdgeKey, ...]:
        known: Any = self._adjacency.near(way).first_edges
        try:
            return tuple([known[near][far] for near, far in pairwise(nodes)])
        except KeyError:
            raise NotRemembered from None

    async def names(self, nodes: Sequence[NodeRef]) -> tuple[str, ...]:
        names: Any = nodes  # here they are
        return tuple(names)

    async def nodes(self, nodes: Sequence[NodeRef]) -> Sequence[Node]:
        if len(nodes) > self._most:
            raise NotRemembered
        try:
            found = [self._cache.get(name) for name in nodes]
        except Exception:  # noqa: BLE001 - as in `GraphCache.get`
            _log.exception("the cache failed")
            raise NotRemembered from None
        if None in found:
            raise NotRemembered
        return cast("list[Node]", found)

    async def admitted(self, nodes: Sequence[NodeRef], filter: Filter) -> NoReturn:  # noqa: ARG002
        raise NotRemembered

    def bound(self, nodes: int) -> None:
        if nodes > self._most:
            raise NotRemembered


_NOTHING = Touched(frozenset(), frozenset(), frozenset(), {})


async def _stale(session: Session, before: Head | None, head: Head) -> Touched | None:
    """Return what was touched between two states, the later one of which a session sees; None for everything."""
    if before is None or before[:2] != head[:2] or not head.floor <= before.seq <= head.seq <= before.seq + _FOLLOWED:
        return None
    if before.seq == head.seq:
        return _NOTHING
    try:
        changes = await session.changes(before.seq, _FOLLOWED, None)
        if not changes or changes[-1].seq != head.seq or (direct := touched(changes, _EDGES)) is None:
            return None
        return await _with_renamed(session, direct) if direct.renamed else direct
    except Exception:  # noqa: BLE001 - the feed cannot be read, which is no reason to refuse a node
        _log.exception("the feed cannot be read, so everything is forgotten")
        return None


async def _with_renamed(session: Session, direct: Touched) -> Touched | None:
    """Add the edges of renamed nodes, under all the names they had, and the nodes at their other ends."""
    links = await session.links(tuple(direct.renamed), "both", None, _FOLLOWED + 1, 0)
    if len(links) > _FOLLOWED:
        return None
    ids = sorted({end for link in links for end in (link.source, link.target)})
    names = {
        record.id: {record.name} | direct.renamed.get(record.id, frozenset())
        for record in await session.nodes(ids)
        if record is not None
    }
    edges, ends = set(direct.edges), set(direct.ends)
    for _, source, type, target in links:
        if len(edges) + len(names[source]) * len(names[target]) > _EDGES:
            return None
        edges.update(EdgeKey(one, type, other) for one, other in product(names[source], names[target]))
        ends |= names[source] | names[target]
    return direct._replace(edges=frozenset(edges), ends=frozenset(ends))
