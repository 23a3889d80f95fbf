"""What a process is doing while it is broken: on which store, and which writes."""

from __future__ import annotations

from pathlib import Path

import attrs

from ordeal.history import STEPS
from ordeal.interposer import UNBROKEN, Fault, Kind
from ordeal.laboratory import FailedTrialError, Laboratory, Trial

__all__ = ["LONG", "SCENES", "SHORT", "Scene", "prepare"]

SCENES = ("a whole life", "after a crash")
LONG = "with a long log"
SHORT = "with a short log"
_LATE = 10
_EARLY = 4
_REHEARSALS = 5


@attrs.frozen(kw_only=True)
class Scene:
    """A store as it is before, `stage`, None for none; the steps that it has taken; and the moves to be made on it."""

    name: str
    backend: str
    stage: Path | None
    before: tuple[int, ...]
    epoch: str | None
    moves: tuple[tuple[int, ...], ...]

    def rehearse(self, laboratory: Laboratory, fault: Fault = UNBROKEN, **asked: object) -> Trial:
        """Play it without breaking anything: its points are those at which it can be broken."""
        trial = laboratory.run(self.backend, laboratory.place(self.stage), moves=self.moves, fault=fault, **asked)
        if trial.status or trial.account.foreign or trial.account.errors:
            raise FailedTrialError(f"{self} fails unbroken: {trial}\n{laboratory.complaints()}")
        return trial

    def points(self, laboratory: Laboratory, kinds: frozenset[Kind]) -> int:
        """Return how many calls of some kinds there are to break: the most of several rehearsals.

        A store that makes checkpoints beside its writes makes them a little earlier or later each time.
        """
        fault = Fault(kinds=kinds)
        return max(self.rehearse(laboratory, fault).account.points for _ in range(_REHEARSALS))


def prepare(laboratory: Laboratory, backend: str, name: str) -> Scene:
    """Return a scene with its store.

    `a whole life` makes a store, writes one step or several at a time, with checkpoints among them, and closes it. `after a
    crash` opens a store whose last process did not close it, writes a little, and closes it. `with a long log` the same where
    everything that was ever written stands in the journal or log, `with a short log` where only the last step does.
    """
    if name == "a whole life":
        together = ((0,), (1,), (2, 3), (4,), (5,), (6, 7, 8), (9,), *((number,) for number in range(10, len(STEPS))))
        return Scene(name=name, backend=backend, stage=None, before=(), epoch=None, moves=together)
    stage = laboratory.place()
    before = tuple(range(_EARLY if name == SHORT else _LATE))
    alone = before[-1:] if name == SHORT else before
    if alone != before:
        _set(laboratory, backend, stage, before[:-1])
    epoch = _set(laboratory, backend, stage, alone, abandon=True, patient=name in (LONG, SHORT))
    return Scene(
        name=name,
        backend=backend,
        stage=stage,
        before=before,
        epoch=epoch,
        moves=tuple((number,) for number in range(len(before), len(before) + 3)),
    )


def _set(laboratory: Laboratory, backend: str, stage: Path, steps: tuple[int, ...], **asked: bool) -> str:
    """Let a store take some steps, and return its epoch."""
    trial = laboratory.run(backend, stage, moves=tuple((number,) for number in steps), **asked)
    if trial.status or trial.account.done != set(steps):
        raise FailedTrialError(f"the stage is not set: {trial}\n{laboratory.complaints()}")
    (epoch,) = trial.account.epochs
    return epoch
