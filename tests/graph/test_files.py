"""`import_file` and `export_file`: a graph from a file and into one, whole or not at all, with what was lost on the way."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import pytest

from polaris_core import (
    Edge,
    Graph,
    Loss,
    LossError,
    Node,
    NodeNotFoundError,
    PluginNotFoundError,
    UnsupportedError,
    UpsertEdge,
    UpsertNode,
    ValidationError,
    open_graph,
    open_graph_blocking,
)
from polaris_core.abc import FormatSpec, Losses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

On: TypeAlias = Callable[[Callable[[Graph], Awaitable[None]]], None]

NODES = b'{"kind":"node","name":"a","type":"letter"}\n{"kind":"node","name":"b"}\n'
EDGE = b'{"kind":"edge","source":"a","type":"before","target":"b"}\n'


def _read(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    """A name a line, whose capitals a graph cannot hold."""
    for line in file:
        name = line.decode().strip()
        if name != name.lower():
            losses.add(name, "capitals")
        yield UpsertNode(name.lower())


async def _write(records: AsyncIterator[Node | Edge], losses: Losses) -> AsyncIterator[bytes]:
    """A name a line, and no edges."""
    async for record in records:
        if isinstance(record, Edge):
            losses.add(record.key, "everything")
        else:
            yield f"{record.name}\n".encode()


@pytest.fixture(params=["memory:", "json:///{}/kg", "sqlite:///{}/kg.db"], ids=["memory", "json", "sqlite"])
def on(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> On:
    """Run what it decorates at once, on an empty graph of each backend."""

    def run(body: Callable[[Graph], Awaitable[None]]) -> None:
        async def opened() -> None:
            async with open_graph(str(request.param).format(tmp_path_factory.mktemp("store"))) as graph:
                await body(graph)

        asyncio.run(opened())

    return run


NAMES = FormatSpec(name="names", sentence="A name a line.", read=_read, write=_write)


def test_a_graph_that_is_exported_and_imported_elsewhere_is_equal(on: On, tmp_path: Path) -> None:
    @on
    async def body(graph: Graph) -> None:
        imported = await graph.import_file(io.BytesIO(EDGE + NODES), "jsonl")
        assert (imported.nodes.created, imported.edges.created, imported.losses) == (2, 1, ())
        exported = await graph.export_file(tmp_path / "graph.jsonl.gz", "jsonl")
        assert (exported.nodes, exported.edges, exported.losses) == (2, 1, ())
        async with open_graph("memory:") as other:
            await other.import_file(str(tmp_path / "graph.jsonl.gz"), "jsonl")
            assert (await other.get_node("a")).type == "letter"
            assert (await other.get_edge("a", "before", "b")).attributes == {}


def test_importing_again_changes_nothing_unless_asked(on: On) -> None:
    @on
    async def body(graph: Graph) -> None:
        await graph.import_file(io.BytesIO(NODES + EDGE), "jsonl")
        place = await graph.cursor()
        again = await graph.import_file(io.BytesIO(NODES + EDGE), "jsonl")
        assert (again.nodes.unchanged, again.edges.unchanged, again.cursor) == (2, 1, place)


@pytest.mark.parametrize(
    ("data", "error"), [(NODES + b"nonsense\n", ValidationError), (EDGE, NodeNotFoundError)], ids=["line", "edge"]
)
def test_a_file_that_is_refused_changes_nothing(on: On, data: bytes, error: type[Exception]) -> None:
    @on
    async def body(graph: Graph) -> None:
        with pytest.raises(error):
            await graph.import_file(io.BytesIO(data), "jsonl")
        assert (await graph.statistics()).nodes == 0


def test_what_a_graph_cannot_hold_is_counted_or_refuses_the_import(on: On) -> None:
    @on
    async def body(graph: Graph) -> None:
        with pytest.raises(LossError, match="a graph cannot hold the capitals of the node 'B'"):
            await graph.import_file(io.BytesIO(b"a\nB\n"), NAMES, on_loss="error")
        assert (await graph.statistics()).nodes == 0
        assert (await graph.import_file(io.BytesIO(b"a\nB\n"), NAMES)).losses == (Loss("node", "capitals", 1),)


def test_what_a_format_cannot_hold_is_counted_or_refuses_the_export(on: On, tmp_path: Path) -> None:
    @on
    async def body(graph: Graph) -> None:
        await graph.import_file(io.BytesIO(NODES + EDGE), "jsonl")
        with pytest.raises(LossError, match=r"the format 'names' cannot hold the everything of the edge 'a'"):
            await graph.export_file(tmp_path / "names", NAMES, on_loss="error")
        assert list(tmp_path.iterdir()) == []
        exported = await graph.export_file(tmp_path / "names", NAMES)
        assert (exported.nodes, exported.edges, exported.losses) == (2, 1, (Loss("edge", "everything", 1),))
        assert (tmp_path / "names").read_bytes() == b"a\nb\n"


def test_what_the_graph_has_beside_its_records_is_counted_or_refuses_the_export(on: On) -> None:
    @on
    async def _(graph: Graph) -> None:
        await graph.set_schema("node", "letter", {"type": "object"})
        await graph.set_searched_attributes("title")
        exported = await graph.export_file(io.BytesIO(), "jsonl")
        assert list(map(str, exported.losses)) == ["schemas of the graph", "choice of searched attributes of the graph"]
        with pytest.raises(LossError, match="cannot hold the schemas of the graph"):
            await graph.export_file(io.BytesIO(), "jsonl", on_loss="error")


def test_an_export_is_one_state_whatever_is_written_meanwhile_and_a_view_exports_its_own(on: On) -> None:
    @on
    async def body(graph: Graph) -> None:
        async def write(records: AsyncIterator[Node | Edge], _losses: Losses) -> AsyncIterator[bytes]:
            async for record in records:
                await graph.upsert_node(f"after {record.key}")
                yield f"{record.key} ".encode()

        await graph.commit([UpsertNode(name) for name in "abc"])
        place = await graph.cursor()
        for state in (graph, graph.at(place)):
            file = io.BytesIO()
            await state.export_file(file, FormatSpec(name="writing", sentence="Writes the graph.", write=write))
            assert file.getvalue() == b"a b c "


def test_progress_counts_the_bytes_of_an_import_and_the_records_of_an_export(on: On, tmp_path: Path) -> None:
    @on
    async def body(graph: Graph) -> None:
        (tmp_path / "file").write_bytes(b"".join(b"%d\n" % number for number in range(3_000)))
        size = (tmp_path / "file").stat().st_size
        told: list[tuple[int, int | None]] = []
        await graph.import_file(tmp_path / "file", NAMES, progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (size, size)
        assert told == sorted(told)
        told.clear()
        await graph.export_file(io.BytesIO(), NAMES, progress=lambda done, total: told.append((done, total)))
        assert told == [(1_000, 3_000), (2_000, 3_000), (3_000, 3_000), (3_000, 3_000)]


def test_a_file_is_read_and_written_beside_the_event_loop(on: On) -> None:
    @on
    async def body(graph: Graph) -> None:
        threads = set()

        class File(io.BytesIO):
            def readinto(self, buffer: Any) -> int:
                threads.add(threading.current_thread())
                return super().readinto(buffer)

            def read1(self, size: int | None = -1) -> bytes:
                threads.add(threading.current_thread())
                return super().read1(size)

            def write(self, data: Any) -> int:
                threads.add(threading.current_thread())
                return super().write(data)

        file = File(b"a\n")
        await graph.import_file(file, NAMES)
        await graph.export_file(file, NAMES)
        assert threads
        assert threading.current_thread() not in threads


def test_a_cancelled_export_leaves_the_file_that_was_there(on: On, tmp_path: Path) -> None:
    @on
    async def body(graph: Graph) -> None:
        reached = asyncio.Event()

        async def write(records: AsyncIterator[Node | Edge], _losses: Losses) -> AsyncIterator[bytes]:
            yield b"some"
            reached.set()
            await asyncio.get_running_loop().create_future()

        (tmp_path / "file").write_bytes(b"old")
        spec = FormatSpec(name="endless", sentence="Never ends.", write=write)
        task = asyncio.create_task(graph.export_file(tmp_path / "file", spec))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_bytes() == b"old"


def test_a_format_that_is_not_there_is_an_error_that_lists_those_there_are(on: On, tmp_path: Path) -> None:
    @on
    async def body(graph: Graph) -> None:
        for transfer in (graph.import_file, graph.export_file):
            with pytest.raises(PluginNotFoundError, match="jsonl"):
                await transfer(tmp_path / "file", "nonsense")


def test_a_format_that_goes_one_way_only_is_refused_the_other_way(on: On, tmp_path: Path) -> None:
    @on
    async def body(graph: Graph) -> None:
        mute = FormatSpec(name="mute", sentence="Neither reads nor writes.")
        for transfer in (graph.import_file, graph.export_file):
            with pytest.raises(UnsupportedError, match="'mute' cannot be"):
                await transfer(tmp_path / "file", mute)
        assert list(tmp_path.iterdir()) == []


def test_the_blocking_graph_reads_in_the_calling_thread_and_says_the_same(tmp_path: Path) -> None:
    threads = set()

    def read(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
        threads.add(threading.current_thread())
        return _read(file, losses)

    spec = FormatSpec(name="names", sentence="A name a line.", read=read, write=_write)
    with open_graph_blocking("memory:") as graph:
        assert graph.import_file(io.BytesIO(b"a\nB\n"), spec).losses == (Loss("node", "capitals", 1),)
        assert graph.export_file(tmp_path / "names", spec).nodes == 2
        assert graph.at(graph.cursor()).export_file(tmp_path / "names", spec).nodes == 2
    assert threads == {threading.current_thread()}
