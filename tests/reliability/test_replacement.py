"""A restore, a load, a backup and a migration that are killed or fail at any call, or lose power, happened whole or not at all.

What they lead to is found by doing them undisturbed. Whatever happens then, the store holds that or what it held before, and
works; and a backup that is there is complete.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import attrs
import pytest
from ordeal.backends import BACKENDS, store_url
from ordeal.disk import Disk, Tree, cuts, put_down
from ordeal.history import AFTERWARDS, ContradictionError, State, frozen_time, observe, step
from ordeal.interposer import CHANGING, Action, Fault, noted, read_recording
from ordeal.laboratory import Account, FailedTrialError, Laboratory, Trial
from ordeal.weaknesses import WEAKNESSES
from ordeal.worker import BACKUP, LOAD, RESTORE

from polaris_core import PolarisError, open_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LAYOUT_1 = Path(__file__).parents[2] / "plugins" / "polaris-sqlite" / "tests" / "layout_1.sql"
BEFORE = tuple(range(9))
COPIED = (0, 1, 2, 3)
CASES = [
    *((backend, kind) for backend in BACKENDS for kind in ("restore", "load", "backup")),
    ("sqlite", "migration"),
]
SAMPLE = 25  # points, and disks, for every day
THOUSANDS = 1_000  # disks, for a soak


async def _look(url: str) -> State:
    async with open_graph(url, cache=None, create=False, options=frozen_time(create=False)) as graph:
        return await observe(graph)


async def _use(url: str) -> State:
    async with open_graph(url, cache=None, options=frozen_time(create=False)) as graph:
        found = await observe(graph)
        await graph.commit(step(AFTERWARDS))
        written = await observe(graph)
    if await _look(url) != written:
        raise FailedTrialError("opened once more, it holds something else")
    return found


def look(url: str) -> State:
    """Return what a store holds, which is written once more if it is not a copy of one."""
    try:
        return asyncio.run(_use(url))
    except (PolarisError, ContradictionError) as error:
        raise FailedTrialError(f"it cannot be opened, read or written: {error!r}") from error


@attrs.frozen(kw_only=True)
class Case:
    """A store, what is done to it as a whole, and what it holds before and after that."""

    backend: str
    kind: str
    stage: Path
    before: State
    after: State

    def run(
        self, laboratory: Laboratory, directory: Path, fault: Fault, recording: str = "", weakness: str = ""
    ) -> Trial:
        asked = {
            "restore": {"restore": str(copy_in(self.backend, directory))},
            "backup": {"backup": str(target(directory))},
            "load": {"load": True},
        }
        return laboratory.run(
            self.backend, directory, fault=fault, recording=recording, weakness=weakness, **asked.get(self.kind, {})
        )

    def check(self, directory: Path, account: Account) -> None:
        """Raise `FailedTrialError` unless what is left was promised."""
        if account.foreign:
            raise FailedTrialError(f"an error that is not ours: {account.foreign}")
        if self.kind == "backup" and (target(directory).exists() or BACKUP in account.done):
            copy = directory / "moved"
            shutil.move(target(directory), copy)
            url = store_url(self.backend, directory).partition("/")[0] + f"///{copy}"
            if asyncio.run(_look(url)) != self.before:
                raise FailedTrialError("the backup is there, and is not the store")
        found = look(store_url(self.backend, directory))
        if found not in self._allowed(account):
            raise FailedTrialError(f"it is not as it was told to be; it holds {found.head}")

    def _allowed(self, account: Account) -> list[State]:
        for asked in (RESTORE, LOAD):
            if asked in account.done:
                return [self.after]
            if asked in account.begun and asked not in account.open:  # it failed, and said so
                return [self.before]
        return [self.before, self.after]


def copy_in(backend: str, directory: Path) -> Path:
    return Path(store_url(backend, directory / "copy").partition("///")[2])


def target(directory: Path) -> Path:
    return directory / "backup"


def prepare(laboratory: Laboratory, backend: str, kind: str) -> Case:
    stage = laboratory.place()
    if kind == "migration":
        with closing(sqlite3.connect(stage / "kg.db")) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(LAYOUT_1.read_text(encoding="utf-8"))
    else:
        for folder, numbers in ((stage, BEFORE), (stage / "copy", COPIED)):
            folder.mkdir(exist_ok=True)
            trial = laboratory.run(backend, folder, moves=tuple((number,) for number in numbers))
            assert trial.account.done == set(numbers), trial
    case = Case(
        backend=backend, kind=kind, stage=stage, before=_of_copy(laboratory, backend, stage), after=State(*[()] * 7)
    )
    directory = laboratory.place(stage)
    trial = case.run(laboratory, directory, Fault())
    assert not trial.status, laboratory.complaints()
    assert not trial.account.errors + trial.account.foreign, trial
    return attrs.evolve(case, after=_of_copy(laboratory, backend, directory))


def _of_copy(laboratory: Laboratory, backend: str, directory: Path) -> State:
    return asyncio.run(_look(store_url(backend, laboratory.place(directory))))


def break_calls(laboratory: Laboratory, case: Case, faults: Sequence[Fault], weakness: str = "") -> int:
    """Break a case once for each fault; return how often that was felt."""
    felt = 0
    for fault in faults:
        directory = laboratory.place(case.stage)
        trial = case.run(laboratory, directory, fault, weakness=weakness)
        try:
            if trial.status not in (0, -9):
                raise FailedTrialError(f"ended with {trial.status}: {trial.notes}\n{laboratory.complaints()}")
            case.check(directory, trial.account)
        except FailedTrialError as error:
            raise FailedTrialError(f"{case.backend}, {case.kind}, {fault}: {error}") from error
        felt += trial.status == -9 or trial.account.felt > 0
        shutil.rmtree(directory)
    return felt


def every_fault(laboratory: Laboratory, case: Case) -> list[Fault]:
    points = case.run(laboratory, laboratory.place(case.stage), Fault(kinds=CHANGING)).account.points
    return [
        Fault(action=action, at=at, kinds=CHANGING, error=error, always=always)
        for action, error, always in (
            (Action.KILL, "", False),
            (Action.FAIL, "EIO", False),
            (Action.FAIL, "EIO", True),
            (Action.FAIL, "ENOSPC", False),
        )
        for at in range(1, points + 1)
    ]


def lose_power(laboratory: Laboratory, case: Case, wanted: int) -> int:
    """Open disks that a power loss may leave, once each; return how many."""
    directory = laboratory.place(case.stage)
    disk = Disk(directory)
    recording = laboratory.folder / "recording"
    trial = case.run(laboratory, directory, Fault(), str(recording))
    assert not trial.status, laboratory.complaints()
    events = read_recording(recording)
    seen = set()
    for cut in cuts(disk, events, Random(6), wanted=wanted):
        account = Account.of(noted(events[: cut.events]))
        mark = cut.digest, account.done
        if mark not in seen:
            seen.add(mark)
            check_disk(laboratory, case, cut.tree, account, cut.how)
    return len(seen)


def check_disk(laboratory: Laboratory, case: Case, tree: Tree, account: Account, how: str) -> None:
    folder = laboratory.place()
    put_down(tree, folder)
    try:
        case.check(folder, account)
    except FailedTrialError as error:
        raise FailedTrialError(f"{case.backend}, {case.kind}, on the disk: {how}: {error}") from error
    shutil.rmtree(folder)


@pytest.mark.parametrize(("backend", "kind"), CASES)
def test_it_is_whole_or_nothing_at_a_sample_of_points(
    backend: str, kind: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    case = prepare(laboratory, backend, kind)
    faults = Random(7).sample(every_fault(laboratory, case), SAMPLE)
    felt = break_calls(laboratory, case, faults)
    count(kind, backend, faults=len(faults), felt=felt, disks=lose_power(laboratory, case, SAMPLE))


@pytest.mark.soak
@pytest.mark.parametrize(("backend", "kind"), CASES)
def test_it_is_whole_or_nothing_at_every_point(
    backend: str, kind: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    case = prepare(laboratory, backend, kind)
    faults = every_fault(laboratory, case)
    felt = break_calls(laboratory, case, faults)
    count(kind, backend, faults=len(faults), felt=felt, disks=lose_power(laboratory, case, THOUSANDS))


@pytest.mark.parametrize(
    ("backend", "kind", "weakness"),
    [
        ("sqlite", "migration", "migrates step by step"),
        ("sqlite", "backup", "backs up in place"),
        ("sqlite", "load", "loads in two commits"),
        ("json", "load", "loads in two commits"),
    ],
)
def test_it_catches_a_store_that(backend: str, kind: str, weakness: str, laboratory: Laboratory) -> None:
    case = prepare(laboratory, backend, kind)
    unbroken = case.run(laboratory, laboratory.place(case.stage), Fault(), weakness=weakness)
    assert not unbroken.status
    assert not unbroken.account.errors + unbroken.account.foreign
    killed = [fault for fault in every_fault(laboratory, case) if fault.action is Action.KILL]
    with pytest.raises((FailedTrialError, PolarisError), match=WEAKNESSES[weakness].shows):
        break_calls(laboratory, case, killed[::2], weakness)
