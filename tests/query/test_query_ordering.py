"""The order of all JSON values, and their equality."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from polaris_core.query import MISSING, order_key
from polaris_core.query.ordering import KEY_CHARACTERS, equal
from polaris_core.testing.queries import values

ASCENDING = [
    MISSING, None, False, True, -(2**63), -1.5, 0, 5e-324, 1, 1.5, 2**53, 2**53 + 1, 1e300, "", "A", "a", "ab", "b", "é",
    "\uffff", "\U0001f600", [], {},
]  # fmt: skip


def test_types_stand_in_a_fixed_order_and_values_of_one_type_in_theirs() -> None:
    keys = [order_key(value) for value in ASCENDING]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@given(values(), values())
def test_equal_scalars_stand_level_and_what_stands_level_is_equal_or_no_scalar(one: Any, other: Any) -> None:
    level = order_key(one) == order_key(other)
    if equal(one, other):
        assert level
    elif level:
        assert isinstance(one, (list, dict)) or len(one) >= KEY_CHARACTERS


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (0, -0.0), (2**53, float(2**53)), ([1, {"a": 1.0}], [1.0, {"a": 1}])]
)
def test_numbers_are_equal_by_value(one: Any, other: Any) -> None:
    assert equal(one, other)
    assert order_key(one) == order_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        (None, MISSING),
        (None, False),
        ("1", 1),
        (2**53 + 1, float(2**53)),
        ([1], [True]),
        ([], {}),
        ("e\u0301", "é"),
    ],
)
def test_values_of_different_types_are_never_equal(one: Any, other: Any) -> None:
    assert not equal(one, other)
