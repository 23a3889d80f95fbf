"""A process that is killed before any of its calls to the system, or in the middle of a write, loses nothing it acknowledged."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from ordeal.backends import BACKENDS
from ordeal.interposer import CHANGING, EVERY, Action, Fault, Kind
from ordeal.laboratory import FailedTrialError, Laboratory, examine
from ordeal.scenes import SCENES, Scene, prepare
from ordeal.weaknesses import WEAKNESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

METHOD = "kill at a call"
SAMPLE = 40  # points of a scene, for every day
WEAK = ("overwrites its files", "writes one commit late", "commits in two parts")


class Tally(NamedTuple):
    """What became of the processes that were broken, and of what they had acknowledged."""

    kills_survived: int
    acknowledged: int
    lost: int


def kill(laboratory: Laboratory, scene: Scene, faults: Iterable[Fault], weakness: str = "") -> Tally:
    """Play a scene once for each fault and look at what is left."""
    killed = acknowledged = lost = 0
    for fault in faults:
        directory = laboratory.place(scene.stage)
        trial = laboratory.run(scene.backend, directory, moves=scene.moves, fault=fault, weakness=weakness)
        assert trial.status in (0, -9), f"{fault}: ended with {trial.status}\n{laboratory.complaints()}"
        assert not trial.account.foreign, (fault, trial.account.foreign)
        try:
            held = examine(trial.task.url, trial.account, scene.before, epoch=scene.epoch)
        except FailedTrialError as error:
            raise FailedTrialError(f"{scene.backend}, {scene.name}, {fault}: {error}") from error
        killed += trial.status == -9
        acknowledged += len(trial.account.done)
        lost += len(trial.account.done.difference(held))
        shutil.rmtree(directory)
    return Tally(killed, acknowledged, lost)


def kills(laboratory: Laboratory, scene: Scene, *, every: int = 1, **fault: Any) -> list[Fault]:
    """Return the faults that kill a scene at each of its points, or at some of them, evenly spread."""
    points = scene.rehearse(laboratory, Fault(**fault)).account.points
    return [Fault(**{"action": Action.KILL, **fault}, at=at) for at in range(1 + points % every, points + 1, every)]


def sample(laboratory: Laboratory, scene: Scene, wanted: int = SAMPLE, **fault: Any) -> list[Fault]:
    found = kills(laboratory, scene, **fault)
    return found[:: max(1, len(found) // wanted)]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_process_killed_at_a_sample_of_its_calls_loses_no_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    torn = {"kinds": frozenset({Kind.WRITE})}
    faults = sample(laboratory, scene, kinds=CHANGING)
    halves = [
        Fault(action=Action.TEAR, at=fault.at, **torn) for fault in sample(laboratory, scene, SAMPLE // 4, **torn)
    ]
    tally = kill(laboratory, scene, [*faults, *halves])
    assert tally.lost == 0
    count(METHOD, backend, points_covered=len(faults) + len(halves), **tally._asdict())


@pytest.mark.soak
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_process_killed_at_every_call_and_in_every_write_loses_no_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    torn = {"kinds": frozenset({Kind.WRITE})}
    faults = kills(laboratory, scene, kinds=EVERY)
    halves = [Fault(action=Action.TEAR, at=fault.at, **torn) for fault in kills(laboratory, scene, **torn)]
    tally = kill(laboratory, scene, [*faults, *halves])
    assert tally.lost == 0
    count(METHOD, backend, points_covered=len(faults) + len(halves), **tally._asdict())


@pytest.mark.parametrize("weakness", WEAK)
def test_it_catches_a_store_that(weakness: str, laboratory: Laboratory) -> None:
    scene = prepare(laboratory, WEAKNESSES[weakness].backend, "a whole life")
    scene.rehearse(laboratory, weakness=weakness)
    with pytest.raises(FailedTrialError, match=WEAKNESSES[weakness].shows):
        kill(laboratory, scene, kills(laboratory, scene, every=3), weakness)
