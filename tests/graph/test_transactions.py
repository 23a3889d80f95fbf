"""Transactions: they see their own writes, happen as a whole, and are refused when what they read no longer holds."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from polaris_core import (
    ConflictError,
    CreateNode,
    Graph,
    NodeExistsError,
    NodeNotFoundError,
    StorageError,
    StoreReadOnlyError,
    Transaction,
    open_graph,
)
from polaris_core.graph.transaction import MOST_DELAY, delays


def on_graph(scenario: Callable[[Graph], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.commit([CreateNode("a", attributes={"n": 0}), CreateNode("b"), CreateNode("c")])
            await scenario(graph)

    asyncio.run(main())


async def missing(answer: Awaitable[object]) -> None:
    with pytest.raises(NodeNotFoundError):
        await answer


def test_a_transaction_sees_its_own_writes_and_nobody_else_does_before_it_commits() -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as tx:
            await tx.create_node("new")
            await tx.create_edge("new", "x", "a")
            await tx.rename_node("b", "renamed")
            await tx.delete_node("c")
            assert (await tx.get_node("new")).name == "new"
            assert [item.node.name for item in await tx.neighbors("a")] == ["new"]
            assert await tx.names() == ("a", "new", "renamed")
            assert [node.name for node in await tx.find_nodes()] == ["a", "renamed", "new"]
            assert (await tx.statistics()).nodes == 3
            assert await graph.names() == ("a", "b", "c")
        assert await graph.names() == ("a", "new", "renamed")
        assert tx.result is not None
        assert len(tx.result.results) == 4

    on_graph(scenario)


def test_an_error_in_the_block_leaves_nothing_behind() -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(ZeroDivisionError):
            async with graph.transaction() as tx:
                await tx.create_node("new")
                raise ZeroDivisionError
        assert await graph.names() == ("a", "b", "c")

    on_graph(scenario)


def test_a_refused_write_is_raised_at_once_and_the_transaction_goes_on() -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as tx:
            with pytest.raises(NodeExistsError):
                await tx.create_node("a")
            await tx.create_node("d")
        assert await graph.names() == ("a", "b", "c", "d")

    on_graph(scenario)


@pytest.mark.parametrize(
    ("read", "change"),
    [
        (lambda tx: tx.get_node("a"), lambda graph: graph.observe("a", "text")),
        (lambda tx: tx.get_nodes(["zzz"]), lambda graph: graph.create_node("zzz")),
        (lambda tx: tx.get_edges([("a", "x", "b")]), lambda graph: graph.create_edge("a", "x", "b")),
        (lambda tx: tx.neighbors("a"), lambda graph: graph.create_edge("b", "x", "a")),
        (lambda tx: missing(tx.neighbors("zzz")), lambda graph: graph.create_node("zzz")),
        (lambda tx: missing(tx.degree("zzz")), lambda graph: graph.create_node("zzz")),
        (lambda tx: missing(tx.merge_nodes("zzz", "a")), lambda graph: graph.create_node("zzz")),
        (lambda tx: tx.find_nodes(type="rare"), lambda graph: graph.create_node("d", "rare")),
        (lambda tx: tx.statistics(), lambda graph: graph.delete_node("c")),
        (lambda tx: tx.names(), lambda graph: graph.rename_node("c", "d")),
    ],
    ids=[
        "node",
        "absent node",
        "absent edge",
        "neighbors",
        "no neighbors",
        "no degree",
        "no merge",
        "find",
        "statistics",
        "names",
    ],
)
def test_a_transaction_is_refused_when_what_it_read_has_changed(
    read: Callable[[Transaction], Awaitable[object]], change: Callable[[Graph], Awaitable[object]]
) -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                await read(tx)
                await change(graph)
                await tx.create_node("written")
        assert "written" not in await graph.names()

    on_graph(scenario)


@pytest.mark.parametrize(
    ("read", "change"),
    [
        (lambda tx: tx.get_node("a"), lambda graph: graph.observe("b", "text")),
        (lambda tx: tx.get_node("a"), lambda graph: graph.create_edge("a", "x", "b")),
        (lambda tx: tx.neighbors("a"), lambda graph: graph.create_edge("b", "x", "c")),
        (lambda tx: tx.get_nodes(["zzz"]), lambda graph: graph.create_node("yyy")),
    ],
    ids=["another node", "an edge of the node", "another node's edge", "another absent node"],
)
def test_a_transaction_commits_when_only_other_things_have_changed(
    read: Callable[[Transaction], Awaitable[object]], change: Callable[[Graph], Awaitable[object]]
) -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as tx:
            await read(tx)
            await change(graph)
            await tx.create_node("written")
        assert "written" in await graph.names()

    on_graph(scenario)


def test_without_validation_only_the_writes_decide() -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction(validate=False) as tx:
            await tx.get_node("a")
            await graph.observe("a", "text")
            await tx.create_node("written")
        assert "written" in await graph.names()

    on_graph(scenario)


def test_a_renamed_neighbour_conflicts_with_whoever_read_it_as_one() -> None:
    async def scenario(graph: Graph) -> None:
        await graph.create_edge("a", "x", "b")
        with pytest.raises(ConflictError):
            async with graph.transaction() as tx:
                (neighbor,) = await tx.neighbors("a")
                await graph.rename_node("b", "elsewhere")
                await tx.create_node(f"saw {neighbor.node.name}")

    on_graph(scenario)


def test_transact_runs_again_until_nothing_conflicts() -> None:
    async def scenario(graph: Graph) -> None:
        async def increment(tx: Transaction) -> int:
            number = (await tx.get_node("a")).attributes["n"] + 1
            await asyncio.sleep(0)
            await tx.patch_node("a", set={"n": number})
            return int(number)

        answers = await asyncio.gather(*(graph.transact(increment, attempts=500) for _ in range(20)))
        assert sorted(answers) == list(range(1, 21))
        assert (await graph.get_node("a")).attributes["n"] == 20

    on_graph(scenario)


def test_transact_gives_up_after_its_attempts_and_passes_other_errors_on() -> None:
    async def scenario(graph: Graph) -> None:
        runs = 0

        async def always_late(tx: Transaction) -> None:
            nonlocal runs
            runs += 1
            await tx.get_node("a")
            await graph.patch_node("a", set={"n": runs})
            await tx.create_node("late")

        with pytest.raises(ConflictError):
            await graph.transact(always_late, attempts=3)
        assert runs == 3

        async def wrong(tx: Transaction) -> None:
            await tx.get_node("nobody")

        with pytest.raises(NodeNotFoundError):
            await graph.transact(wrong)

    on_graph(scenario)


def test_a_transaction_that_only_reads_is_checked_and_takes_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as kept, graph.transaction() as refused:
            await kept.get_node("a")
            await refused.get_node("b")
            await graph.patch_node("b", set={"n": 1})

            async def commit(program: object) -> None:
                raise StoreReadOnlyError("opened for reading")

            monkeypatch.setattr(graph.service.storage, "commit", commit)
            with pytest.raises(ConflictError, match="b is at revision"):
                await refused.commit()
        assert kept.result is not None
        assert kept.result.results == ()
        assert kept.result.last == (await graph.cursor()).seq

    on_graph(scenario)


@pytest.mark.parametrize("end", ["commit", "abandon"])
def test_a_transaction_may_be_ended_before_its_block_is(end: str) -> None:
    async def scenario(graph: Graph) -> None:
        async def write(tx: Transaction) -> None:
            await tx.create_node("new")
            if end == "commit":
                await tx.commit()
            else:
                tx.abandon()

        async with graph.transaction() as tx:
            await write(tx)
        assert ("new" in await graph.names()) == (end == "commit")
        await graph.delete_node("new", missing_ok=True)
        await graph.transact(write)
        assert ("new" in await graph.names()) == (end == "commit")

    on_graph(scenario)


def test_an_ended_transaction_refuses_everything() -> None:
    async def scenario(graph: Graph) -> None:
        async with graph.transaction() as tx:
            pass
        with pytest.raises(StorageError):
            await tx.get_node("a")
        with pytest.raises(StorageError):
            await tx.create_node("d")

    on_graph(scenario)


def test_added_mutations_are_decided_by_the_commit() -> None:
    async def scenario(graph: Graph) -> None:
        with pytest.raises(NodeExistsError):
            async with graph.transaction() as tx:
                tx.add(CreateNode("d"), CreateNode("a"))
        assert await graph.names() == ("a", "b", "c")

    on_graph(scenario)


def test_however_many_attempts_there_are_the_delays_between_them_are_bounded() -> None:
    waits = list(delays(5_000))
    assert len(waits) == 4_999
    assert 0 <= min(waits) <= max(waits) <= MOST_DELAY
