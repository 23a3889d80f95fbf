"""A checksum a row: SQLite does not notice a bit that flips in its file, and would hand out what it finds."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from zlib import crc32

from polaris_core import StorageError, StoreDamagedError
from polaris_sqlite.failures import of_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["checksum", "damaged", "fetch", "fetch_as", "form", "read", "sealed"]

Parameters: TypeAlias = tuple[Any, ...] | dict[str, Any]
Row = TypeVar("Row", bound=tuple[Any, ...])

_new = tuple.__new__  # a named tuple at half the price

_FORMS = ["\n".join(["%s"] * columns) for columns in range(16)]


def form(row: tuple[Any, ...]) -> str:
    """Return the text of a row's columns whose checksum is stored with them."""
    return _FORMS[len(row)] % row


def checksum(row: tuple[Any, ...]) -> int:
    """Return the checksum of a row's columns."""
    return crc32((_FORMS[len(row)] % row).encode())


def sealed(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows with their checksum as a last column, as they are stored."""
    return [(*row, crc32((_FORMS[len(row)] % row).encode())) for row in rows]


def damaged(where: str) -> StoreDamagedError:
    """Return the error that says which row holds what nobody wrote."""
    return StoreDamagedError(f"{where} is damaged: what is stored is not what was written", where=where)


def read(database: sqlite3.Connection, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """Return all rows of a statement that carry no checksum.

    Raises what SQLite says in Polaris' words, and here: whoever asked hears of it before the transaction that failed does.
    """
    try:
        return database.execute(statement, parameters).fetchall()
    except sqlite3.Error as error:
        raise _in_our_words(error, database) from error


def _in_our_words(error: sqlite3.Error, database: sqlite3.Connection) -> StorageError:
    with suppress(sqlite3.Error):
        return of_sqlite(error, database.execute("PRAGMA database_list").fetchone()[2])
    return of_sqlite(error, "the database")


def fetch(
    database: sqlite3.Connection, kind: str, statement: str, parameters: Parameters = ()
) -> list[tuple[Any, ...]]:
    """Return all rows of a statement whose last column is the checksum of the others, without that column.

    Raises `StoreDamagedError` with the kind and the first column of a row whose checksum is another, and what `read` does.
    """
    return fetch_as(tuple, database, kind, statement, parameters)


def fetch_as(
    cls: type[Row], database: sqlite3.Connection, kind: str, statement: str, parameters: Parameters = ()
) -> list[Row]:
    """Return what `fetch` does, as named tuples of the columns."""
    try:
        rows = database.execute(statement, parameters).fetchall()
    except sqlite3.Error as error:
        if "decode to UTF-8" in str(error):
            raise damaged(_undecodable(database, kind, statement, parameters)) from error
        raise _in_our_words(error, database) from error
    intact = []
    form = _FORMS[len(rows[0]) - 1] if rows else ""
    for row in rows:
        columns = _new(cls, row[:-1])
        if crc32((form % columns).encode()) != row[-1]:
            raise damaged(f"{kind} {columns[0]!r}")
        intact.append(columns)
    return intact


def _undecodable(database: sqlite3.Connection, kind: str, statement: str, parameters: Parameters) -> str:
    database.text_factory = bytes
    try:
        for row in database.execute(statement, parameters).fetchall():
            try:
                for column in row:
                    if isinstance(column, bytes):
                        column.decode()
            except UnicodeDecodeError:
                key = row[0]
                return f"{kind} {key.decode(errors='replace') if isinstance(key, bytes) else key!r}"
    finally:
        database.text_factory = str
    return f"a {kind}"
