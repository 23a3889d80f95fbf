"""Names of neighbours by name: what walks go by when nothing has changed.

Held in plain dictionaries, because the work of an exact least recently used order costs a walk more than its steps do. What was
not used for long leaves in large pieces: there are two generations, a new one begins when the younger one is full, and what is
asked for in the older one moves over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from threading import Lock
from typing import Final

from polaris_core.model import EdgeKey
from polaris_core.storage.grounds import MOST_LINKS, NotRemembered, Way

__all__ = ["Adjacency", "Near"]

_WAYS: Final = 64  # kinds of links that are told apart; with more of them everything is forgotten
_NAME_BYTES: Final = 120  # a string of some ten characters with its place among the names
_ENTRY_BYTES: Final = 160  # a tuple with its place in a dictionary
_LINK_BYTES: Final = 8
_KEY_BYTES: Final = 500  # a tuple with its place in a dictionary of its own


class Near(dict[str, tuple[str, ...]]):
    """Neighbours by name, over those that were used less lately; a name that is missing in both raises `NotRemembered`."""

    __slots__ = ("_lock", "_older", "first_edges", "weight")

    def __init__(self, older: dict[str, tuple[str, ...]], lock: Lock) -> None:
        super().__init__()
        self.weight: int = 0  # in bytes, without the names
        self.first_edges: dict[str, dict[str, EdgeKey]] = {}  # of the first edges to some neighbours
        self._older = older
        self._lock = lock

    def __missing__(self, name: str) -> tuple[str, ...]:
        with self._lock:
            found = self._older.pop(name, None)
            if found is None:
                raise NotRemembered(name)
            self.put(name, found)
        return found

    # --- with the lock held ---------------------------------------------------------------------------------------

    def put(self, name: str, neighbors: tuple[str, ...]) -> None:
        """Remember the neighbours of a name."""
        self[name] = neighbors
        self.weight += _ENTRY_BYTES + _LINK_BYTES * len(neighbors)

    def put_key(self, name: str, neighbor: str, key: EdgeKey) -> None:
        """Remember the first edge to a neighbour."""
        self.first_edges.setdefault(name, {})[neighbor] = key
        self.weight += _KEY_BYTES

    def forget(self, name: str) -> None:
        """Forget a name."""
        self.pop(name, None)
        self.first_edges.pop(name, None)
        self._older.pop(name, None)

    def grow_old(self) -> None:
        """Let go of the older ones."""
        self._older.clear()


class Adjacency:
    """Neighbours by name, for each way to go, within a number of bytes.

    `near` may be called, and what it returns read, from any thread; the others on one thread only. The bytes are an estimate from
    the number of names and links: they are those of CPython on 64 bits, about, for names of some ten characters.
    """

    def __init__(self, bytes: int) -> None:
        self._half = bytes // 2
        self._ways: dict[Way, Near] = {}
        self._names: dict[str, str] = {}  # each name once
        self._lock = Lock()

    def near(self, way: Way) -> Near:
        """Return the neighbours by name, one way; raises `NotRemembered` where nobody has gone it."""
        found = self._ways.get(way)
        if found is None:
            raise NotRemembered(way)
        return found

    def add(self, way: Way, name: str, neighbors: Sequence[str]) -> None:
        """Remember the neighbours of a name, unless there are more than are worth it."""
        if len(neighbors) > MOST_LINKS:
            return
        if self._full() or (way not in self._ways and len(self._ways) >= _WAYS):
            self._begin_anew()
        names = self._names
        with self._lock:
            if way not in self._ways:
                self._ways[way] = Near({}, self._lock)
            self._ways[way].put(names.setdefault(name, name), tuple([names.setdefault(one, one) for one in neighbors]))

    def add_key(self, way: Way, name: str, neighbor: str, key: EdgeKey) -> None:
        """Remember the first edge that leads a way that has been gone, from a name to a neighbour of it."""
        with self._lock:
            if way in self._ways:
                self._ways[way].put_key(name, neighbor, key)

    def _full(self) -> bool:
        return len(self._names) * _NAME_BYTES + sum(near.weight for near in self._ways.values()) > self._half

    def _begin_anew(self) -> None:
        """Let go of the older generation, and let the younger one be it; of everything where there are too many ways."""
        with self._lock:
            for near in self._ways.values():
                near.grow_old()  # whoever still holds the generation before finds nothing there that is forgotten later
            few = len(self._ways) < _WAYS
            self._ways = {way: Near(near, self._lock) for way, near in self._ways.items() if near and few}
            self._names = {}

    def forget(self, names: Collection[str]) -> None:
        """Forget the neighbours of some names."""
        with self._lock:
            for near in self._ways.values():
                for name in names:
                    near.forget(name)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for near in self._ways.values():
                near.grow_old()
                near.clear()
            self._ways = {}
            self._names = {}
