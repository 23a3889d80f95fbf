"""The graph as people use it: verbs in names, transactions, and the feed of what happened."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence, Sized
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import attrs

from polaris_core.abc.capabilities import Index, Progress, VerifyReport
from polaris_core.abc.formats import FormatSpec, OnLoss
from polaris_core.errors import (
    AlreadyExistsError,
    ConflictError,
    NodeHasEdgesError,
    NodeNotFoundError,
    NotFoundError,
    PolarisError,
)
from polaris_core.graph.committed import Committed, place_or_none
from polaris_core.graph.files import Exported, File, Imported, exported, importing
from polaris_core.graph.milestone import milestone_of
from polaris_core.graph.questions import Question
from polaris_core.graph.transaction import Transaction, finish, retried, transact
from polaris_core.graph.undo import Undoing
from polaris_core.graph.view import Moment, View, moment_of, view_of_now
from polaris_core.graph.writing import Verbs
from polaris_core.history import READERS, cursor_of, moved_reader, readers, trimmed
from polaris_core.limits import Limits
from polaris_core.model import Change, Cursor, Edge, EdgeKey, Node
from polaris_core.mutations import Batch, DeleteMeta, Mutation, normalize_author, unchecked_batch
from polaris_core.outcomes import Commit, Loaded, Result
from polaris_core.planning import Loadable, OnDangling, OnExisting, load, plan
from polaris_core.query import Kind
from polaris_core.records import CommitPlan, Program, Session
from polaris_core.storage import StorageService
from polaris_core.storage.coherence import UNKNOWN
from polaris_core.storage.grounds import Exploration
from polaris_core.values import each, normalize_name

__all__ = ["Graph"]

T = TypeVar("T")

UNDO_ATTEMPTS = 8


class Graph(Committed, Verbs):
    """One graph of one store. Every call sees one committed state; every verb that writes is one durable commit.

    Its calls may come from any event loop and any thread. `async with` closes it at the end.
    """

    def __init__(self, service: StorageService, author: str | None = None) -> None:
        self.service = service
        self.limits: Limits = service.limits
        self._author = normalize_author(author)

    @property
    def author(self) -> str | None:
        """Whom writes name that name nobody else."""
        return self._author

    def acting_as(self, author: str | None) -> Graph:
        """Return the same graph, whose writes carry an author unless they name one; closing either closes both."""
        return Graph(self.service, author)

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

    def _remembered(self, key: str | EdgeKey) -> Any:
        return self.service.remembered(key)

    def _node(self, name: str) -> Awaitable[Node | None]:
        return self.service.look_up(name)

    def _edge(self, key: EdgeKey) -> Awaitable[Edge | None]:
        return self.service.look_up(key)

    async def _explore(self, exploration: Exploration[T]) -> T:
        answer = self.service.recall(exploration)
        if answer is not UNKNOWN:
            return answer
        try:
            return await self.service.explore(exploration)
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def _write(self, mutation: Mutation) -> Result:
        try:  # as `commit`, a coroutine less: this is every single write
            return (await self.service.submit(unchecked_batch((mutation,), (), None, self._author))).results[0]
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def _write_answer(self, question: Question[tuple[Mutation, ...]]) -> Sequence[Result]:
        author, now, limits = self.author, self.service.options.now(), self.limits

        async def program(session: Session) -> CommitPlan:  # it asks where it writes, so that nobody comes between
            batches = (Batch(await question(session), author=author),)
            drawn = plan(batches, await load(session, batches, limits), now, limits)
            for outcome in drawn.outcomes:
                if isinstance(outcome, PolarisError):
                    raise outcome
            return drawn

        try:
            (outcome,) = (await self.service.commit_alone(program)).outcomes
        except NodeNotFoundError as error:
            raise await self._explained(error) from None
        return cast("Commit", outcome).results

    # --- batches and transactions ---------------------------------------------------------------------------------

    async def commit(self, batch: Batch | Mutation | Sequence[Mutation]) -> Commit:
        """Apply one batch, or mutations as one, and return what it did; raises the error that refused it."""
        try:
            return await self.service.commit(self._signed(batch if isinstance(batch, Batch) else Batch(batch)))
        except NodeNotFoundError as error:
            raise await self._explained(error) from None

    async def apply(self, batches: Sequence[Batch]) -> list[Commit | PolarisError]:
        """Apply batches in order, together in as few durable commits as the limits allow; return what became of each."""
        return await self.service.apply([self._signed(batch) for batch in each(batches, "batches")])

    def _signed(self, batch: Batch) -> Batch:
        if self.author is None or not isinstance(cast("object", batch), Batch) or batch.author is not None:
            return batch
        return attrs.evolve(batch, author=self.author)

    async def load(
        self,
        records: AsyncIterable[Loadable] | Iterable[Loadable],
        *,
        on_existing: OnExisting = "error",
        on_dangling: OnDangling = "error",
        author: str | None = None,
        progress: Progress | None = None,
    ) -> Loaded:
        """Write nodes and edges, in any order and any number, in one commit: all of them, or nothing.

        `on_existing` says what becomes of a record that exists, in the graph or earlier in this load: `error` refuses the
        load with `NodeExistsError` or `EdgeExistsError`, `skip` leaves what is there, `replace` makes it what the load says,
        `merge` adds to it as an upsert does. `on_dangling` is about the ends of edges that are nodes neither of the load nor
        of the graph: `error` refuses with `NodeNotFoundError`, `skip` leaves such edges out, `create` makes the nodes.

        `progress` is called with the number of records taken in and their total, None where that is not known. A plain
        iterable is read on the event loop, a thousand records at a time. What the load keeps in memory grows with the number
        of records by some 200 bytes each, and holds all of them on backends without the capability `load`.
        """
        total = len(records) if isinstance(records, Sized) else None
        loading = await self.service.load(
            on_existing=on_existing,
            on_dangling=on_dangling,
            author=self.author if author is None else author,
            progress=progress,
            total=total,
        )
        try:
            await loading.add_all(records)
            return await loading.finish()
        finally:
            await loading.discard()

    async def import_file(
        self,
        file: File,
        format: str | FormatSpec,
        *,
        on_existing: OnExisting = "merge",
        on_dangling: OnDangling = "error",
        on_loss: OnLoss = "skip",
        author: str | None = None,
        progress: Progress | None = None,
    ) -> Imported:
        """Load a file in one commit: all of it, or nothing.

        `file` is a name, or a file that is open for bytes; a name that ends in .gz or .xz is unpacked. `format` is a format's
        name, looked for among the installed plugins, or a specification. `on_existing` and `on_dangling` are those of `load`.
        What a graph cannot hold is left out and counted in the answer's `losses`; with `on_loss="error"` it refuses the import
        with `LossError`. `progress` is called with how many bytes of the file were read, and how many it has, None where that
        is not known.

        Raises `PluginNotFoundError` with the formats there are, `UnsupportedError` for one that only writes,
        `ValidationError` with the line or element for what the format cannot understand, and what `load` raises.
        """
        with importing(file, format, on_loss) as source:
            loaded = await self.load(
                source.followed(),
                on_existing=on_existing,
                on_dangling=on_dangling,
                author=author,
                progress=source.told(progress),
            )
            return source.outcome(loaded)

    async def export_file(
        self, file: File, format: str | FormatSpec, *, on_loss: OnLoss = "skip", progress: Progress | None = None
    ) -> Exported:
        """Write the graph, as one state whatever is committed meanwhile, into a file; nodes come before edges.

        `file` is a name, or a file that is open for bytes. A name that ends in .gz or .xz is packed; the file appears under it
        once it is whole and durable. `format` is a format's name, looked for among the installed plugins, or a specification.
        What the format cannot hold is left out and counted in the answer's `losses`; with `on_loss="error"` it refuses the
        export with `LossError`. `progress` is called with how many nodes and edges were written, and of how many.

        Raises `PluginNotFoundError` with the formats there are, `UnsupportedError` for one that only reads, and
        `ValidationError` where the file cannot be written, or is one of the store's own: that is left as it is.
        """
        async with self.snapshot() as state:
            return await exported(state, file, format, on_loss, progress, self.service.own_files)

    @asynccontextmanager
    async def transaction(self, *, author: str | None = None, validate: bool = True) -> AsyncIterator[Transaction]:
        """Read and write in a transaction that commits when the block ends without an error, unless the block did so itself.

        Raises `ConflictError` where something the transaction read was changed meanwhile; then nothing was written.
        """
        transaction = self._begin(author, validate=validate)
        try:
            yield transaction
            await finish(transaction)
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
        return await transact(lambda: self._begin(author, validate=validate), function, attempts)

    def _begin(self, author: str | None, *, validate: bool) -> Transaction:
        return Transaction(self.service, author=self.author if author is None else author, validate=validate)

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

    async def undo(self, commit: Commit | Change | int) -> Commit:
        """Take a commit back in a new one: a `Commit`, or one of its changes, or the number of one.

        What it created is deleted, what it deleted is created again, with an id of its own, and what it updated or renamed is
        as it was before; what else was written since stays. Events stay too. Raises `ConflictError` where something later
        touched the same fields, or a record that the commit created or deleted; `HistoryTrimmedError` where its changes are
        no longer kept, and `RefusedError` for a bulk load.
        """
        program = Undoing(commit)

        async def attempt() -> Commit | ConflictError:
            try:
                found = await self.service.read(program)
            except ConflictError as error:  # what was found will not go away
                return error
            batch = Batch(found.mutations, found.expect, author=self.author)
            try:
                return await self.service.commit(batch)
            except (AlreadyExistsError, NodeHasEdgesError, NotFoundError) as error:
                return ConflictError(f"the commit cannot be undone: {error}", key=error.key)

        outcome = await retried(attempt, UNDO_ATTEMPTS)
        if isinstance(outcome, ConflictError):
            raise outcome
        return outcome

    # --- how much of the past is kept -----------------------------------------------------------------------------

    async def trim(self, moment: Moment, *, force: bool = False) -> Cursor:
        """Drop the changes up to a moment, for good, and return the place before which nothing is kept from now on.

        A moment inside a commit means its end, one before what is kept drops nothing. What the graph holds stays as it is; its
        states before that place can no longer be read. Raises `ConflictError` where a registered reader has not read that far,
        unless forced, `HistoryReplacedError` for a cursor of another history and `InvalidValueError` for what lies ahead.
        """
        place, now = moment_of(moment), self.service.options.now()

        async def program(session: Session) -> CommitPlan:
            return await trimmed(session, place, force=force, now=now)

        head = (await self.service.commit_alone(program)).head
        return Cursor(head.store, head.epoch, head.floor)

    async def register_reader(self, name: str, place: Cursor | str | None = None) -> None:
        """Note how far a reader of the feed has read, by default up to now, so that `trim` keeps what it has not read.

        Call it again as it reads on, at the pace at which changes may be dropped: each note is a commit, unless nothing but
        notes was written since the last one. Raises `HistoryReplacedError` or `HistoryTrimmedError` for a place that is no more.
        """
        name, known = normalize_name(name), place_or_none(place)
        author, now, limits = self.author, self.service.options.now(), self.limits

        async def program(session: Session) -> CommitPlan:
            return await moved_reader(session, name, known, author=author, now=now, limits=limits)

        for outcome in (await self.service.commit_alone(program)).outcomes:
            if isinstance(outcome, PolarisError):
                raise outcome.fresh()

    async def forget_reader(self, name: str) -> bool:
        """Keep nothing for a reader of the feed any longer; return whether it was registered."""
        return (await self.commit(DeleteMeta(READERS + normalize_name(name)))).results[0].status == "deleted"

    async def readers(self) -> dict[str, Cursor]:
        """Return how far the registered readers of the feed have read, by their names."""
        return await self.service.read(readers)

    # --- indexes --------------------------------------------------------------------------------------------------

    async def create_index(self, kind: Kind, path: str | tuple[str, ...]) -> bool:
        """Make an index of nodes or of edges on what stands at a path into the attributes; return whether it is new.

        What is stored is entered at once, all or nothing, while writes wait; every commit then keeps it up. It answers
        comparisons with that path and orders by it, and changes no answer. Raises `UnsupportedError` where the backend has
        no indexes, as do `drop_index` and `indexes`.
        """
        return await self.service.create_index(Index.of(kind, path))

    async def drop_index(self, kind: Kind, path: str | tuple[str, ...]) -> bool:
        """Delete an index; return whether it was there."""
        return await self.service.drop_index(Index.of(kind, path))

    async def indexes(self) -> tuple[Index, ...]:
        """Return the indexes in the order in which they were made."""
        return tuple(await self.service.indexes())

    # --- the whole store ------------------------------------------------------------------------------------------

    async def unfinished_migration(self) -> Cursor | None:
        """Return which state of another store a migration into this one copies; None where none is under way.

        Such a store is not to be used yet: `migrate` goes on with it, unless somebody writes to it.
        """
        milestone = await self.service.read(milestone_of)
        return None if milestone is None else milestone.source

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Look at everything that is stored, and return all that is not as it was written or does not fit together.

        Others may read and write meanwhile. `progress` is told how many records were looked at, and of how many. Raises
        `UnsupportedError` where the backend cannot, as do `backup` and `restore`.
        """
        return await self.service.verify(progress)

    async def backup(self, target: str | PathLike[str], progress: Progress | None = None) -> Cursor:
        """Copy one committed state, with its history, to a path where nothing is; return its place in history.

        Others may read and write meanwhile. The copy is complete and durable, or not there; it can be opened as a store.
        """
        return cursor_of(await self.service.backup(Path(target), progress))

    async def restore(self, source: str | PathLike[str], progress: Progress | None = None) -> Cursor:
        """Replace everything by what a backup holds, all or nothing, and return the graph's new place in history.

        The store stays the same one and begins a new epoch, for every process that has it open: cursors of before raise
        `HistoryReplacedError`. No id or change number is given out again; a feed that would have a gap begins anew. A backup
        with damage in it raises `StoreDamagedError`.
        """
        return cursor_of(await self.service.restore(Path(source), progress))
