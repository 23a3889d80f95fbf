"""Neighbours that are remembered: within bounds, those used least lately leaving first, and what is forgotten stays forgotten."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

import pytest

from polaris_core import EdgeKey
from polaris_core.storage.adjacency import Adjacency
from polaris_core.storage.grounds import MOST_LINKS, NotRemembered, Way

OUT, IN = Way("out", None), Way("in", ("t",))
MIB = 1 << 20


def filled(adjacency: Adjacency, prefix: str, count: int) -> None:
    for number in range(count):
        adjacency.add(OUT, f"{prefix}-{number}", [f"{prefix}-{number}-{other}" for other in range(5)])


def test_neighbours_are_remembered_by_way_and_name() -> None:
    adjacency = Adjacency(MIB)
    adjacency.add(OUT, "a", ["b", "c"])
    adjacency.add(IN, "a", [])
    assert adjacency.near(OUT)["a"] == ("b", "c")
    assert adjacency.near(IN)["a"] == ()
    with pytest.raises(NotRemembered):
        adjacency.near(OUT)["b"]
    with pytest.raises(NotRemembered):
        adjacency.near(Way("both", None))


def test_the_neighbours_of_a_hub_are_not_remembered() -> None:
    adjacency = Adjacency(MIB)
    adjacency.add(OUT, "hub", [f"n{number}" for number in range(MOST_LINKS)])
    adjacency.add(OUT, "greater", [f"n{number}" for number in range(MOST_LINKS + 1)])
    assert len(adjacency.near(OUT)["hub"]) == MOST_LINKS
    with pytest.raises(NotRemembered):
        adjacency.near(OUT)["greater"]


def test_what_is_used_stays_and_what_is_not_leaves() -> None:
    adjacency = Adjacency(MIB)
    adjacency.add(OUT, "used", ["b"])
    adjacency.add(OUT, "unused", ["b"])
    for piece in range(100):
        filled(adjacency, f"{piece}", 100)
        assert adjacency.near(OUT)["used"] == ("b",)
    with pytest.raises(NotRemembered):
        adjacency.near(OUT)["unused"]


def used_up(adjacency: Adjacency, number: int) -> None:
    """Remember something, and go over all that was remembered before."""
    filled(adjacency, f"{number}", 100)
    for other in range(100 * number):
        with suppress(NotRemembered):
            adjacency.near(OUT)[f"{other // 100}-{other % 100}"]


def long_names(adjacency: Adjacency, number: int) -> None:
    for other in range(100):
        adjacency.add(OUT, f"{number}-{other}-{'x' * 1_000}", [f"{number}-{other}-{'y' * 1_000}"])


def first_edges(adjacency: Adjacency, number: int) -> None:
    for other in range(100):
        ends = f"{number}-{other}", f"{number}-{other}-next"
        adjacency.add(OUT, ends[0], [ends[1]])
        for neighbor in (ends[1], f"{ends[1]}-too"):
            adjacency.add_key(OUT, ends[0], neighbor, EdgeKey(ends[0], "t", neighbor))


def first_edges_alone(adjacency: Adjacency, number: int) -> None:
    if number == 0:
        adjacency.add(OUT, "a", ["b"])
    for other in range(100):
        adjacency.add_key(OUT, f"{number}", f"{other}", EdgeKey(f"{number}", "t", f"{other}"))


def new(adjacency: Adjacency, number: int) -> None:
    filled(adjacency, f"{number}", 100)


@pytest.mark.parametrize("grow", [new, used_up, long_names, first_edges, first_edges_alone])
def test_memory_stays_within_the_bytes_that_were_given(grow: Callable[[Adjacency, int], None]) -> None:
    tracemalloc.start()
    try:
        adjacency = Adjacency(MIB)
        most = 0
        for number in range(30):
            grow(adjacency, number)
            most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert MIB / 5 < most < MIB


def test_of_more_ways_than_are_told_apart_the_one_that_was_gone_first_is_forgotten() -> None:
    adjacency = Adjacency(MIB)
    ways = [Way("out", (f"t{number}",)) for number in range(65)]
    for way in ways:
        adjacency.add(way, "a", ["b"])
    for way in ways[1:]:
        assert adjacency.near(way)["a"] == ("b",)
    with pytest.raises(NotRemembered):
        adjacency.near(ways[0])


def test_a_way_of_very_many_types_is_not_remembered() -> None:
    adjacency = Adjacency(MIB)
    way = Way("out", tuple(f"t{number}" for number in range(65)))
    adjacency.add(way, "a", ["b"])
    with pytest.raises(NotRemembered):
        adjacency.near(way)


def test_what_is_forgotten_is_gone_in_both_generations_and_every_way() -> None:
    adjacency = Adjacency(MIB)
    for way in (OUT, IN):
        adjacency.add(way, "old", ["b"])
    adjacency.add_key(OUT, "old", "b", EdgeKey("old", "t", "b"))
    before = adjacency.near(OUT)
    while adjacency.near(OUT) is before:
        filled(adjacency, "new", 100)
    adjacency.add(OUT, "young", ["b"])
    adjacency.add_key(OUT, "young", "b", EdgeKey("young", "t", "b"))
    adjacency.forget(["old", "young"])
    for name in ("old", "young"):
        assert name not in adjacency.near(OUT).first_edges
        for way in (OUT, IN):
            with pytest.raises(NotRemembered):
                adjacency.near(way)[name]


def test_who_holds_a_generation_that_is_over_brings_nothing_back() -> None:
    adjacency = Adjacency(MIB)
    adjacency.add(OUT, "a", ["before"])
    generations = [adjacency.near(OUT)]
    while len(generations) < 4:
        filled(adjacency, f"{len(generations)}", 100)
        if adjacency.near(OUT) is not generations[-1]:
            generations.append(adjacency.near(OUT))
        if len(generations) == 3:
            adjacency.forget(["a"])
    for near in generations[1:]:
        with pytest.raises(NotRemembered):
            near["a"]
    with pytest.raises(NotRemembered):
        adjacency.near(OUT)["a"]


def test_clearing_forgets_everything_also_for_those_who_hold_it() -> None:
    adjacency = Adjacency(MIB)
    adjacency.add(OUT, "a", ["b"])
    near = adjacency.near(OUT)
    adjacency.clear()
    with pytest.raises(NotRemembered):
        near["a"]
    with pytest.raises(NotRemembered):
        adjacency.near(OUT)


def test_threads_that_read_never_bring_back_what_is_forgotten() -> None:
    adjacency, stop = Adjacency(MIB // 4), Event()
    failures: list[str] = []

    def reading() -> None:
        while not stop.is_set():
            for number in range(50):
                try:
                    adjacency.near(OUT)[f"n{number}"]
                except NotRemembered:
                    pass
                except Exception as error:  # noqa: BLE001 - to be seen by the test
                    failures.append(repr(error))

    threads = [Thread(target=reading) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(300):
            for number in range(50):
                adjacency.add(OUT, f"n{number}", [f"{turn}-{other}" for other in range(8)])
            adjacency.forget([f"n{number}" for number in range(50)])
            for number in range(50):
                with pytest.raises(NotRemembered):
                    adjacency.near(OUT)[f"n{number}"]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
