"""A graph with its history, copied from one store into another: whatever the backends, resumable, and compared at the end.

What is copied is one committed state of the source, read as a view of the past reads it, so writers of the source go on
meanwhile. The feed comes first and the records after it: then every row refers to what is there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Literal

import attrs

from polaris_core.abc.capabilities import Index, Progress
from polaris_core.abc.plugins import Plugins
from polaris_core.errors import HistoryReplacedError, HistoryTrimmedError, LimitExceededError, MigrationError
from polaris_core.graph.copying import Copied, Copying
from polaris_core.graph.graph import Graph
from polaris_core.graph.milestone import Milestone, begun, milestone_of
from polaris_core.graph.opening import open_graph
from polaris_core.graph.rows import KINDS
from polaris_core.history import cursor_of
from polaris_core.limits import Limits
from polaris_core.model import Cursor
from polaris_core.records import ChangeRecord, Head, Session
from polaris_core.storage import StorageService

__all__ = ["Migration", "migrate"]


@attrs.frozen(kw_only=True)
class Migration:
    """What a migration did: which state of the source the target holds, where the target stands, and what was compared.

    `indexes` are those of the source that the target has now, `left_out` those that it cannot have. `resumed` says whether an
    earlier run had begun it.
    """

    source: Cursor
    target: Cursor
    changes: Copied
    nodes: Copied
    edges: Copied
    meta: Copied
    receipts: Copied
    indexes: tuple[Index, ...]
    left_out: tuple[Index, ...]
    resumed: bool


async def migrate(
    source: str | Graph,
    target: str | Graph,
    *,
    progress: Progress | None = None,
    durability: Literal["power", "process"] = "power",
    busy_seconds: float = 10.0,
    limits: Limits | None = None,
    plugins: Plugins | None = None,
) -> Migration:
    """Copy a graph with its history into a new store of any backend, compare the two, and return what was copied.

    Both are URLs or open graphs; a URL is opened for this, the source for reading only. The state of the source that is committed
    where this begins is copied, whatever is written to it meanwhile: records, changes and receipts, byte for byte. The target
    keeps an identity of its own, so no cursor of the source means anything there. `progress` is told how many rows were copied
    and compared, and of how many. The other arguments are those of `open_graph`.

    Called again after an interruption, it goes on where the last run was; after its end, it compares once more. Raises
    `MigrationError` where the target holds anything but an unfinished migration of this source, where somebody else wrote to
    it, and where source and target differ in the end; `HistoryReplacedError` or `HistoryTrimmedError` where the source was
    restored, or trimmed past that state, since the migration began, and `LimitExceededError` where more has happened since
    than a view of the past can take back.
    """

    def opened(store: str | Graph, *, read_only: bool) -> AbstractAsyncContextManager[Graph]:
        if isinstance(store, Graph):
            return nullcontext(store)
        return open_graph(
            store,
            cache=None,
            create=not read_only,
            read_only=read_only,
            durability=durability,
            busy_seconds=busy_seconds,
            limits=limits,
            plugins=plugins,
        )

    async with opened(source, read_only=True) as one, opened(target, read_only=False) as other:
        try:
            return await _migrated(one.service, other.service, progress)
        except HistoryReplacedError as error:
            raise HistoryReplacedError(
                "the source was restored since this migration began: remove the target and begin again",
                cursor=error.cursor,
            ) from error
        except HistoryTrimmedError as error:
            raise HistoryTrimmedError(
                f"changes of the source up to {error.floor} were trimmed since this migration began: run it again, or, if that "
                f"does not help, remove the target and begin again",
                cursor=error.cursor,
                floor=error.floor,
            ) from error


async def _migrated(source: StorageService, target: StorageService, progress: Progress | None) -> Migration:
    head, into = await source.read(_head_of_source), await target.read(_head)
    if head.store == into.store:
        raise MigrationError("the source and the target are one store, or one is a copy of the other's files")
    found = await target.read(milestone_of)
    if found is None:
        again = await _compared_again(source, target, head, into, progress)
        if again is not None:
            return again
        await target.commit_alone(partial(begun, source=head))
    elif found.source.store != head.store:
        raise MigrationError(
            f"the target holds an unfinished migration of the store {found.source.store}, and the source is {head.store}"
        )
    milestone = found or await target.read(milestone_of)
    if milestone is None:
        raise MigrationError("somebody else has written to the target")
    copying = Copying(source, target, milestone, progress)
    await copying.copy()
    indexes = await _with_indexes(source, target)
    compared = [await copying.compare(kind) for kind in KINDS]
    return _report(milestone.source, await copying.end(), compared, indexes, resumed=found is not None)


async def _compared_again(
    source: StorageService, target: StorageService, head: Head, into: Head, progress: Progress | None
) -> Migration | None:
    """Compare once more where the last run may have died just after it had ended; None where the target is anything else."""
    last = partial(_change, seq=into.seq)
    if not max(head.floor, 1) <= into.seq <= head.seq or await source.read(last) != await target.read(last):
        return None
    there = into._replace(floor=max(into.floor, head.floor))
    place = Cursor(head.store, head.epoch, into.seq)
    copying = Copying(source, target, Milestone(place, "receipt", "", 0, there), progress)
    try:
        await copying.expect(1)
        compared = [await copying.compare(kind) for kind in KINDS]
    except (MigrationError, HistoryTrimmedError, HistoryReplacedError, LimitExceededError):
        return None
    return _report(place, cursor_of(into), compared, await _with_indexes(source, target), resumed=True)


def _report(
    source: Cursor,
    target: Cursor,
    compared: Sequence[Copied],
    indexes: tuple[tuple[Index, ...], tuple[Index, ...]],
    *,
    resumed: bool,
) -> Migration:
    changes, nodes, edges, meta, receipts = compared
    made, left_out = indexes
    return Migration(
        source=source,
        target=target,
        changes=changes,
        nodes=nodes,
        edges=edges,
        meta=meta,
        receipts=receipts,
        indexes=made,
        left_out=left_out,
        resumed=resumed,
    )


async def _head(session: Session) -> Head:
    return await session.head()


async def _head_of_source(session: Session) -> Head:
    if await milestone_of(session) is not None:
        raise MigrationError("the source is the target of a migration that has not ended: end that one first")
    return await session.head()


async def _with_indexes(source: StorageService, target: StorageService) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
    """Make the indexes of the source in the target; return them, and those that it cannot have."""
    there = tuple(await source.indexes()) if "indexes" in source.storage.capabilities else ()
    if "indexes" not in target.storage.capabilities:
        return (), there
    for index in there:
        await target.create_index(index)
    return there, ()


async def _change(session: Session, seq: int) -> list[ChangeRecord]:
    return [change for change in await session.changes(seq - 1, 1, None) if change.seq == seq]
