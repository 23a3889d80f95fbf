"""An export takes no place of the store that it is of, whatever that place is called; it may stand beside it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from polaris_core import Graph, ValidationError, open_graph, open_graph_blocking
from polaris_core.storage import StorageService

URLS = {"json": "json:///kg", "sqlite": "sqlite:///kg.db"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which the store is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=list(URLS))
def url(request: pytest.FixtureRequest) -> str:
    return URLS[request.param]


def refused(graph: Any, file: Any) -> None:
    with pytest.raises(ValidationError, match=r"is a file of the store .* itself: name another one"):
        graph.export_file(file, "jsonl")


def files_below(folder: Path) -> list[Path]:
    return [Path(where, name) for where, _, names in os.walk(folder) for name in names]


def kept(path: Path) -> tuple[object, ...]:
    """What an export would change of a file: which one it is, and what it holds, but for an index that readers write too."""
    found = path.stat()
    return found.st_ino, found.st_size, None if path.name.endswith("-shm") else path.read_bytes()


def test_every_file_that_an_open_store_keeps_is_refused_and_left_as_it_is(folder: Path, url: str) -> None:
    with open_graph_blocking(url) as graph:
        graph.create_node("a")
        before = {path: kept(path) for path in files_below(folder)}
        assert len(before) > 1
        for path in before:
            refused(graph, path)
        assert {path: kept(path) for path in files_below(folder)} == before
    with open_graph_blocking(url) as graph:
        assert graph.verify().findings == ()
        assert graph.get_node("a").name == "a"


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///kg.db", "kg.db-journal"),
        ("json:///kg", "kg"),
        ("json:///kg", "kg/new.jsonl"),
        ("json:///kg", "kg/new/file.jsonl"),
    ],
)
def test_a_place_of_the_store_is_refused_while_nothing_is_there(folder: Path, url: str, file: str) -> None:
    with open_graph_blocking(url) as graph:
        refused(graph, file)
    assert Path("kg").exists() == (url == URLS["json"])
    assert not Path(file).is_file()


def test_another_name_of_a_file_is_refused(folder: Path, url: str) -> None:
    with open_graph_blocking(url) as graph:
        graph.create_node("a")
        own = next(path for path in files_below(folder) if path.name in ("kg.db", "manifest.json"))
        Path("link").symlink_to(own)
        Path("twin").hardlink_to(own)
        Path("sub").mkdir()
        for name in ("link", "twin", Path("sub", "..", own.relative_to(folder)), os.fsencode(own)):
            refused(graph, os.fsdecode(name) if isinstance(name, bytes) else name)


def test_a_file_of_the_store_that_is_open_for_bytes_is_refused(folder: Path, url: str) -> None:
    with open_graph_blocking(url) as graph:
        graph.create_node("a")
        for path in files_below(folder):
            before = kept(path)
            with path.open("r+b") as file:
                refused(graph, file)
            assert kept(path) == before


def test_a_store_that_is_reached_through_a_link_is_as_safe(folder: Path, url: str) -> None:
    place = url.partition("///")[2]
    with open_graph_blocking(url):
        pass
    Path("alias").symlink_to(place)
    with open_graph_blocking(f"{url.partition(':')[0]}:///alias") as graph:
        for path in files_below(folder):
            refused(graph, path)


def test_where_the_store_is_was_decided_when_it_was_opened(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_graph_blocking(url) as graph:
        Path("elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        place = url.partition("///")[2]
        refused(graph, Path("..", place))
        assert graph.export_file(place, "jsonl").nodes == 0


def test_a_view_and_the_graph_without_blocking_refuse_the_same(folder: Path, url: str) -> None:
    async def main() -> None:
        async with open_graph(url) as graph, graph.snapshot() as view:
            for state in (graph, view):
                with pytest.raises(ValidationError, match="itself"):
                    await state.export_file(url.partition("///")[2], "jsonl")

    asyncio.run(main())


def test_a_service_knows_the_files_of_the_store_that_it_found_itself(folder: Path) -> None:
    async def main() -> None:
        service = StorageService(str(folder), "sqlite")
        await service.initialize()
        async with Graph(service) as graph:
            with pytest.raises(ValidationError, match="itself"):
                await graph.export_file(folder / "graph.db-wal", "jsonl")

    asyncio.run(main())


@pytest.mark.parametrize("name", ["kg.db.jsonl", "kg-export", "kg.db-export", "other"])
def test_names_beside_the_store_are_free(folder: Path, url: str, name: str) -> None:
    with open_graph_blocking(url) as graph:
        graph.create_node("a")
        for _ in range(2):
            assert graph.export_file(name, "jsonl").nodes == 1


def test_a_graph_in_memory_has_no_files(folder: Path) -> None:
    with open_graph_blocking("memory:") as graph:
        assert graph.export_file("kg.db", "jsonl").nodes == 0
