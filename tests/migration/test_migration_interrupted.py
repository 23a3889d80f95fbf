"""A migration that ends at any moment goes on from there, and copies one state of its source whoever writes meanwhile."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polaris_core import (
    Batch,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    HistoryReplacedError,
    HistoryTrimmedError,
    LimitExceededError,
    Limits,
    Patch,
    PatchEdge,
    PatchNode,
    RefusedError,
    RenameNode,
    SetMeta,
    UpsertEdge,
    UpsertNode,
    migrate,
    open_graph,
)
from polaris_core.abc import Receipt
from polaris_core.testing.programs import Everything

Url = Callable[[str, str], str]

names = st.sampled_from("abcd")
types = st.sampled_from("tu")
attributes = st.dictionaries(st.sampled_from("xy"), st.sampled_from([None, 1, 1.0, "ü", [1, {}]]), max_size=2)
triples = (names, types, names)
patches = st.builds(
    Patch,
    st.dictionaries(st.tuples(st.sampled_from("xy")), st.sampled_from([1, {"y": 2}]), max_size=2),
    st.lists(st.tuples(st.sampled_from("xy")), max_size=1),
    st.lists(st.sampled_from("op"), max_size=2),
    st.lists(st.sampled_from("op"), max_size=1),
)
mutations = st.one_of(
    st.builds(CreateNode, names, types, attributes),
    st.builds(UpsertNode, names, st.none() | types, attributes),
    st.builds(PatchNode, names, patches),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.just(True), missing_ok=st.just(True)),
    st.builds(UpsertEdge, *triples, attributes),
    st.builds(PatchEdge, *triples, st.builds(Patch, st.dictionaries(st.just(("x",)), st.integers(0, 3), max_size=1))),
    st.builds(DeleteEdge, *triples, missing_ok=st.just(True)),
    st.builds(SetMeta, st.sampled_from("mn"), st.integers(0, 3)),
    st.builds(DeleteMeta, st.sampled_from("mn")),
    st.builds(Emit, types, st.none() | names, st.integers(0, 3)),
)
commits = st.builds(
    Batch, st.lists(mutations, min_size=1, max_size=3), key=st.sampled_from([None, "k", "l", "m", "o", "p"])
)
loads = st.lists(st.builds(UpsertNode, names, types) | st.builds(UpsertEdge, *triples), min_size=1, max_size=4)
undoings = st.integers(1, 30)
trimmings = st.integers(0, 30).map(lambda seq: ("trim", seq))
steps = st.lists(commits | commits | commits | loads | undoings | trimmings, max_size=12)
EDGES = [UpsertNode(name) for name in "abcd"] + [UpsertEdge(one, "t", other) for one in "abcd" for other in "abcd"]
SWAPS = [Batch([RenameNode("a", "e"), RenameNode("b", "a"), RenameNode("e", "b")]), Batch(DeleteNode("c", detach=True))]


async def take(graph: Any, step: Any, most: int | None = None) -> None:
    """Write to a graph; what it refuses is refused. Nothing is trimmed after the change `most`."""
    if isinstance(step, Batch):
        await graph.apply([step])
    elif isinstance(step, list):
        await graph.load(step, on_existing="merge", on_dangling="create")
    elif isinstance(step, tuple):
        place = (await graph.cursor()).seq
        if most is None or step[1] <= most:
            await graph.trim(min(step[1], place if most is None else most))
    elif step <= (await graph.cursor()).seq:
        with suppress(RefusedError, HistoryTrimmedError):
            await graph.undo(step)


def check_copied(made: Any, copy: Everything, before: Everything, after: Everything) -> None:
    """Check that a store holds the state `before` of another one, whose writers have come to `after` since."""
    floor = copy.head.floor
    assert before.head.floor <= floor <= after.head.floor
    kept = [change for change in before.changes if change.seq > floor]
    expected = before._replace(head=before.head._replace(floor=floor), changes=kept)
    younger = [row for row in copy.receipts if isinstance(row, Receipt) and row.first > before.head.seq]
    known = [row for row in expected.receipts if row in copy.receipts or row not in after.receipts]
    copied = [row for row in copy.receipts if row in before.receipts or row not in younger]
    assert known == expected.receipts
    assert made.as_of_source(copy, before)._replace(receipts=copied) == expected


# --- whoever writes meanwhile -----------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(steps, steps, st.integers(1, 4))
@example([EDGES], SWAPS, 1)
@example([EDGES, *SWAPS], [EDGES, ("trim", 1), ("trim", 2)], 2)
def test_one_committed_state_is_copied_whoever_writes_to_the_source_meanwhile(
    made: Any, past: list[Any], meanwhile: list[Any], page: int
) -> None:
    async def main() -> None:
        stores = made.Stores()
        stores.limits = Limits(group_records=page)
        halting = made.Target(stores.storage("memory:to"))
        async with stores.graph("memory:from") as source, stores.graph(halting) as target:
            for step in past:
                await take(source, step)
            before = await stores.contents(source)
            waiting = list(meanwhile)

            async def write(_: int) -> None:
                if waiting:
                    await take(source, waiting.pop(0), before.head.seq)

            halting.meanwhile = write
            await migrate(source, target)
            check_copied(made, await stores.contents(target), before, await stores.contents(source))

    asyncio.run(main())


def test_a_load_that_comes_meanwhile_is_not_copied(stores: Any, made: Any) -> None:
    async def main() -> None:
        halting = made.Target(stores.storage("memory:to"))
        async with stores.graph("memory:from") as source, stores.graph(halting) as target:
            await stores.fill(source)
            before = await stores.contents(source)

            async def write(commit: int) -> None:
                if commit == 3:
                    await source.load([UpsertNode(f"late {number}") for number in range(50)])

            halting.meanwhile = write
            await migrate(source, target)
            check_copied(made, await stores.contents(target), before, await stores.contents(source))

    asyncio.run(main())


def test_receipts_that_no_longer_count_may_be_forgotten_meanwhile(stores: Any, made: Any) -> None:
    async def main() -> None:
        halting = made.Target(stores.storage("memory:to"))
        async with stores.graph("memory:from") as source, stores.graph(halting) as target:
            await stores.fill(source)

            async def write(_: int) -> None:
                if (await stores.contents(target)).receipts:
                    stores.now += 8 * 24 * 3_600_000_000
                    await source.commit(Batch(UpsertNode("late"), key="late"))

            halting.meanwhile = write
            done = await migrate(source, target)
            assert done.receipts.count == 0
            assert (await stores.contents(target)).receipts

    asyncio.run(main())


def test_a_source_that_is_trimmed_past_the_state_that_is_copied_ends_the_migration(stores: Any, made: Any) -> None:
    async def main() -> None:
        halting = made.Target(stores.storage("memory:to"))
        async with stores.graph("memory:from") as source, stores.graph(halting) as target:
            await stores.fill(source)

            async def write(commit: int) -> None:
                if commit == 3:
                    await source.create_node("late")
                    await source.trim(await source.cursor())

            halting.meanwhile = write
            for _ in range(2):
                with pytest.raises(HistoryTrimmedError, match="remove the target and begin again"):
                    await migrate(source, target)

    asyncio.run(main())


def test_a_source_that_is_trimmed_while_it_is_compared_is_compared_again_by_the_next_run(
    stores: Any, made: Any
) -> None:
    async def main() -> None:
        async with stores.graph("memory:from") as source, stores.graph("memory:to") as target:
            await stores.fill(source)
            counted = await migrate(source, target)
            copied = sum(
                one.count for one in (counted.nodes, counted.edges, counted.meta, counted.receipts, counted.changes)
            )
        async with stores.graph("memory:from") as source, stores.graph("memory:again") as target:
            told = []

            def tell(done: int, _: int | None) -> None:
                told.append(done)
                if done == copied:
                    trims.append(asyncio.ensure_future(source.trim(3)))

            trims: list[Any] = []
            with pytest.raises(HistoryTrimmedError, match="run it again"):
                await migrate(source, target, progress=tell)
            await asyncio.gather(*trims)
            before = await stores.contents(source)
            await migrate(source, target)
            assert made.as_of_source(await stores.contents(target), before)._replace(receipts=()) == before._replace(
                head=before.head._replace(time=(await stores.contents(target)).head.time), receipts=()
            )

    asyncio.run(main())


def test_a_source_that_is_restored_ends_the_migration(stores: Any, made: Any, url: Url, tmp_path: Path) -> None:
    async def main() -> None:
        halting = made.Target(stores.storage(url("json", "to")))
        async with stores.graph(url("sqlite", "from")) as source, stores.graph(halting) as target:
            await stores.fill(source)
            await source.backup(tmp_path / "backup.db")

            async def write(commit: int) -> None:
                if commit == 3:
                    await source.restore(tmp_path / "backup.db")

            halting.meanwhile = write
            for _ in range(2):
                with pytest.raises(HistoryReplacedError, match="remove the target and begin again"):
                    await migrate(source, target)

    asyncio.run(main())


def test_more_than_a_view_of_the_past_can_take_back_ends_the_migration(stores: Any, made: Any) -> None:
    async def main() -> None:
        stores.limits = Limits(group_records=2, past_changes=3)
        halting = made.Target(stores.storage("memory:to"))
        async with stores.graph("memory:from") as source, stores.graph(halting) as target:
            await stores.fill(source)

            async def write(commit: int) -> None:
                await source.create_node(f"late {commit}")

            halting.meanwhile = write
            with pytest.raises(LimitExceededError, match="past_changes"):
                await migrate(source, target)

    asyncio.run(main())


# --- the end, at any moment -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("pair", [("memory", "json"), ("json", "sqlite"), ("sqlite", "memory")], ids="-".join)
def test_a_migration_that_ends_at_any_commit_goes_on_from_there(
    stores: Any, url: Url, made: Any, pair: tuple[str, str], stored: bool
) -> None:
    async def main() -> None:
        async with stores.graph(url(pair[0], "from")) as source:
            await stores.fill(source)
            whole = await made.interrupted(stores, source, url(pair[1], "whole"), 0)
            expected = await stores.contents(source)
            for at in range(1, whole + stored):
                place = url(pair[1], f"to{at}")
                assert await made.interrupted(stores, source, place, at, stored=stored) is None
                rest = await made.interrupted(stores, source, place, 0)
                assert rest == whole - at + (not stored), "it went on where it was, not from the beginning"
                assert made.as_of_source(await stores.contents(place), expected) == expected

    asyncio.run(main())


@settings(max_examples=25)
@given(steps, st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=6), steps)
@example([], [(1, False), (1, True), (2, True), (5, True)], SWAPS)
def test_however_often_it_ends_the_state_of_the_beginning_is_copied(
    made: Any, past: list[Any], ends: list[tuple[int, bool]], between: list[Any]
) -> None:
    async def main() -> None:
        stores = made.Stores()
        async with stores.graph("memory:from") as source:
            for step in [EDGES, *past]:
                await take(source, step)
            before, finished = await stores.contents(source), False
            for (commit, stored), step in zip(ends, [*between, *[None] * len(ends)], strict=False):
                if not finished:
                    finished = await made.interrupted(stores, source, "memory:to", commit, stored=stored) is not None
                    async with stores.graph("memory:to") as target:
                        begun = (await target.cursor()).seq or await target.unfinished_migration()
                    if begun and step is not None:
                        await take(source, step, before.head.seq)
            if not finished:
                await made.interrupted(stores, source, "memory:to", 0)
            check_copied(made, await stores.contents("memory:to"), before, await stores.contents(source))

    asyncio.run(main())


SLOW = """
import asyncio, sys
from polaris_core import Limits, migrate

