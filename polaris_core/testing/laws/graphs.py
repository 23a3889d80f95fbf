"""Laws of the whole: what people see of a graph that stands on this backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from polaris_core.abc.cache import CacheOptions
from polaris_core.errors import HistoryTrimmedError, NodeExistsError
from polaris_core.graph import Graph
from polaris_core.registry import default
from polaris_core.storage import StorageService
from polaris_core.testing.laws.history import trimming
from polaris_core.testing.laws.subject import Place, Subject, refused

__all__ = ["GraphLaws"]


@asynccontextmanager
async def _graph(place: Place) -> AsyncIterator[Graph]:
    service = StorageService(storage=place.storage(), cache=default().cache("lru").factory(CacheOptions()))
    await service.initialize()
    try:
        yield Graph(service)
    finally:
        await service.close()


class GraphLaws(Subject):
    """The graph's verbs mean what they mean on every backend."""

    def test_a_graph_reads_what_it_was_told(self) -> None:
        async def law() -> None:
            async with _graph(self.place()) as graph:
                await graph.create_node("Ada", "person", {"born": 1815}, ["wrote a program"])
                await graph.create_node("Babbage", "person")
                await graph.create_edge("Ada", "knows", "Babbage", {"since": 1833})
                await graph.patch_node("Ada", set={("born",): 1816})
                await refused(graph.create_node("Ada"), NodeExistsError)
                ada = await graph.get_node("Ada")
                assert (ada.type, ada.attributes, ada.observations[0].text) == (
                    "person",
                    {"born": 1816},
                    "wrote a program",
                )
                assert (await graph.get_edge("Ada", "knows", "Babbage")).attributes == {"since": 1833}
                assert [item.node.name for item in await graph.neighbors("Babbage")] == ["Ada"]
                await graph.rename_node("Ada", "Countess")
                assert [item.node.name for item in await graph.neighbors("Babbage")] == ["Countess"]
                await graph.delete_node("Babbage", detach=True)
                assert await graph.names() == ("Countess",)
                assert [change.kind for change in await graph.changes()][-2:] == ["edge.deleted", "node.deleted"]

        self.run(law)

    def test_a_place_in_history_below_the_floor_is_refused(self) -> None:
        async def law() -> None:
            async with _graph(self.place()) as graph:
                start = await graph.cursor()
                for name in "abc":
                    await graph.create_node(name)
                await graph.service.storage.commit(trimming(2))
                error: Any = await refused(graph.changes(start), HistoryTrimmedError)
                assert error.floor == 2
                (change,) = await graph.changes(start._replace(seq=2))
                assert change.key == "c"
                assert [change.key for change in await graph.changes()] == ["c"], (
                    "a reader without a place starts at the floor"
                )

        self.run(law)

    def test_a_cached_read_never_shows_what_was_replaced(self) -> None:
        async def law() -> None:
            async with _graph(self.place()) as graph:
                await graph.create_node("a", attributes={"n": 0})
                for number in range(20):
                    assert (await graph.get_node("a")).attributes == {"n": number}
                    await graph.patch_node("a", set={"n": number + 1})

        self.run(law)

    def test_two_graphs_on_one_store_read_each_others_writes(self) -> None:
        self.needs_sharing()

        async def law() -> None:
            place = self.place()
            async with _graph(place) as one, _graph(place) as other:
                await one.create_node("a", attributes={"n": 0})
                for number in range(20):
                    writer, reader = ((one, other), (other, one))[number % 2]
                    for graph in (reader, writer):
                        assert (await graph.get_node("a")).attributes == {"n": number}
                    await writer.patch_node("a", set={"n": number + 1})
                    assert (await reader.get_node("a")).attributes == {"n": number + 1}

        self.run(law)

    def test_a_cached_read_in_another_process_never_shows_what_was_replaced(self) -> None:
        self.needs_sharing()
        self.needs_companions()

        async def law() -> None:
            place = self.place()
            async with _graph(place) as graph:
                with place.companion() as other:
                    assert other.answer() == "open"
                    for number in range(0, 60, 2):
                        await graph.upsert_node("a", attributes={"value": number})
                        assert other.ask("get", "a") == number
                        other.ask("set", "a", number + 1)
                        assert (await graph.get_node("a")).attributes == {"value": number + 1}
                        assert other.ask("get", "a") == number + 1
                    other.close()

        self.run(law)

    def test_transactions_that_count_at_one_time_count_all(self) -> None:
        async def law() -> None:
            async with _graph(self.place()) as graph:
                await graph.create_node("counter", attributes={"n": 0})

                async def once(transaction: Any) -> None:
                    seen = (await transaction.get_node("counter")).attributes["n"]
                    await transaction.patch_node("counter", set={"n": seen + 1})

                await asyncio.gather(*(graph.transact(once, attempts=100) for _ in range(8)))
                assert (await graph.get_node("counter")).attributes == {"n": 8}

        self.run(law)
