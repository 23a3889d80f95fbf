"""What can be asked of a committed state: of the graph as it is, or of a view of its past."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar, cast

from polaris_core.abc.capabilities import Progress
from polaris_core.abc.formats import FormatSpec, OnLoss
from polaris_core.errors import InvalidCursorError, NodeNotFoundError
from polaris_core.graph.files import Exported, File
from polaris_core.graph.histories import History
from polaris_core.graph.names import near_names
from polaris_core.graph.questions import Changes, Place, Question
from polaris_core.graph.reading import Reading
from polaris_core.model import Change, Cursor, edge_key
from polaris_core.query import Page
from polaris_core.records import Program, Session
from polaris_core.values import normalize_name

__all__ = ["Committed", "place_or_none"]

T = TypeVar("T")


class Committed(Reading):
    """The verbs that `Graph` and `View` share: those of `Reading`, and these, which read the history that led here."""

    @abstractmethod
    async def _read(self, program: Program[T]) -> T:
        """Run a program on the state that is meant."""

    @abstractmethod
    async def export_file(
        self, file: File, format: str | FormatSpec, *, on_loss: OnLoss = "skip", progress: Progress | None = None
    ) -> Exported:
        """Write the state that is read here into a file."""

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
        return await self._ask(Changes(place_or_none(after), self._page(limit)))

    async def history(
        self,
        key: str | tuple[str, str, str],
        *,
        oldest_first: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Change]:
        """Return a page of the changes of a node, or of an edge by source, type and target; the newest first unless said.

        It is followed through all its names, and may be gone by now. What is gone, or is called otherwise now, is found by the
        key it had last, within the limit `scan` of changes. The oldest change that is kept ends the history. Raises
        `NodeNotFoundError` or `EdgeNotFoundError`, and `HistoryTrimmedError` where nothing that was asked for is kept.
        """
        wanted = normalize_name(key) if isinstance(key, str) else edge_key(key)
        return await self._ask(History(wanted, self._page(limit), cursor, oldest_first, self.limits.scan))


def place_or_none(place: Cursor | str | None) -> Cursor | None:
    """Return a cursor or its text as a cursor; raises `InvalidCursorError` for anything else but None."""
    cursor = Cursor.parse(place) if isinstance(place, str) else place
    if cursor is not None and not isinstance(cast("object", cursor), Cursor):
        raise InvalidCursorError(f"a place in history is a cursor or its text, not {type(place).__name__}")
    return cursor
