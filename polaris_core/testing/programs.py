"""Programs to drive a storage with, as the core would, and programs that read a store whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from polaris_core.limits import Limits
from polaris_core.mutations import Batch
from polaris_core.planning import load, plan
from polaris_core.records import (
    ChangeRecord,
    CommitPlan,
    EdgeRecord,
    Head,
    Link,
    MetaRecord,
    NodeRecord,
    Program,
    Receipt,
    Session,
)

__all__ = ["Everything", "everything", "pages", "writing"]

T = TypeVar("T")

_PAGE = 1_000


def writing(*batches: Batch, now: int = 0, limits: Limits | None = None) -> Program[CommitPlan]:
    """Return the program that applies batches: `plan = await storage.commit(writing(Batch(...)))`, then `plan.outcomes`.

    `now` is in microseconds since 1970 UTC; a store's time never goes back, so 0 keeps it where it is.
    """
    bounds = limits or Limits()

    async def program(session: Session) -> CommitPlan:
        return plan(batches, await load(session, batches, bounds), now, bounds)

    return program


class Everything(NamedTuple):
    """All that a session answers: equal for two stores exactly when nobody can tell them apart."""

    head: Head
    counts: tuple[int, int]
    nodes: Sequence[NodeRecord]
    edges: Sequence[EdgeRecord]
    links: Sequence[Link]
    names: Sequence[str]
    meta: Sequence[MetaRecord | None]
    receipts: Sequence[Receipt | None]
    changes: Sequence[ChangeRecord]


async def everything(session: Session) -> Everything:
    """Read all that a store holds, page by page, in one committed state."""
    nodes: list[NodeRecord] = await pages(lambda after: session.scan("node", after, _PAGE), _PAGE, _id)
    edges: list[EdgeRecord] = await pages(lambda after: session.scan("edge", after, _PAGE), _PAGE, _id)
    ids = tuple(node.id for node in nodes)
    return Everything(
        head=await session.head(),
        counts=await session.counts(),
        nodes=nodes,
        edges=edges,
        links=await pages(lambda after: session.links(ids, "both", None, _PAGE, after), _PAGE, _id),
        names=await pages(lambda after: session.keys("node", after, _PAGE), _PAGE, _itself, ""),
        meta=await session.meta(await pages(lambda after: session.keys("meta", after, _PAGE), _PAGE, _itself, "")),
        receipts=await session.receipts(
            await pages(lambda after: session.keys("receipt", after, _PAGE), _PAGE, _itself, "")
        ),
        changes=await pages(lambda after: session.changes(after, _PAGE, None), _PAGE, _seq),
    )


def _id(row: Any) -> int:
    return int(row.id)


def _seq(row: ChangeRecord) -> int:
    return row.seq


def _itself(key: str) -> str:
    return key


async def pages(
    ask: Callable[[Any], Awaitable[Sequence[T]]], size: int, place: Callable[[T], Any], start: Any = 0
) -> list[T]:
    """Return what pages of at most `size` rows hold together, each asked for after the `place` of the last row before it.

    A page that is too long, or not in order after that place, raises `AssertionError`.
    """
    found: list[T] = []
    after = start
    while page := await ask(after):
        if len(page) > size:
            raise AssertionError(f"a page of at most {size} rows has {len(page)}")
        for row in page:
            if not place(row) > after:
                raise AssertionError(f"after {after!r} comes {place(row)!r}: rows stand in order, each once")
            after = place(row)
        found += page
    return found
