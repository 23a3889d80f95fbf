"""What a cache plugin implements: values in this process's memory, evicted least recently used first."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import attrs

__all__ = ["Cache", "CacheOptions", "CacheSpec", "CacheStatistics"]


@attrs.frozen(kw_only=True)
class CacheOptions:
    """`entries` is how many values are held at most; `seconds` how long one lives, None for ever; `clock` gives seconds."""

    entries: int = 10_000
    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic


@attrs.frozen(kw_only=True)
class CacheStatistics:
    """Counts since the cache was made: `hits + misses` is the number of lookups."""

    hits: int
    misses: int
    sets: int
    evictions: int
    expirations: int
    entries: int


class Cache(ABC):
    """A synchronous, thread-safe cache that never waits for I/O. An expired value is never returned."""

    @abstractmethod
    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the value of a key, which becomes the most recently used one, or `default`."""

    @abstractmethod
    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        """Keep a value, for `seconds` where given, evicting the least recently used one when there are too many."""

    @abstractmethod
    def invalidate(self, key: Hashable) -> bool:
        """Forget a key; return whether it was there."""

    @abstractmethod
    def clear(self) -> None:
        """Forget everything."""

    @abstractmethod
    def clear_expired(self) -> int:
        """Forget what has expired; return how many values that were."""

    @abstractmethod
    def statistics(self) -> CacheStatistics:
        """Return the counts."""

    def get_many(self, keys: Iterable[Hashable]) -> dict[Hashable, Any]:
        """Return the values of those keys that are there."""
        missing = object()
        found = ((key, self.get(key, missing)) for key in keys)
        return {key: value for key, value in found if value is not missing}

    def set_many(self, items: Mapping[Hashable, Any], *, seconds: float | None = None) -> None:
        """Keep several values."""
        for key, value in items.items():
            self.set(key, value, seconds=seconds)

    def invalidate_many(self, keys: Iterable[Hashable]) -> int:
        """Forget several keys; return how many were there."""
        return sum(self.invalidate(key) for key in keys)


@attrs.frozen(kw_only=True)
class CacheSpec:
    """A cache as a plugin registers it."""

    name: str
    sentence: str
    factory: Callable[[CacheOptions], Cache]
