"""A process that is killed before any of its calls to the system, or in the middle of a write, loses nothing it acknowledged."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest
from ordeal.backends import BACKENDS
from ordeal.interposer import CHANGING, EVERY, Action, Fault, Kind
from ordeal.laboratory import FailedTrialError, Laboratory, Trial, examine
from ordeal.scenes import SCENES, Scene, prepare
from ordeal.weaknesses import WEAKNESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

METHOD = "kill at a call"
SAMPLE = 40  # points of a scene, for every day
ATTEMPTS = 3  # to die at a point that a process may end before
WRITES = frozenset({Kind.WRITE})
WEAK = ("overwrites its files", "writes one commit late", "commits in two parts")


class Tally(NamedTuple):
    """What became of the processes that were broken, and of what they had acknowledged.

    A point is covered once a process has died there. Those that none reached are the last ones of the longest rehearsal.
    """

    points_covered: int
    never_reached: int
    kills_survived: int
    acknowledged: int
    lost: int


def kill(laboratory: Laboratory, scene: Scene, faults: Iterable[Fault], weakness: str = "") -> Tally:
    """Play a scene once for each fault and look at what is left."""
    killed = missed = acknowledged = lost = 0
    for fault in faults:
        for _ in range(ATTEMPTS):
            trial, held = kill_once(laboratory, scene, fault, weakness)
            acknowledged += len(trial.account.done)
            lost += len(trial.account.done.difference(held))
            if trial.status == -9:
                killed += 1
                break
        else:
            missed += 1
    return Tally(killed, missed, killed, acknowledged, lost)


def kill_once(laboratory: Laboratory, scene: Scene, fault: Fault, weakness: str) -> tuple[Trial, tuple[int, ...]]:
    directory = laboratory.place(scene.stage)
    trial = laboratory.run(scene.backend, directory, moves=scene.moves, fault=fault, weakness=weakness)
    assert trial.status in (0, -9), f"{fault}: ended with {trial.status}\n{laboratory.complaints()}"
    assert not trial.account.foreign, (fault, trial.account.foreign)
    try:
        held = examine(trial.task.url, trial.account, scene.before, epoch=scene.epoch)
    except FailedTrialError as error:
        raise FailedTrialError(f"{scene.backend}, {scene.name}, {fault}: {error}") from error
    shutil.rmtree(directory)
    return trial, held


def kills(laboratory: Laboratory, scene: Scene, kinds: frozenset[Kind], action: Action = Action.KILL) -> list[Fault]:
    """Return the faults that kill a scene at each of its points."""
    points = scene.points(laboratory, kinds)
    return [Fault(action=action, at=at, kinds=kinds) for at in range(1, points + 1)]


def sample(faults: Sequence[Fault], wanted: int) -> Sequence[Fault]:
    """Return some of many, evenly spread."""
    return faults[:: max(1, len(faults) // wanted)]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_process_killed_at_a_sample_of_its_calls_loses_no_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    whole, halves = kills(laboratory, scene, CHANGING), kills(laboratory, scene, WRITES, Action.TEAR)
    tally = kill(laboratory, scene, [*sample(whole, SAMPLE), *sample(halves, SAMPLE // 4)])
    assert tally.lost == 0
    count(METHOD, backend, **tally._asdict())


@pytest.mark.soak
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_process_killed_at_every_call_and_in_every_write_loses_no_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    whole, halves = kills(laboratory, scene, EVERY), kills(laboratory, scene, WRITES, Action.TEAR)
    tally = kill(laboratory, scene, [*whole, *halves])
    assert tally.lost == 0
    count(METHOD, backend, **tally._asdict())


@pytest.mark.parametrize("weakness", WEAK)
def test_it_catches_a_store_that(weakness: str, laboratory: Laboratory) -> None:
    scene = prepare(laboratory, WEAKNESSES[weakness].backend, "a whole life")
    scene.rehearse(laboratory, weakness=weakness)
    with pytest.raises(FailedTrialError, match=WEAKNESSES[weakness].shows):
        kill(laboratory, scene, kills(laboratory, scene, CHANGING)[::3], weakness)
