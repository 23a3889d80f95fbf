"""The one door to a store: group commit, shared reads, a cache that is never stale, from whatever thread or loop one calls."""

from __future__ import annotations

import asyncio
import atexit
import os
import warnings
import weakref
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from polaris_core.abc.cache import Cache
from polaris_core.abc.capabilities import Backup, Index, Indexes, Load, Progress, Stage, Verify, VerifyReport
from polaris_core.abc.location import Location
from polaris_core.abc.storage import Storage, StorageOptions
from polaris_core.errors import InvalidValueError, PolarisError, StoreClosedError, UnsupportedError
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node, Patch
from polaris_core.mutations import Batch, PatchNode, PutEdge, PutNode, normalize_author
from polaris_core.outcomes import Commit
from polaris_core.planning import Intake, OnDangling, OnExisting, stored_schemas
from polaris_core.records import CommitPlan, Head, Program
from polaris_core.storage.adjacency import Adjacency
from polaris_core.storage.coherence import UNKNOWN, GraphCache
from polaris_core.storage.grounds import Exploration
from polaris_core.storage.home import Home
from polaris_core.storage.loading import Loading, StageInMemory
from polaris_core.storage.own_files import OwnFiles
from polaris_core.storage.queues import Asked, Exploring, ReadQueue, WriteQueue
from polaris_core.values import each

__all__ = ["StorageService"]

T = TypeVar("T")

_CAPABLE = {"backup": ("json", "sqlite"), "indexes": ("sqlite",), "verify": ("json", "sqlite")}
"""Which first-party backends have what others may lack: a hint for whoever meets an `UnsupportedError`."""


