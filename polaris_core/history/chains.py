"""The changes of one node or edge, followed from one to the one before: each says which change wrote the record last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polaris_core.history.places import change_at
from polaris_core.history.undoing import reading
from polaris_core.model import EdgeKey, Key
from polaris_core.records import ChangeRecord, Head, Session

__all__ = ["chain", "last_change_of"]

_PAGE = 1_000


async def chain(session: Session, head: Head, revision: int, limit: int) -> tuple[list[ChangeRecord], int]:
    """Return the change of a number and those before it of the same record, the newest first, as far as they are kept.

    The number of the one that would come next is returned too; 0 when there is none.
    """
    found: list[ChangeRecord] = []
    while revision > head.floor and len(found) < limit:
        change = await change_at(session, revision)
        found.append(change)
        with reading(change) as body:
            revision = body.get("previous", {}).get("revision", 0)
    return found, revision if revision > head.floor else 0


async def last_change_of(session: Session, head: Head, key: Key, scan: int) -> int:
    """Return the number of the last change of what has this name or key, or had it last; 0 when none is found.

    What is gone, or is called otherwise now, is looked for in the last `scan` changes.
    """
    return await (
        _of_edge(session, head, key, scan) if isinstance(key, EdgeKey) else _of_node(session, head, key, scan)
    )


async def _of_node(session: Session, head: Head, name: str, scan: int) -> int:
    (record,) = await session.nodes((name,))
    if record is not None:
        return record.revision

    def had_the_name(change: ChangeRecord, body: Any) -> bool:
        return bool((body["key"] if change.kind == "node.deleted" else body["undo"]["name"]) == name)

    change = await _search_back(session, head, ("node.deleted", "node.renamed"), had_the_name, scan)
    if change is None or change.kind == "node.deleted":
        return change.seq if change else 0
    (record,) = await session.nodes((change.id,))
    return record.revision if record else await _deletion(session, change)


async def _deletion(session: Session, renamed: ChangeRecord) -> int:
    """Return the change that deleted a node, some time after it was renamed."""
    at = renamed.seq
    while page := await session.changes(at, _PAGE, renamed.id):
        for change in page:
            if change.kind == "node.deleted" and change.id == renamed.id:
                return change.seq
        at = page[-1].seq
    return 0


async def _of_edge(session: Session, head: Head, key: EdgeKey, scan: int) -> int:
    source, target = await session.nodes((key.source, key.target))
    if source and target:
        (record,) = await session.edges(((source.id, key.type, target.id),))
        if record is not None:
            return record.revision

    def had_the_key(change: ChangeRecord, body: Any) -> bool:
        if source and target and (change.source, change.target) == (source.id, target.id):
            return bool(body["key"][1] == key.type)
        return tuple(body["key"]) == key

    change = await _search_back(session, head, ("edge.deleted",), had_the_key, scan)
    return change.seq if change else 0


async def _search_back(
    session: Session, head: Head, kinds: tuple[str, ...], matches: Callable[[ChangeRecord, Any], bool], scan: int
) -> ChangeRecord | None:
    """Return the last change of these kinds that matches, among the last `scan` changes."""
    high, lowest = head.seq, max(head.floor, head.seq - scan)
    while high > lowest:
        low = max(lowest, high - _PAGE)
        for change in reversed(await session.changes(low, high - low, None)):
            if change.kind in kinds:
                with reading(change) as body:
                    if matches(change, body):
                        return change
        high = low
    return None
