"""Laws of bulk loads: all or nothing, whether the backend has a stage of its own or the core keeps one for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Literal

import pytest

from polaris_core.abc.location import Location
from polaris_core.abc.storage import StorageOptions
from polaris_core.errors import NodeExistsError, NodeNotFoundError
from polaris_core.graph import Graph
from polaris_core.model import Edge, Node
from polaris_core.storage import StorageService
from polaris_core.storage.memory import MemoryStorage
from polaris_core.testing.laws.subject import Place, Subject, refused
from polaris_core.testing.programs import Everything, everything

__all__ = ["LoadLaws"]

_START = 1_700_000_000_000_000


def _options() -> StorageOptions:
    numbers = count(1)
    return StorageOptions(now=lambda: _START, unique=lambda: f"{next(numbers):032x}")


def _records() -> Iterator[Node | Edge]:
    for number in range(300):
        yield Edge(f"n{number}", "next", f"n{number * 7 % 300}", {"number": number})
        yield Node(f"n{number}", "loaded", {"number": number, "text": "\u2028\U0001f600"}, ["seen"])


@asynccontextmanager
async def _service(service: StorageService) -> AsyncIterator[Graph]:
    await service.initialize()
    try:
        yield Graph(service)
    finally:
        await service.close()


class LoadLaws(Subject):
    """A load is one commit."""

    def _graph(self, place: Place) -> Any:
        options = _options()
        return _service(StorageService(storage=place.storage(now=options.now, unique=options.unique), options=options))

    async def _same(self, story: Callable[[Graph], Awaitable[object]]) -> Everything:
        """Tell a story to a graph on this backend and to one in the core's memory; return what both hold."""
        options = _options()
        memory = MemoryStorage(Location.parse("memory:"), options)
        async with _service(StorageService(storage=memory, options=options)) as model:
            await story(model)
            expected = await model.service.read(everything)
        async with self._graph(self.place()) as graph:
            await story(graph)
            held: Everything = await graph.service.read(everything)
        assert held == expected
        return held

    def test_a_load_into_an_empty_store_is_one_commit(self) -> None:
        async def law() -> None:
            async def story(graph: Graph) -> None:
                stamp = graph.service.storage.stamp()
                loaded = await graph.load(_records())
                assert (loaded.nodes.created, loaded.edges.created) == (300, 300)
                assert stamp is None or graph.service.storage.stamp() != stamp

            held = await self._same(story)
            assert held.counts == (300, 300)
            assert len({change.commit for change in held.changes}) == 1

        self.run(law)

    @pytest.mark.parametrize("on_existing", ["skip", "replace", "merge"])
    @pytest.mark.parametrize("on_dangling", ["skip", "create"])
    def test_a_load_into_a_filled_store_does_what_it_was_told_of_what_exists(
        self, on_existing: Literal["skip", "replace", "merge"], on_dangling: Literal["skip", "create"]
    ) -> None:
        async def law() -> None:
            async def story(graph: Graph) -> None:
                for number in range(0, 300, 90):
                    await graph.create_node(f"n{number}", "old", {"number": 0, "kept": True}, ["old"])
                await graph.create_edge("n0", "next", "n0", {"number": -1, "kept": True})
                await graph.delete_node("n90")
                more = [Edge("n1", "to", "nowhere"), Edge("nowhere", "to", "elsewhere")]
                await graph.load([*_records(), *more], on_existing=on_existing, on_dangling=on_dangling)

            await self._same(story)

        self.run(law)

    def test_a_load_that_is_refused_leaves_nothing(self) -> None:
        class BrokenError(Exception):
            pass

        def breaking() -> Iterator[Node | Edge]:
            yield from _records()
            raise BrokenError

        async def law() -> None:
            async with self._graph(self.place()) as graph:
                await graph.create_node("n7")
                before, stamp = await graph.service.read(everything), graph.service.storage.stamp()
                for records, error in (
                    (_records(), NodeExistsError),
                    ([Node("a"), Edge("a", "to", "nowhere")], NodeNotFoundError),
                    (breaking(), BrokenError),
                ):
                    await refused(graph.load(records), error)
                    assert await graph.service.read(everything) == before, "a load that was refused left something"
                    assert graph.service.storage.stamp() == stamp
                await graph.load(_records(), on_existing="skip")

        self.run(law)

    def test_what_waits_to_be_loaded_is_seen_by_nobody_and_holds_up_nobody(self) -> None:
        async def law() -> None:
            async with self._graph(self.place()) as graph:
                before = await graph.service.read(everything)
                loading = await graph.service.load()
                await loading.add(list(_records())[:400])
                assert await graph.service.read(everything) == before
                await graph.create_node("meanwhile")
                await loading.add(list(_records())[400:])
                await loading.finish()
                await loading.discard()
                held = await graph.service.read(everything)
                assert held.counts == (301, 300)
                assert [change.seq for change in held.changes] == list(range(1, held.head.seq + 1))
                again = await graph.service.load(on_existing="skip")
                await again.add([Node("forgotten")])
                await again.discard()
                assert await graph.service.read(everything) == held

        self.run(law)

    def test_what_was_loaded_is_there_when_a_store_is_opened_again(self) -> None:
        self.needs_persistence()

        async def law() -> None:
            place = self.place()
            async with self._graph(place) as graph:
                await graph.load(_records())
                held = await graph.service.read(everything)
            async with place.opened() as storage:
                assert await storage.read(everything) == held

        self.run(law)
