"""Whatever call to the system fails, once or for ever, what was acknowledged stays and what was refused is not there.

The process that felt the fault says so with an error of ours, and opens the store again and writes once the fault is over. A
file whose sync failed may have lost what was not synced: the disk that a power loss would leave then is looked at too.
"""

from __future__ import annotations

import shutil
from itertools import product
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from ordeal.backends import BACKENDS, store_url
from ordeal.disk import Disk, Tree, put_down, remains
from ordeal.interposer import Action, Event, Fault, Kind, noted, read_recording
from ordeal.laboratory import Account, FailedTrialError, Laboratory, examine
from ordeal.scenes import SCENES, Scene, prepare
from ordeal.weaknesses import WEAKNESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

METHOD = "fault at a call"
SAMPLE = 40  # faults of a scene, for every day
WEAK = {
    "takes a full disk for success": ("ENOSPC", Kind.WRITE),
    "takes a failed sync for success": ("EIO", Kind.SYNC),
    "answers with what the system said": ("EIO", Kind.WRITE),
}

FAILURES: dict[str, frozenset[Kind]] = {
    "EIO": frozenset(
        {Kind.READ, Kind.WRITE, Kind.SYNC, Kind.TRUNCATE, Kind.OPEN, Kind.RENAME, Kind.UNLINK, Kind.MKDIR}
    ),
    "ENOSPC": frozenset({Kind.WRITE, Kind.TRUNCATE, Kind.OPEN, Kind.RENAME, Kind.MKDIR, Kind.SYNC}),
    "EROFS": frozenset({Kind.WRITE, Kind.TRUNCATE, Kind.OPEN, Kind.RENAME, Kind.UNLINK, Kind.MKDIR, Kind.SYNC}),
    "EMFILE": frozenset({Kind.OPEN}),
    "ENOMEM": frozenset({Kind.MAP}),
    "ENOLCK": frozenset({Kind.LOCK}),
}
"""What may fail with which error."""


class Tally(NamedTuple):
    """How many faults were arranged and how many happened, what the stores had acknowledged by then and what is gone."""

    injected: int
    felt: int
    acknowledged: int
    lost: int


def every_fault(laboratory: Laboratory, scene: Scene) -> list[Fault]:
    """Return every fault that can befall a scene."""
    found = []
    for (error, kinds), always in product(FAILURES.items(), (False, True)):
        points = range(1, scene.points(laboratory, kinds) + 1)
        found += [Fault(action=Action.FAIL, at=at, kinds=kinds, error=error, always=always) for at in points]
    kinds = frozenset({Kind.WRITE})
    points = range(1, scene.points(laboratory, kinds) + 1)
    return [*found, *(Fault(action=Action.SHORTEN, at=at, kinds=kinds) for at in points)]


def remains_after(disk: Disk, events: Sequence[Event]) -> Iterator[tuple[Sequence[Event], Tree]]:
    """Yield what is on the disk for certain at the end, and when the first write was acknowledged after a failed sync."""
    kinds = [event.kind for event in events]
    ends = [len(events)]
    if Kind.LOST_SYNC in kinds:
        failed = kinds.index(Kind.LOST_SYNC)
        told = (place for place in range(failed, len(events)) if events[place].data.startswith(b"done"))
        ends.insert(0, next(told, failed) + 1)
    done = 0
    for end in ends:
        yield events[:end], remains(disk, events[done:end])
        done = end


def suffer(laboratory: Laboratory, scene: Scene, asked: Iterable[Fault], weakness: str = "") -> Tally:
    """Play a scene once for each fault and look at what is left, on the disk too."""
    injected = felt = acknowledged = lost = 0
    recording = laboratory.folder / "recording"
    for fault in asked:
        directory = laboratory.place(scene.stage)
        disk = Disk(directory)
        trial = laboratory.run(
            scene.backend,
            directory,
            moves=scene.moves,
            fault=fault,
            weakness=weakness,
            recording=str(recording),
            recover=True,
        )
        account = trial.account
        try:
            if trial.status:
                raise FailedTrialError(f"ended with {trial.status}: {trial.notes}\n{laboratory.complaints()}")
            if account.foreign:
                raise FailedTrialError(f"an error that is not ours: {account.foreign}")
            held = examine(trial.task.url, account, scene.before, epoch=scene.epoch)
            for past, tree in remains_after(disk, read_recording(recording)):
                folder = laboratory.place()
                put_down(tree, folder)
                examine(store_url(scene.backend, folder), Account.of(noted(past)), scene.before, epoch=scene.epoch)
                shutil.rmtree(folder)
        except FailedTrialError as error:
            raise FailedTrialError(f"{scene.backend}, {scene.name}, {fault}: {error}") from error
        injected += 1
        felt += account.felt > 0
        acknowledged += len(account.done)
        lost += len(account.done.difference(held))
        shutil.rmtree(directory)
    return Tally(injected, felt, acknowledged, lost)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sample_of_failing_calls_costs_no_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    tally = suffer(laboratory, scene, Random(3).sample(every_fault(laboratory, scene), SAMPLE))
    assert tally.lost == 0
    count(METHOD, backend, **tally._asdict())


@pytest.mark.soak
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_failing_call_costs_an_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    tally = suffer(laboratory, scene, every_fault(laboratory, scene))
    assert tally.lost == 0
    count(METHOD, backend, **tally._asdict())


@pytest.mark.parametrize("weakness", WEAK)
def test_it_catches_a_store_that(weakness: str, laboratory: Laboratory) -> None:
    scene = prepare(laboratory, WEAKNESSES[weakness].backend, "a whole life")
    scene.rehearse(laboratory, weakness=weakness)
    error, kind = WEAK[weakness]
    faults = (Fault(action=Action.FAIL, at=at, kinds=frozenset({kind}), error=error) for at in range(3, 100, 4))
    with pytest.raises(FailedTrialError, match=WEAKNESSES[weakness].shows):
        suffer(laboratory, scene, faults, weakness)
