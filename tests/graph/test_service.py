"""The service: callers travel together, nobody is hurt by a neighbour, a cancelled caller, a dying loop or a fork."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from polaris_core import (
    Batch,
    ConflictError,
    CreateNode,
    DeleteNode,
    Emit,
    ForkedError,
    Graph,
    InvalidValueError,
    LimitExceededError,
    Limits,
    Node,
    NodeExistsError,
    OutcomeUnknownError,
    Patch,
    PatchNode,
    PolarisError,
    ProgramError,
    StorageOptions,
    StorageService,
    StoreClosedError,
    UnsupportedError,
    UpsertNode,
)
from polaris_core.abc import Backup, CommitPlan, Head, Image, Program, Session, Storage, run_program


class SlowStorage(Storage):
    """Keeps records in memory, counts hops, and lets a test hold a commit or a read back until it says so."""

    def __init__(self) -> None:
        self.image = Image(StorageOptions().new_head())
        self.commits: list[int] = []
        self.reads = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.closed = False

    async def open(self) -> Head:
        return self.image.head()

    async def close(self) -> None:
        self.closed = True

    async def read(self, program: Program[object]) -> object:  # type: ignore[override]
        self.reads += 1
        await self.hold.wait()
        return run_program(program, self.image)

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        await self.hold.wait()
        plan = run_program(program, self.image)
        self.commits.append(len(plan.outcomes))
        if plan.writes:
            self.image.store(plan)
        return plan


def on_service(scenario: Callable[[StorageService, SlowStorage], Awaitable[None]], **settings: int) -> None:
    async def main() -> None:
        storage = SlowStorage()
        service = StorageService(storage=storage, limits=Limits(**settings))
        await service.initialize()
        try:
            await scenario(service, storage)
        finally:
            storage.hold.set()
            await service.close()

    asyncio.run(main())


def test_writers_that_wait_at_the_same_moment_share_one_commit() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        await asyncio.gather(*(graph.create_node(f"n{number}") for number in range(128)))
        assert storage.commits == [128]

    on_service(scenario)


def test_readers_that_wait_at_the_same_moment_share_one_hop() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        await graph.create_node("a")
        await asyncio.gather(*(graph.get_node("a") for _ in range(128)))
        assert storage.reads == 1

    on_service(scenario)


def test_a_read_that_comes_as_the_last_reader_ends_is_answered() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        await graph.create_node("a")

        async def caller(pause: int) -> None:
            for number in range(300):
                await graph.get_node("a")
                for _ in range(number % pause):
                    await asyncio.sleep(0)

        await asyncio.wait_for(asyncio.gather(*(caller(pause) for pause in range(1, 8))), 20)

    on_service(scenario)


def test_what_comes_while_a_commit_is_under_way_travels_in_the_next_one() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        storage.hold.clear()
        first = asyncio.ensure_future(graph.create_node("first"))
        await asyncio.sleep(0.01)
        later = [asyncio.ensure_future(graph.create_node(f"n{number}")) for number in range(50)]
        await asyncio.sleep(0.01)
        storage.hold.set()
        await asyncio.gather(first, *later)
        assert storage.commits == [1, 50]

    on_service(scenario)


def test_a_refused_batch_leaves_nothing_and_hurts_no_neighbour() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        outcomes = await service.apply(
            [
                Batch([CreateNode("a")]),
                Batch([CreateNode("b"), CreateNode("a")]),
                Batch([CreateNode("b")]),
                Batch([DeleteNode("a"), CreateNode("c")]),
            ]
        )
        assert [isinstance(outcome, PolarisError) for outcome in outcomes] == [False, True, False, False]
        assert storage.commits == [4]
        assert await Graph(service).names() == ("b", "c")

    on_service(scenario)


def test_what_is_no_batch_is_refused_and_stops_nobody() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        wrong: Any = [CreateNode("a"), Batch([CreateNode("b")]), None]
        outcomes = await asyncio.wait_for(service.apply(wrong), 10)
        assert [isinstance(outcome, InvalidValueError) for outcome in outcomes] == [True, False, True]
        await asyncio.wait_for(Graph(service).create_node("c"), 10)

    on_service(scenario)


def test_each_caller_of_a_shared_failure_gets_an_error_of_its_own() -> None:
    class Broken(SlowStorage):
        async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
            raise ConflictError("no", key="x")

    async def main() -> None:
        service = StorageService(storage=Broken())
        await service.initialize()
        errors = await asyncio.gather(
            *(service.commit(Batch([CreateNode(f"n{number}")])) for number in range(3)), return_exceptions=True
        )
        assert [type(error) for error in errors] == [ConflictError] * 3
        assert len({id(error) for error in errors}) == 3
        await service.close()

    asyncio.run(main())


@pytest.mark.parametrize("failure", [ConflictError("no", key="x"), OSError("a fault that nobody foresaw")])
def test_each_reader_of_a_shared_failure_gets_an_error_of_its_own(failure: Exception) -> None:
    class Broken(SlowStorage):
        async def read(self, program: Program[object]) -> object:  # type: ignore[override]
            raise copy(failure)

    async def nothing(_: Session) -> None: ...

    async def main() -> None:
        service = StorageService(storage=Broken())
        await service.initialize()
        errors = await asyncio.gather(
            *(service.get_node(name) for name in ("a", "a", "b")), service.read(nothing), return_exceptions=True
        )
        assert [type(error) for error in errors] == [type(failure)] * 4
        assert len({id(error) for error in errors}) == 4
        await service.close()

    asyncio.run(main())


def test_no_batch_is_applied_twice_where_a_store_fails_after_storing() -> None:
    class FailsAfterwards(SlowStorage):
        async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
            await super().commit(program)
            raise ZeroDivisionError

    async def main() -> None:
        service = StorageService(storage=FailsAfterwards())
        await service.initialize()
        batches = [Batch(UpsertNode("a")), Batch(PatchNode("a", Patch(set={"n": 1}))), Batch(Emit("done", "a"))]
        errors = await asyncio.gather(*map(service.commit, batches), return_exceptions=True)
        assert [(type(error), type(error.__cause__)) for error in errors] == [
            (OutcomeUnknownError, ZeroDivisionError)
        ] * 3
        assert len({id(error) for error in errors}) == 3
        assert [change.kind for change in await Graph(service).changes()] == ["node.created", "node.updated", "event"]
        with pytest.raises(OutcomeUnknownError):
            await Graph(service).load([Node("b")])
        assert await Graph(service).names() == ("a", "b")
        await service.close()

    asyncio.run(main())


def test_a_group_is_bounded_and_what_is_larger_travels_alone() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        sizes = [1, 1, 1, 1, 9, 1, 1]
        await service.apply(
            [Batch([CreateNode(f"{place}-{number}") for number in range(size)]) for place, size in enumerate(sizes)]
        )
        assert storage.commits == [3, 1, 1, 2]

    on_service(scenario, group_batches=3, group_records=5)


def test_what_a_group_has_no_room_for_goes_first_into_the_next() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        batches = [Batch([CreateNode(f"n{number}", attributes={"text": "x" * 1_000})]) for number in range(7)]
        outcomes = await service.apply(batches)
        assert storage.commits == [3, 3, 1]
        assert [outcome.first for outcome in outcomes] == list(range(1, 8))

    on_service(scenario, group_bytes=7_500)


def test_a_capability_that_a_store_does_not_claim_is_unsupported_and_says_who_has_it() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        with pytest.raises(UnsupportedError, match="json and sqlite") as raised:
            service.require("backup", Backup)
        assert (raised.value.capability, raised.value.supported_by) == ("backup", ("json", "sqlite"))

    on_service(scenario)


def test_a_caller_cancelled_in_the_queue_has_changed_nothing() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        storage.hold.clear()
        first = asyncio.ensure_future(graph.create_node("first"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(graph.create_node("waiting"))
        await asyncio.sleep(0)
        waiting.cancel()
        storage.hold.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await graph.names() == ("first",)

    on_service(scenario)


def test_a_group_that_has_started_goes_on_without_a_cancelled_caller() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        storage.hold.clear()
        calls = [asyncio.ensure_future(graph.create_node(name)) for name in ("a", "b", "c")]
        await asyncio.sleep(0.01)
        calls[1].cancel()
        storage.hold.set()
        await asyncio.gather(calls[0], calls[2])
        assert await graph.names() == ("a", "b", "c")

    on_service(scenario)


def test_a_program_that_breaks_the_rules_fails_alone() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        await graph.create_node("a")

        async def suspends(session: Session) -> None:
            await asyncio.sleep(0)

        async def raises(session: Session) -> None:
            raise ZeroDivisionError

        answers = await asyncio.gather(
            graph.get_node("a"),
            service.read(suspends),
            service.read(raises),
            graph.get_node("a"),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Node", "ProgramError", "ZeroDivisionError", "Node"]
        assert isinstance(answers[1], ProgramError)

    on_service(scenario)


def test_more_waiting_calls_than_allowed_are_refused() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        storage.hold.clear()
        answers = [asyncio.ensure_future(service.commit(Batch([CreateNode(str(number))]))) for number in range(10)]
        await asyncio.sleep(0.01)
        storage.hold.set()
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, LimitExceededError)]
        assert len(refused) == 5
        assert {error.limit for error in refused} == {"queued"}

    on_service(scenario, queued=5)


def test_closing_finishes_what_was_accepted_and_refuses_the_rest() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        storage.hold.clear()
        accepted = [asyncio.ensure_future(graph.create_node(f"n{number}")) for number in range(20)]
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(service.close())
        await asyncio.sleep(0.01)
        with pytest.raises(StoreClosedError):
            await graph.create_node("late")
        assert not storage.closed
        storage.hold.set()
        await closing
        assert storage.closed
        assert len(await asyncio.gather(*accepted)) == 20

    on_service(scenario)


def test_calls_from_other_loops_and_threads_are_brought_home() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        created: list[str] = []

        def elsewhere(thread: int) -> None:
            async def main() -> None:
                nodes = await asyncio.gather(*(graph.create_node(f"{thread}-{number}") for number in range(20)))
                created.extend(node.name for node in nodes)
                with pytest.raises(NodeExistsError):
                    await graph.create_node(f"{thread}-0")

            asyncio.run(main())

        await asyncio.gather(*(asyncio.to_thread(elsewhere, thread) for thread in range(4)))
        assert len(created) == 80
        assert (await graph.statistics()).nodes == 80

    on_service(scenario)


def test_a_foreign_loop_that_ends_mid_request_hurts_nobody() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        storage.hold.clear()

        def elsewhere() -> None:
            async def main() -> None:
                asyncio.ensure_future(graph.create_node("orphan"))  # noqa: RUF006 - the loop ends while it waits
                await asyncio.sleep(0.02)

            asyncio.run(main())

        await asyncio.to_thread(elsewhere)
        storage.hold.set()
        await graph.create_node("next")
        assert "next" in await graph.names()

    on_service(scenario)


UNCLOSED = """
import asyncio, sys
from polaris_core import open_graph

