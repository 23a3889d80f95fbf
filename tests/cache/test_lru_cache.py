"""The built-in cache: exact, bounded, never expired, counted, and safe under threads and finalizers."""

import random
import threading
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core import InvalidValueError
from polaris_core.abc import CacheCodec, CacheOptions
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


def test_values_that_weigh_too_much_together_leave_the_oldest_first() -> None:
    cache = LRUCache(CacheOptions(bytes=10, weigh=len))
    cache.set("a", "xxxx")
    cache.set("b", "xxxx")
    cache.get("a")
    cache.set("c", "xxx")
    assert cache.get_many("abc") == {"a": "xxxx", "c": "xxx"}
    assert cache.statistics().bytes == 7


def test_a_value_heavier_than_the_cache_is_not_kept_and_drives_nothing_else_out() -> None:
    cache = LRUCache(CacheOptions(bytes=10, weigh=len))
    cache.set("a", "xxxx")
    cache.set("b", "x" * 11)
    assert cache.get_many("ab") == {"a": "xxxx"}


def test_a_bound_in_bytes_needs_to_know_what_a_value_weighs() -> None:
    with pytest.raises(InvalidValueError, match="weigh"):
        CacheOptions(bytes=10)


@pytest.mark.parametrize("bounds", [{"entries": 0}, {"bytes": 0, "weigh": len}, {"seconds": 0}, {"seconds": -1.0}])
def test_bounds_are_more_than_nothing(bounds: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="more than 0"):
        CacheOptions(**bounds)


def test_with_a_codec_each_caller_gets_a_value_of_its_own() -> None:
    cache = LRUCache(CacheOptions(codec=CacheCodec(orjson.dumps, orjson.loads), bytes=100))
    kept = {"born": [1815]}
    cache.set("Ada", kept)
    kept["born"].append(1816)
    cache.get("Ada")["born"].append(1817)
    assert cache.get("Ada") == {"born": [1815]}
    assert cache.statistics().bytes == len(b'{"born":[1815]}')


def test_a_listener_is_told_of_all_that_left_and_why() -> None:
    clock, told = Clock(), list[tuple[Any, ...]]()
    cache = LRUCache(CacheOptions(entries=2, clock=clock, departed=lambda *departed: told.append(departed)))
    cache.set("a", 1)
    cache.set("a", 2)
    cache.set("b", 3, seconds=1)
    cache.set("c", 4)
    clock.now = 2.0
    cache.get("b")
    cache.invalidate("c")
    assert told == [("a", 1, "replaced"), ("a", 2, "evicted"), ("b", 3, "expired"), ("c", 4, "invalidated")]


def test_a_listener_may_use_the_cache_from_another_thread_and_wait_for_it() -> None:
    """It could not while the lock is held."""

    def departed(key: object, value: object, why: object) -> None:
        thread = threading.Thread(target=cache.get, args=("anything",))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()

    clock = Clock()
    cache = LRUCache(CacheOptions(entries=1, clock=clock, departed=departed))
    cache.set("a", 1)
    cache.set("b", 2, seconds=1)
    clock.now = 2.0
    assert cache.get_or_load("b", lambda: 3) == 3
    cache.clear()
    assert cache.statistics().misses == 4


def test_a_listener_that_fails_is_logged_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def departed(key: object, value: object, why: object) -> None:
        raise ZeroDivisionError

    cache = LRUCache(CacheOptions(departed=departed))
    cache.set("a", 1)
    cache.set("a", 2)
    assert cache.get("a") == 2
    assert "'a' was replaced" in caplog.text


class Loading:
    """A load that a test lets go on when others wait for it, and that counts its calls."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.calls = 0
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> Any:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(30)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def loaded_by_many(cache: LRUCache, load: Loading) -> list[Any]:
    """Ask for one key from eight threads, of which all but one come while it is loaded."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(cache.get_or_load("key", load))
        except Exception as error:  # noqa: BLE001 - it is the answer
            answers.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    threads[0].start()
    assert load.begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    while cache.statistics().misses < len(threads):
        time.sleep(0)
    load.go_on.set()
    for thread in threads:
        thread.join(30)
    return answers


def test_of_all_who_miss_a_key_one_loads_it() -> None:
    cache, load = LRUCache(), Loading(7)
    assert loaded_by_many(cache, load) == [7] * 8
    assert load.calls == 1
    assert cache.get("key") == 7


def test_an_error_of_a_load_reaches_all_who_wait_and_the_next_one_loads_again() -> None:
    cache = LRUCache()
    answers = loaded_by_many(cache, Loading(KeyError("no")))
    assert [type(answer) for answer in answers] == [KeyError] * 8
    assert cache.get_or_load("key", lambda: 8) == 8


def test_a_value_invalidated_while_it_is_loaded_is_returned_and_not_kept() -> None:
    cache, load, answers = LRUCache(), Loading("old"), list[str]()
    thread = threading.Thread(target=lambda: answers.append(cache.get_or_load("key", load)))
    thread.start()
    assert load.begun.wait(30)
    cache.invalidate("key")
    load.go_on.set()
    thread.join(30)
    assert answers == ["old"]
    assert cache.get("key") is None


def test_a_value_set_while_another_is_loaded_stays() -> None:
    cache, load = LRUCache(), Loading("old")
    thread = threading.Thread(target=cache.get_or_load, args=("key", load))
    thread.start()
    assert load.begun.wait(30)
    cache.set("key", "new")
    load.go_on.set()
    thread.join(30)
    assert cache.get("key") == "new"


def test_a_load_that_asks_for_its_own_key_is_refused() -> None:
    cache = LRUCache()
    with pytest.raises(RuntimeError, match="'key'"):
        cache.get_or_load("key", lambda: cache.get_or_load("key", lambda: 1))


def test_the_counts_add_up_whatever_threads_do() -> None:
    clock = Clock()
    cache = LRUCache(CacheOptions(entries=20, bytes=60, weigh=lambda value: value, clock=clock))
    lookups = [0] * 8

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(3_000):
            key, choice = chance.randrange(40), chance.randrange(6)
            if choice < 2:
                cache.set(key, chance.randrange(1, 8), seconds=chance.choice([None, 1, 5]))
            elif choice == 2:
                cache.invalidate(key)
            elif choice == 3:
                cache.get(key)
                lookups[number] += 1
            elif choice == 4:
                cache.get_or_load(key, lambda: 1, seconds=3)
                lookups[number] += 1
            else:
                clock.now += 0.01
                cache.clear_expired()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    counts = cache.statistics()
    left = counts.replaced + counts.evictions + counts.expirations + counts.invalidations
    assert counts.hits + counts.misses == sum(lookups)
    assert counts.sets == left + counts.entries
    cache.clear()
    assert cache.statistics().bytes == 0
