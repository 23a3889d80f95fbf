"""The question what happened to one node or edge."""

from __future__ import annotations

import attrs

from polaris_core.codec import decode_change
from polaris_core.errors import EdgeNotFoundError, LimitExceededError, NodeNotFoundError
from polaris_core.graph.questions import Question
from polaris_core.history import chain, check_kept, cursor_of, last_change_of
from polaris_core.model import Change, EdgeKey, Key
from polaris_core.query import Page, Position, cursor_text, position_after
from polaris_core.records import ChangeRecord, Head, Session

__all__ = ["History"]


@attrs.frozen
class History(Question[Page[Change]]):
    """The changes of a node or edge, through all its names, as far as the feed is kept; it may be gone by now.

    What is gone, or is called otherwise now, is looked for in the last `scan` changes.
    """

    key: Key
    limit: int = 100
    cursor: str | None = None
    oldest_first: bool = False
    scan: int = 1_000_000

    async def __call__(self, session: Session) -> Page[Change]:
        """Return a page of changes.

        Raises `NodeNotFoundError` or `EdgeNotFoundError` where nothing had this key, `HistoryTrimmedError` where no change of
        it, or none of the page, is kept.
        """
        head = await session.head()
        asked = (self.key, self.oldest_first)
        after = position_after(asked, self.cursor).id if self.cursor is not None else 0
        last = after if after and not self.oldest_first else await self._last(session, head)
        check_kept(cursor_of(head)._replace(seq=after if after and self.oldest_first else last - 1), head)
        pages = self._forwards if self.oldest_first else self._backwards
        found, following = await pages(session, head, last, after)
        return Page(
            tuple(decode_change(change, head) for change in found),
            cursor_text(asked, Position(following)) if following else None,
        )

    async def _backwards(self, session: Session, head: Head, last: int, _after: int) -> tuple[list[ChangeRecord], int]:
        return await chain(session, head, last, self.limit)

    async def _forwards(self, session: Session, head: Head, last: int, after: int) -> tuple[list[ChangeRecord], int]:
        """Changes only say what was before them, so the way to the oldest leads over all."""
        found, more = await chain(session, head, last, self.scan)
        if more:
            raise LimitExceededError(
                f"{self.key!s} has more than {self.scan} changes; ask for the newest first",
                limit="scan",
                size=self.scan + 1,
                maximum=self.scan,
            )
        found = [change for change in reversed(found) if change.seq > after]
        page = found[: self.limit]
        return page, page[-1].seq if len(found) > len(page) else 0

    async def _last(self, session: Session, head: Head) -> int:
        seq = await last_change_of(session, head, self.key, self.scan)
        if not seq and isinstance(self.key, EdgeKey):
            raise EdgeNotFoundError(f"there was no edge {self.key!s}", key=self.key)
        if not seq:
            raise NodeNotFoundError(f"there was no node {self.key!r}", key=self.key)
        return seq