async def main(url):
    graph = await open_graph(url)
    await graph.create_node("a")
    if sys.argv[2] == "kept":
        globals()["kept"] = graph

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("backend", ["memory", "sqlite", "json"])
@pytest.mark.parametrize("fate", ["kept", "dropped"])
def test_a_graph_that_is_never_closed_is_warned_of_and_hangs_nothing(backend: str, fate: str, tmp_path: Path) -> None:
    url = "memory:" if backend == "memory" else f"{backend}:///{tmp_path / 'kg'}"
    done = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", UNCLOSED, url, fate],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr.count("ResourceWarning: a graph was never closed") == 1


@pytest.mark.filterwarnings("ignore:a graph was never closed:ResourceWarning")
def test_callers_elsewhere_are_told_when_the_home_loop_ends_mid_request() -> None:
    storage_held = threading.Event()
    outcome: list[BaseException] = []
    graphs: list[Graph] = []
    opened = threading.Event()

    def home() -> None:
        async def main() -> None:
            storage = SlowStorage()
            service = StorageService(storage=storage)
            await service.initialize()
            storage.hold.clear()
            graphs.append(Graph(service))
            opened.set()
            await asyncio.to_thread(storage_held.wait)
            await asyncio.sleep(0.05)  # and now the loop ends with the request in flight

        asyncio.run(main())

    def elsewhere() -> None:
        async def main() -> None:
            try:
                call = asyncio.ensure_future(graphs[0].create_node("never"))
                await asyncio.sleep(0)
                storage_held.set()
                await call
            except BaseException as error:  # noqa: BLE001 - what it is, is the point
                outcome.append(error)

        asyncio.run(main())

    threads = [threading.Thread(target=home)]
    threads[0].start()
    opened.wait(10)
    threads.append(threading.Thread(target=elsewhere))
    threads[1].start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert isinstance(outcome[0], StoreClosedError)
    outcome.clear()
    graphs.clear()
    gc.collect()  # what is warned of here is warned of in this test


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_refused_and_the_parent_goes_on() -> None:
    async def scenario(service: StorageService, storage: SlowStorage) -> None:
        graph = Graph(service)
        await graph.create_node("before")
        child = os.fork()
        if not child:
            try:
                coroutine = graph.create_node("in the child")
                coroutine.send(None)
            except ForkedError:
                os._exit(17)
            finally:
                os._exit(1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 17
        await graph.create_node("after")

    on_service(scenario)
