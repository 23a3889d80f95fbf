"""Neighbours that are remembered: within bounds, those used least lately leaving first, and what is forgotten stays forgotten."""

from __future__ import annotations

import tracemalloc
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


def test_memory_stays_within_the_bytes_that_were_given() -> None:
    tracemalloc.start()
    try:
        adjacency = Adjacency(MIB)
        most = 0
        for piece in range(50):
            filled(adjacency, f"{piece}", 100)
            most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert MIB / 3 < most < MIB


def test_more_ways_than_are_told_apart_cost_everything() -> None:
    adjacency = Adjacency(MIB)
    for number in range(65):
        adjacency.add(Way("out", (f"t{number}",)), "a", ["b"])
    assert adjacency.near(Way("out", ("t64",)))["a"] == ("b",)
    with pytest.raises(NotRemembered):
        adjacency.near(Way("out", ("t0",)))["a"]


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
