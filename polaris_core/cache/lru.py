"""An exact LRU cache with a time to live: an ordered dictionary under a lock.

Values leave the cache under the lock but are let go outside it, because what runs when they are let go (a finalizer) may come
back to the cache.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import RLock
from typing import Any

from polaris_core.abc.cache import Cache, CacheOptions, CacheStatistics

__all__ = ["LRUCache"]

_FOREVER = float("inf")


class LRUCache(Cache):
    """Holds at most `options.entries` values, each for `options.seconds` or its own time."""

    def __init__(self, options: CacheOptions | None = None) -> None:
        self._options = options or CacheOptions()
        self._entries: OrderedDict[Hashable, tuple[Any, float]] = OrderedDict()
        self._lock = RLock()
        self._hits = self._misses = self._sets = self._evictions = self._expirations = 0

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return a value that has not expired, or `default`."""
        entry = None
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry[1] > self._options.clock():
                self._entries.move_to_end(key)
                self._hits += 1
                return entry[0]
            self._misses += 1
            if entry is not None:
                del self._entries[key]
                self._expirations += 1
        return default

    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        """Keep a value."""
        lifetime = self._options.seconds if seconds is None else seconds
        deadline = _FOREVER if lifetime is None else self._options.clock() + lifetime
        dropped: list[object] = []
        with self._lock:
            dropped.append(self._entries.pop(key, None))
            self._entries[key] = (value, deadline)
            self._sets += 1
            while len(self._entries) > self._options.entries:
                dropped.append(self._entries.popitem(last=False))
                self._evictions += 1

    def invalidate(self, key: Hashable) -> bool:
        """Forget a key."""
        with self._lock:
            entry = self._entries.pop(key, None)
        return entry is not None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            entries, self._entries = self._entries, OrderedDict()
        entries.clear()

    def clear_expired(self) -> int:
        """Forget what has expired."""
        now = self._options.clock()
        with self._lock:
            expired = [key for key, (_, deadline) in self._entries.items() if deadline <= now]
            dropped = [self._entries.pop(key) for key in expired]
            self._expirations += len(dropped)
        return len(dropped)

    def statistics(self) -> CacheStatistics:
        """Return the counts."""
        with self._lock:
            return CacheStatistics(
                hits=self._hits,
                misses=self._misses,
                sets=self._sets,
                evictions=self._evictions,
                expirations=self._expirations,
                entries=len(self._entries),
            )
