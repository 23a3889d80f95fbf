"""What a cache plugin implements: values in this process's memory, evicted least recently used first."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import attrs

from polaris_core.errors import InvalidValueError

__all__ = ["Cache", "CacheCodec", "CacheOptions", "CacheSpec", "CacheStatistics", "Departure"]

V = TypeVar("V")

Departure: TypeAlias = Literal["evicted", "expired", "invalidated", "replaced"]
"""Why a value left: for want of room, of age, because somebody said so, or for another value of the same key."""


class CacheCodec(NamedTuple):
    """How values are kept as bytes, for a cache of which each caller is to get a value of its own."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _positive(_options: object, field: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise InvalidValueError(f"{field.name} of a cache is more than 0, not {value!r}")


@attrs.frozen(kw_only=True)
class CacheOptions:
    """How a cache is bounded.

    `entries` is how many values are held at most, `bytes` how much they may weigh together by `weigh`, None for anything.
    `seconds` is how long a value lives, None for ever; `clock` gives seconds. With `codec` values are kept as bytes, and what
    they weigh is their length unless `weigh` says otherwise. `departed(key, value, why)` is told of each value that left,
    after the fact, by the thread that caused it and while no lock is held; what it raises is logged. Keys are strings,
    integers, bytes, or tuples of them.
    """

    entries: int = attrs.field(default=10_000, validator=_positive)
    bytes: int | None = attrs.field(default=None, validator=_positive)
    weigh: Callable[[Any], int] | None = None
    seconds: float | None = attrs.field(default=None, validator=_positive)
    clock: Callable[[], float] = time.monotonic
    codec: CacheCodec | None = None
    departed: Callable[[Hashable, Any, Departure], object] | None = None

    def __attrs_post_init__(self) -> None:
        if self.bytes is not None and self.weigh is None and self.codec is None:
            raise InvalidValueError("a cache bounded by bytes needs `weigh`, or a codec, to know what a value weighs")


@attrs.frozen(kw_only=True)
class CacheStatistics:
    """Counts since the cache was made, all of one moment.

    `hits + misses` is the number of lookups; `sets` is `entries` and everything that left: `replaced + evictions +
    expirations + invalidations`. A value that weighs more than the whole cache may is evicted as it comes.
    """

    hits: int
    misses: int
    sets: int
    replaced: int
    evictions: int
    expirations: int
    invalidations: int
    entries: int
    bytes: int


class Cache(ABC):
    """A synchronous, thread-safe cache that never waits for I/O. An expired value is never returned."""

    @abstractmethod
    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return the value of a key, which becomes the most recently used one, or `default`."""

    @abstractmethod
    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        """Keep a value, for `seconds` where given, evicting the least recently used ones where there is no room."""

    @abstractmethod
    def get_or_load(self, key: Hashable, load: Callable[[], V], *, seconds: float | None = None) -> V:
        """Return the value of a key; where there is none, what `load` returns, which is kept.

        Callers who miss the same key at the same time wait for one of them to load it, and all get its value or its error. A
        value whose key is invalidated while it is loaded is returned, and not kept. A `load` that asks for its own key raises
        `RuntimeError`.
        """

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