def tell(done, total):
    print(done, total, flush=True)
    sys.stdin.readline()

asyncio.run(migrate(*sys.argv[1:], progress=tell, limits=Limits(group_records=7)))
"""


@pytest.mark.parametrize("pair", [("sqlite", "json"), ("json", "sqlite")], ids="-".join)
def test_a_process_that_is_killed_is_gone_on_with(stores: Any, url: Url, made: Any, pair: tuple[str, str]) -> None:
    places = [url(pair[0], "from"), url(pair[1], "to")]

    async def fill() -> Everything:
        async with stores.graph(places[0]) as source:
            await stores.fill(source)
            return await stores.contents(source)

    expected, reached = asyncio.run(fill()), 0
    for lines in (3, 2, 4):
        with subprocess.Popen(
            [sys.executable, "-c", SLOW, *places], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            told = []
            for _ in range(lines):
                told.append(int(process.stdout.readline().split()[0]))
                process.stdin.write("\n")
                process.stdin.flush()
            assert told[0] > reached, "it began where the last one had been, or later"
            reached = told[-2]
            process.send_signal(signal.SIGKILL)
            process.stdin.close()
    assert asyncio.run(migrate(*places)).resumed
    assert made.as_of_source(asyncio.run(stores.contents(places[1])), expected) == expected


def test_two_at_a_time_do_not_spoil_the_target(stores: Any, url: Url) -> None:
    async def main() -> None:
        async with stores.graph(url("sqlite", "from")) as source:
            await stores.fill(source)
            expected = await stores.contents(source)
        ends = await asyncio.gather(
            *(migrate(url("sqlite", "from"), url("sqlite", "to"), limits=Limits(group_records=3)) for _ in range(2)),
            return_exceptions=True,
        )
        if any(isinstance(end, BaseException) for end in ends):
            async with open_graph(url("sqlite", "to")) as target:
                unfinished = await target.unfinished_migration()
            if unfinished:
                await migrate(url("sqlite", "from"), url("sqlite", "to"))
        copy = await stores.contents(url("sqlite", "to"))
        assert copy._replace(head=expected.head) == expected

    asyncio.run(main())
