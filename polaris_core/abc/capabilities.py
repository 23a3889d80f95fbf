"""What a backend may offer beyond `Storage`: each a name in `Storage.capabilities` and the protocol here that it implements.

A program meets `select` and `search` on its session, where the backend has them; the core does without where not, and it
loads without `load`. The others are methods of the storage. One that is asked for and missing is an `UnsupportedError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from polaris_core.errors import InvalidValueError
from polaris_core.query import Kind, Query, Selected, field_of
from polaris_core.records import Direction, Head, LoadPlan, Session, StagedEdge, StagedNode
from polaris_core.search import TextHits, TextQuery

__all__ = [
    "Backup",
    "BlockingQuerySession",
    "BlockingSearchSession",
    "Finding",
    "Index",
    "Indexes",
    "Load",
    "Progress",
    "QuerySession",
    "SalvageReport",
    "SearchSession",
    "Stage",
    "StagedRecords",
    "Verify",
    "VerifyReport",
]

Progress: TypeAlias = Callable[[int, int | None], None]
"""Is told, now and then and from any thread, how much is done and of how much, None where nobody knows."""


class Finding(NamedTuple):
    """Something that is not as it was written: `where` names a record or a place in a file, `what` is a sentence."""

    where: str
    what: str


class VerifyReport(NamedTuple):
    """What `verify` looked at, in records, changes and receipts together, and what it found; empty when all is well."""

    looked_at: int
    findings: tuple[Finding, ...]


class SalvageReport(NamedTuple):
    """What a salvage copied, and what it could not: nothing is left out that `lost` does not name."""

    nodes: int
    edges: int
    changes: int
    lost: tuple[Finding, ...]


@runtime_checkable
class Backup(Protocol):
    """Capability `backup`: copies of a whole store, made while others read and write it."""

    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        """Copy one committed state, with its history, to a path where nothing is; return the head that was copied.

        The copy is complete and durable, or not there. It can be opened like any store of this backend.
        """
        ...

    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        """Replace everything by what a backup holds, all or nothing, and return the new head.

        The store keeps its identity and begins a new epoch, in every process that has it open; ids and change numbers of
        before are not given out again.
        """
        ...


@runtime_checkable
class Verify(Protocol):
    """Capability `verify`: a search for damage in everything that is stored."""

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Read everything, and return all that is not as it was written or does not fit together. Changes nothing."""
        ...


@runtime_checkable
class QuerySession(Protocol):
    """Capability `query`, on the session: answers that do not read every record to the core. They are those of the core."""

    async def select(self, query: Query) -> Selected:
        """Return node or edge records, and where to go on; raises `LimitExceededError` as the core's `select` does."""
        ...

    async def count(self, query: Query) -> int:
        """Return how many records the filter of a query admits; of its other fields only `scan` counts."""
        ...

    async def types(self, kind: Kind) -> Sequence[tuple[str, int]]:
        """Return every type that nodes or edges have, in code point order, with how many have it."""
        ...

    async def degree(self, id: int, direction: Direction, types: Sequence[str] | None) -> int:
        """Return how many links `Session.links` would return of one node, were there no limit."""
        ...


class BlockingQuerySession(Protocol):
    """Capability `query` as synchronous code, on a `BlockingSession`."""

    def select(self, query: Query) -> Selected:
        """As `QuerySession.select`."""
        ...

    def count(self, query: Query) -> int:
        """As `QuerySession.count`."""
        ...

    def types(self, kind: Kind) -> Sequence[tuple[str, int]]:
        """As `QuerySession.types`."""
        ...

    def degree(self, id: int, direction: Direction, types: Sequence[str] | None) -> int:
        """As `QuerySession.degree`."""
        ...


@runtime_checkable
class SearchSession(Protocol):
    """Capability `search`, on the session: text search by an index of words."""

    async def search(self, query: TextQuery) -> TextHits | None:
        """Return the best matches among the nodes of this state; None where the index cannot tell, and the core scans.

        Which nodes match is as a scan of the core has it: `folded_text` says what to index of the `texts_of` a node, and
        `found_in` why a node matches. The scores are the backend's own.
        """
        ...


class BlockingSearchSession(Protocol):
    """Capability `search` as synchronous code, on a `BlockingSession`."""

    def search(self, query: TextQuery) -> TextHits | None:
        """As `SearchSession.search`."""
        ...


class Index(NamedTuple):
    """An index: of nodes or of edges, on the value at a path into their attributes, in the text form of paths."""

    kind: Kind
    path: str

    @classmethod
    def of(cls, kind: Kind, path: str | tuple[str, ...]) -> Index:
        """Return an index with its path as it is written everywhere; raises `InvalidValueError` for what cannot be one."""
        field = field_of(path)
        if kind not in ("node", "edge") or field.root != "attributes" or not field.keys:
            raise InvalidValueError(
                f"an index is of nodes or edges, on a path into the attributes, not on {str(field)[:80]}"
            )
        return cls(kind, str(field))


@runtime_checkable
class Indexes(Protocol):
    """Capability `indexes`: indexes on the values at paths into the attributes, which every commit keeps up.

    An index answers what compares the value at its path, and orders by it. It changes no answer and no history.
    """

    async def create_index(self, index: Index) -> bool:
        """Make an index of what is stored and of what will be; return whether it is new. All or nothing."""
        ...

    async def drop_index(self, index: Index) -> bool:
        """Delete an index; return whether it was there."""
        ...

    async def indexes(self) -> Sequence[Index]:
        """Return the indexes in the order in which they were made."""
        ...


class StagedRecords(Protocol):
    """What waits to be loaded, by number; None where there is nothing of a number."""

    async def nodes(self, numbers: Sequence[int]) -> Sequence[StagedNode | None]:
        """Return staged nodes."""
        ...

    async def edges(self, numbers: Sequence[int]) -> Sequence[StagedEdge | None]:
        """Return staged edges."""
        ...


class Stage(StagedRecords, Protocol):
    """A place where the records of one load wait, seen by nobody else and gone when the process is."""

    async def put(self, nodes: Sequence[StagedNode], edges: Sequence[StagedEdge]) -> None:
        """Add records; one whose number is there already replaces it. Holds up no commit of other processes."""
        ...

    async def commit(self, program: Callable[[Session, StagedRecords], Awaitable[LoadPlan]]) -> LoadPlan:
        """Run a program on the latest state and store what it returns, all or nothing, as `Storage.commit` does.

        The program awaits nothing but what it is given. A plan that writes nothing stores nothing of the stage either.
        """
        ...

    async def discard(self) -> None:
        """Forget what waits here, after a commit too."""
        ...


@runtime_checkable
class Load(Protocol):
    """Capability `load`: many new records in one commit, with little in memory and a short hold on the store."""

    async def stage(self) -> Stage:
        """Return a new, empty stage."""
        ...
