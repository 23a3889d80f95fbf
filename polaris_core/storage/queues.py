"""Callers that wait at the same moment travel together: writes in one durable commit, reads in one hop.

Both queues live on one event loop. A caller that is cancelled while it waits has changed nothing; once its group has started,
the group goes on without it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from polaris_core.abc.storage import Storage
from polaris_core.errors import (
    LimitExceededError,
    OutcomeUnknownError,
    PolarisError,
    ProgramError,
    StoreClosedError,
    StoreDamagedError,
)
from polaris_core.limits import Limits
from polaris_core.model import EdgeKey
from polaris_core.mutations import Batch
from polaris_core.outcomes import Commit
from polaris_core.planning import load, plan
from polaris_core.records import CommitPlan, Program, Session
from polaris_core.storage.coherence import GraphCache, Seen
from polaris_core.storage.grounds import Exploration, Found, SessionGround
from polaris_core.storage.lookups import edges_of, nodes_of

__all__ = ["Asked", "Exploring", "ReadQueue", "WriteQueue"]

T = TypeVar("T")

_READERS = 2
_log = logging.getLogger(__name__)


class Exploring(NamedTuple):
    """An exploration that waits for its ground."""

    exploration: Exploration[Any]


Asked: TypeAlias = "str | EdgeKey | Exploring | Program[Any]"
"""What is read: the node of a normalised name, the edge of a key, what an exploration finds, or what a program returns."""

_Call: TypeAlias = tuple[T, "asyncio.Future[Any]"]
"""What is asked, and its answer. No named tuple: one is made for every read and write, and costs ten times a plain one."""


class _Queue(ABC, Generic[T]):
    """Calls that wait, and the tasks that carry groups of them to the store."""

    _unanswered: type[PolarisError] = StoreClosedError
    """What is raised where a group was on its way when the event loop ended."""

    def __init__(self, storage: Storage, limits: Limits, *, carriers: int) -> None:
        self.storage = storage
        self.limits = limits
        self._carriers = carriers
        self._waiting: deque[_Call[T]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop

    def enter(self) -> None:
        """Live on the running event loop."""
        self._loop = asyncio.get_running_loop()

    def submit(self, asked: T) -> asyncio.Future[Any]:
        """Wait in the queue; the future is the answer. Raises `LimitExceededError` where too many wait already."""
        if len(self._waiting) >= self.limits.queued:
            self._waiting = deque(call for call in self._waiting if not call[1].done())
        if len(self._waiting) >= self.limits.queued:
            raise LimitExceededError(
                f"{len(self._waiting)} calls wait for the store already; wait for some of them first",
                limit="queued",
                size=len(self._waiting) + 1,
                maximum=self.limits.queued,
            )
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((asked, answer))
        if (
            len(self._tasks) < self._carriers
        ):  # it starts with the next turn of the loop: who comes in this one goes along
            self._tasks.add(self._loop.create_task(self._carry()))
        return answer

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _carry(self) -> None:
        group: Sequence[_Call[T]] = ()
        try:
            while group := self._next():
                await self._answer(group)
        except asyncio.CancelledError:  # only the end of the loop cancels it
            _abandon(group, self._unanswered)
            _abandon(self._waiting, StoreClosedError)
            self._waiting.clear()
            raise
        finally:  # in the turn that found nothing more: who comes later starts another task
            self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    @abstractmethod
    def _next(self) -> Sequence[_Call[T]]:
        """Take the calls that travel together next; none when none wait."""

    @abstractmethod
    async def _answer(self, group: Sequence[_Call[T]]) -> None:
        """Carry a group to the store and settle every answer."""


class WriteQueue(_Queue[Batch | Program[CommitPlan]]):
    """One commit at a time, of all the batches that wait, in order and as many as the limits let travel together.

    A program that plans a commit by itself may wait among them; it travels alone, and its answer is its plan. How many
    mutations there are is counted here; how much they write is known, and bounded, where they are planned.
    """

    _unanswered = OutcomeUnknownError

    def __init__(self, storage: Storage, limits: Limits, now: Callable[[], int]) -> None:
        super().__init__(storage, limits, carriers=1)
        self._now = now
        self._most = (
            limits.group_batches
        )  # fewer after a group that had no room for all of its batches: those were read in vain

    def _next(self) -> Sequence[_Call[Batch | Program[CommitPlan]]]:
        group: list[_Call[Batch | Program[CommitPlan]]] = []
        mutations = 0
        while self._waiting and len(group) < self._most:
            asked, answer = call = self._waiting[0]
            if not isinstance(asked, Batch):
                if not group:
                    group.append(self._waiting.popleft())
                break
            mutations += len(asked.mutations)
            if group and mutations > self.limits.group_records:
                break
            self._waiting.popleft()
            if answer.done():  # cancelled while it waited
                mutations -= len(asked.mutations)
            else:
                group.append(call)
        return group

    async def _answer(self, group: Sequence[_Call[Batch | Program[CommitPlan]]]) -> None:
        asked, answer = group[0]
        if not isinstance(asked, Batch):
            await self._answer_program(asked, answer)
            return
        batches, now, limits = [asked for asked, _ in group if isinstance(asked, Batch)], self._now(), self.limits

        async def program(session: Session) -> CommitPlan:
            return plan(batches, await load(session, batches, limits), now, limits)

        try:
            outcomes: Sequence[Commit | Exception] = (await self._commit(program)).outcomes
        except PolarisError as error:
            outcomes = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - a fault nobody foresaw is its own batch's, not its neighbours'
            if len(group) > 1:
                for call in group:
                    await self._answer((call,))
                return
            outcomes = (error,)
        short = len(outcomes) < len(group)
        self._most = max(1, len(outcomes)) if short else min(2 * self._most, self.limits.group_batches)
        self._waiting.extendleft(
            reversed(group[len(outcomes) :])
        )  # what the group had no room for goes first next time
        for (_, answer), outcome in zip(group, outcomes, strict=False):
            _settle(answer, outcome)

    async def _answer_program(self, program: Program[CommitPlan], answer: asyncio.Future[Any]) -> None:
        try:
            outcome: object = None if answer.done() else await self._commit(program)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this caller's answer
            outcome = error
        _settle(answer, outcome)

    async def _commit(self, program: Program[CommitPlan]) -> CommitPlan:
        """Commit what a program plans; what a store raises that nobody foresaw, once there was a plan, may come too late."""
        planned = False

        async def watched(session: Session) -> CommitPlan:
            nonlocal planned
            decision = await program(session)
            planned = True
            return decision

        try:
            return await self.storage.commit(watched)
        except Exception as error:
            if not planned or isinstance(error, PolarisError):
                raise
            raise OutcomeUnknownError(
                f"the store failed with {error!r}, and does not say whether it had stored the commit: read before you repeat"
            ) from error


class ReadQueue(_Queue[Asked]):
    """At most two hops at a time, each for all that waits when it starts: a long one holds up no short one.

    Nodes that are asked for by name, and edges by key, are loaded as one set each and decoded once. What they and the
    explorations find is kept in `cache`, which is brought up to date with it.
    """

    def __init__(self, storage: Storage, limits: Limits, cache: GraphCache | None = None) -> None:
        super().__init__(storage, limits, carriers=_READERS)
        self._cache = cache

    def _next(self) -> Sequence[_Call[Asked]]:
        group = [call for call in self._waiting if not call[1].done()]
        self._waiting.clear()
        return group

    async def _answer(self, group: Sequence[_Call[Asked]]) -> None:
        stamp = None if self._cache is None else self.storage.stamp()
        cache = self._cache if stamp is not None else None  # what is read without a stamp is not kept
        try:
            together = _together([asked for asked, _ in group], self.limits, cache, stamp)
            answers, seen = await self.storage.read(together)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is these callers' answer
            for_all = isinstance(error, PolarisError) and not isinstance(error, ProgramError)
            if len(group) > 1 and not for_all:
                # One of them broke the rules, or nobody foresaw it: each for itself, then.
                for call in group:
                    await self._answer((call,))
                return
            answers, seen = [error] * len(group), None
        if seen is not None and cache is not None:
            try:
                cache.take(seen, stamp if stamp == self.storage.stamp() else None)
            except Exception:  # noqa: BLE001 - a cache that fails keeps nothing, and nobody from an answer
                _log.exception("the cache failed")
                cache.distrust()
        for (_, answer), outcome in zip(group, answers, strict=True):
            _settle(answer, outcome)


def _together(
    asked: Sequence[Asked], limits: Limits, cache: GraphCache | None, stamp: int | None
) -> Program[tuple[Sequence[Any], Seen | None]]:
    names = tuple({one for one in asked if isinstance(one, str)})
    keys = tuple({one for one in asked if isinstance(one, EdgeKey)})

    async def program(session: Session) -> tuple[Sequence[Any], Seen | None]:
        found = Found()
        records: dict[Any, Any] = await nodes_of(session, names, found) if names else {}
        if keys:
            records.update(await edges_of(session, keys, found))
        answers: list[Any] = []
        for one in asked:
            try:
                if isinstance(one, (str, EdgeKey)):
                    answers.append(records[one])
                elif isinstance(one, Exploring):
                    ground = SessionGround(session, limits)
                    answer = await one.exploration(ground)
                    if cache is not None:
                        await _learn(ground, found)
                    answers.append(answer)
                else:
                    answers.append(await one(session))
            except Exception as error:  # noqa: BLE001 - its caller's, and nobody else's
                answers.append(error)
        return answers, await cache.look(session, found, stamp) if cache is not None and found else None

    return program


async def _learn(ground: SessionGround, found: Found) -> None:
    """Find out what a ground can tell; where that is damaged nothing more is remembered, and the answer is not touched by it."""
    with suppress(StoreDamagedError):
        await ground.tell(found)


def _settle(answer: asyncio.Future[Any], outcome: object) -> None:
    if answer.done():
        return
    if not isinstance(outcome, Exception):
        answer.set_result(outcome)
    elif isinstance(outcome, PolarisError):
        answer.set_exception(outcome.fresh())  # callers that share a failure each raise an error of their own
    else:
        answer.set_exception(outcome)


def _abandon(calls: Iterable[_Call[Any]], kind: type[PolarisError]) -> None:
    for _, answer in calls:
        if not answer.done():
            answer.set_exception(kind("the event loop ended before the store answered"))
