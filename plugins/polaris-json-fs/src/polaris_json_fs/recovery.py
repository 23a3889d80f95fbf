"""What to make of a journal that is found when a store is opened: a pure decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from polaris_json_fs.journal import Scan

__all__ = ["DamageError", "Verdict", "judge"]


class DamageError(Exception):
    """The journal holds bytes, at this offset, that neither Polaris nor a crash has left."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Verdict(NamedTuple):
    """Where the committed part of the journal ends, and whether commits are gone that somebody was told of."""

    end: int
    lost: bool


def judge(
    found: Scan, size: int, acknowledged: int, *, turned: bool = False, later: bool = False, lost_power: bool = False
) -> Verdict:
    """Decide on a journal of `size` bytes, not counting room for later frames.

    `acknowledged` is the offset up to which the shared counter says that commits were acknowledged, 0 where it says
    nothing. `turned` tells that its last whole frame says where commits go on, `later` that there is a journal of a later
    generation. `lost_power` tells that commits were acknowledged before they were on the disk and that the machine was
    started again since: then anything may be missing, and what is whole from the start on is what there is.

    A frame that is not whole is a torn write if nothing whole follows and nobody was told of it. A journal that ends
    before what was acknowledged, or before the turn to a later one, was shortened or is an older copy; what it holds is a
    state that was, so it is taken, as another history. Everything else raises `DamageError`.
    """
    if lost_power:
        return Verdict(found.end, lost=not turned)
    if found.damaged:
        raise DamageError(found.end)
    if turned:
        if found.end < size:
            raise DamageError(found.end)
        return Verdict(found.end, lost=False)
    if later and found.end < size:
        raise DamageError(found.end)
    if later or acknowledged > size:
        return Verdict(found.end, lost=True)
    if acknowledged > found.end:
        raise DamageError(found.end)
    return Verdict(found.end, lost=False)
