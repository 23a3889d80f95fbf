"""Cached reads: no hop while nothing changes, and never what an acknowledged write has replaced, here or in another process."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from polaris_core import Graph, NodeNotFoundError, open_graph
from polaris_core.abc import Program

ALTERNATING = """
import asyncio, sys
from polaris_core import open_graph

async def main(url):
    async with open_graph(url) as graph:
        for line in sys.stdin:
            number = int(line)
            seen = (await graph.get_node("shared")).attributes["number"]
            assert seen == number, (seen, number)
            await graph.patch_node("shared", set={"number": number + 1})
            print(number + 1, flush=True)

asyncio.run(main(sys.argv[1]))
"""


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
                await graph.service.get_node("a", fresh=True)
            assert hops == [5]

    asyncio.run(main())


@pytest.mark.parametrize("backend", ["sqlite", "json"])
def test_two_graphs_on_one_store_see_each_others_writes(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        url = f"{backend}:///{tmp_path / 'kg'}"
        async with open_graph(url) as one, open_graph(url) as other:
            await one.create_node("shared", attributes={"number": 0})
            for number in range(100):
                writer, reader = (one, other) if number % 2 else (other, one)
                assert (await reader.get_node("shared")).attributes == {"number": number}
                assert (await writer.get_node("shared")).attributes == {"number": number}
                await writer.patch_node("shared", set={"number": number + 1})
                assert (await reader.get_node("shared")).attributes == {"number": number + 1}

    asyncio.run(main())


@pytest.mark.parametrize("backend", ["sqlite", "json"])
def test_another_process_never_reads_what_an_acknowledged_write_has_replaced(backend: str, tmp_path: Path) -> None:
    async def main() -> None:
        url = f"{backend}:///{tmp_path / 'kg'}"
        async with open_graph(url) as graph:
            await graph.create_node("shared", attributes={"number": 0})
            other = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ALTERNATING, url, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert other.stdin is not None
            assert other.stdout is not None
            for number in range(0, 200, 2):
                other.stdin.write(f"{number}\n".encode())
                assert int(await other.stdout.readline()) == number + 1
                assert (await graph.get_node("shared")).attributes == {"number": number + 1}
                await graph.patch_node("shared", set={"number": number + 2})
                assert (await graph.get_node("shared")).attributes == {"number": number + 2}
            other.stdin.close()
            assert await other.wait() == 0

    asyncio.run(main())
