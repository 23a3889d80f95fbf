"""Hypothesis strategies for filters, orders and the attributes they meet: few keys and values, so that they do meet.

Needs the extra `testing`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from polaris_core.query import (
    And,
    Compare,
    Contains,
    Equal,
    Exists,
    Field,
    Filter,
    Kind,
    Mentions,
    Not,
    OneOf,
    Or,
    Order,
    StartsWith,
    field_of,
)

__all__ = ["attributes", "filters", "orders", "values"]

KEYS = ("a", "b", "a.b", "x", "0", "", "é", 'q"q', "back\\slash", "line\nend", "$ref", "name", "\u2028", "\x7f")
"""Keys that lie in wait for whoever builds paths out of them."""
NAMES = ("n0", "n1", "n2", "N1", "é", "x'; DROP TABLE nodes; --", "%", "_")
TYPES = ("t", "u", "T")
TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "b",
    "é",
    "\uffff",
    "\U0001f600",
    "x" * 255,
    "x" * 256,
    "x" * 256 + "y",
    "x" * 300,
    "%",
    "'",
    '"',
    "\n",
)
_WHOLE = (0, 1, -1, 2, 10, 2**53, 2**53 + 1, 2**62 + 1, 2**63 - 1, -(2**63))
_BROKEN = (-0.0, 0.0, 1.0, 0.1, 0.3, 1.5, float(2**53), float(2**63), 1e22, 5e-324, 1.7976931348623157e308, 1e-7)
NUMBERS = (*_WHOLE, *_BROKEN)
TIMES = ("2025-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:02Z")


_USUAL: tuple[Any, ...] = (None, True, False, 0, 1, 1.0, 0.5, 2, "", "a", "ab", "b", [], [1], ["a"], {}, {"a": 1})
"""What most values are, so that filters meet what they ask for."""


def values() -> st.SearchStrategy[Any]:
    """Return a strategy for JSON values, more often of a few than of all."""
    usual = st.sampled_from(_USUAL)
    text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=4)
    number = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
    rare = st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | number | text
    nested = st.recursive(
        usual | rare,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        max_leaves=4,
    )
    return st.one_of(usual, usual, usual, usual, rare, nested)


def _keys() -> st.SearchStrategy[str]:
    return st.sampled_from(("a",) * 12 + ("b",) * 6 + KEYS)


def attributes() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for attributes."""
    return st.dictionaries(_keys(), values(), max_size=4)


def _fields(kind: Kind) -> st.SearchStrategy[Field]:
    parts = ["type", "attributes", "provenance.version", "provenance.revision", "provenance.author"]
    parts += ["name", "observations"] if kind == "node" else ["source", "target"]
    one = _keys().map(lambda key: Field("attributes", (key,)))
    several = st.lists(_keys(), min_size=2, max_size=3).map(lambda keys: Field("attributes", tuple(keys)))
    return st.one_of(one, one, one, several, st.sampled_from(parts).map(field_of))


def _conditions(kind: Kind) -> st.SearchStrategy[Filter]:
    fields = _fields(kind)
    value = values() | st.sampled_from(NAMES + TYPES) | st.lists(st.sampled_from(TEXTS[1:4]), max_size=2)
    bound = st.sampled_from((0, 1, 0.5, 2, "", "a", "ab", "b")) | st.sampled_from(NUMBERS + TEXTS + NAMES + TYPES)
    comparison = st.sampled_from(("gt", "gte", "lt", "lte"))
    times = st.sampled_from(("provenance.created_at", "provenance.updated_at")).map(field_of)
    found: st.SearchStrategy[Filter] = (
        st.builds(Equal, fields, value)
        | st.builds(OneOf, fields, st.lists(value, max_size=4))
        | st.builds(Compare, fields, comparison, bound)
        | st.builds(Exists, fields)
        | st.builds(Contains, fields, value)
        | st.builds(StartsWith, fields, st.sampled_from(TEXTS + NAMES))
        | st.builds(Equal, st.just(field_of("type")), st.sampled_from(TYPES))
        | st.builds(Compare, times, comparison, st.sampled_from(TIMES))
        | st.builds(OneOf, times, st.lists(st.sampled_from(TIMES), max_size=2))
    )
    return found | st.builds(Mentions, st.sampled_from(("a", "n", "É", "text"))) if kind == "node" else found


def filters(kind: Kind) -> st.SearchStrategy[Filter]:
    """Return a strategy for filters of nodes or edges."""
    combined: st.SearchStrategy[Filter] = st.recursive(
        _conditions(kind),
        lambda inner: (
            st.builds(And, st.lists(inner, max_size=3))
            | st.builds(Or, st.lists(inner, max_size=3))
            | st.builds(Not, inner)
        ),
        max_leaves=6,
    )
    return combined


def orders(kind: Kind) -> st.SearchStrategy[Order | None]:
    """Return a strategy for orders, that of creation among them."""
    times = st.sampled_from(("provenance.created_at", "provenance.updated_at")).map(field_of)
    return st.none() | st.builds(Order, _fields(kind) | times, st.booleans())
