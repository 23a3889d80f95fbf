"""Pages of keys in order, some of them hidden and others added: what every session over another session needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from heapq import merge
from itertools import islice

from polaris_core.records import KeyKind, Session

__all__ = ["merged_keys"]


async def merged_keys(
    session: Session,
    kind: KeyKind,
    after: str,
    limit: int,
    kept: Callable[[Sequence[str]], Awaitable[Iterable[str]]],
    added: Iterable[str],
) -> list[str]:
    """Return the keys of a session that `kept` lets through, with those of `added`, which are sorted and follow `after`."""
    keys: list[str] = []
    at = after
    while len(keys) < limit and (page := await session.keys(kind, at, limit)):
        keys.extend(await kept(page))
        at = page[-1]
    return list(islice(merge(keys, added), limit))
