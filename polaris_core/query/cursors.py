"""Cursors: where a page ended, as text that only the question it belongs to understands.

A cursor holds a digest of the question, and the id and the order key of the last record, so it stays right whatever others
write: a record that keeps its place is met once, before it or after it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from typing import Any, NamedTuple

import orjson

from polaris_core.errors import InvalidCursorError
from polaris_core.query.ordering import OrderKey, Rank
from polaris_core.values import INT64_MAX, INT64_MIN, MAX_NAME_BYTES

__all__ = ["MAX_CURSOR", "Position", "cursor_text", "position_after"]

MAX_CURSOR = 4_096


class Position(NamedTuple):
    """After which record to go on: its id, and where something else orders the records, its key there."""

    id: int
    key: OrderKey | None = None


def _digest(asked: Any) -> str:
    told = asked if isinstance(asked, bytes) else orjson.dumps(asked, list, orjson.OPT_SORT_KEYS)
    return hashlib.sha256(told).hexdigest()[:16]


def cursor_text(asked: Any, position: Position) -> str:
    """Return the cursor that continues a question, given as JSON or as JSON values, after a position."""
    held = orjson.dumps([_digest(asked), position.id, *(position.key or ())])
    return base64.urlsafe_b64encode(held).decode().rstrip("=")


def position_after(asked: Any, cursor: str, *, ordered: bool = False) -> Position:
    """Return the position a cursor stands at; one that this question did not give out raises `InvalidCursorError`."""
    held = _held(cursor)
    if (
        isinstance(held, list)
        and len(held) == (4 if ordered else 2)
        and held[0] == _digest(asked)
        and type(held[1]) is int
        and 0 <= held[1] <= INT64_MAX
        and (not ordered or _is_key(held[2], held[3]))
    ):
        return Position(held[1], (held[2], held[3]) if ordered else None)
    raise InvalidCursorError(
        "this cursor belongs to another question; ask again from the first page", cursor=str(cursor)[:64]
    )


def _held(cursor: object) -> Any:
    if not isinstance(cursor, str) or len(cursor) > MAX_CURSOR or not cursor.isascii():
        return None
    try:
        return orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        return None


def _is_key(rank: object, key: object) -> bool:
    if rank == Rank.STRING:
        return isinstance(key, str) and len(key) <= MAX_NAME_BYTES and "\x00" not in key
    if rank == Rank.NUMBER and type(key) is float:
        return math.isfinite(key)
    if type(rank) is not int or type(key) is not int or not 0 <= rank <= Rank.OBJECT:
        return False
    return INT64_MIN <= key <= INT64_MAX if rank == Rank.NUMBER else 0 <= key <= int(rank == Rank.BOOLEAN)
