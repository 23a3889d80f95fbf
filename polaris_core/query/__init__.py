"""What may be asked of a graph: filters, orders and queries as values, their JSON form, and the core's own answers."""

from polaris_core.query.cursors import MAX_CURSOR, Position, cursor_text, position_after
from polaris_core.query.facts import Facts, key_reader, moment, reader
from polaris_core.query.fields import Field, Kind, field_of
from polaris_core.query.filters import (
    ANYTHING,
    And,
    Compare,
    Contains,
    Equal,
    Exists,
    Filter,
    Mentions,
    Not,
    OneOf,
    Or,
    StartsWith,
    check_filter,
    conjuncts,
)
from polaris_core.query.forms import OPERATORS, filter_form, parse_filter
from polaris_core.query.interpreter import needs_ends, predicate
from polaris_core.query.ordering import KEY_CHARACTERS, MISSING, OrderKey, Rank, order_key
from polaris_core.query.queries import Order, Page, Query, Selected, order_of
from polaris_core.query.selecting import beyond, facts_of, interpret, interpret_count, too_many

__all__ = [
    "ANYTHING",
    "KEY_CHARACTERS",
    "MAX_CURSOR",
    "MISSING",
    "OPERATORS",
    "And",
    "Compare",
    "Contains",
    "Equal",
    "Exists",
    "Facts",
    "Field",
    "Filter",
    "Kind",
    "Mentions",
    "Not",
    "OneOf",
    "Or",
    "Order",
    "OrderKey",
    "Page",
    "Position",
    "Query",
    "Rank",
    "Selected",
    "StartsWith",
    "beyond",
    "check_filter",
    "conjuncts",
    "cursor_text",
    "facts_of",
    "field_of",
    "filter_form",
    "interpret",
    "interpret_count",
    "key_reader",
    "moment",
    "needs_ends",
    "order_key",
    "order_of",
    "parse_filter",
    "position_after",
    "predicate",
    "reader",
    "too_many",
]
