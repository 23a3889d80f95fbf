"""The one door to a store: callers that wait at the same moment travel together, whatever thread or loop they come from."""

from __future__ import annotations

import asyncio
import atexit
import os
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from polaris_core.abc.cache import Cache
from polaris_core.abc.location import Location
from polaris_core.abc.storage import Storage, StorageOptions
from polaris_core.codec import decode_node
from polaris_core.errors import ForkedError, LimitExceededError, PolarisError, ProgramError, StoreClosedError
from polaris_core.limits import Limits
from polaris_core.model import Edge, Node, Patch
from polaris_core.mutations import Batch, Commit, PatchNode, PutEdge, PutNode
from polaris_core.planning import load, plan
from polaris_core.records import CommitPlan, Head, Program, Session

__all__ = ["StorageService"]

T = TypeVar("T")

_READ_GROUPS = 2
_HOME_CHECK_SECONDS = 1.0


class _Write(NamedTuple):
    batch: Batch
    answer: asyncio.Future[Commit]


class _Read(NamedTuple):
    program: Program[Any]
    answer: asyncio.Future[Any]


class StorageService:
    """Coalesces writes into group commits and reads into shared hops, over one open `Storage`.

    It lives on the event loop that opened it, its home. Calls from other loops are brought there. A caller that is cancelled
    while it waits has changed nothing; once its group has started, the group goes on without it.
    """

    def __init__(
        self,
        storage_dir: str = "data",
        storage_type: str = "json",
        *,
        storage: Storage | None = None,
        options: StorageOptions | None = None,
        limits: Limits | None = None,
        cache: Cache | None = None,
    ) -> None:
        """Stand before `storage`, or before the installed backend `storage_type` with its files in `storage_dir`.

        `cache` keeps nodes by name as long as the store's stamp stays where it was.
        """
        self.options = options or StorageOptions()
        self.limits = limits or Limits()
        self.cache = cache
        self.storage = storage or _installed(storage_dir, storage_type, self.options)
        self._home: asyncio.AbstractEventLoop | None = None
        self._writes: deque[_Write] = deque()
        self._reads: deque[_Read] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._readers: set[asyncio.Task[None]] = set()
        self._closing = False
        self._forked = False

    # --- life -----------------------------------------------------------------------------------------------------

    async def initialize(self) -> Head:
        """Open the store and return where it stands; the running event loop becomes the service's home."""
        self._home = asyncio.get_running_loop()
        try:
            head = await self.storage.open()
        except BaseException:
            self._home = None
            raise
        _OPEN.add(self)
        return head

    async def close(self) -> None:
        """Refuse new work, finish what was accepted and close the store. Closing twice is closing once."""
        if self._home is None:
            return
        await self._at_home(self._close)

    async def _close(self) -> None:
        if self._closing:
            return
        self._closing = True
        while self._writer or self._readers:
            await asyncio.wait({*self._readers, *((self._writer,) if self._writer else ())})
        try:
            await self.storage.close()
        finally:
            _OPEN.discard(self)
            self._home = None

    # --- calls ----------------------------------------------------------------------------------------------------

    async def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """Apply batches in order, in as few durable commits as the limits allow, and return what became of each.

        Raises `StorageError` where the store failed as a whole: then what was not acknowledged changed nothing, unless the
        error is `OutcomeUnknownError`.
        """
        return await self._at_home(self._apply, tuple(batches))

    async def commit(self, batch: Batch) -> Commit:
        """Apply one batch and return what it did; raises the error that refused it."""
        return await self._at_home(self._commit, batch)

    async def store_node(self, node: Node) -> Node:
        """Write a node whole, whether it exists or not, and return it as stored; observations it has already stay."""
        put = PutNode(node.name, node.type, node.attributes)
        observe = PatchNode(node.name, Patch(observe=node.observations))
        return cast("Node", (await self.commit(Batch((put, observe)))).results[-1].value)

    async def store_edge(self, edge: Edge) -> Edge:
        """Write an edge whole, whether it exists or not, and return it as stored."""
        put = PutEdge(edge.source, edge.type, edge.target, edge.attributes)
        return cast("Edge", (await self.commit(Batch((put,)))).results[-1].value)

    async def read(self, program: Program[T]) -> T:
        """Run a program on one committed state, in a hop shared with whoever else waits; return what it returns."""
        return await self._at_home(self._read, program)

    async def get_node(self, name: str, *, fresh: bool = False) -> Node | None:
        """Return the node of a normalised name, or None; from the cache where it is as new as the store, unless `fresh`.

        An entry holds the stamp it was read under, taken before the read and found unmoved after it, so it is never ahead of a
        commit, and it is served only while the stamp is still the same, in whichever process the next commit happens.
        """
        cache = self.cache
        if cache is None or fresh:
            return await self.read(partial(_node, name))
        self._check_usable()
        stamp = self.storage.stamp()
        entry = cache.get(name)
        if entry is not None and entry[0] == stamp is not None:
            return cast("Node", entry[1])
        node = await self.read(partial(_node, name))
        if node is not None and stamp is not None and stamp == self.storage.stamp():
            cache.set(name, (stamp, node))
        return node

    async def _apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        answers = [self._enqueue(batch) for batch in batches]
        try:
            outcomes = await asyncio.gather(*answers, return_exceptions=True)
        except asyncio.CancelledError:
            for answer in answers:
                answer.cancel()
            raise
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, PolarisError):
                raise outcome
        return cast("list[Commit | PolarisError]", outcomes)

    async def _commit(self, batch: Batch) -> Commit:
        return await self._enqueue(batch)

    async def _read(self, program: Program[T]) -> T:
        self._check_open(len(self._reads))
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._reads.append(_Read(program, answer))
        if len(self._readers) < _READ_GROUPS:
            self._start_reader()
        return await answer

    # --- writing --------------------------------------------------------------------------------------------------

    def _enqueue(self, batch: Batch) -> asyncio.Future[Commit]:
        self._check_open(len(self._writes))
        answer: asyncio.Future[Commit] = asyncio.get_running_loop().create_future()
        self._writes.append(_Write(batch, answer))
        if self._writer is None:  # it starts with the next turn of the loop, so whoever comes in this one goes along
            self._writer = asyncio.get_running_loop().create_task(self._write_groups())
        return answer

    async def _write_groups(self) -> None:
        try:
            while group := self._next_group():
                await self._write_group(group)
        finally:
            self._writer = None
            _abandon(self._writes)

    def _next_group(self) -> list[_Write]:
        limits, group, records = self.limits, list[_Write](), 0
        while self._writes and len(group) < limits.group_batches:
            write = self._writes[0]
            if write.answer.done():  # cancelled while it waited
                self._writes.popleft()
                continue
            records += len(write.batch.mutations)
            if group and records > limits.group_records:
                break
            group.append(self._writes.popleft())
        return group

    async def _write_group(self, group: Sequence[_Write]) -> None:
        batches, now, limits = [write.batch for write in group], self.options.now(), self.limits

        async def program(session: Session) -> CommitPlan:
            return plan(batches, await load(session, batches, limits), now, limits)

        try:
            outcomes: Sequence[Commit | BaseException] = (await self.storage.commit(program)).outcomes
        except PolarisError as error:
            outcomes = [error] * len(group)
        except Exception as error:  # noqa: BLE001 - a fault that nobody foresaw is its own batch's, not its neighbours'
            if len(group) > 1:
                for write in group:
                    await self._write_group((write,))
                return
            outcomes = (error,)
        except asyncio.CancelledError:
            _abandon(group)
            raise
        for write, outcome in zip(group, outcomes, strict=True):
            _answer(write.answer, outcome)

    # --- reading --------------------------------------------------------------------------------------------------

    def _start_reader(self) -> None:
        task = asyncio.get_running_loop().create_task(self._read_groups())
        self._readers.add(task)

    async def _read_groups(self) -> None:
        group: list[_Read] = []
        try:
            while group := [read for read in self._take_reads() if not read.answer.done()]:
                await self._read_group(group)
        except asyncio.CancelledError:
            _abandon(group)
            _abandon(self._reads)
            raise
        finally:  # in the same turn that found nothing more to read: who comes later starts another reader
            self._readers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def _take_reads(self) -> list[_Read]:
        reads = list(self._reads)
        self._reads.clear()
        return reads

    async def _read_group(self, group: Sequence[_Read]) -> None:
        try:
            if len(group) == 1:
                answers: Sequence[Any] = (await self.storage.read(group[0].program),)
            else:
                answers = await self.storage.read(_together([read.program for read in group]))
        except ProgramError as error:
            if len(group) > 1:  # one of them broke the rules for all: each for itself, then
                for read in group:
                    await self._read_group((read,))
                return
            answers = (error,)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is these callers' answer
            answers = [error] * len(group)
        for read, answer in zip(group, answers, strict=True):
            _answer(read.answer, answer)

    # --- home -----------------------------------------------------------------------------------------------------

    def _check_open(self, waiting: int) -> None:
        if self._closing:
            raise StoreClosedError("the graph is closed")
        if waiting >= self.limits.queued:
            raise LimitExceededError(
                f"{waiting} calls wait for the store already; wait for some of them first",
                limit="queued",
                size=waiting + 1,
                maximum=self.limits.queued,
            )

    def _check_usable(self) -> asyncio.AbstractEventLoop:
        if self._forked:
            raise ForkedError("the process forked after this graph was opened; open it again in the child")
        home = self._home
        if home is None:
            raise StoreClosedError("the graph is closed")
        if home.is_closed():
            raise StoreClosedError("the event loop this graph was opened on has ended")
        return home

    async def _at_home(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run a coroutine function on the home loop, from whatever loop this is."""
        if self._forked:
            raise ForkedError("the process forked after this graph was opened; open it again in the child")
        home = self._home
        if home is None or home.is_closed():
            raise StoreClosedError(
                "the graph is closed" if home is None else "the event loop this graph was opened on has ended"
            )
        if asyncio.get_running_loop() is home:
            return await function(*arguments)
        call = asyncio.run_coroutine_threadsafe(function(*arguments), home)
        answer = asyncio.wrap_future(call)
        try:
            while not answer.done():
                await asyncio.wait((answer,), timeout=_HOME_CHECK_SECONDS)
                if not answer.done() and (home.is_closed() or not home.is_running()):
                    raise StoreClosedError("the event loop this graph was opened on has ended before it answered")
        except BaseException:
            call.cancel()
            raise
        if call.cancelled():
            raise StoreClosedError("the event loop this graph was opened on has ended before it answered")
        return answer.result()


def _installed(directory: str, kind: str, options: StorageOptions) -> Storage:
    from polaris_core.registry import default

    specification = default().storage(kind)
    path = None if kind == "memory" else str(Path(directory, specification.file or ""))
    return specification.factory(Location(scheme=kind, path=path), options)


async def _node(name: str, session: Session) -> Node | None:
    (record,) = await session.nodes((name,))
    return None if record is None else decode_node(record)


def _together(programs: Sequence[Program[Any]]) -> Program[list[Any]]:
    async def program(session: Session) -> list[Any]:
        answers: list[Any] = []
        for one in programs:
            try:
                answers.append(await one(session))
            except Exception as error:  # noqa: BLE001 - its caller's, and nobody else's
                answers.append(error)
        return answers

    return program


def _answer(future: asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return
    if isinstance(outcome, PolarisError):
        future.set_exception(outcome.fresh())
    elif isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _abandon(waiting: Sequence[_Write | _Read] | deque[Any]) -> None:
    for call in waiting:
        if not call.answer.done() and not call.answer.get_loop().is_closed():
            call.answer.set_exception(
                StoreClosedError("the event loop ended before the store answered; the outcome is unknown")
            )


_OPEN: weakref.WeakSet[StorageService] = weakref.WeakSet()


def _in_child() -> None:
    for service in _OPEN:
        service._forked = True  # noqa: SLF001 - this module's own class
    _OPEN.clear()


def _at_exit() -> None:
    for service in _OPEN:
        warnings.warn(f"a graph was never closed: {service.storage!r}", ResourceWarning, stacklevel=1)


os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_exit)