class StorageService:
    """A store, its queues and its cache. It lives on the event loop that opened it; calls from other loops are brought there."""

    _open = False

    def __init__(
        self,
        storage_dir: str = "data",
        storage_type: str = "json",
        *,
        storage: Storage | None = None,
        options: StorageOptions | None = None,
        limits: Limits | None = None,
        cache: Cache | None = None,
        own_files: OwnFiles | None = None,
    ) -> None:
        """Stand before `storage`, or before the installed backend `storage_type` with its files in `storage_dir`.

        `own_files` are those of a `storage` that is given, for exports to keep away from; of an installed one they are known.

        `cache` keeps nodes by name and edges by key, as new as the store, and None for what is not there; it is
        bounded by whoever made it. Beside it the names of neighbours are kept, for walks.
        """
        self.options: StorageOptions = options or StorageOptions()
        self.limits: Limits = limits or Limits()
        self._cache = (
            None if cache is None else GraphCache(cache, Adjacency(self.limits.cache_bytes // 2), self.limits.walk)
        )
        self.own_files: OwnFiles = own_files or OwnFiles()
        if storage is None:
            storage, self.own_files = _installed(storage_dir, storage_type, self.options)
        self.storage: Storage = storage
        self._home = Home()
        self._writes = WriteQueue(self.storage, self.limits, self.options.now)
        self._reads = ReadQueue(self.storage, self.limits, self._cache)
        self._closing: asyncio.Task[None] | None = None

    def __del__(self) -> None:
        _warn_if_open(self)

    # --- life -----------------------------------------------------------------------------------------------------

    async def initialize(self) -> Head:
        """Open the store and return where it stands; the running event loop becomes the service's home."""
        head = await self.storage.open()
        self._home.enter()
        self._writes.enter()
        self._reads.enter()
        self._open = True
        _OPEN.add(self)
        return head

    async def close(self) -> None:
        """Refuse new work, finish what was accepted and close the store. Closing again waits for the same end."""
        if self in _OPEN:
            await self._home.call(self._close)

    def _close(self) -> asyncio.Future[None]:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._finish())
        return asyncio.shield(self._closing)  # a caller that is cancelled leaves no store half closed

    async def _finish(self) -> None:
        await self._writes.drain()
        await self._reads.drain()
        try:
            await self.storage.close()
        finally:
            if self._cache is not None:
                self._cache.clear()
            _OPEN.discard(self)
            self._open = False
            self._home.leave()

    # --- writing --------------------------------------------------------------------------------------------------

    async def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """Apply batches in order, in as few durable commits as the limits allow, and return what became of each.

        Where the store failed as a whole, that error is what became of each batch it was carrying: it changed nothing, unless it is
        an `OutcomeUnknownError`.
        """
        outcomes = await self._home.call(self._submit_all, tuple(each(batches, "batches")))
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, PolarisError):
                raise outcome
        return cast("list[Commit | PolarisError]", outcomes)

    async def commit(self, batch: Batch) -> Commit:
        """Apply one batch and return what it did; raises the error that refused it."""
        return await self.submit(batch)

    def submit(self, batch: Batch) -> Awaitable[Commit]:
        """As `commit`, for who awaits it on the spot: without a coroutine of its own."""
        return self._home.call(self._submit, batch)

    def _submit(self, batch: Batch) -> asyncio.Future[Commit]:
        self._check_open()
        if not isinstance(cast("object", batch), Batch):  # in the queue it would stop everybody's writes
            raise InvalidValueError(f"what is applied is a batch, not {type(batch).__name__}")
        return self._writes.submit(batch)

    def _submit_all(self, batches: Sequence[Batch]) -> asyncio.Future[list[Commit | BaseException]]:
        return asyncio.gather(*map(self._submit_or_refuse, batches), return_exceptions=True)

    def _submit_or_refuse(self, batch: Batch) -> asyncio.Future[Commit]:
        try:
            return self._submit(batch)
        except PolarisError as error:  # this batch's outcome: those before it are on their way already
            refused: asyncio.Future[Commit] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    async def store_node(self, node: Node) -> Node:
        """Write a node whole, whether it exists or not, and return it as stored; observations it has already stay."""
        put = PutNode(node.name, node.type, node.attributes)
        observe = PatchNode(node.name, Patch(observe=node.observations))
        return cast("Node", (await self.commit(Batch((put, observe)))).results[-1].value)

    async def store_edge(self, edge: Edge) -> Edge:
        """Write an edge whole, whether it exists or not, and return it as stored."""
        put = PutEdge(edge.source, edge.type, edge.target, edge.attributes)
        return cast("Edge", (await self.commit(Batch((put,)))).results[-1].value)

    async def commit_alone(self, program: Program[CommitPlan]) -> CommitPlan:
        """Store what a program plans, in a commit of its own, in turn with the batches that wait; return the plan."""
        return await self._home.call(self._commit_alone, program)

    # --- loading --------------------------------------------------------------------------------------------------

    async def load(
        self,
        *,
        on_existing: OnExisting = "error",
        on_dangling: OnDangling = "error",
        author: str | None = None,
        progress: Progress | None = None,
        total: int | None = None,
    ) -> Loading:
        """Begin a bulk load, as `Graph.load` describes it; nothing is stored before its `finish`."""
        if on_existing not in get_args(OnExisting) or on_dangling not in get_args(OnDangling):
            raise InvalidValueError(
                "on_existing is error, skip, replace or merge; on_dangling is error, skip or create"
            )
        if progress is not None and not callable(progress):
            raise InvalidValueError(f"progress is told to a function, not to {type(progress).__name__}")
        intake = Intake(
            on_existing=on_existing,
            on_dangling=on_dangling,
            author=normalize_author(author),
            micros=self.options.now(),
            limits=self.limits,
            schemas=await self.read(stored_schemas),
        )
        stage = await self._home.call(self._stage)
        return Loading(self._home, stage, intake, self.options.now, progress, total)

    async def _stage(self) -> Stage:
        self._check_open()
        if "load" in self.storage.capabilities:
            return await self.require("load", Load).stage()
        return StageInMemory(self._commit_alone)

    def _commit_alone(self, program: Program[CommitPlan]) -> asyncio.Future[CommitPlan]:
        self._check_open()
        return self._writes.submit(program)

    # --- reading --------------------------------------------------------------------------------------------------

    async def read(self, program: Program[T]) -> T:
        """Run a program on one committed state, in a hop shared with whoever else waits; return what it returns."""
        return cast("T", await self._home.call(self._submit_read, program))

    def _submit_read(self, asked: Asked) -> asyncio.Future[Any]:
        self._check_open()
        return self._reads.submit(asked)

    async def get_node(self, name: str) -> Node | None:
        """Return the node of a normalised name, or None; without a hop where the cache is as new as the store."""
        node = self.remembered(name)
        return cast("Node | None", await self.look_up(name) if node is UNKNOWN else node)

    async def get_edge(self, key: EdgeKey) -> Edge | None:
        """Return the edge of a normalised key, or None, as `get_node` does a node."""
        edge = self.remembered(key)
        return cast("Edge | None", await self.look_up(key) if edge is UNKNOWN else edge)

    def remembered(self, key: str | EdgeKey) -> Any:
        """Return the node of a name or the edge of a key, or None where there is none; `UNKNOWN` has to be looked up."""
        self._check_serving()
        return UNKNOWN if self._cache is None else self._cache.get(key, self.storage.stamp())

    def look_up(self, key: str | EdgeKey) -> Awaitable[Any]:
        """Read the node of a name or the edge of a key, past the cache, in a hop shared with whoever else waits."""
        return self._home.call(self._submit_read, key)

    def recall(self, exploration: Exploration[T]) -> T:
        """Return what an exploration finds in one committed state, if all it comes by is remembered, else `UNKNOWN`."""
        self._check_serving()
        return cast("T", UNKNOWN) if self._cache is None else self._cache.explore(exploration, self.storage.stamp())

    async def explore(self, exploration: Exploration[T]) -> T:
        """Return what an exploration finds in one committed state, past the cache."""
        return cast("T", await self._home.call(self._submit_read, Exploring(exploration)))

    def _check_serving(self) -> None:
        """Raise what a hop would raise, where none is made."""
        _ = self._home.loop
        self._check_open()

    # --- the whole store ------------------------------------------------------------------------------------------

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """As `Verify.verify`; raises `UnsupportedError` where the store has no such thing."""
        return await self._home.call(self._required("verify", Verify).verify, progress)

    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        """As `Backup.backup`; raises `UnsupportedError` where the store has no such thing."""
        return await self._home.call(self._required("backup", Backup).backup, target, progress)

    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        """As `Backup.restore`; raises `UnsupportedError` where the store has no such thing."""
        return await self._home.call(self._restore, source, progress)

    async def _restore(self, source: Path, progress: Progress | None) -> Head:
        head = await self._required("backup", Backup).restore(source, progress)
        if self._cache is not None:  # nothing of it would be served, the stamp has moved; but it would stay
            self._cache.clear()
        return head

    async def create_index(self, index: Index) -> bool:
        """As `Indexes.create_index`; raises `UnsupportedError` where the store has no such thing."""
        return await self._home.call(self._required("indexes", Indexes).create_index, index)

    async def drop_index(self, index: Index) -> bool:
        """As `Indexes.drop_index`; raises `UnsupportedError` where the store has no such thing."""
        return await self._home.call(self._required("indexes", Indexes).drop_index, index)

    async def indexes(self) -> Sequence[Index]:
        """As `Indexes.indexes`; raises `UnsupportedError` where the store has no such thing."""
        return await self._home.call(self._required("indexes", Indexes).indexes)

    def _required(self, capability: str, protocol: type[T]) -> T:
        self._check_open()
        return self.require(capability, protocol)

    def require(self, capability: str, protocol: type[T]) -> T:
        """Return the storage as what it claims to be; raises `UnsupportedError` where it does not claim the capability."""
        if capability not in self.storage.capabilities:
            known = _CAPABLE.get(capability, ())
            raise UnsupportedError(
                f"{self.storage!r} has no {capability}"
                + (f"; {' and '.join(known)} {'have' if len(known) > 1 else 'has'}" if known else ""),
                capability=capability,
                supported_by=known,
            )
        assert isinstance(self.storage, protocol)  # noqa: S101 - the conformance kit holds claims against protocols
        return self.storage

    def _check_open(self) -> None:
        if self._closing is not None:
            raise StoreClosedError("the graph is closed")


def _installed(directory: str, kind: str, options: StorageOptions) -> tuple[Storage, OwnFiles]:
    from polaris_core.registry import default

    specification = default().storage(kind)
    path = None if kind == "memory" else str(Path(directory, specification.file or ""))
    location = Location(scheme=kind, path=path)
    return specification.factory(location, options), OwnFiles.of(location, specification)


_OPEN: weakref.WeakSet[StorageService] = weakref.WeakSet()


def _in_child() -> None:
    for service in _OPEN:
        service._home.forked = True  # noqa: SLF001 - this module's own class
        service._open = False  # noqa: SLF001 - the parent's to close
    _OPEN.clear()


def _warn_if_open(service: StorageService) -> None:
    """Say once that nobody closed a service. Its backend lets no thread hang, and what was acknowledged is stored."""
    if service._open:  # noqa: SLF001
        service._open = False  # noqa: SLF001
        warnings.warn(f"a graph was never closed: {service.storage!r}", ResourceWarning, stacklevel=2, source=service)


def _at_exit() -> None:
    for service in tuple(_OPEN):
        _warn_if_open(service)


os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_exit)
