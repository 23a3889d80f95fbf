"""A query: which records, in which order, after which position, and how many; and the pages that answer it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import orjson

from polaris_core.errors import InvalidValueError
from polaris_core.query.cursors import Position, cursor_text, position_after
from polaris_core.query.fields import Field, Kind, field_of
from polaris_core.query.filters import ANYTHING, Filter, check_filter
from polaris_core.query.forms import filter_form, parse_filter

__all__ = ["Order", "Page", "Query", "Selected", "order_of"]

MAX_FILTER_BYTES = 1 << 18

T = TypeVar("T")


@attrs.frozen
class Order:
    """By the value at a field, in the order of all JSON values, or the other way round; what stands level is ordered by id."""

    field: Field = attrs.field(converter=field_of)
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.field}" if self.descending else str(self.field)


def order_of(order: object) -> Order | None:
    """Return an order from a path, with `-` before it for the other way round; None is the order of creation."""
    if order is None or isinstance(order, Order):
        return order
    if isinstance(order, str):
        return Order(order[1:], descending=True) if order.startswith("-") else Order(order)
    raise InvalidValueError(f"an order is a path, with - before it to turn it round, not {type(order).__name__}")


@attrs.frozen(kw_only=True)
class Query:
    """Records of one kind that a filter admits.

    They come in the order of `order`, by default of their ids, those after `after`, at most `limit`. A page looks at `scan`
    records at most, where it has to look at records at all.
    """

    kind: Kind
    filter: Filter = attrs.field(default=ANYTHING, converter=parse_filter)
    order: Order | None = attrs.field(default=None, converter=order_of)
    limit: int = 100
    after: Position | None = None
    scan: int = 1_000_000

    def __attrs_post_init__(self) -> None:
        check_filter(self.filter, self.kind)
        if self.order is not None:
            self.order.field.check(self.kind)
        if len(self.asked) > MAX_FILTER_BYTES:
            raise InvalidValueError(f"a filter has at most {MAX_FILTER_BYTES} bytes as JSON")

    @cached_property
    def asked(self) -> bytes:
        """What a cursor belongs to, as JSON: a page of another size goes on where the one before ended."""
        order = None if self.order is None else str(self.order)
        return orjson.dumps([self.kind, filter_form(self.filter), order], option=orjson.OPT_SORT_KEYS)

    def cursor(self, position: Position) -> str:
        """Return the cursor that goes on after a position."""
        return cursor_text(self.asked, position)

    def resumed(self, cursor: str | None) -> Query:
        """Return the query for the page after a cursor; one of another query raises `InvalidCursorError`."""
        if cursor is None:
            return self
        return attrs.evolve(self, after=position_after(self.asked, cursor, ordered=self.order is not None))


class Selected(NamedTuple):
    """Records that answer a query, and the position to go on from; None where these were the last.

    There may be fewer than asked for, even none, and still one: what one call looks at is bounded.
    """

    records: Sequence[Any]
    rest: Position | None


@attrs.frozen
class Page(Generic[T]):
    """Some of the answers, and the cursor that asks for more; None when these were the last.

    A page may hold fewer items than asked for, even none, and still have a next one: what a call looks at is bounded.
    """

    items: tuple[T, ...]
    next: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
