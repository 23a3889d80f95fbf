"""What a storage plugin implements: a place for records that runs programs, each on one committed state.

Most backends derive from :class:`BlockingStorage` and fill in `session` and `run`. What a write means, and whether it is
allowed, is decided by the core inside the program, so every backend has the same semantics.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, Protocol, TypeVar
from uuid import uuid4

import attrs

from polaris_core.abc.capabilities import (
    BlockingQuerySession,
    BlockingSearchSession,
    QuerySession,
    SalvageReport,
    SearchSession,
)
from polaris_core.abc.location import Location
from polaris_core.errors import ConfigError, ProgramError
from polaris_core.query import Query, Selected
from polaris_core.records import (
    ChangeRecord,
    CommitPlan,
    Direction,
    EdgeRecord,
    EdgeRef,
    Head,
    KeyKind,
    Link,
    MetaRecord,
    NodeRecord,
    NodeRef,
    Program,
    Receipt,
    Session,
)
from polaris_core.search import TextHits, TextQuery
from polaris_core.values import to_micros

__all__ = ["BlockingSession", "BlockingStorage", "Storage", "StorageOptions", "StorageSpec", "drive", "run_program"]

T = TypeVar("T")


def _now() -> int:
    return to_micros(datetime.now(UTC))


def _unique() -> str:
    return uuid4().hex


@attrs.frozen(kw_only=True)
class StorageOptions:
    """How a store is opened.

    `create` makes one where there is none; `read_only` is also set where the location's mode is `ro`. `durability` is
    `power` (an acknowledged commit survives power loss) or `process`
    (it survives the death of the process); `busy_seconds` is how long to wait for another process. `now` gives microseconds
    since 1970 UTC and `unique` a new text of hexadecimal digits; both are handed in so that a run can be replayed.
    """

    create: bool = True
    read_only: bool = False
    durability: Literal["power", "process"] = "power"
    busy_seconds: float = 10.0
    now: Callable[[], int] = _now
    unique: Callable[[], str] = _unique

    def __attrs_post_init__(self) -> None:
        """Raise `ConfigError` for a durability that there is not: a misspelled one would silently promise less."""
        if self.durability not in ("power", "process"):
            raise ConfigError(f"durability is power or process, not {self.durability!r}", setting="durability")
        seconds = self.busy_seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ConfigError(
                f"busy_seconds is a number of seconds, 0 or more, not {seconds!r}", setting="busy_seconds"
            )

    def new_head(self) -> Head:
        """Return the head of a store that is just made."""
        return Head(store=self.unique(), epoch=self.unique(), time=self.now())

    def restored_head(self, present: Head, copied: Head) -> Head:
        """Return the head of a store at `present` once it holds what a backup taken at `copied` holds.

        It is the same store in a new epoch, and no number is given out again. Changes are numbered without gaps, so those of the
        backup stay only where they reach up to what comes next; else the feed begins anew.
        """
        seq = max(present.seq, copied.seq)
        return copied._replace(
            store=present.store,
            epoch=self.unique(),
            seq=seq,
            next_id=max(present.next_id, copied.next_id),
            floor=copied.floor if seq == copied.seq else seq,
            time=max(present.time, copied.time),
        )


class Storage(ABC):
    """One graph of one store. Everything is called on the event loop that opened it; `stamp` from any thread.

    `capabilities` names the optional protocols of `polaris_core.abc.capabilities` it implements. `staleness` is how many
    seconds a read may lag behind a commit that another process was told of: 0.0 for never.
    """

    capabilities: frozenset[str] = frozenset()
    staleness: float = 0.0

    @abstractmethod
    async def open(self) -> Head:
        """Open the store, recover what a crash left, and return where it stands.

        Raises `StoreNotFoundError`, `StoreFormatError`, `StoreDamagedError`, `StoreBusyError` or another
        `StoreUnavailableError` that says why it cannot be opened.
        """

    @abstractmethod
    async def close(self) -> None:
        """Release everything. Called once, when nothing is under way."""

    @abstractmethod
    async def read(self, program: Program[T]) -> T:
        """Run a program on one committed state and return what it returns; an error it raises leaves unchanged."""

    @abstractmethod
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        """Run a program on the latest state, store the plan it returns durably and return the plan.

        The state does not change between what the program reads and what is stored. When this returns, the commit is durable
        and `stamp` has moved in every process; when it raises, nothing was stored, unless it is `OutcomeUnknownError`. A plan
        whose `expected` is not the head of the state it was made from raises `ProgramError`. The program may be run again.
        """

    def stamp(self) -> int | None:
        """Return a number that changes with every commit by any process, without waiting for anything.

        It moves before `commit` returns and whenever history is replaced, never comes back to an earlier value while the
        store is open, and equal stamps mean an equal state. None says that there is no such number, now or ever: what is read
        then is not kept in a cache.
        """
        return None


class BlockingSession(Protocol):
    """A session as synchronous code: the methods of `Session`, with the same meaning, and `store`."""

    def head(self) -> Head:
        """As `Session.head`."""
        ...

    def nodes(self, refs: Sequence[NodeRef]) -> Sequence[NodeRecord | None]:
        """As `Session.nodes`."""
        ...

    def edges(self, refs: Sequence[EdgeRef]) -> Sequence[EdgeRecord | None]:
        """As `Session.edges`."""
        ...

    def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> Sequence[Link]:
        """As `Session.links`."""
        ...

    def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> Sequence[Any]:
        """As `Session.scan`."""
        ...

    def keys(self, kind: KeyKind, after: str, limit: int) -> Sequence[str]:
        """As `Session.keys`."""
        ...

    def meta(self, keys: Sequence[str]) -> Sequence[MetaRecord | None]:
        """As `Session.meta`."""
        ...

    def changes(self, after: int, limit: int, id: int | None) -> Sequence[ChangeRecord]:
        """As `Session.changes`."""
        ...

    def receipts(self, keys: Sequence[str]) -> Sequence[Receipt | None]:
        """As `Session.receipts`."""
        ...

    def counts(self) -> tuple[int, int]:
        """As `Session.counts`."""
        ...

    def store(self, plan: CommitPlan) -> None:
        """Write a plan; called at most once, in a session opened for writing, as the last thing."""
        ...


class _Awaited:
    """A blocking session behind the interface of `Session`: its awaits never suspend."""

    __slots__ = ("_session",)

    def __init__(self, session: BlockingSession) -> None:
        self._session = session

    async def head(self) -> Head:
        return self._session.head()

    async def nodes(self, refs: Sequence[NodeRef]) -> Sequence[NodeRecord | None]:
        return self._session.nodes(refs)

    async def edges(self, refs: Sequence[EdgeRef]) -> Sequence[EdgeRecord | None]:
        return self._session.edges(refs)

    async def links(
        self, ids: Sequence[int], direction: Direction, types: Sequence[str] | None, limit: int, after: int
    ) -> Sequence[Link]:
        return self._session.links(ids, direction, types, limit, after)

    async def scan(self, kind: Literal["node", "edge"], after: int, limit: int) -> Sequence[Any]:
        return self._session.scan(kind, after, limit)

    async def keys(self, kind: KeyKind, after: str, limit: int) -> Sequence[str]:
        return self._session.keys(kind, after, limit)

    async def meta(self, keys: Sequence[str]) -> Sequence[MetaRecord | None]:
        return self._session.meta(keys)

    async def changes(self, after: int, limit: int, id: int | None) -> Sequence[ChangeRecord]:
        return self._session.changes(after, limit, id)

    async def receipts(self, keys: Sequence[str]) -> Sequence[Receipt | None]:
        return self._session.receipts(keys)

    async def counts(self) -> tuple[int, int]:
        return self._session.counts()


class _AwaitedQueries:
    """What a blocking session with the capability `query` has beyond others."""

    __slots__ = ()
    _session: Any

    async def select(self, query: Query) -> Selected:
        session: BlockingQuerySession = self._session
        return session.select(query)

    async def count(self, query: Query) -> int:
        session: BlockingQuerySession = self._session
        return session.count(query)

    async def types(self, kind: Literal["node", "edge"]) -> Sequence[tuple[str, int]]:
        session: BlockingQuerySession = self._session
        return session.types(kind)

    async def degree(self, id: int, direction: Direction, types: Sequence[str] | None) -> int:
        session: BlockingQuerySession = self._session
        return session.degree(id, direction, types)


class _AwaitedSearch:
    """What a blocking session with the capability `search` has beyond others."""

    __slots__ = ()
    _session: Any

    async def search(self, query: TextQuery) -> TextHits | None:
        session: BlockingSearchSession = self._session
        return session.search(query)


_OFFERS: tuple[tuple[str, type], ...] = (("select", _AwaitedQueries), ("search", _AwaitedSearch))
"""Optional methods of sessions by which a capability is known, and what passes that capability on."""


@cache
def _awaited(session: type) -> Callable[[Any], Session]:
    """Return what makes an awaited session of a blocking one of some class, with the capabilities which that class has."""
    offered = tuple(passing for method, passing in _OFFERS if hasattr(session, method))
    return type("_Awaited", (*offered, _Awaited), {"__slots__": ()}) if offered else _Awaited


def drive(program: Awaitable[T]) -> T:
    """Run an awaitable that never suspends to its end; one that suspends raises `ProgramError`."""
    steps = program.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    close = getattr(steps, "close", None)
    if close is not None:
        close()
    raise ProgramError("a program awaits nothing but its session")


def run_program(program: Program[T], session: BlockingSession) -> T:
    """Run a program to its end on a blocking session, here and now, and return what it returns."""
    return drive(program(_awaited(type(session))(session)))


class BlockingStorage(Storage):
    """The template for backends whose work is done in a thread or in memory: a program is one hop.

    Fill in `open`, `close`, `session` and `run`.
    """

    @abstractmethod
    def session(self, *, write: bool) -> AbstractContextManager[BlockingSession]:
        """Return a context whose session sees one committed state, called where `run` runs things.

        With `write` nobody else, in any process, commits before it is left. Leaving it without an error makes what was stored
        durable, visible and stamped; leaving it with one undoes it.
        """

    @abstractmethod
    async def run(self, function: Callable[[], T], *, write: bool) -> T:
        """Run a function where blocking is allowed and return what it returns: a hop to a thread, or none.

        A caller who is cancelled meanwhile gets `CancelledError`; the function is run to its end all the same.
        """

    async def read(self, program: Program[T]) -> T:
        """Run a program on one committed state, in one hop."""

        def work() -> T:
            with self.session(write=False) as session:
                return run_program(program, session)

        return await self.run(work, write=False)

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        """Run a program and store its plan, in one hop."""

        def work() -> CommitPlan:
            with self.session(write=True) as session:
                plan = run_program(program, session)
                if plan.writes:
                    if plan.expected != session.head():
                        raise ProgramError("a plan is stored into the state it was made from, or not at all")
                    session.store(plan)
            return plan

        return await self.run(work, write=True)


@attrs.frozen(kw_only=True)
class StorageSpec:
    """A storage backend as a plugin registers it: `name` is the URL scheme, `sentence` says what it is good for.

    `factory` makes a `Storage` for a location without any I/O; it raises `InvalidLocationError` for a URL it cannot serve.
    `file` is what a store that is one file is called inside a directory that was chosen for it; None for one that is a
    directory itself. `beside` are the endings of files that are kept next to a store, under its name, such as `.lock`: no
    export of the store may write them, or what is at the path of its location. `salvage` copies what can still be read of a
    damaged store, the first location, into a new one, the second; it changes nothing of the first, and None says that there
    is no such thing.
    """

    name: str
    sentence: str
    file: str | None = None
    beside: tuple[str, ...] = ()
    factory: Callable[[Location, StorageOptions], Storage]
    salvage: Callable[[Location, Location], Awaitable[SalvageReport]] | None = None


_: type[Session] = _Awaited  # the two interfaces cannot drift apart
__: type[QuerySession] = _AwaitedQueries
___: type[SearchSession] = _AwaitedSearch
