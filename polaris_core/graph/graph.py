"""The graph as people use it: verbs in names, transactions, and the feed of what happened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar, cast

from polaris_core.errors import InvalidCursorError, NodeNotFoundError, PolarisError
from polaris_core.graph.names import near_names
from polaris_core.graph.questions import Changes, Question, cursor_of
from polaris_core.graph.transaction import Transaction, transact
from polaris_core.graph.writing import Verbs
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor, Node
from polaris_core.mutations import Batch, Commit, Mutation, Result
from polaris_core.records import Session
from polaris_core.storage import StorageService

__all__ = ["Graph"]

T = TypeVar("T")


class Graph(Verbs):
    """One graph of one store. Every call sees one committed state; every verb that writes is one durable commit.

    Its calls may come from any event loop and any thread. `async with` closes it at the end.
    """

    def __init__(self, service: StorageService) -> None:
        self.service = service
        self.limits: Limits = service.limits

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Refuse new calls, finish what was accepted and close the store."""
        await self.service.close()

    async def _ask(self, question: Question[T]) -> T:
        try:
            return await self.service.read(question)
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def _node(self, name: str) -> Node | None:
        return await self.service.get_node(name)

    async def _write(self, mutation: Mutation) -> Result:
        try:  # as `commit`, a coroutine less: this is every single write
            return (await self.service.commit(Batch((mutation,)))).results[0]
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def _explained(self, error: NodeNotFoundError) -> NodeNotFoundError:
        """Add names that look alike, looked up outside any commit."""
        name = error.key
        if not error.near and isinstance(name, str):

            async def program(session: Session) -> tuple[str, ...]:
                return await near_names(session, name)

            error = error.fresh()
            error.near = await self.service.read(program)
        return error

    # --- batches and transactions ---------------------------------------------------------------------------------

    async def commit(self, batch: Batch | Mutation | Sequence[Mutation]) -> Commit:
        """Apply one batch, or mutations as one, and return what it did; raises the error that refused it."""
        try:
            return await self.service.commit(batch if isinstance(batch, Batch) else Batch(batch))
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """Apply batches in order, together in as few durable commits as the limits allow; return what became of each."""
        return await self.service.apply(batches)

    @asynccontextmanager
    async def transaction(self, *, author: str | None = None, validate: bool = True) -> AsyncIterator[Transaction]:
        """Read and write in a transaction that commits when the block ends without an error.

        Raises `ConflictError` where something the transaction read was changed meanwhile; then nothing was written.
        """
        transaction = Transaction(self.service, author=author, validate=validate)
        try:
            yield transaction
            await transaction.commit()
        finally:
            transaction.abandon()

    async def transact(
        self,
        function: Callable[[Transaction], Awaitable[T]],
        *,
        attempts: int = 8,
        author: str | None = None,
        validate: bool = True,
    ) -> T:
        """Run `async def function(tx)` in a transaction, again with jittered backoff while it conflicts.

        Returns what the function returned; raises `ConflictError` after the last attempt, and whatever the function raises.
        """
        return await transact(lambda: Transaction(self.service, author=author, validate=validate), function, attempts)

    # --- history --------------------------------------------------------------------------------------------------

    async def cursor(self) -> Cursor:
        """Return the place in history where the graph stands now."""

        async def program(session: Session) -> Cursor:
            return cursor_of(await session.head())

        return await self.service.read(program)

    async def changes(self, after: Cursor | str | None = None, limit: int = 1_000) -> tuple[Change, ...]:
        """Return changes in commit order, those after a cursor; the last one's `cursor` asks for more.

        Raises `HistoryReplacedError` for a cursor of another history, `HistoryTrimmedError` for one that lies before what is kept.
        """
        place = Cursor.parse(after) if isinstance(after, str) else after
        if place is not None and not isinstance(cast("object", place), Cursor):
            raise InvalidCursorError(f"a place in history is a cursor or its text, not {type(after).__name__}")
        return await self._ask(Changes(place, self._page(limit)))
