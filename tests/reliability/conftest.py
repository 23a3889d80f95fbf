"""Where stores are broken, what breaks them, and the figures that are printed at the end."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).with_name("harness")))  # test folders are no packages, the harness is one

from ordeal import figures
from ordeal.interposer import MissingError, build
from ordeal.laboratory import Laboratory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Count = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", metavar="FILE", help="write what the reliability tests counted into a file, as JSON")


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of stores are made, and no method here trusts a real disk."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="ordeal-", dir=memory if os.access(memory, os.W_OK) else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def interposer(scratch: Path) -> Path:
    """The library that is preloaded into processes to be broken; without one there is a skip that says why."""
    try:
        return build(scratch)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def laboratory(scratch: Path, interposer: Path) -> Iterator[Laboratory]:
    """Processes whose every call can be counted, broken and recorded."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with Laboratory(folder, interposer) as found:
        yield found
    shutil.rmtree(folder)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Count:
    """A function that adds to the figures: `count(method, backend, points=17)`; underscores stand for spaces."""

    def add(method: str, backend: str, **numbers: int) -> None:
        for what, number in numbers.items():
            record_property(figures.PROPERTY, [method, backend, what.replace("_", " "), number])

    return add


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    reports = [report for group in terminalreporter.stats.values() for report in group if hasattr(report, "nodeid")]
    found = [
        figures.Figure(*value)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == figures.PROPERTY
    ]
    skipped = sorted(
        {
            f"{report.nodeid.rpartition('/')[2]}: {report.longrepr[2].removeprefix('Skipped: ')}"
            for report in terminalreporter.stats.get("skipped", ())
            if "/reliability/" in report.nodeid and isinstance(report.longrepr, tuple)
        }
    )
    if found or skipped:
        terminalreporter.section("what the stores went through")
        for line in figures.table(found, skipped):
            terminalreporter.write_line(line)
    if file := config.getoption("--figures", None):
        machine = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "system": platform.platform()}
        figures.write(Path(file), found, skipped, machine)
