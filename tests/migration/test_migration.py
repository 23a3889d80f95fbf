"""A graph that was copied into another store is the same graph: its records, its past and what can be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    Batch,
    HistoryReplacedError,
    MigrationError,
    Patch,
    PatchNode,
    SetMeta,
    StoreNotFoundError,
    UpsertNode,
    migrate,
    open_graph,
)
from polaris_core.abc import CommitPlan, MetaRecord

PAIRS = [
    ("memory", "memory"),
    ("memory", "json"),
    ("memory", "sqlite"),
    ("json", "json"),
    ("json", "sqlite"),
    ("sqlite", "json"),
    ("sqlite", "sqlite"),
]
pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
Url = Callable[[str, str], str]


def run(stores: Any, url: Url, pair: tuple[str, str], body: Any) -> None:
    """Run a test with a source that has a past and an empty target, both open."""

    async def main() -> None:
        async with stores.graph(url(pair[0], "from")) as source, stores.graph(url(pair[1], "to")) as target:
            await stores.fill(source)
            await body(source, target)

    asyncio.run(main())


@pairs
def test_the_target_holds_every_row_of_the_source(stores: Any, url: Url, made: Any, pair: tuple[str, str]) -> None:
    async def body(source: Any, target: Any) -> None:
        done = await migrate(source, target)
        mine, theirs = await stores.contents(source), await stores.contents(target)
        assert made.as_of_source(theirs, mine) == mine
        told = (done.nodes, done.edges, done.meta, done.receipts, done.changes)
        held = (mine.nodes, mine.edges, mine.meta, mine.receipts, mine.changes)
        assert [copied.count for copied in told] == list(map(len, held))
        assert (done.source, done.target) == (await source.cursor(), await target.cursor())

    run(stores, url, pair, body)


@pairs
def test_the_past_answers_as_in_the_source(stores: Any, url: Url, pair: tuple[str, str]) -> None:
    async def body(source: Any, target: Any) -> None:
        await migrate(source, target)

        async def told(graph: Any) -> list[Any]:
            answers = [change.data for change in await graph.changes()]
            for key in ("a", "b", "d"):
                answers += [(change.cursor.seq, change.author, change.time) for change in await graph.history(key)]
            for seq in range((await graph.cursor()).seq + 1):
                answers += [node async for node in graph.at(seq).all_nodes()]
                answers += [edge async for edge in graph.at(seq).all_edges()]
            return answers

        assert await told(target) == await told(source)

    run(stores, url, pair, body)


@pairs
def test_what_is_done_next_does_the_same_in_both(stores: Any, url: Url, made: Any, pair: tuple[str, str]) -> None:
    async def body(source: Any, target: Any) -> None:
        await migrate(source, target)
        for graph in (source, target):
            stores.now = 1_800_000_000_000_000
            await graph.undo((await graph.cursor()).seq)
            await graph.create_node("new", "t")
            await graph.delete_node("a", detach=True)
        mine, theirs = await stores.contents(source), await stores.contents(target)
        assert made.as_of_source(theirs, mine)._replace(head=None, receipts=None) == mine._replace(
            head=None, receipts=None
        )
        assert theirs.head[2:5] == mine.head[2:5]

    run(stores, url, pair, body)


def test_a_batch_with_a_key_that_was_committed_in_the_source_is_not_committed_again(stores: Any, url: Url) -> None:
    async def body(source: Any, target: Any) -> None:
        await migrate(source, target)
        place = await target.cursor()
        repeated = await target.commit(Batch(PatchNode("a", Patch(forget=["o"], observe=["r"])), author="ann", key="k"))
        assert repeated.last < place.seq
        assert await target.cursor() == place

    run(stores, url, ("sqlite", "json"), body)


@pairs
def test_no_cursor_of_the_source_or_of_the_unfinished_target_means_anything_in_the_target(
    stores: Any, url: Url, made: Any, pair: tuple[str, str]
) -> None:
    async def main() -> None:
        halting = made.Target(stores.storage(url(pair[1], "to")))
        async with stores.graph(url(pair[0], "from")) as source, stores.graph(halting) as target:
            await stores.fill(source)
            places = [await source.cursor()]

            async def meanwhile(_: int) -> None:
                places.append(await target.cursor())

            halting.meanwhile = meanwhile
            await migrate(source, target)
            assert len(set(places)) > 3
            for place in places:
                with pytest.raises(HistoryReplacedError):
                    await target.changes(place)

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["json", "sqlite"])
def test_a_target_verifies(stores: Any, url: Url, scheme: str) -> None:
    async def body(source: Any, target: Any) -> None:
        await migrate(source, target)
        assert (await target.verify()).findings == ()

    run(stores, url, ("memory", scheme), body)


@pairs
def test_the_words_that_are_found_are_those_of_the_source(stores: Any, url: Url, pair: tuple[str, str]) -> None:
    async def body(source: Any, target: Any) -> None:
        await target.search("word")  # an index of words that is made too early is made anew
        await migrate(source, target)
        found = {hit.node.name for hit in await target.search("wordword")}
        assert found == {hit.node.name for hit in await source.search("wordword")} == {"n2"}

    run(stores, url, pair, body)


def test_a_search_in_the_middle_spoils_no_search_after_it(stores: Any, url: Url, made: Any) -> None:
    async def main() -> None:
        async with stores.graph(url("memory", "from")) as source:
            await stores.fill(source)
            async with stores.graph(storage := made.Target(stores.storage(url("sqlite", "to")))) as target:
                seen = []

                async def meanwhile(_: int) -> None:
                    async with open_graph(url("sqlite", "to")) as other:
                        seen.append([hit.node.name for hit in await other.search("wordword")])

                storage.meanwhile = meanwhile
                await migrate(source, target)
                assert seen[0] == []
                assert [hit.node.name for hit in await target.search("wordword")] == ["n2"]

    asyncio.run(main())


def test_indexes_come_along_where_the_target_can_have_them(stores: Any, url: Url) -> None:
    async def body(source: Any, target: Any) -> None:
        await source.create_index("node", "x")
        await source.create_index("edge", "x.y")
        done = await migrate(source, target)
        assert await target.indexes() == done.indexes == await source.indexes()
        async with stores.graph(url("json", "other")) as other:
            assert (await migrate(source, other)).left_out == await source.indexes()

    run(stores, url, ("sqlite", "sqlite"), body)


def test_a_source_that_may_only_be_read_is_left_as_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(f"sqlite:///{tmp_path}/from.db") as graph:
            await graph.create_node("a")
        before = (tmp_path / "from.db").read_bytes()
        (tmp_path / "from.db").chmod(0o400)
        await migrate(f"sqlite:///{tmp_path}/from.db", f"json:///{tmp_path}/to")
        assert (tmp_path / "from.db").read_bytes() == before
        async with open_graph(f"json:///{tmp_path}/to") as copy:
            assert await copy.get_node("a")

    asyncio.run(main())


def test_an_empty_store_is_copied_too(stores: Any, url: Url, made: Any) -> None:
    async def main() -> None:
        async with stores.graph(url("memory", "from")) as source, stores.graph(url("json", "to")) as target:
            await migrate(source, target)
            mine, theirs = await stores.contents(source), await stores.contents(target)
            assert made.as_of_source(theirs, mine) == mine
            assert await target.unfinished_migration() is None

    asyncio.run(main())


def test_progress_goes_on_to_its_total(stores: Any, url: Url) -> None:
    async def body(source: Any, target: Any) -> None:
        told: list[tuple[int, int | None]] = []
        await migrate(source, target, progress=lambda done, total: told.append((done, total)))
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]
        assert told[0][0] < told[-1][0]

    run(stores, url, ("memory", "memory"), body)


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(stores: Any, url: Url, prepare: Any, match: str) -> None:
    async def body(source: Any, target: Any) -> None:
        await prepare(target)
        before = await stores.contents(target)
        with pytest.raises(MigrationError, match=match):
            await migrate(source, target)
        assert await stores.contents(target) == before

    run(stores, url, ("sqlite", "json"), body)


def test_a_target_that_holds_anything_is_refused_and_left_as_it_is(stores: Any, url: Url) -> None:
    async def prepare(target: Any) -> None:
        await target.create_node("mine")

    refused(stores, url, prepare, "it holds 1 nodes and 0 edges, and stands at change 1")


def test_a_target_with_nothing_but_a_receipt_is_refused(stores: Any, url: Url) -> None:
    async def prepare(target: Any) -> None:
        await target.commit(Batch((), key="k"))

    refused(stores, url, prepare, "no new store")


def test_a_target_with_an_unfinished_migration_of_another_store_is_refused(stores: Any, url: Url, made: Any) -> None:
    async def prepare(_: Any) -> None:
        async with stores.graph(url("memory", "third")) as third:
            await stores.fill(third)
            await made.interrupted(stores, third, url("json", "to"), 3)

    refused(stores, url, prepare, "unfinished migration of the store")


@pytest.mark.parametrize("write", ["node", "receipt", "trim"])
def test_a_target_that_somebody_else_wrote_to_is_refused(stores: Any, url: Url, made: Any, write: str) -> None:
    async def body(source: Any, target: Any) -> None:
        await made.interrupted(stores, source, url("json", "to"), 9)
        if write == "trim":
            await target.trim(2)
        else:
            await target.commit(Batch(UpsertNode("mine") if write == "node" else (), key="mine"))
        with pytest.raises(MigrationError, match="somebody else has written to the target"):
            await migrate(source, target)

    run(stores, url, ("sqlite", "json"), body)


@pytest.mark.parametrize(
    "said",
    [
        ["a:b:3", "node", "x", 0, ["s", "e", 3, 4, 0, 5, 1]],
        ["a:b:3", "node", 0, "many", ["s", "e", 3, 4, 0, 5, 1]],
        ["a:b:3", "node", 0, 0, ["s", "e", "3", 4, 0, 5, 1]],
        ["a:b:3", "thing", 0, 0, ["s", "e", 3, 4, 0, 5, 1]],
        ["nowhere", "node", 0, 0, []],
        {"a": 1},
        None,
    ],
)
def test_a_record_of_the_migration_that_was_changed_is_refused(stores: Any, url: Url, made: Any, said: Any) -> None:
    async def body(source: Any, target: Any) -> None:
        await made.interrupted(stores, source, url("json", "to"), 9)
        await target.commit(SetMeta("migration/milestone", said))
        with pytest.raises(MigrationError, match="is not one that a migration wrote"):
            await migrate(source, target)

    run(stores, url, ("sqlite", "json"), body)


def test_a_source_that_is_itself_a_target_is_refused(stores: Any, url: Url, made: Any) -> None:
    async def body(source: Any, target: Any) -> None:
        await made.interrupted(stores, source, url("json", "to"), 4)
        async with stores.graph(url("memory", "third")) as third:
            with pytest.raises(MigrationError, match="has not ended"):
                await migrate(target, third)
            assert (await stores.contents(third)).head.seq == 0

    run(stores, url, ("memory", "json"), body)


def test_a_store_is_not_copied_into_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_graph(f"json:///{tmp_path}/a"):
            pass
        with pytest.raises(MigrationError, match="one store"):
            await migrate(f"json:///{tmp_path}/a", f"json:///{tmp_path}/a")

    asyncio.run(main())


def test_a_source_that_is_not_there_makes_no_target(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        asyncio.run(migrate(f"sqlite:///{tmp_path}/no.db", f"json:///{tmp_path}/to"))
    assert not (tmp_path / "to").exists()


def test_a_store_says_that_a_migration_into_it_has_not_ended(stores: Any, url: Url, made: Any) -> None:
    async def body(source: Any, target: Any) -> None:
        await made.interrupted(stores, source, url("sqlite", "to"), 4)
        assert await target.unfinished_migration() == await source.cursor()
        await migrate(source, target)
        assert await target.unfinished_migration() is None

    run(stores, url, ("memory", "sqlite"), body)


# --- what the comparison finds ----------------------------------------------------------------------------------------


def lost(plan: CommitPlan, field: str, row: tuple[Any, ...]) -> CommitPlan:
    return plan._replace(**{field: [found for found in getattr(plan, field) if found != row]})


def altered(plan: CommitPlan, field: str, row: tuple[Any, ...]) -> CommitPlan:
    other = row._replace(body='{"attributes":{}}')  # type: ignore[attr-defined]
    return plan._replace(**{field: [other if found == row else found for found in getattr(plan, field)]})


@pytest.mark.parametrize("spoil", [lost, altered])
@pytest.mark.parametrize(
    ("kind", "field", "rows"),
    [
        ("node", "put_nodes", "nodes"),
        ("edge", "put_edges", "edges"),
        ("meta", "put_meta", "meta"),
        ("receipt", "receipts", "receipts"),
        ("change", "changes", "changes"),
    ],
)
def test_a_target_that_kept_one_row_otherwise_or_not_at_all_is_found_out(
    stores: Any, url: Url, made: Any, kind: str, field: str, rows: str, spoil: Any
) -> None:
    async def main() -> None:
        spoiled = made.Target(stores.storage(url("sqlite", "to")))
        async with stores.graph(url("memory", "from")) as source, stores.graph(spoiled) as target:
            await stores.fill(source)
            row = getattr(await stores.contents(source), rows)[1]
            spoiled.altered = lambda plan: spoil(plan, field, row)
            with pytest.raises(MigrationError, match="is not the same in both stores") as raised:
                await migrate(source, target)
            assert raised.value.where == f"{kind} {row[0]!r}"
            assert await target.unfinished_migration() is not None

    asyncio.run(main())


def test_a_row_that_only_the_target_has_is_found_out(stores: Any, url: Url, made: Any) -> None:
    def with_more(plan: CommitPlan) -> CommitPlan:
        more = [MetaRecord("zzz", 1, "1")] if plan.put_nodes else []
        return plan._replace(put_meta=[*plan.put_meta, *more])

    async def main() -> None:
        spoiled = made.Target(stores.storage(url("memory", "to")))
        async with stores.graph(url("memory", "from")) as source, stores.graph(spoiled) as target:
            await stores.fill(source)
            spoiled.altered = with_more
            with pytest.raises(MigrationError, match="the target alone has it") as raised:
                await migrate(source, target)
            assert raised.value.where == "meta 'zzz'"

    asyncio.run(main())


def test_a_migration_that_has_ended_is_compared_once_more(stores: Any, url: Url) -> None:
    async def body(source: Any, target: Any) -> None:
        first = await migrate(source, target)
        await source.create_node("late")
        again = await migrate(source, target)
        assert (again.resumed, again.source, again.target, again.nodes) == (
            True,
            first.source,
            first.target,
            first.nodes,
        )

    run(stores, url, ("json", "sqlite"), body)


def test_a_target_that_was_used_since_a_migration_into_it_ended_is_refused(stores: Any, url: Url) -> None:
    async def prepare(target: Any) -> None:
        async with stores.graph(url("sqlite", "from")) as source:
            await migrate(source, target)
        await target.create_node("mine")

    refused(stores, url, prepare, "no new store")
