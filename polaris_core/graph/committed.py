"""What can be asked of a committed state: of the graph as it is, or of a view of its past."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar, cast

from polaris_core.errors import InvalidCursorError, NodeNotFoundError
from polaris_core.graph.names import near_names
from polaris_core.graph.questions import Changes, Place, Question
from polaris_core.graph.reading import Reading
from polaris_core.model import Change, Cursor
from polaris_core.records import Program, Session

__all__ = ["Committed"]

T = TypeVar("T")


class Committed(Reading):
    """The verbs that `Graph` and `View` share: those of `Reading`, and these, which read the history that led here."""

    @abstractmethod
    async def _read(self, program: Program[T]) -> T:
        """Run a program on the state that is meant."""

    async def _ask(self, question: Question[T]) -> T:
        try:
            return await self._read(question)
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def _explained(self, error: NodeNotFoundError) -> NodeNotFoundError:
        """Add names that look alike, looked up outside any commit."""
        name = error.key
        if not error.near and isinstance(name, str):

            async def program(session: Session) -> tuple[str, ...]:
                return await near_names(session, name)

            error = error.fresh()
            error.near = await self._read(program)
        return error

    async def cursor(self) -> Cursor:
        """Return the place in history of the state that is read here."""
        return await self._read(Place())

    async def changes(self, after: Cursor | str | None = None, limit: int = 1_000) -> tuple[Change, ...]:
        """Return changes in commit order, those after a cursor; the last one's `cursor` asks for more.

        Raises `HistoryReplacedError` for a cursor of another history, `HistoryTrimmedError` for one that lies before what is kept.
        """
        place = Cursor.parse(after) if isinstance(after, str) else after
        if place is not None and not isinstance(cast("object", place), Cursor):
            raise InvalidCursorError(f"a place in history is a cursor or its text, not {type(after).__name__}")
        return await self._ask(Changes(place, self._page(limit)))
