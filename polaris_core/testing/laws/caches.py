"""Laws of caches: exact, bounded, never expired, counted, and safe under threads, listeners and finalizers."""

from __future__ import annotations

import functools
import json
import random
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings

from polaris_core.abc.cache import Cache, CacheCodec
from polaris_core.errors import NodeNotFoundError
from polaris_core.testing.laws.cache_subject import (
    CALLS,
    PATIENCE,
    THREADS,
    CacheSubject,
    Call,
    Clock,
    Loading,
    Model,
    adds_up,
    asked_by_many,
    together,
)

__all__ = ["CacheLaws"]


class CacheLaws(CacheSubject):
    """What every cache keeps to."""

    # --- what is held -------------------------------------------------------------------------------------------------

    def test_the_least_recently_used_value_goes_first(self) -> None:
        cache = self.cache(entries=2)
        cache.set("a", 1)
        cache.set("b", 2)
        assert cache.get("a") == 1
        cache.set("c", 3)
        assert cache.get_many("abc") == {"a": 1, "c": 3}
        assert cache.statistics().evictions == 1

    def test_a_value_set_again_is_the_latest_used(self) -> None:
        cache = self.cache(entries=2)
        cache.set("a", 1)
        cache.set("b", 2)
        cache.set("a", 3)
        cache.set("c", 4)
        assert cache.get_many("abc") == {"a": 3, "c": 4}

    def test_none_is_a_value(self) -> None:
        cache = self.cache()
        cache.set("a", None)
        assert cache.get("a", "default") is None
        assert cache.get("b", "default") == "default"
        assert cache.get_many(["a", "b"]) == {"a": None}
        assert cache.get_or_load("a", lambda: "loaded") is None
        assert (cache.invalidate("a"), cache.invalidate("a")) == (True, False)

    def test_any_series_of_calls_leaves_what_the_model_holds(self) -> None:
        @given(CALLS)
        @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def law(calls: list[Call]) -> None:
            clock = Clock()
            cache = self.cache(entries=4, bytes=16, weigh=int, seconds=20, clock=clock)
            model = Model(clock, 4, 16)
            lookups = 0
            for call, key, value in calls:
                match call:
                    case "get":
                        assert cache.get(key) == model.get(key)
                        lookups += 1
                    case "set":
                        seconds = None if value % 2 else float(value)
                        cache.set(key, value, seconds=seconds)
                        model.set(key, value, 20 if seconds is None else seconds)
                    case "load":
                        found = model.get(key)
                        assert cache.get_or_load(key, functools.partial(int, value)) == (
                            value if found is None else found
                        )
                        if found is None:
                            model.set(key, value, 20)
                        lookups += 1
                    case "invalidate":
                        assert cache.invalidate(key) == (model.held.pop(key, None) is not None)
                    case "wait":  # who keeps what has expired, and who lets it go by itself, are both right
                        clock.now += value
                        assert cache.clear_expired() == model.clear_expired()
                counts = cache.statistics()
                assert adds_up(counts), f"{counts} does not add up after {call}"
                assert counts.hits + counts.misses == lookups
            assert cache.get_many(range(7)) == {key: value for key, (value, _) in model.held.items()}

        law()

    def test_values_that_weigh_too_much_together_leave_the_oldest_first(self) -> None:
        cache = self.cache(bytes=10, weigh=len)
        cache.set("a", "xxxx")
        cache.set("b", "xxxx")
        cache.get("a")
        cache.set("c", "xxx")
        assert cache.get_many("abc") == {"a": "xxxx", "c": "xxx"}
        assert cache.statistics().bytes == 7

    def test_a_value_heavier_than_the_cache_is_not_kept_and_drives_nothing_else_out(self) -> None:
        cache = self.cache(bytes=10, weigh=len)
        cache.set("a", "xxxx")
        cache.set("b", "x" * 11)
        assert cache.get_many("ab") == {"a": "xxxx"}

    # --- time ---------------------------------------------------------------------------------------------------------

    def test_an_expired_value_is_never_returned(self) -> None:
        clock = Clock()
        cache = self.cache(seconds=10, clock=clock)
        cache.set("default", 1)
        cache.set("short", 2, seconds=1)
        clock.now = 1.0
        assert cache.get("short", "gone") == "gone"
        assert cache.get("default") == 1
        clock.now = 10.0
        assert cache.get_many(["default", "short"]) == {}
        assert cache.get_or_load("default", lambda: 3) == 3

    def test_what_has_expired_is_cleared_and_counted(self) -> None:
        clock = Clock()
        cache = self.cache(clock=clock)
        cache.set_many({"a": 1, "b": 2}, seconds=1)
        cache.set("c", 3)
        clock.now = 1.0
        assert cache.clear_expired() == 2
        assert cache.clear_expired() == 0
        counts = cache.statistics()
        assert (counts.entries, counts.expirations) == (1, 2)

    # --- leaving ------------------------------------------------------------------------------------------------------

    def test_invalidating_forgets_and_says_whether_there_was_anything(self) -> None:
        cache = self.cache()
        cache.set_many({"a": 1, "b": 2, "c": 3})
        assert (cache.invalidate("a"), cache.invalidate("a")) == (True, False)
        assert cache.invalidate_many("abc") == 2
        assert cache.get_many("abc") == {}
        cache.set("d", 1)
        cache.clear()
        assert cache.statistics().entries == 0
        assert cache.get("d") is None

    def test_a_listener_is_told_of_all_that_left_and_why(self) -> None:
        clock, told = Clock(), list[tuple[Any, ...]]()
        cache = self.cache(entries=2, clock=clock, departed=lambda *departed: told.append(departed))
        cache.set("a", 1)
        cache.set("a", 2)
        cache.set("b", 3, seconds=1)
        cache.set("c", 4)
        clock.now = 2.0
        cache.get("b")
        cache.invalidate("c")
        assert told == [("a", 1, "replaced"), ("a", 2, "evicted"), ("b", 3, "expired"), ("c", 4, "invalidated")]

    def test_a_listener_is_called_while_no_lock_is_held(self) -> None:
        waited = list[bool]()

        def departed(*_: object) -> None:
            thread = threading.Thread(
                target=cache.get, args=("anything",), daemon=True
            )  # which a lock would keep waiting
            thread.start()
            thread.join(PATIENCE)
            waited.append(thread.is_alive())

        clock = Clock()
        cache = self.cache(entries=1, clock=clock, departed=departed)
        cache.set("a", 1)
        cache.set("b", 2, seconds=1)
        clock.now = 2.0
        assert cache.get_or_load("b", lambda: 3) == 3
        cache.clear()
        assert waited == [False] * 3, "what a listener asks of the cache from another thread waits for the listener"

    def test_a_listener_that_fails_hurts_nobody(self) -> None:
        def departed(*_: object) -> None:
            raise ZeroDivisionError

        cache = self.cache(departed=departed)
        cache.set("a", 1)
        cache.set("a", 2)
        assert cache.get("a") == 2

    def test_a_value_whose_finalizer_uses_the_cache_blocks_nobody(self) -> None:
        cache = self.cache(entries=2)

        class Value:
            def __del__(self) -> None:
                cache.get("anything")
                cache.set("last", 1)

        def work() -> None:
            for number in range(1_000):
                cache.set(number % 5, Value())

        together(*[work] * THREADS)
        assert cache.statistics().sets >= 1_000 * THREADS

    # --- with a codec ---------------------------------------------------------------------------------------------------

    def test_with_a_codec_each_caller_gets_a_value_of_its_own(self) -> None:
        codec = CacheCodec(lambda value: json.dumps(value).encode(), json.loads)
        cache = self.cache(codec=codec, bytes=100)
        kept = {"born": [1815]}
        cache.set("Ada", kept)
        kept["born"].append(1816)
        cache.get("Ada")["born"].append(1817)
        assert cache.get("Ada") == {"born": [1815]}
        assert cache.statistics().bytes == len(codec.encode({"born": [1815]}))

    # --- loading --------------------------------------------------------------------------------------------------------

    def test_of_all_who_miss_a_key_one_loads_it(self) -> None:
        cache, load = self.cache(), Loading(7)
        assert asked_by_many(cache, load) == [7] * THREADS
        assert load.calls == 1
        assert cache.get("key") == 7

    def test_an_error_of_a_load_reaches_all_who_wait_and_the_next_one_loads_again(self) -> None:
        cache, load = self.cache(), Loading(KeyError("no"))
        assert [type(answer) for answer in asked_by_many(cache, load)] == [KeyError] * THREADS
        assert load.calls == 1
        assert cache.get_or_load("key", lambda: 8) == 8

    def test_an_error_of_polaris_is_another_one_for_each_who_waits(self) -> None:
        answers = asked_by_many(self.cache(), Loading(NodeNotFoundError("no node 'a'", key="a")))
        assert {type(answer) for answer in answers} == {NodeNotFoundError}
        assert len(set(map(id, answers))) == THREADS, "callers would add their tracebacks to one error"

    def test_a_value_invalidated_while_it_is_loaded_is_returned_and_not_kept(self) -> None:
        self._meanwhile(lambda cache: cache.invalidate("key"), then=None)

    def test_a_value_cleared_while_it_is_loaded_is_returned_and_not_kept(self) -> None:
        self._meanwhile(lambda cache: cache.clear(), then=None)

    def test_a_value_set_while_another_is_loaded_stays(self) -> None:
        self._meanwhile(lambda cache: cache.set("key", "new"), then="new")

    def _meanwhile(self, step: Callable[[Cache], object], *, then: str | None) -> None:
        cache, load, answers = self.cache(), Loading("old"), list[str]()

        def others() -> None:
            assert load.begun.wait(PATIENCE)
            step(cache)
            load.go_on.set()

        together(lambda: answers.append(cast("str", cache.get_or_load("key", load))), others)
        assert answers == ["old"]
        assert cache.get("key") == then

    def test_a_load_that_asks_for_its_own_key_is_refused(self) -> None:
        cache = self.cache()
        with pytest.raises(RuntimeError):
            cache.get_or_load("key", lambda: cache.get_or_load("key", lambda: 1))
        assert cache.get_or_load("key", lambda: 2) == 2

    # --- counting -------------------------------------------------------------------------------------------------------

    def test_the_counts_add_up_whatever_threads_do(self) -> None:
        clock = Clock()
        cache = self.cache(entries=20, bytes=60, weigh=int, clock=clock)
        lookups = [0] * THREADS

        def work(number: int) -> None:
            chance = random.Random(number)  # noqa: S311 - the same calls every time
            for _ in range(2_000):
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

        together(*(functools.partial(work, number) for number in range(THREADS)))
        counts = cache.statistics()
        assert counts.hits + counts.misses == sum(lookups)
        assert adds_up(counts)
        assert counts.entries <= 20
        assert counts.bytes <= 60
        cache.clear()
        assert (cache.statistics().entries, cache.statistics().bytes) == (0, 0)
