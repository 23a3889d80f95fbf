"""After a power loss at any moment an acknowledged write is there; below durability `power`, a prefix of the writes is.

A process is recorded with all it does to its files. From the recording follows what the disk may hold after a cut at any
moment, and each such disk is opened.
"""

from __future__ import annotations

import shutil
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from ordeal.backends import BACKENDS, store_url
from ordeal.disk import Cut, Disk, cuts, put_down
from ordeal.interposer import noted, read_recording
from ordeal.laboratory import Account, FailedTrialError, Laboratory, examine
from ordeal.scenes import SCENES, Scene, prepare
from ordeal.weaknesses import WEAKNESSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

METHOD = "power loss"
SAMPLE = 200  # states of a scene, for every day
THOUSANDS = 9_000  # drawn from a scene for a soak; the same disk counts once
SEED = 1
WEAK = (
    "does not sync its journal",
    "does not sync its directories",
    "does not sync its log",
)
WEAK_BELOW = ("forgets that it did not sync its log", "forgets that it did not sync its journal")


class Tally(NamedTuple):
    """How many disks were looked at, and how many acknowledged writes they were asked for and did not hold."""

    states_checked: int
    acknowledged: int
    lost: int


class State(NamedTuple):
    """A disk, and what had been acknowledged when it stopped."""

    cut: Cut
    account: Account


def states(
    laboratory: Laboratory, scene: Scene, durability: str = "power", *, weakness: str = "", wanted: int | None = None
) -> Iterator[State]:
    """Record a scene and yield what the disk may hold, once each, at every moment of it."""
    directory = laboratory.place(scene.stage)
    disk = Disk(directory)
    recording = laboratory.folder / "recording"
    trial = laboratory.run(
        scene.backend,
        directory,
        moves=scene.moves,
        recording=str(recording),
        durability=durability,
        weakness=weakness,
        boot="before the power went",
    )
    assert trial.status == 0, laboratory.complaints()
    assert not trial.account.errors + trial.account.foreign
    events = read_recording(recording)
    seen = set()
    for cut in cuts(disk, events, Random(SEED), wanted=wanted):
        account = Account.of(noted(events[: cut.events]))
        mark = cut.digest, account.done, account.open
        if mark not in seen:
            seen.add(mark)
            yield State(cut, account)


def check(laboratory: Laboratory, scene: Scene, found: Iterable[State], *, lossy: bool = False) -> Tally:
    """Open the disks and look at what they hold."""
    checked = acknowledged = lost = 0
    for cut, account in found:
        folder = laboratory.place()
        put_down(cut.tree, folder)
        try:
            held = examine(store_url(scene.backend, folder), account, scene.before, epoch=scene.epoch, lossy=lossy)
        except FailedTrialError as error:
            where = f"{scene.backend}, {scene.name}, after {cut.events} events, on the disk: {cut.how}"
            raise FailedTrialError(f"{where}, acknowledged: {sorted(account.done)}: {error}") from error
        checked += 1
        acknowledged += len(account.done)
        lost += len(account.done.difference(held))
        shutil.rmtree(folder)
    return Tally(checked, acknowledged, lost)


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sample_of_disks_has_every_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    tally = check(laboratory, scene, states(laboratory, scene, wanted=SAMPLE))
    assert tally.lost == 0
    count(METHOD, backend, **tally._asdict())


@pytest.mark.soak
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_thousands_of_disks_have_every_acknowledged_write(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    tally = check(laboratory, scene, states(laboratory, scene, wanted=THOUSANDS))
    assert tally.lost == 0
    count(METHOD, backend, **tally._asdict())


@pytest.mark.parametrize("backend", BACKENDS)
def test_below_full_durability_a_sample_of_disks_has_a_prefix_and_says_if_it_is_shortened(
    backend: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, "a whole life")
    tally = check(laboratory, scene, states(laboratory, scene, "process", wanted=SAMPLE), lossy=True)
    count(f"{METHOD}, durability process", backend, states_checked=tally.states_checked)


@pytest.mark.soak
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_below_full_durability_thousands_of_disks_have_a_prefix_and_say_if_it_is_shortened(
    backend: str, name: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, name)
    tally = check(laboratory, scene, states(laboratory, scene, "process", wanted=THOUSANDS), lossy=True)
    count(f"{METHOD}, durability process", backend, states_checked=tally.states_checked)


def failures(laboratory: Laboratory, scene: Scene, found: Iterable[State], *, lossy: bool) -> Iterator[str]:
    """Yield what is wrong with each disk that is not as it was promised."""
    for state in found:
        try:
            check(laboratory, scene, [state], lossy=lossy)
        except FailedTrialError as error:
            yield str(error)


@pytest.mark.parametrize("weakness", [*WEAK, *WEAK_BELOW])
def test_it_catches_a_store_that(weakness: str, laboratory: Laboratory) -> None:
    durability = "process" if weakness in WEAK_BELOW else "power"
    scene = prepare(laboratory, WEAKNESSES[weakness].backend, "a whole life")
    disks = states(laboratory, scene, durability, weakness=weakness, wanted=2_000)
    assert any(
        WEAKNESSES[weakness].shows in failure
        for failure in failures(laboratory, scene, disks, lossy=durability == "process")
    )
