"""What three processes read and write on one store could have happened one call at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ordeal import client
from ordeal.backends import BACKENDS, store_url
from ordeal.client import WEAKNESSES
from ordeal.linearizability import Call, is_linearizable, unexplained

from polaris_core import open_graph_blocking

if TYPE_CHECKING:
    from collections.abc import Callable

METHOD = "linearizability"
PROCESSES = 3
CALLS = 400  # of each process
ATTEMPTS = 10  # at a history in which chance lets a weakness show; the first one nearly always does


def history(url: str, calls: int, *weakness: str) -> list[Call]:
    """Let three processes call one store at the same time, and return what they did and saw."""
    with open_graph_blocking(url) as graph:
        graph.commit(client.BEGINNING)
    paths = [str(Path(client.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "ordeal.client", url, str(number), str(calls), *weakness],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for number in range(1, PROCESSES + 1)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    found = []
    for process in processes:
        said, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        found += [Call(*json.loads(line)) for line in said.splitlines()]
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_history_of_three_processes_is_linearizable(
    backend: str, scratch: Path, count: Callable[..., None]
) -> None:
    calls = history(store_url(backend, scratch / f"history-{backend}"), CALLS)
    assert unexplained(calls) == []
    count(METHOD, backend, histories=len(client.KEYS), calls=len(calls))


@pytest.mark.soak
@pytest.mark.parametrize("backend", BACKENDS)
def test_long_histories_of_three_processes_are_linearizable(
    backend: str, scratch: Path, count: Callable[..., None]
) -> None:
    for run in range(20):
        calls = history(store_url(backend, scratch / f"history-{backend}-{run}"), 1_000)
        assert unexplained(calls) == []
        count(METHOD, backend, histories=len(client.KEYS), calls=len(calls))


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_it_catches_a_store_that(weakness: str, scratch: Path) -> None:
    stores = (store_url("sqlite", scratch / f"weak {weakness} {run}") for run in range(ATTEMPTS))
    assert any(unexplained(history(url, CALLS, weakness)) for url in stores)


def calls(*rows: tuple[int, int, str, int | None]) -> list[Call]:
    return [Call("p", "x", began, ended, what, value) for began, ended, what, value in rows]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([(0, 1, "write", 1), (2, 3, "read", 1)], True),
        ([(0, 1, "write", 1), (2, 3, "read", None)], False),
        ([(0, 9, "write", 1), (2, 3, "read", None), (4, 5, "read", 1)], True),
        ([(0, 9, "write", 1), (2, 3, "read", 1), (4, 5, "read", None)], False),
        ([(0, 5, "write", 1), (0, 5, "write", 2), (6, 7, "read", 1), (8, 9, "read", 1)], True),
        ([(0, 5, "write", 1), (0, 5, "write", 2), (6, 7, "read", 1), (8, 9, "read", 2)], False),
        ([(0, 1, "write", 1), (2, 3, "write", 2), (4, 5, "read", 1)], False),
    ],
)
def test_a_history_is_linearizable_if_an_order_explains_it(
    rows: list[tuple[int, int, str, int | None]], verdict: bool
) -> None:
    assert is_linearizable(calls(*rows)) is verdict


def test_of_two_swaps_from_one_value_only_one_can_have_happened() -> None:
    first = Call("p", "x", 0, 5, "swap", 1, expected=None)
    second = Call("q", "x", 0, 5, "swap", 2, expected=None)
    assert not is_linearizable([first, second])
    assert is_linearizable([first, second._replace(done=False)])
