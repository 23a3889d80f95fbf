"""Nodes in a cache that are as new as the store, because the cache follows the feed.

All entries are of one state, whose place in the feed is known, and the stamp that the store had there. While the store has that
stamp still, an entry is what the store holds. Once it has moved, in whatever process, the next read that makes a hop brings
along the changes since that place; what they touched is forgotten, and all the rest holds at the new place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from polaris_core.abc.cache import Cache
from polaris_core.errors import PolarisError
from polaris_core.history import nodes_touched
from polaris_core.model import Node
from polaris_core.records import Head, Session

__all__ = ["UNKNOWN", "NodeCache", "Seen"]

UNKNOWN: Final[Any] = object()
"""What `NodeCache.get` returns for a name of which it cannot say what the store holds."""

_FOLLOWED = 1_000  # changes that are looked through; where there are more, everything is forgotten


class Seen(NamedTuple):
    """What a read saw: where the state stands, the nodes it looked for, and the names to forget, None for all names."""

    head: Head
    nodes: Mapping[str, Node | PolarisError | None]
    stale: frozenset[str] | None


class _Known(NamedTuple):
    """The state that the entries are of, and its stamp; None where that is not known."""

    head: Head | None = None
    stamp: int | None = None


class NodeCache:
    """Nodes by their normalised names, and the names that no node has.

    `get` and `look` may be called from any thread, `take` and `clear` on the event loop of the service only.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._known = _Known()  # replaced as a whole: who looks from another thread sees no half of it

    def get(self, name: str, stamp: int | None) -> Any:
        """Return the node of a name, or None where there is none, in the state of a stamp; `UNKNOWN` makes a hop."""
        if stamp is None or stamp != self._known.stamp:
            return UNKNOWN
        return self._cache.get(name, UNKNOWN)

    async def look(self, session: Session, nodes: Mapping[str, Node | PolarisError | None], stamp: int | None) -> Seen:
        """Return what a read has seen that found these nodes, as part of its program; `stamp` is that from before it."""
        before, known = self._known
        if before is not None and stamp is not None and stamp == known:
            return Seen(before, nodes, frozenset())
        head = await session.head()
        return Seen(head, nodes, await _stale(session, before, head))

    def take(self, seen: Seen, stamp: int | None) -> None:
        """Take in what a read has seen, whose state had this stamp; None where the stamp moved while it was read.

        Of reads that end in another order than they began in, the one that saw less changes nothing; nor does one of another
        history while which the stamp moved, as that may be the history before.
        """
        head, (before, known) = seen.head, self._known
        if before != head:
            same_history = before is not None and before[:2] == head[:2]
            if before is not None and (before.seq > head.seq if same_history else stamp is None):
                return
            known = None
            self._known = _Known(before)
            if seen.stale is None or not same_history:
                self._cache.clear()
            else:
                self._cache.invalidate_many(seen.stale)
        for name, node in seen.nodes.items():
            if not isinstance(node, PolarisError):
                self._cache.set(name, node)
        self._known = _Known(head, known if stamp is None else stamp)  # last: from now on others are served the above

    def clear(self) -> None:
        """Forget everything."""
        self.distrust()
        self._cache.clear()

    def distrust(self) -> None:
        """Serve nothing until another read was taken in."""
        self._known = _Known()


async def _stale(session: Session, before: Head | None, head: Head) -> frozenset[str] | None:
    """Return the names that were touched between two states, the later one of which a session sees; None for any name."""
    if before is None or before[:2] != head[:2] or not head.floor <= before.seq <= head.seq <= before.seq + _FOLLOWED:
        return None
    if before.seq == head.seq:
        return frozenset()
    try:
        changes = await session.changes(before.seq, _FOLLOWED, None)
        return nodes_touched(changes) if changes and changes[-1].seq == head.seq else None
    except Exception:  # noqa: BLE001 - the feed cannot be read, which is no reason to refuse a node
        return None
