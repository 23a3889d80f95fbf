"""What a database file must say about itself before Polaris reads or writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from polaris_core import StoreFormatError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Layout"]


@attrs.frozen(kw_only=True)
class Layout:
    """The tables of one kind of file. `noun` is what the file is called in sentences: "a Polaris graph".

    `application_id` marks the file as this kind and `version` numbers the layout; a file of another kind or of a newer
    version is refused and left as it is. `statements` make the tables.
    """

    noun: str
    application_id: int
    version: int
    statements: tuple[str, ...]

    def is_blank(self, database: sqlite3.Connection) -> bool:
        """Return whether a database holds nothing at all yet."""
        (objects,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return not objects and _pragma(database, "application_id") == 0 and _pragma(database, "user_version") == 0

    def create(self, database: sqlite3.Connection) -> None:
        """Make the tables, inside the caller's transaction."""
        for statement in self.statements:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {self.application_id:d}")
        database.execute(f"PRAGMA user_version = {self.version:d}")

    def check(self, database: sqlite3.Connection, location: str) -> None:
        """Raise `StoreFormatError` unless a database is of this kind and of a version that this release knows."""
        if _pragma(database, "application_id") != self.application_id:
            raise StoreFormatError(f"{location} is not {self.noun}", location=location)
        version = _pragma(database, "user_version")
        if not 1 <= version <= self.version:
            raise StoreFormatError(
                f"{location} is {self.noun} of layout {version}; this release knows {self.version}: upgrade it",
                location=location,
            )


def _pragma(database: sqlite3.Connection, name: str) -> int:
    (value,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(value)
