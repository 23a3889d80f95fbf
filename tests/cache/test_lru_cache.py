"""The built-in cache: exact, bounded, never expired, counted, and safe under threads and finalizers."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from polaris_core.abc import CacheOptions
from polaris_core.cache import LRUCache


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_least_recently_used_value_goes_first() -> None:
    cache = LRUCache(CacheOptions(entries=2))
    cache.set("a", 1)
    cache.set("b", 2)
    assert cache.get("a") == 1
    cache.set("c", 3)
    assert cache.get_many("abc") == {"a": 1, "c": 3}
    assert cache.statistics().evictions == 1


def test_an_expired_value_is_never_returned() -> None:
    clock = Clock()
    cache = LRUCache(CacheOptions(seconds=10, clock=clock))
    cache.set("default", 1)
    cache.set("short", 2, seconds=1)
    clock.now = 1.0
    assert cache.get("short", "gone") == "gone"
    assert cache.get("default") == 1
    clock.now = 10.0
    assert cache.clear_expired() == 1
    assert cache.get("default") is None


def test_invalidating_forgets_and_says_whether_there_was_anything() -> None:
    cache = LRUCache()
    cache.set_many({"a": 1, "b": 2, "c": None})
    assert cache.invalidate("a")
    assert not cache.invalidate("a")
    assert cache.invalidate_many("abc") == 2
    cache.set("d", 1)
    cache.clear()
    assert cache.statistics().entries == 0


@given(st.lists(st.tuples(st.sampled_from(["get", "set", "invalidate"]), st.integers(0, 9)), max_size=200))
def test_it_behaves_like_a_list_ordered_by_use(calls: list[tuple[str, int]]) -> None:
    cache, model = LRUCache(CacheOptions(entries=4)), list[int]()
    for call, key in calls:
        if call == "get":
            assert cache.get(key, "absent") == (key if key in model else "absent")
        elif call == "set":
            cache.set(key, key)
        else:
            assert cache.invalidate(key) == (key in model)
        if key in model:
            model.remove(key)
            if call == "get":
                model.append(key)
        if call == "set":
            model.append(key)
        del model[:-4]
    statistics = cache.statistics()
    assert statistics.hits + statistics.misses == sum(call == "get" for call, _ in calls)


def test_a_value_whose_finalizer_uses_the_cache_blocks_nobody() -> None:
    cache = LRUCache(CacheOptions(entries=2))

    class Value:
        def __del__(self) -> None:
            cache.get("anything")

    def work() -> None:
        for number in range(2000):
            cache.set(number % 5, Value())

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert cache.statistics().sets == 8000
