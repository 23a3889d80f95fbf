"""Transactions without async: a block or a function in the calling thread, from as many threads as there are."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from polaris_core import (
    BlockingGraph,
    BlockingTransaction,
    ConflictError,
    CreateNode,
    InvalidValueError,
    NodeExistsError,
    StorageError,
    StoreClosedError,
    open_graph_blocking,
)


@pytest.fixture(params=["memory", "json", "sqlite"])
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlockingGraph]:
    url = "memory:" if request.param == "memory" else f"{request.param}:///{tmp_path / 'kg'}"
    with open_graph_blocking(url) as opened:
        opened.create_node("counter", attributes={"n": 0})
        yield opened


def count_up(tx: BlockingTransaction) -> int:
    n: int = tx.get_node("counter").attributes["n"] + 1
    tx.patch_node("counter", set={"n": n})
    return n


def test_a_block_sees_its_own_writes_and_others_see_them_when_it_ends(graph: BlockingGraph) -> None:
    with graph.transaction(author="Ada") as tx:
        tx.create_node("new")
        tx.create_edge("new", "x", "counter")
        tx.add(CreateNode("added"))
        assert [item.node.name for item in tx.neighbors("counter")] == ["new"]
        assert [node.name for node in tx.all_nodes()] == ["counter", "new", "added"]
        assert graph.names() == ("counter",)
        assert tx.result is None
    assert graph.names() == ("added", "counter", "new")
    assert tx.result is not None
    assert {change.author for change in graph.changes()[1:]} == {"Ada"}


def test_a_transaction_is_signed_as_the_graph_is(graph: BlockingGraph) -> None:
    acting = graph.acting_as("Bo")
    with acting.transaction() as tx:
        tx.create_node("a")
    acting.transact(lambda tx: tx.create_node("b"))
    assert acting.author == "Bo"
    assert [change.author for change in graph.changes()] == [None, "Bo", "Bo"]


@pytest.mark.parametrize("raised", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_in_the_block_abandons_it(graph: BlockingGraph, raised: type[BaseException]) -> None:
    with pytest.raises(raised), graph.transaction() as tx:
        tx.create_node("new")
        raise raised
    assert graph.names() == ("counter",)
    with pytest.raises(StorageError):
        tx.commit()
    with pytest.raises(raised):
        graph.transact(partial(create_and_raise, raised))
    assert graph.names() == ("counter",)
    assert graph.transact(count_up) == 1


def create_and_raise(error: type[BaseException], tx: BlockingTransaction) -> None:
    tx.create_node("new")
    raise error


def test_an_interrupt_while_the_block_waits_abandons_it_and_the_graph_goes_on(graph: BlockingGraph) -> None:
    def interrupt(tx: BlockingTransaction) -> None:
        tx.create_node("new")
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        graph.transact(interrupt)
    assert graph.names() == ("counter",)
    assert graph.transact(count_up) == 1


def test_what_was_read_and_changed_meanwhile_refuses_the_block(graph: BlockingGraph) -> None:
    with pytest.raises(ConflictError), graph.transaction() as tx:
        count_up(tx)
        graph.patch_node("counter", set={"n": 10})
    assert graph.get_node("counter").attributes["n"] == 10


def test_without_validation_the_block_writes_on_top_of_what_others_wrote(graph: BlockingGraph) -> None:
    with graph.transaction(validate=False) as tx:
        count_up(tx)
        graph.patch_node("counter", set={"n": 10})
    assert graph.get_node("counter").attributes["n"] == 1


def test_a_block_may_commit_or_abandon_itself(graph: BlockingGraph) -> None:
    with graph.transaction() as tx:
        tx.create_node("kept")
        assert tx.commit() is tx.result
    with graph.transaction() as tx:
        tx.create_node("dropped")
        tx.abandon()
    assert graph.names() == ("counter", "kept")
    with pytest.raises(StorageError):
        tx.get_node("kept")


def test_no_increment_of_many_threads_is_lost(graph: BlockingGraph) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: graph.transact(count_up, attempts=1_000), range(64)))
    assert sorted(answers) == list(range(1, 65))
    assert graph.get_node("counter").attributes["n"] == 64


def test_threads_may_share_one_transaction(graph: BlockingGraph) -> None:
    with graph.transaction() as tx, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: tx.add(CreateNode(f"node {number}")), range(100)))
    assert graph.statistics().nodes == 101


def test_the_function_runs_in_the_calling_thread_again_while_it_conflicts(graph: BlockingGraph) -> None:
    seen: list[threading.Thread] = []

    def disturbed(tx: BlockingTransaction) -> int:
        seen.append(threading.current_thread())
        if len(seen) < 3:
            tx.get_node("counter")
            graph.observe("counter", f"disturbed {len(seen)}")
        return count_up(tx)

    assert graph.transact(disturbed) == 1
    assert seen == [threading.current_thread()] * 3


def test_after_the_last_attempt_the_conflict_is_raised(graph: BlockingGraph) -> None:
    calls: list[int] = []

    def disturbed(tx: BlockingTransaction) -> None:
        calls.append(count_up(tx))
        graph.observe("counter", f"disturbed {len(calls)}")

    with pytest.raises(ConflictError):
        graph.transact(disturbed, attempts=3)
    assert len(calls) == 3
    with pytest.raises(InvalidValueError):
        graph.transact(disturbed, attempts=0)


def test_another_error_ends_it_at_once(graph: BlockingGraph) -> None:
    calls: list[int] = []

    def refused(tx: BlockingTransaction) -> None:
        calls.append(1)
        tx.create_node("counter")

    with pytest.raises(NodeExistsError):
        graph.transact(refused)
    assert calls == [1]


def test_a_coroutine_function_is_refused_and_nothing_is_written(graph: BlockingGraph) -> None:
    async def function(tx: BlockingTransaction) -> None:
        tx.create_node("new")

    with pytest.raises(InvalidValueError, match="async def"):
        _ = graph.transact(function)
    assert graph.names() == ("counter",)


@pytest.mark.parametrize(
    "call",
    [lambda tx: tx.create_node("late"), lambda tx: tx.add(CreateNode("late")), lambda tx: tx.commit()],
    ids=["write", "add", "commit"],
)
def test_a_graph_that_is_closed_meanwhile_is_said_to_be(call: Callable[[BlockingTransaction], object]) -> None:
    graph = open_graph_blocking("memory:")
    with pytest.raises(StoreClosedError), graph.transaction() as tx:
        graph.close()
        call(tx)
