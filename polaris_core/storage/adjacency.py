"""Names of neighbours by name: what walks go by when nothing has changed.

Held in plain dictionaries, because the work of an exact least recently used order costs a walk more than its steps do. What was
not used for long leaves in large pieces: there are two generations, a new one begins when the younger one is full, and what is
asked for in the older one moves over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from sys import getsizeof
from threading import RLock
from typing import Final

from polaris_core.model import EdgeKey
from polaris_core.storage.grounds import MOST_LINKS, NotRemembered, Way

__all__ = ["Adjacency", "Near"]

_WAYS: Final = 64  # kinds of links that are told apart, each of so many types at most
_NAME_BYTES: Final = 70  # the place of a string among the names
_ENTRY_BYTES: Final = 160  # a tuple with its place in a dictionary
_LINK_BYTES: Final = 8
_KEY_BYTES: Final = 500  # a tuple with its place in a dictionary of its own


class Near(dict[str, tuple[str, ...]]):
    """Neighbours by name, over those that were used less lately; a name that is missing in both raises `NotRemembered`."""

    __slots__ = ("_adjacency", "first_edges", "older")

    def __init__(self, adjacency: Adjacency, older: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.first_edges: dict[str, dict[str, EdgeKey]] = {}  # of the first edges to some neighbours
        self.older: dict[str, tuple[str, ...]] = older
        self._adjacency = adjacency

    def __missing__(self, name: str) -> tuple[str, ...]:
        return self._adjacency.move(self, name)


class Adjacency:
    """Neighbours by name, for each way to go, within a number of bytes.

    `near` may be called, and what it returns read, from any thread; the others on one thread only. The bytes are an estimate from
    the names and the number of links, for CPython on 64 bits.
    """

    def __init__(self, bytes: int) -> None:
        self._half = bytes // 2
        self._ways: dict[Way, Near] = {}
        self._names: dict[str, str] = {}  # each name once
        self._bytes = 0  # of the younger generation
        self._lock = RLock()  # a collection of garbage may start anywhere, and come back here on the same thread

    def near(self, way: Way) -> Near:
        """Return the neighbours by name, one way; raises `NotRemembered` where nobody has gone it."""
        found = self._ways.get(way)
        if found is None:
            raise NotRemembered(way)
        return found

    def move(self, near: Near, name: str) -> tuple[str, ...]:
        """Return neighbours of the older generation, which are of the younger one from now on; raises `NotRemembered`."""
        with self._lock:
            found = near.older.pop(name, None)
            if found is None:
                raise NotRemembered(name)
            self._put(near, name, found)
            self._make_room()
        return found

    def add(self, way: Way, name: str, neighbors: Sequence[str]) -> None:
        """Remember the neighbours of a name, unless there are more than are worth it."""
        if len(neighbors) > MOST_LINKS or (way.types is not None and len(way.types) > _WAYS):
            return
        with self._lock:
            near = self._ways.get(way)
            if near is None:
                if len(self._ways) >= _WAYS:
                    _empty(self._ways.pop(next(iter(self._ways))))  # the one that was gone first
                near = self._ways[way] = Near(self, {})
            self._put(near, name, neighbors)
            self._make_room()

    def add_key(self, way: Way, name: str, neighbor: str, key: EdgeKey) -> None:
        """Remember the first edge that leads a way that has been gone, from a name to a neighbour of it."""
        with self._lock:
            near = self._ways.get(way)
            if near is not None:
                near.first_edges.setdefault(name, {})[neighbor] = key
                self._bytes += _KEY_BYTES + 2 * (len(name) + len(neighbor)) + sum(map(len, key))
                self._make_room()

    def forget(self, names: Collection[str]) -> None:
        """Forget the neighbours of some names."""
        with self._lock:
            for near in self._ways.values():
                for name in names:
                    near.pop(name, None)
                    near.older.pop(name, None)
                    near.first_edges.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for near in self._ways.values():
                _empty(near)
            self._ways, self._names, self._bytes = {}, {}, 0

    # --- with the lock held ---------------------------------------------------------------------------------------

    def _put(self, near: Near, name: str, neighbors: Sequence[str]) -> None:
        near[self._once(name)] = tuple([self._once(one) for one in neighbors])
        self._bytes += _ENTRY_BYTES + _LINK_BYTES * len(neighbors)

    def _once(self, name: str) -> str:
        """Return the name as it is held already."""
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = name
            self._bytes += _NAME_BYTES + getsizeof(name)
        return known

    def _make_room(self) -> None:
        """Let go of the older generation, and let the younger one be it, once that is full."""
        if self._bytes <= self._half:
            return
        for near in self._ways.values():
            near.older.clear()  # whoever still holds the generation before finds nothing there that is forgotten later
            near.older = {}  # and nobody holds the generations before that
        self._ways = {way: Near(self, near) for way, near in self._ways.items() if near}
        self._names, self._bytes = {}, 0


def _empty(near: Near) -> None:
    """Leave nothing to those who still hold it."""
    near.older.clear()
    near.clear()
