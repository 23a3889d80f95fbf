"""Transactions without async: what stands in the block, or in the function, runs in the calling thread."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from polaris_core.errors import ConflictError, InvalidValueError
from polaris_core.graph.blocking_verbs import BlockingVerbs
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.graph.transaction import Transaction, delays, finish
from polaris_core.mutations import Mutation
from polaris_core.outcomes import Commit

__all__ = ["BlockingTransaction", "begun", "transact_blocking"]

T = TypeVar("T")


class BlockingTransaction(BlockingVerbs[Transaction]):
    """A `Transaction` whose verbs wait for their answers. Its reads and writes happen on the graph's own thread."""

    @property
    def result(self) -> Commit | None:
        """What the commit did, once there was one."""
        return self._state.result

    def add(self, *mutations: Mutation) -> None:
        """As `Transaction.add`."""

        async def adding() -> None:
            self._state.add(*mutations)

        self._call(adding())

    def commit(self) -> Commit:
        """As `Transaction.commit`."""
        return self._call(self._state.commit())

    def abandon(self) -> None:
        """As `Transaction.abandon`."""
        self._state.abandon()


@contextmanager
def begun(thread: LoopThread, transaction: Transaction) -> Iterator[BlockingTransaction]:
    """Commit at the end of a block; whatever is raised in it, an interrupt too, abandons the transaction."""
    try:
        yield BlockingTransaction(thread, transaction)
        thread.call(finish(transaction))
    finally:
        transaction.abandon()


def transact_blocking(
    begin: Callable[[], AbstractContextManager[BlockingTransaction]],
    function: Callable[[BlockingTransaction], T],
    attempts: int,
) -> T:
    """Run a function in a transaction, again with jittered backoff while it conflicts, and return what it returned."""

    def attempt() -> T:
        with begin() as transaction:
            answer = function(transaction)
            if inspect.iscoroutine(answer):  # it would never run, and the commit would be empty
                answer.close()
                raise InvalidValueError("the function of a blocking transaction is a plain one, not `async def`")
        return answer

    for delay in delays(attempts):
        try:
            return attempt()
        except ConflictError:
            time.sleep(delay)
    return attempt()
