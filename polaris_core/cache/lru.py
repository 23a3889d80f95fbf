"""An exact LRU cache with a time to live: an ordered dictionary under a lock.

Values leave the cache under the lock but are let go outside it, because what runs when they are let go (a finalizer, a
listener) may come back to the cache.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from threading import RLock
from typing import Any, TypeAlias, TypeVar, cast

from polaris_core.abc.cache import Cache, CacheOptions, CacheStatistics, Departure
from polaris_core.cache.flights import Flight

__all__ = ["LRUCache"]

V = TypeVar("V")

_log = logging.getLogger(__name__)
_MISSING: Any = object()
_UNBOUNDED = float("inf")

_Entry: TypeAlias = tuple[Any, float | None, int]  # what is kept, when it expires, what it weighs
_Departed: TypeAlias = tuple[Hashable, _Entry, Departure]


class LRUCache(Cache):
    """Holds what its options leave room for, each value for `options.seconds` or its own time."""

    def __init__(self, options: CacheOptions | None = None) -> None:
        options = options or CacheOptions()
        self._clock = options.clock
        self._codec = options.codec
        self._weigh = options.weigh or (len if options.codec else None)
        self._departed = options.departed
        self._seconds = options.seconds
        self._most_entries = options.entries
        self._most_bytes = _UNBOUNDED if options.bytes is None else options.bytes
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._flights: dict[Hashable, Flight] = {}
        self._lock = RLock()  # a collection of garbage may start anywhere, and come back here on the same thread
        self._bytes = 0
        self._hits = self._misses = self._sets = 0
        self._replaced = self._evictions = self._expirations = self._invalidations = 0

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, key: Hashable, default: Any = None) -> Any:
        """Return a value that has not expired, or `default`."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._misses += 1
                return default
            kept, deadline, _ = entry
            if deadline is None or deadline > self._clock():
                self._entries.move_to_end(key)
                self._hits += 1
                if self._codec is None:
                    return kept
                gone = None
            else:
                self._misses += 1
                gone = self._remove(key, entry, "expired")
        if gone is not None:
            self._tell([gone])
            return default
        return self._decode(kept)

    def get_or_load(self, key: Hashable, load: Callable[[], V], *, seconds: float | None = None) -> V:
        """Return the value of a key, loading it where it is missing: one caller does for all who miss it."""
        value = self.get(key, _MISSING)
        if value is not _MISSING:
            return cast("V", value)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and not self._is_over(entry):  # somebody's load has just landed
                return cast("V", self._decode(entry[0]))
            flight = self._flights.get(key)
            ours = flight is None
            if flight is None:
                flight = self._flights[key] = Flight()
        if not ours:
            return cast("V", flight.join(key))
        gone: list[_Departed] = []
        try:
            value = load()
            entry = self._entry(value, seconds)
            with self._lock:
                if flight.wanted:
                    gone = self._insert(key, entry)
        except BaseException as error:
            with self._lock:
                if flight.wanted:
                    self._forget(key)
            flight.crash(error)
            raise
        flight.land(value)
        self._tell(gone)
        return value

    # --- writing --------------------------------------------------------------------------------------------------

    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        """Keep a value."""
        if seconds is None:
            seconds = self._seconds
        gone: Sequence[_Departed] = ()
        evicted = None  # let go of when the lock is free
        if self._weigh is not None:
            entry = self._entry(value, seconds)
            with self._lock:
                gone = self._insert(key, entry)
        else:
            entry = (value, None if seconds is None else self._clock() + seconds, 0)
            with self._lock:
                entries = self._entries
                if key in entries or self._flights:
                    gone = self._insert(key, entry)
                else:  # the commonest case, without another call
                    if len(entries) >= self._most_entries:
                        evicted = entries.popitem(last=False)
                        self._evictions += 1
                    entries[key] = entry
                    self._sets += 1
        if gone:
            self._tell(gone)
        elif evicted is not None and self._departed is not None:
            self._tell([(*evicted, "evicted")])

    def _entry(self, value: Any, seconds: float | None) -> _Entry:
        kept = value if self._codec is None else self._codec.encode(value)
        lifetime = self._seconds if seconds is None else seconds
        deadline = None if lifetime is None else self._clock() + lifetime
        return kept, deadline, 0 if self._weigh is None else self._weigh(kept)

    def invalidate(self, key: Hashable) -> bool:
        """Forget a key."""
        with self._lock:
            self._forget(key)
            entry = self._entries.get(key)
            if entry is None:
                return False
            gone = self._remove(key, entry, "invalidated")
        self._tell([gone])
        return True

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for key in list(self._flights):
                self._forget(key)
            gone = [self._remove(key, entry, "invalidated") for key, entry in list(self._entries.items())]
        self._tell(gone)

    def clear_expired(self) -> int:
        """Forget what has expired."""
        now = self._clock()
        with self._lock:
            gone = [
                self._remove(key, entry, "expired")
                for key, entry in list(self._entries.items())
                if entry[1] is not None and entry[1] <= now
            ]
        self._tell(gone)
        return len(gone)

    # --- under the lock -------------------------------------------------------------------------------------------

    def _insert(self, key: Hashable, entry: _Entry) -> list[_Departed]:
        self._forget(key)  # what is loaded elsewhere is older than this
        before = self._entries.get(key)
        gone = [] if before is None else [self._remove(key, before, "replaced")]
        self._entries[key] = entry
        self._sets += 1
        self._bytes += entry[2]
        if entry[2] > self._most_bytes:  # all the others gone, there were still no room for it
            gone.append(self._remove(key, entry, "evicted"))
        while len(self._entries) > self._most_entries or self._bytes > self._most_bytes:
            gone.append(self._evict())
        return gone

    def _evict(self) -> _Departed:
        key, entry = self._entries.popitem(last=False)
        self._bytes -= entry[2]
        self._evictions += 1
        return key, entry, "evicted"

    def _remove(self, key: Hashable, entry: _Entry, why: Departure) -> _Departed:
        del self._entries[key]
        self._bytes -= entry[2]
        if why == "replaced":
            self._replaced += 1
        elif why == "expired":
            self._expirations += 1
        elif why == "evicted":
            self._evictions += 1
        else:
            self._invalidations += 1
        return key, entry, why

    def _forget(self, key: Hashable) -> None:
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.wanted = False

    def _is_over(self, entry: _Entry) -> bool:
        return entry[1] is not None and entry[1] <= self._clock()

    # --- outside the lock ---------------------------------------------------------------------------------------------

    def _decode(self, kept: Any) -> Any:
        return kept if self._codec is None else self._codec.decode(kept)

    def _tell(self, gone: Iterable[_Departed]) -> None:
        departed = self._departed
        if departed is None:
            return
        for key, entry, why in gone:
            try:
                departed(key, self._decode(entry[0]), why)
            except Exception:  # noqa: BLE001 - the cache goes on, whatever its listener does
                _log.exception("a listener failed when %r was %s", key, why)

    def statistics(self) -> CacheStatistics:
        """Return the counts."""
        with self._lock:
            return CacheStatistics(
                hits=self._hits,
                misses=self._misses,
                sets=self._sets,
                replaced=self._replaced,
                evictions=self._evictions,
                expirations=self._expirations,
                invalidations=self._invalidations,
                entries=len(self._entries),
                bytes=self._bytes,
            )
