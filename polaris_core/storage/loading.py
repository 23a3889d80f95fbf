"""One bulk load on its way into a store: taken in a piece at a time, staged, and stored in one commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from polaris_core.abc.capabilities import Progress, Stage, StagedRecords
from polaris_core.errors import ForkedError, RefusedError, StoreBusyError, StoreClosedError
from polaris_core.outcomes import Loaded
from polaris_core.planning import Intake, Loadable, settle
from polaris_core.records import CommitPlan, LoadPlan, Program, Session, StagedEdge, StagedNode
from polaris_core.storage.home import Home
from polaris_core.values import each

__all__ = ["Loading", "StageInMemory", "pieces"]

T = TypeVar("T")

_PIECE = 1_000


def pieces(records: Iterable[T]) -> Iterator[list[T]]:
    """Yield what an iterable yields in lists that are small enough to be taken in while others wait."""
    rest = each(records, "records to load")
    while piece := list(islice(rest, _PIECE)):
        yield piece


class Loading:
    """A load that was begun. `add` and `finish` are called one after the other, from any event loop; always `discard` it.

    Only `finish` stores anything, and it stores everything. Where it was refused, or the store was busy, it may be called again.
    Otherwise both raise `StoreClosedError` once the load was stored, discarded or failed.
    """

    def __init__(
        self,
        home: Home,
        stage: Stage,
        intake: Intake,
        now: Callable[[], int],
        progress: Progress | None,
        total: int | None,
    ) -> None:
        self._home = home
        self._stage = stage
        self._intake = intake
        self._now = now
        self._progress = progress
        self._total = total
        self._takes_more = True

    async def add(self, records: Sequence[Loadable]) -> None:
        """Take in some records. Raises what `Intake.take` raises; the load cannot go on after that."""
        self._begin()  # records that are numbered and do not wait would be missing where edges end
        nodes, edges, again = self._intake.take(records)
        await self._home.call(self._stage.put, nodes, edges)
        if again:
            await self._merge(again)
        self._takes_more = True
        if self._progress is not None:
            self._progress(self._intake.taken, self._total)

    def _begin(self) -> None:
        if not self._takes_more:
            raise StoreClosedError("this load has ended, failed or is still at work: begin another one")
        self._takes_more = False

    async def add_all(self, records: AsyncIterable[Loadable] | Iterable[Loadable]) -> None:
        """Take in what an iterable yields; a plain one is read here, on the event loop, which turns between its pieces."""
        if not isinstance(records, AsyncIterable):
            for some in pieces(records):
                await self.add(some)
                await asyncio.sleep(0)
            return
        piece: list[Loadable] = []
        async for record in records:
            piece.append(record)
            if len(piece) == _PIECE:
                await self.add(piece)
                piece = []
        if piece:
            await self.add(piece)

    async def _merge(self, again: Sequence[tuple[int, Loadable]]) -> None:
        numbers = tuple({number for number, _ in again})
        nodes = {row.number: row for row in await self._home.call(self._stage.nodes, numbers) if row}
        edges = {row.number: row for row in await self._home.call(self._stage.edges, numbers) if row}
        for number, record in again:
            if number in nodes:
                nodes[number] = self._intake.merged_node(nodes[number], record)  # type: ignore[arg-type]
            else:
                edges[number] = self._intake.merged_edge(edges[number], record)  # type: ignore[arg-type]
        await self._home.call(self._stage.put, list(nodes.values()), list(edges.values()))

    async def finish(self) -> Loaded:
        """Store everything in one commit, and return what was done; raises what `settle` and the store raise."""
        self._begin()
        now = self._now()

        async def program(session: Session, staged: StagedRecords) -> LoadPlan:
            return await settle(session, staged, self._intake, now)

        try:
            return (await self._home.call(self._stage.commit, program)).loaded
        except (RefusedError, StoreBusyError):
            self._takes_more = True
            raise

    async def discard(self) -> None:
        """Forget what was taken in, if it is not stored."""
        self._takes_more = False
        with suppress(StoreClosedError, ForkedError):  # what waited is gone already
            await self._home.call(self._stage.discard)


class StageInMemory:
    """The stage for backends that have none: everything waits in this process, and is stored as one ordinary plan."""

    def __init__(self, commit: Callable[[Program[CommitPlan]], Awaitable[object]]) -> None:
        self._commit = commit
        self._nodes: dict[int, StagedNode] = {}
        self._edges: dict[int, StagedEdge] = {}

    async def put(self, nodes: Sequence[StagedNode], edges: Sequence[StagedEdge]) -> None:
        """Add records."""
        self._nodes.update((row.number, row) for row in nodes)
        self._edges.update((row.number, row) for row in edges)

    async def nodes(self, numbers: Sequence[int]) -> list[StagedNode | None]:
        """Return staged nodes."""
        return [self._nodes.get(number) for number in numbers]

    async def edges(self, numbers: Sequence[int]) -> list[StagedEdge | None]:
        """Return staged edges."""
        return [self._edges.get(number) for number in numbers]

    async def commit(self, program: Callable[[Session, StagedRecords], Awaitable[LoadPlan]]) -> LoadPlan:
        """Run the program and store what it returns together with what is staged."""
        decided: list[LoadPlan] = []

        async def whole(session: Session) -> CommitPlan:
            load = await program(session, self)
            decided.append(load)
            return self._with_staged(load)

        await self._commit(whole)
        return decided[-1]  # a backend may run a program again; the last run is the one that was stored

    def _with_staged(self, load: LoadPlan) -> CommitPlan:
        plan, left_out = load.plan, load.left_out
        if not plan.writes:
            return plan
        return plan._replace(
            put_nodes=[*plan.put_nodes, *(load.node(row) for n, row in self._nodes.items() if n not in left_out)],
            put_edges=[*plan.put_edges, *(load.edge(row) for n, row in self._edges.items() if n not in left_out)],
        )

    async def discard(self) -> None:
        """Forget everything."""
        self._nodes, self._edges = {}, {}
