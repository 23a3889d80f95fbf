"""What a third party says of its cache, and what the laws of caches are tried with: a clock, slow loads, a plain model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from hypothesis import strategies as st

from polaris_core.abc.cache import Cache, CacheOptions, CacheStatistics

__all__ = [
    "CALLS",
    "PATIENCE",
    "THREADS",
    "CacheSubject",
    "Call",
    "Clock",
    "Loading",
    "Model",
    "adds_up",
    "asked_by_many",
    "together",
]

PATIENCE = 30.0  # seconds after which a law calls a cache hung
THREADS = 8

Call = tuple[Literal["get", "set", "load", "invalidate", "wait"], int, int]


class Clock:
    """A clock that stands still until a law moves it."""

    def __init__(self) -> None:
        self.now: float = 0.0

    def __call__(self) -> float:
        return self.now


class CacheSubject:
    """What a third party's class says of its cache: how one is made."""

    def open(self, options: CacheOptions) -> Cache:
        """Return a new cache."""
        raise NotImplementedError("say how a cache is made: override `open`")

    def cache(self, **options: Any) -> Cache:
        """Return a new cache of these options."""
        return self.open(CacheOptions(**options))


def together(*works: Callable[[], object]) -> None:
    """Do several works in threads at one time; one that hangs fails the law, and so does what one raises."""
    raised: list[BaseException] = []

    def caught(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the law
            raised.append(error)

    threads = [threading.Thread(target=caught, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a call does not return"
    if raised:
        raise raised[0]


class Loading:
    """A load that waits until a law lets it go on, and that counts its calls."""

    def __init__(self, outcome: object) -> None:
        self.outcome: object = outcome
        self.calls: int = 0
        self.begun: threading.Event = threading.Event()
        self.go_on: threading.Event = threading.Event()

    def __call__(self) -> Any:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def asked_by_many(cache: Cache, load: Loading) -> list[Any]:
    """Ask for one key from eight threads, of which all but one come while it is loaded; return answers and errors."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(cache.get_or_load("key", load))
        except Exception as error:  # noqa: BLE001 - it is the answer
            answers.append(error)

    def others() -> None:
        assert load.begun.wait(PATIENCE)
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(THREADS - 1)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        while cache.statistics().misses < THREADS and load.calls == 1:
            assert time.monotonic() < deadline, "a lookup that finds nothing counts as a miss when it is made"
            time.sleep(0.001)
        load.go_on.set()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "who waits for a load never gets its outcome"

    together(ask, others)
    return answers


class Model:
    """What a cache holds, told in the plainest way."""

    def __init__(self, clock: Clock, entries: int, weight: int) -> None:
        self.clock: Clock = clock
        self.most: int = entries
        self.heaviest: int = weight
        self.held: dict[int, tuple[int, float | None]] = {}  # by use, the least recently used first

    def get(self, key: int) -> int | None:
        if key not in self.held:
            return None
        self.held[key] = self.held.pop(key)
        return self.held[key][0]

    def set(self, key: int, value: int, seconds: float | None) -> None:
        self.held.pop(key, None)
        if value > self.heaviest:
            return
        self.held[key] = value, None if seconds is None else self.clock.now + seconds
        while len(self.held) > self.most or sum(value for value, _ in self.held.values()) > self.heaviest:
            del self.held[next(iter(self.held))]

    def clear_expired(self) -> int:
        over = [key for key, (_, deadline) in self.held.items() if deadline is not None and deadline <= self.clock.now]
        for key in over:
            del self.held[key]
        return len(over)


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["get", "set", "load", "invalidate", "wait"]),
        st.integers(0, 6),
        st.integers(1, 9),
    ),
    min_size=20,
    max_size=60,
)


def adds_up(counts: CacheStatistics) -> bool:
    """Return whether what was set is what is held and what left."""
    left = counts.replaced + counts.evictions + counts.expirations + counts.invalidations
    return counts.sets == counts.entries + left
