"""Verification, backup and restore, as a graph offers them for whatever store can do them."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from polaris_core import Graph, Location, StorageOptions, UnsupportedError, open_graph, open_graph_blocking
from polaris_core.abc import CacheOptions, Finding, Head, Progress, VerifyReport
from polaris_core.cache import LRUCache
from polaris_core.storage import StorageService
from polaris_core.storage.memory import MemoryStorage

FOUND = VerifyReport(3, (Finding("node 1", "is odd"),))


class Keeper(MemoryStorage):
    """A store that claims what memory has not, and writes down what it is asked for and on which thread."""

    capabilities = frozenset({"backup", "verify"})

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: list[tuple[Any, ...]] = []

    def stamp(self) -> int:
        return self._image.head().seq

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        self.asked.append(("verify", threading.get_ident()))
        if progress is not None:
            progress(3, 3)
        return FOUND

    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        self.asked.append(("backup", target))
        return Head("s", "e", 7)

    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        self.asked.append(("restore", source))
        return Head("s", "f", 9)


async def opened(keeper: Keeper, **of_service: Any) -> Graph:
    service = StorageService(storage=keeper, **of_service)
    await service.initialize()
    return Graph(service)


def make() -> Keeper:
    return Keeper(Location(scheme="memory"), StorageOptions())


def test_a_graph_verifies_backs_up_and_restores_what_its_store_can() -> None:
    async def main() -> None:
        keeper = make()
        told: list[Any] = []
        async with await opened(keeper) as graph:
            assert await graph.verify(lambda *steps: told.append(steps)) == FOUND
            assert str(await graph.backup("a/b.db")) == "s:e:7"
            assert (await graph.restore(Path("b.db"))).seq == 9
        assert told == [(3, 3)]
        assert keeper.asked[1:] == [("backup", Path("a/b.db")), ("restore", Path("b.db"))]

    asyncio.run(main())


def test_a_restore_empties_the_cache() -> None:
    async def main() -> None:
        cache = LRUCache(CacheOptions())
        async with await opened(make(), cache=cache) as graph:
            await graph.create_node("a")
            await graph.get_node("a")
            assert cache.statistics().entries == 1
            await graph.restore("b.db")
            assert cache.statistics().entries == 0

    asyncio.run(main())


def test_a_store_is_asked_on_the_loop_it_was_opened_on() -> None:
    async def main() -> None:
        keeper = make()
        async with await opened(keeper) as graph:
            await asyncio.to_thread(lambda: asyncio.run(graph.verify()))
            await graph.verify()
        assert keeper.asked == [("verify", threading.get_ident())] * 2

    asyncio.run(main())


def test_a_store_that_cannot_says_so_and_names_those_that_can() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            for call in (graph.verify(), graph.backup("x"), graph.restore("x")):
                with pytest.raises(
                    UnsupportedError, match=r"^<MemoryStorage memory:> has no \w+; json and sqlite have$"
                ):
                    await call

    asyncio.run(main())
    with open_graph_blocking("memory:") as graph, pytest.raises(UnsupportedError):
        graph.verify()
