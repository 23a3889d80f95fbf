"""A commit taken back by another one."""

from __future__ import annotations

from typing import cast

import attrs

from polaris_core.errors import InvalidValueError
from polaris_core.history import Inverse, changes_of_commit, check_kept, cursor_of, inverse
from polaris_core.model import Change, Cursor
from polaris_core.outcomes import Commit
from polaris_core.records import Session

__all__ = ["Undoing"]


def _place(target: Commit | Change | int) -> Cursor | int:
    if isinstance(target, Change):
        return target.cursor
    if isinstance(target, Commit):
        if target.last < target.first:
            raise InvalidValueError("this commit changed nothing, so there is nothing to undo")
        return target.cursor._replace(seq=target.first)
    if type(cast("object", target)) is not int:
        raise InvalidValueError(f"what is undone is a commit, a change or its number, not {type(target).__name__}")
    return target


@attrs.frozen
class Undoing:
    """The program that finds what takes a commit back."""

    place: Cursor | int = attrs.field(converter=_place)

    async def __call__(self, session: Session) -> Inverse:
        """Return mutations and what they expect; raises what `Graph.undo` raises."""
        head = await session.head()
        place = self.place if isinstance(self.place, Cursor) else cursor_of(head)._replace(seq=self.place)
        if not isinstance(self.place, Cursor) and not 0 < place.seq <= head.seq:
            raise InvalidValueError(f"there is no change {place.seq}; the last one is {head.seq}")
        check_kept(place._replace(seq=place.seq - 1), head)
        changes = await changes_of_commit(session, place.seq)
        check_kept(place._replace(seq=changes[0].commit - 1), head)  # not a half of it
        return await inverse(session, changes)
