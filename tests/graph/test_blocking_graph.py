"""The blocking graph: the same verbs, from any thread, without async."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable

import pytest

from polaris_core import (
    BlockingGraph,
    ForkedError,
    Graph,
    NodeExistsError,
    StoreClosedError,
    open_graph_blocking,
)
from polaris_core.abc import Location, StorageOptions
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.storage import StorageService
from polaris_core.storage.memory import MemoryStorage


def test_verbs_wait_for_their_answers() -> None:
    with open_graph_blocking("memory:") as graph:
        graph.create_node("a")
        graph.create_node("b")
        graph.create_edge("a", "x", "b")
        assert [item.node.name for item in graph.neighbors("a")] == ["b"]
        assert [node.name for node in graph.all_nodes()] == ["a", "b"]
        with pytest.raises(NodeExistsError):
            graph.create_node("a")
    with pytest.raises(StoreClosedError):
        graph.get_node("a")
    graph.close()


def test_threads_share_one_blocking_graph() -> None:
    def work(graph: BlockingGraph, thread: int) -> Callable[[], None]:
        def run() -> None:
            for number in range(25):
                graph.create_node(f"{thread}-{number}")

        return run

    with open_graph_blocking("memory:") as graph:
        threads = [threading.Thread(target=work(graph, thread)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert graph.statistics().nodes == 100


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused_and_the_parent_goes_on() -> None:
    with open_graph_blocking("memory:") as graph:
        child = os.fork()
        if not child:
            signal.alarm(20)  # a child that waited for the thread it has not would wait for ever
            try:
                graph.create_node("in the child")
            except ForkedError:
                graph.close()
                os._exit(17)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 17
        assert graph.create_node("after").name == "after"


class SlowToClose(MemoryStorage):
    """A store that is interrupted while it is closed."""

    closed = False

    async def close(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        for _ in range(1_000):
            await asyncio.sleep(0)
        await super().close()
        self.closed = True


def test_closing_that_is_interrupted_is_finished_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    options = StorageOptions()
    storage = SlowToClose(Location(scheme="memory"), options)
    thread = LoopThread()
    service = StorageService(storage=storage, options=options)
    thread.call(service.initialize())
    with pytest.raises(KeyboardInterrupt):
        BlockingGraph(thread, Graph(service)).close()
    assert storage.closed
    assert not thread.lives
    gc.collect()
    assert caplog.messages == []


@pytest.mark.parametrize("closers", [1, 3])
def test_whoever_calls_while_others_close_gets_an_answer_or_hears_that_it_is_closed(closers: int) -> None:
    for _ in range(10):
        graph, heard = open_graph_blocking("memory:"), list[type]()
        graph.create_node("a")

        def read(graph: BlockingGraph = graph, heard: list[type] = heard) -> None:
            try:
                while True:
                    graph.get_node("a", fresh=True)
            except Exception as error:  # noqa: BLE001 - looked at below
                heard.append(type(error))

        threads = [
            *(threading.Thread(target=read, daemon=True) for _ in range(4)),
            *(threading.Thread(target=graph.close, daemon=True) for _ in range(closers)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert heard == [StoreClosedError] * 4
