"""All that a store holds, as rows of five kinds: each kind in its order, in pages that are bounded in rows and in size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

from polaris_core.limits import Limits
from polaris_core.records import ChangeRecord, EdgeRecord, MetaRecord, NodeRecord, Receipt, Session

__all__ = ["KINDS", "Place", "Row", "RowKind", "Rows", "place_of_row", "rows_after", "start_of"]

RowKind: TypeAlias = Literal["change", "node", "edge", "meta", "receipt"]
Row: TypeAlias = ChangeRecord | NodeRecord | EdgeRecord | MetaRecord | Receipt
Place: TypeAlias = int | str
"""The id, number or key of a row, by which the rows of its kind are ordered."""

KINDS: tuple[RowKind, ...] = get_args(RowKind)
_FEW = 32  # rows that are read before their size is looked at: one may have a megabyte


class Rows(NamedTuple):
    """A page of rows, the empty one after the last, and up to which change the feed was trimmed when it was read."""

    floor: int
    rows: Sequence[Row]


def place_of_row(row: Row) -> Place:
    """Return a row's id, number or key."""
    return row[0]


def start_of(kind: RowKind) -> Place:
    """Return the place before all rows of a kind."""
    return "" if kind in ("meta", "receipt") else 0


async def rows_after(session: Session, kind: RowKind, after: Place, limits: Limits, hidden: str) -> Rows:
    """Return the rows of a kind that follow a place, as many as one commit may hold, without the meta record `hidden`."""
    floor = (await session.head()).floor
    rows: list[Row] = []
    size = 0
    while len(rows) < limits.group_records and size < limits.group_bytes:
        some = await _few_rows(session, kind, after, min(_FEW, limits.group_records - len(rows)))
        if not some:
            break
        after = place_of_row(some[-1])
        rows += [row for row in some if kind != "meta" or row[0] != hidden]
        size += sum([len(row.body) for row in some])
    return Rows(floor, rows)


async def _few_rows(session: Session, kind: RowKind, after: Place, limit: int) -> Sequence[Row]:
    if isinstance(after, int):
        if kind == "change":
            return await session.changes(after, limit, None)
        return await session.scan("node" if kind == "node" else "edge", after, limit)
    keys = await session.keys("meta" if kind == "meta" else "receipt", after, limit)
    found: Sequence[Row | None] = await (session.meta(keys) if kind == "meta" else session.receipts(keys))
    return [row for row in found if row is not None]
