"""The built-in cache against `cachetools.TTLCache` behind a lock, in one run: time of a hit, a miss and a set that evicts.

    pip install cachetools; python benchmarks/cache.py [--entries 10000] [--rounds 40]

Both hold so many entries that live a minute. The two are timed in turn, a few thousand calls at a time, and the least time of each
counts: what else the machine does only adds. The overhead is what the cache allocates for an entry, keys and values aside.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from threading import Lock

import cachetools

from polaris_core.abc import CacheOptions
from polaris_core.cache import LRUCache

CALLS = 5_000


def least(one: Callable[[], None], other: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Return nanoseconds a call of each, timed in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, taken in zip((one, other), times, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return min(times[0]) / CALLS * 1e9, min(times[1]) / CALLS * 1e9


def overhead(entries: int) -> float:
    """Return the bytes that are allocated for an entry of a full cache."""
    keys = [f"key-{number}" for number in range(2 * entries)]
    gc.collect()
    tracemalloc.start()
    cache = LRUCache(CacheOptions(entries=entries, seconds=60))
    for key in keys:
        cache.set(key, None)
    taken = tracemalloc.get_traced_memory()[0] / entries
    tracemalloc.stop()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    ours = LRUCache(CacheOptions(entries=arguments.entries, seconds=60))
    theirs: cachetools.TTLCache[str, int] = cachetools.TTLCache(arguments.entries, 60)
    lock = Lock()
    keys = [f"key-{number}" for number in range(3 * arguments.entries)]
    present, absent = keys[:CALLS], keys[-CALLS:]
    ours_at = theirs_at = 0

    def get(wanted: list[str]) -> tuple[Callable[[], None], Callable[[], None]]:
        def one() -> None:
            for key in wanted:
                ours.get(key)

        def other() -> None:
            for key in wanted:
                with lock:
                    theirs.get(key)

        return one, other

    def set_ours() -> None:
        nonlocal ours_at
        ours_at = (ours_at + CALLS) % len(keys)
        for key in keys[ours_at : ours_at + CALLS]:
            ours.set(key, 1)

    def set_theirs() -> None:
        nonlocal theirs_at
        theirs_at = (theirs_at + CALLS) % len(keys)
        for key in keys[theirs_at : theirs_at + CALLS]:
            with lock:
                theirs[key] = 1

    for key in keys[: arguments.entries]:
        ours.set(key, 1)
        theirs[key] = 1
    pairs = {"hit": get(present), "miss": get(absent), "set": (set_ours, set_theirs)}
    for name, pair in pairs.items():
        one, other = least(*pair, arguments.rounds)
        sys.stdout.write(f"{name:5} {one:7.0f} ns   cachetools {other:7.0f} ns   ratio {one / other:.2f}\n")
    sys.stdout.write(f"overhead {overhead(arguments.entries):.0f} bytes an entry\n")


if __name__ == "__main__":
    main()
