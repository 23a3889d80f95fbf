"""Whether a history of calls could have happened one at a time: the search of Wing and Gong, with Lowe's memory.

J. Wing, C. Gong, "Testing and Verifying Concurrent Objects", 1993; G. Lowe, "Testing for Linearizability", 2016. Objects are
independent, so each key of a store is asked for itself: it holds a value, or None, and every value but None is written once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["Call", "is_linearizable", "unexplained"]

Value: TypeAlias = int | None


class Call(NamedTuple):
    """One call: when it began and ended, on one clock of all processes, and what it was.

    `read` returned `value`. `write` made the key hold `value`, whatever it held. `swap` did so if the key held `expected`,
    and says in `done` whether it did.
    """

    process: str
    key: str
    began: int
    ended: int
    what: Literal["read", "write", "swap"]
    value: Value
    expected: Value = None
    done: bool = True


def _after(call: Call, held: Value) -> tuple[bool, Value]:
    """Return whether a call may happen while the key holds something, and what it holds then."""
    if call.what == "read":
        return call.value == held, held
    if call.what == "write":
        return True, call.value
    if call.done:
        return call.expected == held, call.value
    return call.expected != held, held


def is_linearizable(calls: Iterable[Call], held: Value = None) -> bool:
    """Return whether calls on one key, which held something before, have an order that explains them all.

    A call that ended before another began comes before it.
    """
    ordered = sorted(calls, key=lambda call: call.began)
    everything = (1 << len(ordered)) - 1
    seen: set[tuple[int, Value]] = set()
    paths: list[tuple[int, Value]] = [(0, held)]
    while paths:
        taken, value = paths.pop()
        if taken == everything:
            return True
        for place in _candidates(ordered, taken):
            possible, after = _after(ordered[place], value)
            path = taken | 1 << place, after
            if possible and path not in seen:
                seen.add(path)
                paths.append(path)
    return False


def _candidates(ordered: Sequence[Call], taken: int) -> Iterable[int]:
    """Return the calls that may come next: those not taken that began before any other such call ended."""
    found: list[int] = []
    first_end = float("inf")
    place = (~taken & (taken + 1)).bit_length() - 1  # the first that is not taken
    while place < len(ordered) and ordered[place].began <= first_end:
        if not taken >> place & 1:
            found.append(place)
            first_end = min(first_end, ordered[place].ended)
        place += 1
    return found


def unexplained(calls: Iterable[Call]) -> list[str]:
    """Return the keys whose calls no order explains."""
    by_key: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_key[call.key].append(call)
    return sorted(key for key, of_key in by_key.items() if not is_linearizable(of_key))
