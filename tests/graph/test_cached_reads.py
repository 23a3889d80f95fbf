"""Cached reads: no hop while nothing changes. That none shows what was replaced is a law of every storage."""

import asyncio
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest

from polaris_core import Graph, Node, NodeNotFoundError, StorageService, open_graph
from polaris_core.abc import CacheOptions, Program
from polaris_core.cache import LRUCache


def counting(graph: Graph) -> list[int]:
    """Count the hops of a graph's reads from now on."""
    hops = [0]
    read = graph.service.storage.read

    async def counted(program: Program[object]) -> object:
        hops[0] += 1
        return await read(program)

    graph.service.storage.read = counted  # type: ignore[assignment]
    return hops


@pytest.mark.parametrize("backend", ["memory", "sqlite", "json"])
def test_a_node_that_nobody_changes_is_read_once(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        url = "memory:" if backend == "memory" else f"{backend}:///{tmp_path / 'kg'}"
        async with open_graph(url) as graph:
            await graph.create_node("a", attributes={"n": 1})
            hops = counting(graph)
            first = await graph.get_node("a")
            for _ in range(100):
                assert await graph.get_node("a") is first
            assert hops == [1]
            await graph.patch_node("a", set={"n": 2})
            assert (await graph.get_node("a")).attributes == {"n": 2}
            await graph.delete_node("a")
            with pytest.raises(NodeNotFoundError):
                await graph.get_node("a")
            await graph.create_node("a", attributes={"n": 3})
            assert (await graph.get_node("a")).attributes == {"n": 3}

    asyncio.run(main())


def test_without_a_cache_every_read_is_a_hop() -> None:
    async def main() -> None:
        async with open_graph("memory:", cache=None) as graph:
            await graph.create_node("a")
            hops = counting(graph)
            for _ in range(5):
                await graph.get_node("a")
            assert hops == [5]

    asyncio.run(main())


def test_a_fresh_read_passes_the_cache_by() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("a")
            hops = counting(graph)
            for _ in range(5):
                await graph.get_node("a", fresh=True)
            assert hops == [5]

    asyncio.run(main())


def test_a_cache_that_cannot_be_asked_or_cleared_keeps_nobody_from_an_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(LRUCache):
        fails = False

        def get(self, key: Hashable, default: Any = None) -> Any:
            if self.fails:
                raise RuntimeError("out of order")
            return super().get(key, default)

        def clear(self) -> None:
            if self.fails:
                raise RuntimeError("out of order")
            super().clear()

    async def main() -> None:
        cache = Failing(CacheOptions())
        service = StorageService(str(tmp_path), "sqlite", cache=cache)
        await service.initialize()
        async with Graph(service) as graph:
            await graph.create_node("a")
            await graph.backup(tmp_path / "backup")
            await graph.patch_node("a", set={"n": 1})
            await graph.get_node("a")
            cache.fails = True
            assert (await graph.get_node("a")).attributes == {"n": 1}
            assert len(await graph.walk("a")) == 1
            await graph.restore(tmp_path / "backup")
            cache.fails = False
            assert (await graph.get_node("a")).attributes == {}

    asyncio.run(main())
    assert "the cache failed" in caplog.text


def test_a_cache_that_fails_keeps_nobody_from_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Full(LRUCache):
        def set(self, key: Hashable, value: Any, *, seconds: float | None = None) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        service = StorageService("", "memory", cache=Full())
        await service.initialize()
        graph = Graph(service)
        await graph.create_node("a", attributes={"n": 1})
        answers = await asyncio.gather(graph.get_node("a"), graph.names(), graph.get_node("b"), return_exceptions=True)
        assert [type(answer) for answer in answers] == [Node, tuple, NodeNotFoundError]
        await graph.patch_node("a", set={"n": 2})
        assert (await graph.get_node("a")).attributes == {"n": 2}
        await graph.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert "the cache failed" in caplog.text
