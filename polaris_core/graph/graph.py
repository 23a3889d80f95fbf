"""The graph as people use it: verbs in names, transactions, and the feed of what happened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

from polaris_core.errors import NodeNotFoundError, PolarisError
from polaris_core.graph.committed import Committed
from polaris_core.graph.transaction import Transaction, transact
from polaris_core.graph.view import Moment, View, view_of_now
from polaris_core.graph.writing import Verbs
from polaris_core.limits import Limits
from polaris_core.model import Node
from polaris_core.mutations import Batch, Commit, Mutation, Result
from polaris_core.records import Program
from polaris_core.storage import StorageService

__all__ = ["Graph"]

T = TypeVar("T")


class Graph(Committed, Verbs):
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

    async def _read(self, program: Program[T]) -> T:
        return await self.service.read(program)

    async def _node(self, name: str) -> Node | None:
        return await self.service.get_node(name)

    async def _write(self, mutation: Mutation) -> Result:
        try:  # as `commit`, a coroutine less: this is every single write
            return (await self.service.commit(Batch((mutation,)))).results[0]
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

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

    # --- the past -------------------------------------------------------------------------------------------------

    def at(self, moment: Moment) -> View:
        """Return the graph as it was after a change, at a cursor, or after the last commit at or before an aware time.

        A number or cursor inside a commit means the commit's end. The view only reads. Its first read finds the place, and
        raises `HistoryTrimmedError` where the feed is no longer kept from there on, `HistoryReplacedError` for a cursor of
        another history and `InvalidValueError` for a change that has not happened.
        """
        return View(self.service, moment)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[View]:
        """Read, inside the block, the one state that is committed where it begins, whatever is committed meanwhile."""
        yield await view_of_now(self.service)
