"""Cursors: read back by their own question and refused, in words, by every other."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core import InvalidCursorError
from polaris_core.query import MAX_CURSOR, Position, Query, cursor_text, order_key, position_after
from polaris_core.testing.queries import values

ASKED = ["node", {}, None]


@given(st.integers(0, 2**63 - 1), st.none() | values())
def test_a_cursor_is_read_back_as_the_place_it_stands_at(id: int, value: Any) -> None:
    plain, ordered = Position(id), Position(id, order_key(value))
    assert position_after(ASKED, cursor_text(ASKED, plain)) == plain
    read = position_after(ASKED, cursor_text(ASKED, ordered), ordered=True)
    assert read == ordered
    assert read.key is not None
    assert type(read.key[1]) is type(ordered.key[1])  # type: ignore[index]
    assert len(cursor_text(ASKED, ordered)) <= MAX_CURSOR


def forged(*held: Any) -> str:
    digest = json.loads(base64.urlsafe_b64decode(cursor_text(ASKED, Position(1)) + "=="))[0]
    return base64.urlsafe_b64encode(json.dumps([digest, *held]).encode()).decode()


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(
    "wrong",
    [
        "", "x", "é", "====", "a" * 1_000_000, None, 5, b"abc", forged(), forged(-1), forged(2**63), forged(True),
        forged("1"), forged(1.0), forged(1, 3), forged(1, 7, 0), forged(1, -1, 0), forged(1, 3, "a"), forged(1, 4, 5),
        forged(1, 4, "x" * 1025), forged(1, 4, "\x00"), forged(1, 2, 2), forged(1, 0, 5), forged(1, 3, 2**63), forged(1, 3, [1]),
        forged(1, 3, None), forged([1]), forged(1, True, 0), forged(1, 3, 1e999),
        base64.urlsafe_b64encode(b'{"a":1}').decode(), base64.urlsafe_b64encode(b"[" * 1500).decode(),
    ],
)  # fmt: skip
def test_what_no_page_gave_out_is_refused(wrong: Any, ordered: bool) -> None:
    with pytest.raises(InvalidCursorError):
        position_after(ASKED, wrong, ordered=ordered)


def test_a_cursor_belongs_to_one_kind_filter_and_order_and_to_pages_of_any_size() -> None:
    query = Query(kind="node", filter={"a": 1})
    cursor = query.cursor(Position(7))
    assert Query(kind="node", filter={"a": {"$eq": 1}}, limit=3).resumed(cursor).after == Position(7)
    for other in (
        Query(kind="edge", filter={"a": 1}),
        Query(kind="node", filter={"a": 1.5}),
        Query(kind="node", filter={"a": True}),
        Query(kind="node", filter={"a": 1}, order="a"),
        Query(kind="node"),
    ):
        with pytest.raises(InvalidCursorError):
            other.resumed(cursor)
    ordered = Query(kind="node", order="a")
    with pytest.raises(InvalidCursorError):
        Query(kind="node", order="-a").resumed(ordered.cursor(Position(7, (3, 1))))
