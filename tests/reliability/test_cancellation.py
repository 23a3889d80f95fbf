"""Whoever is cancelled, at whatever await, leaves a store that works: what it asked for happened whole, or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from ordeal.backends import BACKENDS, store_url
from ordeal.history import AFTERWARDS, frozen_time, observe, state_after, step

from polaris_core import Batch, Commit, Graph, PolarisError, StoreBusyError, StoreClosedError, open_graph
from polaris_core.abc import CommitPlan, Location
from polaris_core.storage import StorageService
from polaris_core.storage.memory import MemoryStorage
from polaris_core.testing import writing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator
    from pathlib import Path

    from polaris_core import Transaction
    from polaris_core.records import Program

    Operation: TypeAlias = Callable[[Graph], Awaitable[object]]
    Open: TypeAlias = Callable[[], Awaitable[Graph]]

METHOD = "cancellation at an await"
BEFORE = tuple(range(8))
WRITTEN = 8  # a step of eight nodes: half of it would be seen
AWAITS = 30
TURNS = 25


class Cancelled:
    """An awaitable that asks for its own cancellation at its n-th await, counted from 1."""

    def __init__(self, awaited: Awaitable[object], at: int) -> None:
        self._awaited = awaited
        self._at = at
        self.awaits = 0

    def __await__(self) -> Generator[Any, Any, object]:
        steps = self._awaited.__await__()
        try:
            waiting = next(steps)
            while True:
                self.awaits += 1
                if self.awaits == self._at:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
                try:
                    sent = yield waiting
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is thrown on
                    waiting = steps.throw(error)  # type: ignore[attr-defined]
                else:
                    waiting = steps.send(sent)  # type: ignore[attr-defined]
        except StopIteration as stop:
            return stop.value


async def at_await(operation: Awaitable[object], number: int) -> bool:
    """Cancel an operation at one of its awaits; return whether it had that many."""
    cancelled = Cancelled(operation, number)
    await asyncio.gather(_task(cancelled), return_exceptions=True)
    return cancelled.awaits >= number


async def _task(awaited: Awaitable[object]) -> object:
    return await awaited


async def after_turns(operation: Awaitable[object], number: int) -> bool:
    """Cancel an operation after some turns of the loop; return whether it was still under way."""
    task = asyncio.ensure_future(_task(operation))
    for _ in range(number):
        await asyncio.sleep(0)
    under_way = task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return under_way


WAYS = {at_await: range(1, AWAITS), after_turns: range(1, TURNS)}  # in the first turn it begins


async def write(graph: Graph) -> object:
    return await graph.commit(step(WRITTEN))


async def write_together(graph: Graph) -> object:
    return await asyncio.gather(graph.commit(step(WRITTEN)), graph.names())


async def transact(graph: Graph) -> object:
    async def body(transaction: Transaction) -> None:
        await transaction.get_node("Ada Lovelace")
        for mutation in step(WRITTEN).mutations:
            await transaction.create_node(mutation.name, mutation.type, mutation.attributes)

    return await graph.transact(body)


async def read(graph: Graph) -> object:
    await graph.get_node("Ada Lovelace")
    await graph.neighbors("Ada Lovelace")
    return await graph.changes()


OPERATIONS: dict[str, Operation] = {
    "write": write,
    "write beside a read": write_together,
    "transact": transact,
    "read": read,
}


async def cancel_everywhere(open_it: Open, operation: Operation) -> int:
    """Cancel an operation in every way, each on a graph of its own, and use the graph after it; return how often it was felt."""
    felt = 0
    for way, numbers in WAYS.items():
        happened = False
        for number in numbers:
            graph = await open_it()
            for earlier in BEFORE:
                await graph.commit(step(earlier))
            happened = await way(operation(graph), number)
            felt += happened
            await graph.commit(step(AFTERWARDS))
            found = await observe(graph)
            await graph.close()
            possible = [state_after((*BEFORE, *taken, AFTERWARDS)) for taken in ((), (WRITTEN,))]
            assert found in possible, f"{way.__name__} {number} left something torn"
        assert way is after_turns or not happened, "there are more awaits than were tried"
    return felt


def opener(backend: str, folders: Iterator[Path]) -> Open:
    async def open_it() -> Graph:
        url = "memory:" if backend == "memory" else store_url(backend, next(folders))
        return await open_graph(url, options=frozen_time(busy_seconds=5.0))

    return open_it


@pytest.fixture
def folders(scratch: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    def make() -> Iterator[Path]:
        for number in range(10_000):
            folder = scratch / f"{request.node.name.replace('/', ' ')}-{number}"
            folder.mkdir()
            yield folder

    return make()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("backend", ["memory", *BACKENDS])
def test_an_operation_cancelled_at_any_await_happened_whole_or_not_at_all(
    backend: str, name: str, folders: Iterator[Path], count: Callable[..., None]
) -> None:
    felt = asyncio.run(cancel_everywhere(opener(backend, folders), OPERATIONS[name]))
    assert felt
    count(METHOD, backend, cancellations_felt=felt)


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_that_is_cancelled_at_any_await_is_finished_all_the_same(
    backend: str, folders: Iterator[Path], count: Callable[..., None]
) -> None:
    async def main() -> int:
        felt = 0
        for way, numbers in WAYS.items():
            for number in numbers:
                url = store_url(backend, next(folders))
                graph = await open_graph(url, options=frozen_time())
                await graph.commit(step(0))
                felt += await way(graph.close(), number)
                with pytest.raises(StoreClosedError):
                    await graph.commit(step(1))
                await graph.close()
                async with open_graph(url, options=frozen_time()) as again:
                    assert await observe(again) == state_after((0,))
        return felt

    felt = asyncio.run(main())
    assert felt
    count(METHOD, backend, cancellations_felt=felt)


@pytest.mark.parametrize("backend", BACKENDS)
def test_opening_that_is_cancelled_at_any_await_leaves_a_store_that_opens(
    backend: str, folders: Iterator[Path], count: Callable[..., None]
) -> None:
    async def opened(url: str) -> None:
        async with open_graph(url, options=frozen_time()):
            pass

    async def main() -> int:
        felt = 0
        for way, numbers in WAYS.items():
            for number in numbers:
                url = store_url(backend, next(folders))
                felt += await way(opened(url), number)
                async with open_graph(url, options=frozen_time(busy_seconds=5.0)) as graph:
                    await graph.commit(step(0))
                felt += await way(opened(url), number)
                async with open_graph(url, options=frozen_time(busy_seconds=5.0)) as graph:
                    assert await observe(graph) == state_after((0,))
        return felt

    felt = asyncio.run(main())
    assert felt
    count(METHOD, backend, cancellations_felt=felt)


# --- weak stores --------------------------------------------------------------------------------------------------------


class OpenTransaction(MemoryStorage):
    """A store whose transaction stays open when whoever began it is cancelled before its end."""

    begun = False

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        if self.begun:
            raise StoreBusyError("a transaction is open already")
        self.begun = True
        await asyncio.sleep(0)
        plan = await super().commit(program)
        self.begun = False
        return plan


class WithoutQueue(StorageService):
    """A service that carries each batch to the store in its caller's own task."""

    async def commit(self, batch: Batch) -> Commit:
        plan = await self.storage.commit(writing(batch, now=self.options.now()))
        (outcome,) = plan.outcomes
        if isinstance(outcome, PolarisError):
            raise outcome
        return outcome


class Piecemeal(WithoutQueue):
    """A service that commits the mutations of a batch one by one."""

    async def commit(self, batch: Batch) -> Commit:
        for mutation in batch.mutations[:-1]:
            await super().commit(Batch(mutation))
            await asyncio.sleep(0)
        return await super().commit(Batch(batch.mutations[-1]))


WEAK = {
    "leaves its transaction open": (WithoutQueue, OpenTransaction),
    "commits in pieces": (Piecemeal, MemoryStorage),
}


@pytest.mark.parametrize("weakness", WEAK)
def test_it_catches_a_store_that(weakness: str) -> None:
    service, storage = WEAK[weakness]

    async def main() -> None:
        graphs = []

        async def open_it() -> Graph:
            options = frozen_time()
            made = service(storage=storage(Location(scheme="memory"), options), options=options)
            await made.initialize()
            graphs.append(Graph(made))
            return graphs[-1]

        try:
            await cancel_everywhere(open_it, write)
        finally:
            for graph in graphs:
                await graph.close()

    with pytest.raises((AssertionError, StoreBusyError)):
        asyncio.run(main())
