"""How the tests open stores, look at them, and start the processes that share them."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from polaris_json_fs.storage import JsonStorage

from polaris_core import Location, StorageOptions, StorageService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from polaris_core.abc import Session

PREAMBLE = """
import asyncio, json, os, signal, sys
from polaris_core import (
    Batch, CreateNode, DeleteNode, ForkedError, Location, PutNode, RenameNode, StorageOptions, StorageService, StoreFullError
)
from polaris_json_fs.storage import JsonStorage

def make(path, **options):
    return StorageService(storage=JsonStorage(Location(scheme="json", path=path), StorageOptions(**options)))

def say(*words):
    print(*words, flush=True)

path = sys.argv[1]
arguments = json.loads(sys.argv[2])
"""


def location(directory: Path, query: str = "") -> Location:
    return Location.parse(f"json:///{quote(str(directory))}{query}")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "kg"


@pytest.fixture
def storage(directory: Path) -> Callable[..., JsonStorage]:
    """Make a storage of the directory, or of another one."""

    def make(path: Path | None = None, query: str = "", **options: Any) -> JsonStorage:
        return JsonStorage(location(path or directory, query), StorageOptions(**options))

    return make


@pytest.fixture
def serve(storage: Callable[..., JsonStorage]) -> Callable[..., AbstractAsyncContextManager[StorageService]]:
    """Open the store for a block, through the core's own door for writes."""

    @asynccontextmanager
    async def opened(path: Path | None = None, query: str = "", **options: Any) -> AsyncIterator[StorageService]:
        service = StorageService(storage=storage(path, query, **options))
        await service.initialize()
        try:
            yield service
        finally:
            await service.close()

    return opened


@pytest.fixture
def everything() -> Callable[[StorageService], Any]:
    """Read all that a store holds, in one committed state, for comparison."""

    async def program(session: Session) -> dict[str, Any]:
        return {
            "head": await session.head(),
            "nodes": await session.scan("node", 0, 1_000_000),
            "edges": await session.scan("edge", 0, 1_000_000),
            "meta": await session.meta(await session.keys("meta", "", 1_000_000)),
            "receipts": await session.receipts(await session.keys("receipt", "", 1_000_000)),
            "changes": await session.changes(0, 1_000_000, None),
        }

    async def read(service: StorageService) -> dict[str, Any]:
        return await service.read(program)

    return read


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process on the store that runs some lines of Python; what is still running at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str, path: Path | None = None, **arguments: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + program, str(path or directory), json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
