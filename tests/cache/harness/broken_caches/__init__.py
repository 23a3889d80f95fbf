"""Caches that are wrong on purpose, each in the way that one law is about."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import attrs

from polaris_core.abc import Cache, CacheOptions, CacheStatistics
from polaris_core.cache import LRUCache

__all__ = ["BREACHES", "Breach"]

C = TypeVar("C", bound=type[Cache])


class Breach(NamedTuple):
    """A cache, and the law that must find it out."""

    cache: Callable[[CacheOptions], Cache]
    law: str


BREACHES: list[Breach] = []


def breaks(law: str) -> Callable[[C], C]:
    """Note which law a cache breaks."""

    def note(cls: C) -> C:
        BREACHES.append(Breach(cls, law))
        return cls

    return note


@breaks("test_the_least_recently_used_value_goes_first")
class FirstInFirstOut(LRUCache):
    def get(self, key: Hashable, default: Any = None) -> Any:
        order = list(self._entries)
        found = super().get(key, default)
        for one in order:
            if one in self._entries:
                self._entries.move_to_end(one)
        return found


@breaks("test_a_value_set_again_is_the_latest_used")
@breaks("test_any_series_of_calls_leaves_what_the_model_holds")
class KeepsThePlaceOfWhatIsSetAgain(LRUCache):
    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        place = list(self._entries).index(key) if key in self._entries else None
        super().set(key, value, seconds=seconds)
        if place is not None and key in self._entries:
            items = [item for item in self._entries.items() if item[0] != key]
            items.insert(place, (key, self._entries[key]))
            self._entries = OrderedDict(items)


@breaks("test_none_is_a_value")
class TakesNoneForMissing(LRUCache):
    def get(self, key: Hashable, default: Any = None) -> Any:
        found = super().get(key, default)
        return default if found is None else found


@breaks("test_values_that_weigh_too_much_together_leave_the_oldest_first")
class WeighsNothing(LRUCache):
    def __init__(self, options: CacheOptions) -> None:
        super().__init__(options)
        self._most_bytes = float("inf")


@breaks("test_a_value_heavier_than_the_cache_is_not_kept_and_drives_nothing_else_out")
class MakesRoomForWhatNeverFits(LRUCache):
    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        if self._weigh is not None and self._weigh(value) > self._most_bytes:
            self.clear()
        super().set(key, value, seconds=seconds)


@breaks("test_an_expired_value_is_never_returned")
class ReturnsWhatHasExpired(LRUCache):
    def get(self, key: Hashable, default: Any = None) -> Any:
        entry = self._entries.get(key)
        return super().get(key, default) if entry is None else entry[0]


@breaks("test_what_has_expired_is_cleared_and_counted")
class ClearsNothing(LRUCache):
    def clear_expired(self) -> int:
        return 0


@breaks("test_invalidating_forgets_and_says_whether_there_was_anything")
class AlwaysSaysItWasThere(LRUCache):
    def invalidate(self, key: Hashable) -> bool:
        super().invalidate(key)
        return True


@breaks("test_a_listener_is_told_of_all_that_left_and_why")
class TellsOfEvictionsOnly(LRUCache):
    def _tell(self, gone: Any) -> None:
        super()._tell([one for one in gone if one[2] == "evicted"])


@breaks("test_a_listener_is_called_while_no_lock_is_held")
class TellsUnderTheLock(LRUCache):
    def _tell(self, gone: Any) -> None:
        with self._lock:
            super()._tell(gone)


@breaks("test_a_listener_that_fails_hurts_nobody")
class LetsListenersFail(LRUCache):
    def _tell(self, gone: Any) -> None:
        for key, entry, why in gone if self._departed else ():
            self._departed(key, entry[0], why)  # type: ignore[misc]


@breaks("test_a_value_whose_finalizer_uses_the_cache_blocks_nobody")
class LetsValuesGoUnderALock(LRUCache):
    """With a lock that is not entered twice, a finalizer that comes back waits for itself."""

    def __init__(self, options: CacheOptions) -> None:
        super().__init__(options)
        self._outer = threading.Lock()

    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        with self._outer:
            super().set(key, value, seconds=seconds)


@breaks("test_with_a_codec_each_caller_gets_a_value_of_its_own")
class HandsOutOneValueToAll(LRUCache):
    def __init__(self, options: CacheOptions) -> None:
        super().__init__(options)
        self._codec = None


class _LoadsForItself(LRUCache):
    def get_or_load(self, key: Hashable, load: Callable[[], Any], *, seconds: float | None = None) -> Any:
        missing = object()
        found = self.get(key, missing)
        if found is missing:
            found = load()
            self.set(key, found, seconds=seconds)
        return found


@breaks("test_of_all_who_miss_a_key_one_loads_it")
@breaks("test_a_value_invalidated_while_it_is_loaded_is_returned_and_not_kept")
@breaks("test_a_value_cleared_while_it_is_loaded_is_returned_and_not_kept")
@breaks("test_a_value_set_while_another_is_loaded_stays")
@breaks("test_a_load_that_asks_for_its_own_key_is_refused")
class LoadsForEachCaller(_LoadsForItself):
    pass


@breaks("test_an_error_of_a_load_reaches_all_who_wait_and_the_next_one_loads_again")
class KeepsTheErrorOfALoad(LRUCache):
    failed: BaseException | None = None

    def get_or_load(self, key: Hashable, load: Callable[[], Any], *, seconds: float | None = None) -> Any:
        if self.failed is not None:
            raise self.failed
        try:
            return super().get_or_load(key, load, seconds=seconds)
        except Exception as error:
            self.failed = error
            raise


@breaks("test_an_error_of_polaris_is_another_one_for_each_who_waits")
class SharesOneError(LRUCache):
    first: BaseException | None = None

    def get_or_load(self, key: Hashable, load: Callable[[], Any], *, seconds: float | None = None) -> Any:
        try:
            return super().get_or_load(key, load, seconds=seconds)
        except Exception as error:  # noqa: BLE001 - whatever the first one was
            self.first = self.first or error
            raise self.first from None


@breaks("test_the_counts_add_up_whatever_threads_do")
class CountsTheSetsOfOneThread(LRUCache):
    def __init__(self, options: CacheOptions) -> None:
        super().__init__(options)
        self._thread = threading.get_ident()
        self._foreign = 0

    def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
        super().set(key, value, seconds=seconds)
        self._foreign += threading.get_ident() != self._thread

    def statistics(self) -> CacheStatistics:
        counts = super().statistics()
        return attrs.evolve(counts, sets=counts.sets - self._foreign)
