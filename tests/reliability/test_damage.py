"""Bytes that nobody wrote: acknowledged writes are there, or the store says loudly that they are not.

A journal or log is found after a crash, cut off at some byte or with a bit flipped. Three answers are honest: everything is
there; opening, or reading, is refused with the file left as it is; or the writes before the damage are there under a new
epoch. The fourth, to go on with less as if nothing had been, is what must not happen.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ordeal.backends import store_url
from ordeal.history import ContradictionError, frozen_time, observe, state_after
from ordeal.scenes import Scene

from polaris_core import StoreUnavailableError, open_graph

if TYPE_CHECKING:
    from collections.abc import Iterable
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


async def answer(scene: Scene, folder: Path, damaged: Path) -> str:
    """Open a damaged store and return which answer it gives: whole, refused, told, or silent."""
    content = damaged.read_bytes()
    try:
        async with open_graph(store_url(scene.backend, folder), cache=None, options=frozen_time()) as graph:
            found, epoch = await observe(graph), (await graph.cursor()).epoch
    except StoreUnavailableError:
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
        found[asyncio.run(answer(scene, folder, damaged))] += 1
        shutil.rmtree(folder)
    return found
