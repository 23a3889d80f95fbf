"""Where a query looks: the way through the tables that leads past its records in order and past few others.

A way begins at names, at the ends of edges, at an index on a path or at a type; where none of these is asked for it leads
past all records. Which one is taken is decided here and written out in the statement, because SQLite has no figures to
decide by; where a range of an index may hold too much to be sorted, it is counted first, as far as that matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from polaris_core import Compare, Equal, Exists, Field, Not, OneOf, StartsWith
from polaris_core.abc import KEY_CHARACTERS, Rank, conjuncts, order_key
from polaris_sqlite.integrity import read

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from polaris_core import Filter
    from polaris_core.abc import OrderKey, Position, Query
    from polaris_sqlite.conditions import Parameters

__all__ = ["Walk", "Walks"]

FEW = 10_000
"""How many records may be sorted for one page, rather than looked at in order."""

_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


class Walk(NamedTuple):
    """A way: from which tables, under which conditions, ordered by which columns.

    `said` are the parts of the filter that the conditions say exactly. `counted` are the tables without those that only
    fetch what is found. `few` says that what it leads past is at most a thousand records.
    """

    tables: str
    where: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("r.id",)
    said: tuple[Filter, ...] = ()
    counted: str = ""
    few: bool = False

    def values(self, position: Position) -> tuple[Any, ...]:
        """Return what the columns hold at a position."""
        rank, key = position.key or (0, 0)
        held = {"k.rank": rank, "k.value": key, "r.name": key}
        return tuple(held.get(column, position.id) for column in self.columns)


class Walks:
    """The ways that a query could take; the values they need are put among the parameters of its statement."""

    def __init__(
        self, database: sqlite3.Connection, query: Query, parameters: Parameters, indexes: Mapping[Field, int]
    ) -> None:
        self._database = database
        self._query = query
        self._add = parameters.add
        self._parameters = parameters
        self._table = "nodes" if query.kind == "node" else "edges"
        self._conjuncts = conjuncts(query.filter)
        self._indexes = indexes

    def by_id(self) -> Walk:
        """Return the best way that is ordered by id, or whose records are few enough to be ordered so."""
        points = list(self._points())
        if points:
            return points[0]
        for walk in self._ranges():
            if self.count(walk, FEW + 1) <= FEW:
                return walk
        return self._of_type() or Walk(f"{self._table} AS r")

    def by_key(self) -> Walk | None:
        """Return the way that leads past records in the order that is asked for; None where there is none."""
        assert self._query.order is not None  # noqa: S101 - asked of queries with an order only
        field = self._query.order.field
        if field.root == "name":
            where, said = self._name_range()
            return Walk("nodes AS r", where, ("r.name", "r.id"), said)
        if field not in self._indexes:
            return None
        for point in self._points():
            if point.few or self.count(point, FEW + 1) <= FEW:
                return None  # so few are sorted
        return self._indexed(field, self._bounds(field), ordered=True)

    def count(self, walk: Walk, most: int) -> int:
        """Return how many records a way leads past, or `most` if there are more."""
        where = f" WHERE {' AND '.join(walk.where)}" if walk.where else ""
        statement = f"SELECT count(*) FROM (SELECT 1 FROM {walk.counted or walk.tables}{where} LIMIT {most:d})"  # noqa: S608
        ((count,),) = read(self._database, statement, self._parameters)
        return int(count)

    # --- names, ends, equal values --------------------------------------------------------------------------------

    def _points(self) -> Iterator[Walk]:
        """Yield ways to records with something of a few values, the shortest first."""
        equal = [one for one in self._conjuncts if isinstance(one, (Equal, OneOf))]
        yield from (self._named(one) for one in equal if one.field.root == "name")
        ends = [self._ended(one) for one in equal if one.field.root in ("source", "target")]
        yield from sorted(ends, key=lambda walk: self.count(walk, FEW)) if len(ends) > 1 else ends
        for one in self._conjuncts:
            if isinstance(one, (Equal, OneOf)) and one.field in self._indexes:
                yield self._equal(one)
            elif isinstance(one, Not) and isinstance(one.filter, Exists) and one.filter.field in self._indexes:
                missing = (f"k.rank = {Rank.MISSING:d}", "k.value = 0")
                yield self._indexed(one.filter.field, (missing, (one,)))

    def _named(self, one: Equal | OneOf) -> Walk:
        names = self._add(orjson.dumps(_texts(one)).decode())
        return Walk("nodes AS r", (f"r.name IN (SELECT value FROM json_each({names}))",), said=(one,), few=True)  # noqa: S608

    def _ended(self, one: Equal | OneOf) -> Walk:
        end, index = ("source", "edges_out") if one.field.root == "source" else ("target", "edges_in")
        names = orjson.dumps(_texts(one)).decode()
        rows = read(
            self._database, "SELECT id FROM nodes WHERE name IN (SELECT value FROM json_each(:names))", {"names": names}
        )
        tables = f"edges AS r INDEXED BY {index}"
        if len(rows) == 1:
            return Walk(tables, (f"r.{end} = {self._add(rows[0][0])}",), said=(one,))
        ids = self._add(orjson.dumps([id for (id,) in rows]).decode())
        return Walk(tables, (f"r.{end} IN (SELECT value FROM json_each({ids}))",), said=(one,))  # noqa: S608

    def _equal(self, one: Equal | OneOf) -> Walk:
        values = (one.value,) if isinstance(one, Equal) else one.values
        keys = sorted({order_key(value) for value in values})
        said = (one,) if all(map(_whole, keys)) else ()
        if len(keys) == 1:
            ((rank, value),) = keys
            return self._indexed(one.field, ((f"k.rank = {self._add(rank)}", f"k.value = {self._add(value)}"), said))
        if not keys:
            return Walk(f"{self._table} AS r", ("0",), said=said, few=True)
        wanted = ", ".join(f"({self._add(rank)}, {self._add(value)})" for rank, value in keys)
        # CROSS JOIN keeps the order: from each value to its records.
        values_first = f"(SELECT column1 AS rank, column2 AS value FROM (VALUES {wanted})) AS w CROSS JOIN"  # noqa: S608
        walk = self._indexed(one.field, (("k.rank = w.rank", "k.value = w.value"), said))
        return walk._replace(tables=f"{values_first} {walk.tables}", counted=f"{values_first} {walk.counted}")

    def _of_type(self) -> Walk | None:
        for one in self._conjuncts:
            if isinstance(one, Equal) and one.field.root == "type" and isinstance(one.value, str):
                tables = f"{self._table} AS r INDEXED BY {self._table}_type"
                return Walk(tables, (f"r.type = {self._add(one.value)}",), said=(one,))
        return None

    # --- ranges ---------------------------------------------------------------------------------------------------

    def _ranges(self) -> Iterator[Walk]:
        """Yield ways to records with something within bounds, which need to be sorted."""
        where, said = self._name_range() if self._query.kind == "node" else ((), ())
        if where:
            yield Walk("nodes AS r INDEXED BY sqlite_autoindex_nodes_1", where, said=said)
        for field in self._indexes:
            bounds = self._bounds(field)
            if bounds[0]:
                yield self._indexed(field, bounds)

    def _indexed(
        self, field: Field, bounds: tuple[tuple[str, ...], tuple[Filter, ...]], *, ordered: bool = False
    ) -> Walk:
        where, said = bounds
        return Walk(
            f"indexed AS k CROSS JOIN {self._table} AS r ON r.id = k.id",
            (f"k.number = {self._add(self._indexes[field])}", *where),
            _ordering(where) if ordered else ("k.id",),
            said,
            "indexed AS k",
        )

    def _name_range(self) -> tuple[tuple[str, ...], tuple[Filter, ...]]:
        return self._range(Field("name"), "r.name", most=None)

    def _bounds(self, field: Field) -> tuple[tuple[str, ...], tuple[Filter, ...]]:
        """Return the conditions on the rows of an index, and what of the filter they say exactly."""
        for one in self._conjuncts:
            if isinstance(one, Equal) and one.field == field:
                key = order_key(one.value)
                tests = (f"k.rank = {self._add(key[0])}", f"k.value = {self._add(key[1])}")
                return tests, (one,) if _whole(key) else ()
        mine = [one for one in self._conjuncts if isinstance(one, Compare) and one.field == field]
        if any(not isinstance(one.value, str) for one in mine):
            numbers = [one for one in mine if not isinstance(one.value, str)]
            bounds = (f"k.value {_SIGNS[one.by]} {self._add(one.value)}" for one in numbers)
            return (f"k.rank = {Rank.NUMBER:d}", *bounds), tuple(numbers)
        texts, said = self._range(field, "k.value", most=KEY_CHARACTERS)
        if texts:
            return (f"k.rank = {Rank.STRING:d}", *texts), said
        for one in self._conjuncts:
            if isinstance(one, Exists) and one.field == field:
                return (f"k.rank > {Rank.MISSING:d}",), (one,)
        return (), ()

    def _range(self, field: Field, column: str, most: int | None) -> tuple[tuple[str, ...], tuple[Filter, ...]]:
        """Return bounds on a column of strings, of which it holds the first `most` characters."""
        tests: list[str] = []
        said: list[Filter] = []
        for one in self._conjuncts:
            if isinstance(one, StartsWith) and one.field == field:
                start = one.text[:most]
                tests.append(f"{column} >= {self._add(start)}")
                if (end := _after(start)) is not None:
                    tests.append(f"{column} < {self._add(end)}")
                if most is None or len(one.text) <= most:
                    said.append(one)
            elif isinstance(one, Compare) and one.field == field and isinstance(one.value, str):
                exact = most is None or len(one.value) < most
                sign = _SIGNS[one.by] if exact else _SIGNS[one.by][0] + "="
                tests.append(f"{column} {sign} {self._add(one.value[:most])}")
                if exact:
                    said.append(one)
        return tuple(tests), tuple(said)


_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _ordering(where: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that order the rows of an index: without those that are fixed, so that a position is sought."""
    columns = ("k.rank", "k.value", "k.id")
    fixed = sum(any(test.startswith(f"{column} = ") for test in where) for column in columns)
    return columns[fixed:]


def _texts(one: Equal | OneOf) -> list[str]:
    values = (one.value,) if isinstance(one, Equal) else one.values
    return [value for value in values if isinstance(value, str)]


def _whole(key: OrderKey) -> bool:
    """Return whether only equal values stand at this place of an index."""
    rank, value = key
    return rank < Rank.ARRAY and not (isinstance(value, str) and len(value) >= KEY_CHARACTERS)


def _after(start: str) -> str | None:
    """Return the least string that is more than all that start so; None where there is none."""
    for place in range(len(start) - 1, -1, -1):
        code = ord(start[place]) + 1
        if _SURROGATES[0] <= code <= _SURROGATES[1]:
            code = _SURROGATES[1] + 1
        if code <= _LAST:
            return start[:place] + chr(code)
    return None
