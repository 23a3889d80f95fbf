"""What the tests of the event store share: logs in a fresh directory, events, and programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from polaris_event_store import EventStore

from polaris_core.abc import Event, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PREAMBLE = """
import asyncio, os, sys
from datetime import UTC, datetime
from polaris_core import *
from polaris_core.abc import Event, StorageOptions
from polaris_event_store import EventStore

path = sys.argv[1]

def event(id, source="here", **fields):
    return Event(id=id, source=source, **{"type": "t", "time": datetime(2026, 1, 1, tzinfo=UTC), **fields})
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def log(path: Path) -> Callable[..., EventStore]:
    """Returns a log at the test's path, not open yet; options by name."""

    def make(**options: Any) -> EventStore:
        return EventStore(path, options=StorageOptions(**options))

    return make


@pytest.fixture
def event() -> Callable[..., Event]:
    """Returns an event of an id; `minutes` is its time, counted from the first of 2026."""

    def make(id: str, *, minutes: float = 0, **fields: Any) -> Event:
        time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
        return Event(id=id, **{"source": "here", "type": "t", "time": time, **fields})

    return make


class Processes:
    """Starts Python programs that have `EventStore`, `event` and `path`; none outlives the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started: list[subprocess.Popen[str]] = []

    def start(self, source: str, *arguments: str) -> subprocess.Popen[str]:
        paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths))}
        process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + textwrap.dedent(source), str(self.path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.path.parent,
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> str:
        """Returns what a program printed; it must succeed within a minute and complain about nothing."""
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
