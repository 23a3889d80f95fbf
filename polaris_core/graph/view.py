"""A graph as it was: the verbs that read, on the state after one change, whatever is committed meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, TypeVar, cast

from polaris_core.abc.capabilities import Progress
from polaris_core.abc.formats import FormatSpec, OnLoss
from polaris_core.errors import InvalidCursorError, InvalidValueError
from polaris_core.graph.committed import Committed
from polaris_core.graph.files import Exported, File, exported
from polaris_core.history import AsOf, Past, check_kept, cursor_of, place_of, read_on
from polaris_core.limits import Limits
from polaris_core.model import Cursor
from polaris_core.records import Program, Session
from polaris_core.storage import StorageService
from polaris_core.values import to_micros

__all__ = ["Moment", "View", "moment_of", "view_of_now"]

T = TypeVar("T")
Moment: TypeAlias = int | str | Cursor | datetime
"""A change number, a cursor or its text, or an aware time."""


class View(Committed):
    """The graph as it was at one moment. Nothing is pinned in the store: what happened since is taken back, from the feed.

    So a read raises `HistoryTrimmedError` once that part of the feed is trimmed, `HistoryReplacedError` after a restore, and
    `LimitExceededError` where more has happened since than the limits `past_changes` and `past_bytes` allow to take back.
    """

    def __init__(self, service: StorageService, moment: Moment) -> None:
        self.limits: Limits = service.limits
        self._service = service
        self._moment = moment_of(moment)
        self._place: Cursor | None = None
        self._past: Past | None = None

    async def cursor(self) -> Cursor:
        """Return the place in history that the view stands at."""
        if self._place is None:
            moment = self._moment

            async def program(session: Session) -> Cursor:
                return await place_of(session, moment)

            place = await self._service.read(program)
            if self._place is None:  # of two that looked at once, the first one decides for both
                self._place = place
        return self._place

    async def export_file(
        self, file: File, format: str | FormatSpec, *, on_loss: OnLoss = "skip", progress: Progress | None = None
    ) -> Exported:
        """As `Graph.export_file`, of the graph as it was."""
        return await exported(self, file, format, on_loss, progress, self._service.own_files)

    async def _read(self, program: Program[T]) -> T:
        place, limits = await self.cursor(), self.limits
        known = self._past or Past(place.seq)

        async def then(session: Session) -> tuple[Past, tuple[T] | None]:
            head = await session.head()
            check_kept(place, head)
            if place.seq == head.seq:
                return known, (await program(session),)
            past = await read_on(session, known, limits)
            return past, (await program(AsOf(session, past)),) if past.upto == head.seq else None

        while True:
            past, answer = await self._service.read(then)
            if self._past is None or past.upto > self._past.upto:
                self._past = past
            if answer is not None:
                return answer[0]
            known = past  # which the program sees: the next hop goes on from there


async def view_of_now(service: StorageService) -> View:
    """Return a view of the state that is committed now."""

    async def program(session: Session) -> Cursor:
        return cursor_of(await session.head())

    place = await service.read(program)
    view = View(service, place)
    view._place = place  # noqa: SLF001 - this module's own class: a head is no place to look for
    return view


def moment_of(moment: Moment) -> int | Cursor | datetime:
    """Return a moment as a number, cursor or time; raises `InvalidValueError` or `InvalidCursorError` where it is none."""
    if isinstance(moment, str):
        return Cursor.parse(moment)
    if isinstance(moment, datetime):
        to_micros(moment)  # which refuses one without a time zone
        return moment
    if isinstance(moment, Cursor):
        if type(cast("object", moment.seq)) is not int:
            raise InvalidCursorError("a cursor's number is an integer")
        return moment
    if type(cast("object", moment)) is not int:
        raise InvalidValueError(
            f"a moment is a change number, a cursor or a datetime with a time zone, not {type(moment).__name__}"
        )
    return moment
