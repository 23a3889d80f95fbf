"""Running tasks in processes that may be broken, and judging what they leave behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import count, product
from pathlib import Path
from typing import Any, NamedTuple, Self

import attrs

from ordeal.backends import store_url
from ordeal.history import AFTERWARDS, ContradictionError, State, frozen_time, observe, state_after, step
from ordeal.worker import Task
from polaris_core import PolarisError, open_graph

__all__ = ["Account", "FailedTrialError", "Findings", "Laboratory", "Trial", "examine"]


class FailedTrialError(AssertionError):
    """A store did not keep what it promises."""


class Account(NamedTuple):
    """What a broken process said of its writes.

    `done` were acknowledged, `open` may have happened or not, all other steps must not have; each in the order in which they
    were begun. `points` and `felt` are 0 where the process did not live to tell them.
    """

    begun: tuple[int, ...] = ()
    done: frozenset[int] = frozenset()
    open: frozenset[int] = frozenset()
    epochs: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    points: int = 0
    felt: int = 0

    @classmethod
    def of(cls, notes: Iterable[str]) -> Self:
        """Return what some notes amount to."""
        begun: list[int] = []
        done: set[int] = set()
        open_: set[int] = set()
        epochs, errors, foreign = [], [], []
        points = felt = 0
        for note in notes:
            word, _, rest = note.partition(" ")
            match word:
                case "start":
                    begun.append(int(rest))
                    open_.add(int(rest))
                case "done" | "refused" | "failed":
                    open_.discard(int(rest.split()[0]))
                    if word == "done":
                        done.add(int(rest))
                case "opened" if rest:
                    epochs.append(rest)
                case "points":
                    points, felt = map(int, rest.split())
                case "foreign":
                    foreign.append(rest)
            if word in ("failed", "unknown", "unclosed", "closed"):
                errors.append(note)
        return cls(
            tuple(begun), frozenset(done), frozenset(open_), tuple(epochs), tuple(errors), tuple(foreign), points, felt
        )

    def possible(self, before: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the histories that the store may hold: all that was done, and of the open steps any."""
        choices = [
            (True,) if number in self.done else (False, True) if number in self.open else (False,)
            for number in self.begun
        ]
        return [
            (*before, *(number for number, kept in zip(self.begun, chosen, strict=True) if kept))
            for chosen in product(*choices)
        ]

    def prefixes(self, before: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the histories that the store may hold where acknowledged writes may be lost: the latest first."""
        longest = (*before, *(number for number in self.begun if number in self.done | self.open))
        return [longest[:length] for length in range(len(longest), -1, -1)]


@attrs.frozen(kw_only=True)
class Trial:
    """One process's life: what it was asked, its exit status, and its account."""

    task: Task
    status: int
    account: Account
    notes: tuple[str, ...]


class Laboratory:
    """A process that performs tasks in forks of its own, and a folder for their stores. Use it with `with`."""

    def __init__(self, folder: Path, interposer: Path | None) -> None:
        self.folder = folder
        self._numbers = count()
        environment = dict(os.environ)
        paths = [str(Path(__file__).parents[1]), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        if interposer:
            environment["LD_PRELOAD"] = str(interposer)
        self._complaints = (folder / "complaints").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ordeal.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment,
            text=True,
            bufsize=1,
        )
        ready = self._answer()
        if ready.split() != ["ready", str(interposer is not None)]:
            raise FailedTrialError(f"the worker did not start: {ready}{self.complaints()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._complaints.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def complaints(self) -> str:
        """Return what the processes wrote to their standard error."""
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace")[-4_000:]

    def place(self, copied: Path | None = None) -> Path:
        """Return a new folder for a store, a copy of another one if it is given."""
        folder = self.folder / f"store-{next(self._numbers)}"
        if copied is None:
            folder.mkdir()
        else:
            shutil.copytree(copied, folder)
        return folder

    def run(self, backend: str, directory: Path, **asked: Any) -> Trial:
        """Perform a task on the store in a directory."""
        notes = self.folder / f"notes-{next(self._numbers)}"
        task = Task(url=store_url(backend, directory), directory=str(directory), notes=str(notes), **asked)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{task.encode()}\n")
        status = int(self._answer())
        said = tuple(notes.read_text(encoding="utf-8").splitlines()) if notes.exists() else ()
        notes.unlink(missing_ok=True)
        return Trial(task=task, status=status, account=Account.of(said), notes=said)


class Findings(NamedTuple):
    """Which history a store holds, and its epoch."""

    held: tuple[int, ...]
    epoch: str


async def _examine(url: str, possible: Sequence[tuple[int, ...]]) -> Findings:
    try:
        async with open_graph(url, cache=None, options=frozen_time()) as graph:
            found, now = await observe(graph), (await graph.cursor()).epoch
            held = next((numbers for numbers in possible if state_after(numbers) == found), None)
            if held is None:
                raise FailedTrialError(_difference(found, possible))
            survivor = max([AFTERWARDS, *(number + 1 for number in held)])
            await graph.commit(step(survivor))
        async with open_graph(url, cache=None, options=frozen_time(create=False)) as graph:
            if await observe(graph) != state_after((*held, survivor)):
                raise FailedTrialError("opened once more, it holds something else")
    except PolarisError as error:
        raise FailedTrialError(f"it cannot be opened or written: {error!r}") from error
    except ContradictionError as error:
        raise FailedTrialError(f"it contradicts itself: {error}") from error
    return Findings(held, now)


def examine(
    url: str, account: Account, before: Sequence[int] = (), *, epoch: str | None = None, lossy: bool = False
) -> tuple[int, ...]:
    """Open a store, and return which of the histories it may hold it holds, once it was written and opened again.

    It had taken the steps `before` and was of this `epoch`, if known, when the process began whose account this is. `lossy`
    says that the latest of the acknowledged writes may be gone: then another epoch must have begun.

    Raises `FailedTrialError` if it holds another history, does not open, or has begun a new epoch where nothing was lost.
    """
    possible = account.prefixes(before) if lossy else account.possible(before)
    held, now = asyncio.run(_examine(url, possible))
    known = epoch or next(iter(account.epochs), None)
    lost = not {*before, *account.done}.issubset(held)
    if lost and now == known:
        raise FailedTrialError("acknowledged writes are lost, and no new epoch says so")
    if known and not lost and now != known and (before or account.done) and not lossy:
        raise FailedTrialError("a new epoch began although nothing was lost")
    return held


def _difference(found: State, possible: Sequence[tuple[int, ...]]) -> str:
    lines = [f"it holds what no allowed history leads to; allowed: {list(possible)[:4]}"]
    expected = state_after(possible[-1])
    if expected is not None:
        for name, one, other in zip(State._fields, found, expected, strict=True):
            if one != other:
                lines.append(f"{name}: found {_short(one)}, expected {_short(other)}")
    return "\n".join(lines)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}... ({len(text)} characters)"
