"""Bytes that nobody wrote: acknowledged writes are there, or the store says loudly that they are not.

A journal or log is found after a crash, cut off at some byte or with a bit flipped. Three answers are honest: everything is
there; opening, or reading, is refused with the file left as it is; or the writes before the damage are there under a new
epoch. The fourth, to go on with less as if nothing had been, is what must not happen.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest
from ordeal.backends import BACKENDS, store_url
from ordeal.history import ContradictionError, frozen_time, observe, state_after
from ordeal.scenes import LONG, SHORT, Scene, prepare

from polaris_core import StoreDamagedError, open_graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ordeal.laboratory import Laboratory

METHOD = "damage"
LOGS = {"sqlite": "kg.db-wal", "json": "kg/journal-*.log"}


class Damage(NamedTuple):
    """A file cut off at a byte, or with a bit flipped."""

    cut: int | None = None
    flip: int | None = None

    def done_to(self, content: bytes) -> bytes:
        if self.cut is not None:
            return content[: self.cut]
        assert self.flip is not None
        flipped = bytearray(content)
        flipped[self.flip // 8] ^= 1 << self.flip % 8
        return bytes(flipped)


def log_of(scene: Scene, folder: Path) -> Path:
    return max(folder.glob(LOGS[scene.backend]))


HEADER = {"sqlite": 32, "json": 0}  # bytes that a log has to have left: see the test below of one that was emptied
HONEST = {"whole", "refused", "told"}
THOUSANDS = 3_000  # damages of each kind, evenly spread, for a soak
SAMPLE = 60  # damages of each kind, for every day


async def answer(scene: Scene, folder: Path, damaged: Path) -> str:
    """Open a damaged store and return which answer it gives: whole, refused, told, or silent."""
    content = damaged.read_bytes()
    try:
        async with open_graph(store_url(scene.backend, folder), cache=None, options=frozen_time()) as graph:
            found, epoch = await observe(graph), (await graph.cursor()).epoch
    except StoreDamagedError:
        return "refused" if damaged.exists() and damaged.read_bytes() == content else "refused and changed"
    except ContradictionError:
        return "contradicts itself"
    if found == state_after(scene.before):
        return "whole"
    earlier = any(found == state_after(scene.before[:length]) for length in range(len(scene.before)))
    if not earlier:
        return "something else"
    return "told" if epoch != scene.epoch else "silent"


def answers(laboratory: Laboratory, scene: Scene, damages: Iterable[Damage]) -> Counter[str]:
    assert scene.stage is not None
    found: Counter[str] = Counter()
    for damage in damages:
        folder = laboratory.place(scene.stage)
        damaged = log_of(scene, folder)
        damaged.write_bytes(damage.done_to(damaged.read_bytes()))
        said = asyncio.run(answer(scene, folder, damaged))
        if said == "refused" and asyncio.run(answer(scene, folder, damaged)) != said:
            said = "refused once"
        found[said] += 1
        shutil.rmtree(folder)
    return found


def every(scene: Scene, kind: str) -> list[Damage]:
    """Return every cut, or every flipped bit, that can befall the log of a scene."""
    assert scene.stage is not None
    content = log_of(scene, scene.stage).read_bytes()
    size = len(content.rstrip(b"\0") if scene.backend == "json" else content)  # beyond it is room for later commits
    return (
        [Damage(cut=place) for place in range(size)] if kind == "cut" else [Damage(flip=bit) for bit in range(8 * size)]
    )


@pytest.mark.parametrize("kind", ["cut", "flip"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sample_of_damaged_logs_loses_nothing_in_silence(
    backend: str, kind: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, LONG)
    found = answers(laboratory, scene, Random(4).sample(every(scene, kind), SAMPLE))
    assert found.keys() <= HONEST, found
    count(f"{METHOD}: {kind}", backend, **found)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["cut", "flip"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_thousands_of_damaged_logs_lose_nothing_in_silence(
    backend: str, kind: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, LONG)
    damages = every(scene, kind)
    found = answers(laboratory, scene, damages[:: max(1, len(damages) // THOUSANDS)])
    assert found.keys() <= HONEST, found
    count(f"{METHOD}: {kind}", backend, **found)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["cut", "flip"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_short_log_damaged_in_every_way_loses_nothing_in_silence(
    backend: str, kind: str, laboratory: Laboratory, count: Callable[..., None]
) -> None:
    scene = prepare(laboratory, backend, SHORT)
    found = answers(laboratory, scene, every(scene, kind)[HEADER[backend] if kind == "cut" else 0 :])
    assert found.keys() <= HONEST, found
    count(f"{METHOD}: every {kind}", backend, **found)


@pytest.mark.xfail(reason="a log that was emptied looks like one that SQLite emptied itself", strict=True)
@pytest.mark.parametrize("left", [0, HEADER["sqlite"] - 1])
def test_a_log_of_which_somebody_left_nothing_is_noticed_by_sqlite(left: int, laboratory: Laboratory) -> None:
    scene = prepare(laboratory, "sqlite", SHORT)  # what came before the last step is in the database
    assert answers(laboratory, scene, [Damage(cut=left)]).keys() <= HONEST


def test_a_log_whose_header_was_damaged_is_noticed_by_sqlite(laboratory: Laboratory) -> None:
    scene = prepare(laboratory, "sqlite", SHORT)
    flipped = every(scene, "flip")[: 8 * HEADER["sqlite"]]
    assert answers(laboratory, scene, [Damage(cut=HEADER["sqlite"]), *flipped[::5]]).keys() <= HONEST


def test_it_catches_a_store_that_ends_its_journal_at_the_first_bad_frame(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polaris_json_fs import following
    from polaris_json_fs.recovery import Verdict

    scene = prepare(laboratory, "json", LONG)
    monkeypatch.setattr(following, "judge", lambda found, *_, **__: Verdict(found.end, lost=False))
    assert not answers(laboratory, scene, Random(5).sample(every(scene, "flip"), 10)).keys() <= HONEST


def test_it_catches_a_store_that_asks_nobody_what_its_log_held(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polaris_sqlite import database

    scene = prepare(laboratory, "sqlite", LONG)
    monkeypatch.setattr(database, "has_lost_frames", lambda *_: False)
    assert "silent" in answers(laboratory, scene, Random(5).sample(every(scene, "flip"), 8))
