"""Optimistic transactions: reads are remembered, writes are kept back, and the commit checks that what was read still holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from polaris_core.errors import ConflictError, InvalidValueError, PolarisError, RefusedError, StorageError
from polaris_core.graph.overlay import Overlay
from polaris_core.graph.questions import Question
from polaris_core.graph.writing import Verbs
from polaris_core.history import cursor_of
from polaris_core.limits import Limits
from polaris_core.mutations import Batch, Expect, ExpectRevision, ExpectUnchanged, Mutation, RenameNode
from polaris_core.outcomes import Commit, Result
from polaris_core.planning import load, plan
from polaris_core.records import CommitPlan, Session
from polaris_core.storage import StorageService

__all__ = ["Transaction", "delays", "finish", "retried", "transact"]

T = TypeVar("T")

FIRST_DELAY = 0.002
MOST_DELAY = 0.25


class Transaction(Verbs):
    """Reads that are validated and writes that happen together, at the end, or not at all.

    Nothing is locked meanwhile, and reads see the transaction's own writes. A transaction that is not validated (`validate=False`)
    still happens together or not at all, but on top of whatever others wrote meanwhile.
    """

    def __init__(self, service: StorageService, *, author: str | None = None, validate: bool = True) -> None:
        self.limits: Limits = service.limits
        self.result: Commit | None = None
        self._service = service
        self._author = author
        self._validate = validate
        self._mutations: list[Mutation] = []
        self._expect: dict[Expect, None] = {}
        self._done = False

    async def _ask(self, question: Question[T]) -> T:
        self._check()
        mutations, now = tuple(self._mutations), self._service.options.now()

        async def program(session: Session) -> tuple[T | RefusedError, Sequence[Expect]]:
            return await self._answered(session, question, mutations, now)

        return self._relied_on(*await self._service.read(program))

    async def _write(self, mutation: Mutation) -> Result:
        self._check()
        foreseen = await self._foresee(Batch((*self._mutations, mutation), author=self._author))
        self._mutations.append(mutation)
        return foreseen.results[-1]

    async def _write_answer(self, question: Question[tuple[Mutation, ...]]) -> Sequence[Result]:
        self._check()
        before, now = tuple(self._mutations), self._service.options.now()

        async def program(
            session: Session,
        ) -> tuple[tuple[Mutation, ...] | RefusedError, Sequence[Expect], Commit | None]:
            answer, expectations = await self._answered(session, question, before, now)
            if isinstance(answer, RefusedError):
                return answer, expectations, None
            batch = Batch((*before, *answer), author=self._author)
            return answer, expectations, _accepted(await self._planned(session, batch, now))

        answer, expectations, foreseen = await self._service.read(program)
        mutations = self._relied_on(answer, expectations)
        self._mutations.extend(mutations)
        return () if foreseen is None else foreseen.results[-len(mutations) :]

    def _relied_on(self, answer: T | RefusedError, expectations: Sequence[Expect]) -> T:
        """Remember what an answer stands on, and return it, or raise it: that something is missing is an answer, too."""
        self._expect.update(dict.fromkeys(expectations))
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    async def _answered(
        self, session: Session, question: Question[T], mutations: tuple[Mutation, ...], now: int
    ) -> tuple[T | RefusedError, Sequence[Expect]]:
        """Return the answer on top of the transaction's own writes, and what the commit is to find unchanged."""
        seen: Session = session
        if mutations:
            drawn = await self._planned(session, Batch(mutations, author=self._author), now)
            (outcome,) = drawn.outcomes
            if isinstance(outcome, PolarisError):
                raise ConflictError("what this transaction wrote can no longer be written", key=None) from outcome
            seen = Overlay(session, drawn)
        expectations = await _expectations(session, question, mutations, seen) if self._validate else ()
        try:
            return await question(seen), expectations
        except RefusedError as error:
            return error, expectations

    async def _foresee(self, batch: Batch) -> Commit:
        """Return what a batch would do, or raise what would refuse it; nothing is written."""
        now = self._service.options.now()

        async def program(session: Session) -> Commit:
            return _accepted(await self._planned(session, batch, now))

        return await self._service.read(program)

    async def _planned(self, session: Session, batch: Batch, now: int) -> CommitPlan:
        return plan((batch,), await load(session, (batch,), self.limits), now, self.limits)

    def add(self, *mutations: Mutation) -> None:
        """Write mutations without looking at what they will do; what refuses them is raised by the commit."""
        self._check()
        self._mutations.extend(Batch(mutations).mutations)

    def _check(self) -> None:
        if self._done:
            raise StorageError("this transaction has ended; start another one")

    async def commit(self) -> Commit:
        """Commit what was written, if what was read still holds; raises `ConflictError` where it does not."""
        self._check()
        self._done = True
        batch = Batch(tuple(self._mutations), tuple(self._expect), author=self._author)
        if self._mutations:
            self.result = await self._service.commit(batch)
        else:  # what only reads is checked by reading: beside the writers, and on a store opened for reading
            self.result = await self._foresee(batch)
        return self.result

    def abandon(self) -> None:
        """End the transaction without writing anything."""
        self._done = True


async def _expectations(
    session: Session, question: Question[Any], mutations: Sequence[Mutation], seen: Session
) -> Sequence[Expect]:
    """Return what the commit is to find unchanged: of what is stored, and of what the writes led to."""
    head = await session.head()
    if any(
        isinstance(mutation, RenameNode) for mutation in mutations
    ):  # a name is another node's than in what is stored
        return (ExpectUnchanged(cursor_of(head)),)
    expectations = await question.expectations(session)
    if not mutations:
        return expectations
    return (
        *expectations,
        *(
            expect
            for expect in await question.expectations(seen)
            if isinstance(expect, ExpectRevision) and 0 < expect.revision <= head.seq  # not what the transaction wrote
        ),
    )


def _accepted(drawn: CommitPlan) -> Commit:
    (outcome,) = drawn.outcomes
    if isinstance(outcome, PolarisError):
        raise outcome
    return outcome


async def finish(transaction: Transaction) -> None:
    """Commit at the end of a block, unless the block has committed or abandoned the transaction itself."""
    if not transaction._done:  # noqa: SLF001 - this module's own class
        await transaction.commit()


async def transact(
    begin: Callable[[], Transaction], function: Callable[[Transaction], Awaitable[T]], attempts: int
) -> T:
    """Run a function in a transaction, again with jittered backoff while it conflicts, and return what it returned."""

    async def attempt() -> T:
        transaction = begin()
        try:
            answer = await function(transaction)
            await finish(transaction)
        finally:
            transaction.abandon()
        return answer

    return await retried(attempt, attempts)


async def retried(attempt: Callable[[], Awaitable[T]], attempts: int) -> T:
    """Return what an attempt returns, made again with jittered backoff while it raises `ConflictError`."""
    for delay in delays(attempts):
        try:
            return await attempt()
        except ConflictError:
            await asyncio.sleep(delay)
    return await attempt()


def delays(attempts: int) -> Iterator[float]:
    """Yield how many seconds to wait after each attempt but the last, jittered, longer and longer up to a bound."""
    if attempts < 1:
        raise InvalidValueError("attempts is at least 1")
    most = FIRST_DELAY
    for _ in range(attempts - 1):
        yield random.uniform(0, most)  # noqa: S311 - spreads callers, no secret
        most = min(2 * most, MOST_DELAY)
