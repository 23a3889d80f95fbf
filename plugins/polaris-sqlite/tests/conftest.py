"""What the tests of the SQLite backend share: stores in a fresh directory, and programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from polaris_sqlite import SqliteStorage

from polaris_core import Batch, PolarisError
from polaris_core.abc import CommitPlan, Location, StorageOptions
from polaris_core.testing import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PREAMBLE = """
import asyncio, os, sys
from polaris_core import *
from polaris_core.abc import Location, StorageOptions
from polaris_core.testing import writing
from polaris_sqlite import SqliteStorage

path = sys.argv[1]

def storage(**options):
    return SqliteStorage(Location(scheme="sqlite", path=path), StorageOptions(**options))

async def put(store, *mutations):
    plan = await store.commit(writing(Batch(mutations)))
    (outcome,) = plan.outcomes
    if isinstance(outcome, PolarisError):
        raise outcome
    return plan

async def names(store):
    async def program(session):
        return list(await session.keys("node", "", 100_000))
    return await store.read(program)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.db"


@pytest.fixture
def storage(path: Path) -> Callable[..., SqliteStorage]:
    """Returns a storage at the test's path, not open yet; options by name."""

    def make(**options: object) -> SqliteStorage:
        return SqliteStorage(Location(scheme="sqlite", path=str(path)), StorageOptions(**options))  # type: ignore[arg-type]

    return make


@pytest.fixture
def put() -> Callable[..., object]:
    """Commits one batch and returns its plan, or raises what refused it."""

    async def commit(store: SqliteStorage, *mutations: object, **of_batch: object) -> CommitPlan:
        plan = await store.commit(writing(Batch(mutations, **of_batch)))  # type: ignore[arg-type]
        (outcome,) = plan.outcomes
        if isinstance(outcome, PolarisError):
            raise outcome
        return plan

    return commit


class Processes:
    """Starts Python programs that have `storage`, `put` and `names`; none outlives the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: list[subprocess.Popen[str]] = []

    def start(self, source: str, *arguments: str) -> subprocess.Popen[str]:
        paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths))}
        command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(source), str(self.path), *arguments]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.path.parent,
        )
        self.started.append(process)
        return process

    def run(self, source: str, *arguments: str) -> str:
        """Returns what a program printed; it must succeed within a minute and say nothing else."""
        process = self.start(source, *arguments)
        printed, complaints = process.communicate(timeout=60)
        assert (process.returncode, complaints) == (0, "")
        return printed

    def finish(self, process: subprocess.Popen[str]) -> str:
        printed, complaints = process.communicate(timeout=60)
        assert (process.returncode, complaints) == (0, "")
        return printed


@pytest.fixture
def processes(path: Path) -> Iterator[Processes]:
    found = Processes(path)
    yield found
    for process in found.started:
        process.kill()
        process.communicate()
