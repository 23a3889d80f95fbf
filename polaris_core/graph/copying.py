"""One run of a migration: rows from one store into another, a page a commit, and the look at what has become of them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar

import attrs

from polaris_core.abc.capabilities import Progress
from polaris_core.codec import dumps
from polaris_core.errors import HistoryTrimmedError, MigrationError
from polaris_core.graph.milestone import MILESTONE, Milestone, ended, reached
from polaris_core.graph.rows import KINDS, Place, Row, RowKind, Rows, place_of_row, rows_after, start_of
from polaris_core.graph.view import View
from polaris_core.history import cursor_of
from polaris_core.model import Cursor
from polaris_core.records import Program, Receipt, Session
from polaris_core.storage import StorageService

__all__ = ["Copied", "Copying"]

T = TypeVar("T")

_SECOND = 1_000_000  # in microseconds


@attrs.frozen
class Copied:
    """How many rows of a kind both stores hold, and the SHA-256, in hexadecimal digits, of all of them in order.

    Each row counts as its fields in a JSON array, as `polaris_core.codec` writes it, and a line feed.
    """

    count: int
    digest: str


class _State(View):
    """The state of the source that is copied."""

    async def read(self, program: Program[T]) -> T:
        """Run a program on that state."""
        return await self._read(program)


class Copying:
    """One run of a migration."""

    def __init__(
        self, source: StorageService, target: StorageService, milestone: Milestone, progress: Progress | None
    ) -> None:
        self._source = _State(source, milestone.source)
        self._target = target
        self._milestone = milestone
        self._progress = progress
        self._done, self._total = milestone.copied, 0
        self._receipt_micros = source.limits.receipt_seconds * _SECOND

    async def expect(self, times: int) -> None:
        """Work out how many rows there will be to tell of, where each is told of so many times."""
        nodes, edges = await self._source.read(_counts)
        self._total = times * (nodes + edges + self._milestone.source.seq - self._milestone.head.floor)

    async def copy(self) -> None:
        """Copy what is not there yet, a page a commit."""
        await self.expect(2)
        begun = self._milestone.kind
        for kind in KINDS[KINDS.index(begun) :]:
            after = self._milestone.after if kind == begun else start_of(kind)
            while (page := await self._source.read(self._page(kind, after))).rows or self._lags(page):
                milestone, rows = self._milestone.with_rows(kind, page)
                step = partial(reached, before=self._milestone, after=milestone, rows=rows)
                await self._target.commit_alone(step)
                self._milestone, after = milestone, milestone.after
                self._tell(len(rows))

    def _lags(self, page: Rows) -> bool:
        return page.floor > self._milestone.head.floor

    def _page(self, kind: RowKind, after: Place) -> Program[Rows]:
        return partial(rows_after, kind=kind, after=after, limits=self._target.limits, hidden=MILESTONE)

    def _tell(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))

    async def compare(self, kind: RowKind) -> Copied:
        """Read the rows of a kind on both sides, and return what they come to; raises `MigrationError` at the first difference."""
        count, digest = 0, hashlib.sha256()
        async with aclosing(self._rows(kind, source=True)) as mine, aclosing(self._rows(kind, source=False)) as theirs:
            one, other = await anext(mine, None), await anext(theirs, None)
            while one is not None or other is not None:
                if one is not None and one == other:
                    count += 1
                    digest.update(dumps(one).encode() + b"\n")
                    one, other = await anext(mine, None), await anext(theirs, None)
                    continue
                first = min(place_of_row(row) for row in (one, other) if row is not None)
                lone = one if one is not None and place_of_row(one) == first else None
                copy = other if other is not None and place_of_row(other) == first else None
                if not self._excused(lone, copy):
                    has = "lacks it" if copy is None else "alone has it" if lone is None else "has another one"
                    raise MigrationError(
                        f"{kind} {first!r} is not the same in both stores: the target {has}. Remove it and begin again",
                        where=f"{kind} {first!r}",
                    )
                one = one if lone is None else await anext(mine, None)
                other = other if copy is None else await anext(theirs, None)
        return Copied(count, digest.hexdigest())

    async def _rows(self, kind: RowKind, *, source: bool) -> AsyncGenerator[Row]:
        after: Place = self._milestone.head.floor if kind == "change" else start_of(kind)
        read = self._source.read if source else self._target.read
        rows: Sequence[Row] = ()
        while True:
            page = await read(self._page(kind, place_of_row(rows[-1]) if rows else after))
            if kind == "change" and self._lags(page):
                raise HistoryTrimmedError("trimmed meanwhile", cursor=self._milestone.source, floor=page.floor)
            if not page.rows:
                return
            rows = page.rows
            for row in rows:
                yield row
            if source:
                self._tell(len(rows))

    def _excused(self, source: Row | None, target: Row | None) -> bool:
        """Return whether a row may differ: a receipt that changed nothing may be younger than the state that is copied.

        Nothing tells which it is. One that no longer counts may be forgotten at any time.
        """
        since = not isinstance(source, Receipt) or source.first > self._milestone.source.seq
        past = not isinstance(target, Receipt) or target.time < self._target.options.now() - self._receipt_micros
        return since and past and isinstance(source or target, Receipt)

    async def end(self) -> Cursor:
        """Make the target a store like any other, and return where it stands."""
        epoch = self._target.options.unique()
        plan = await self._target.commit_alone(partial(ended, last=self._milestone, epoch=epoch))
        return cursor_of(plan.head)


async def _counts(session: Session) -> tuple[int, int]:
    return await session.counts()
