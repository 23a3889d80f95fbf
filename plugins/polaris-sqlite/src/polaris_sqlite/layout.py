"""What a database file must say about itself before Polaris reads or writes it, and how an older one is brought forward."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias

import attrs

from polaris_core import StoreFormatError

__all__ = ["Layout", "Step"]

Step: TypeAlias = tuple[str | Callable[[sqlite3.Connection], object], ...]
"""What brings a database from one version of its layout to the next, in order: statements, and functions that fill tables.

It runs inside a transaction and must not end it. On a new database it finds the tables empty.
"""


@attrs.frozen(kw_only=True)
class Layout:
    """The tables of one kind of file. `noun` is what the file is called in sentences: "a Polaris graph".

    `application_id` marks the file as this kind; a file of another kind is refused and left as it is. The first of `steps`
    makes version 1 out of nothing, the next one version 2 out of that, so a new file and one that was brought forward are
    the same. A step that was released is never changed.
    """

    noun: str
    application_id: int
    steps: tuple[Step, ...]

    @property
    def version(self) -> int:
        """The version that this release reads and writes."""
        return len(self.steps)

    def is_blank(self, database: sqlite3.Connection) -> bool:
        """Return whether a database holds nothing at all yet."""
        (objects,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return not objects and _pragma(database, "application_id") == 0 and _pragma(database, "user_version") == 0

    def version_of(self, database: sqlite3.Connection, location: str) -> int:
        """Return a database's version; raises `StoreFormatError` for another kind of file, or a version not known yet."""
        if _pragma(database, "application_id") != self.application_id:
            raise StoreFormatError(f"{location} is not {self.noun}", location=location)
        version = _pragma(database, "user_version")
        if not 1 <= version <= self.version:
            raise StoreFormatError(
                f"{location} is {self.noun} of layout {version}; this release knows {self.version}: upgrade it",
                location=location,
            )
        return version

    def bring_forward(self, database: sqlite3.Connection, *, version: int | None = None) -> None:
        """Take the steps that are left to a version, the newest by default, inside the caller's transaction.

        They start from nothing or from an older version.
        """
        version = self.version if version is None else version
        for step in self.steps[_pragma(database, "user_version") : version]:
            for action in step:
                if isinstance(action, str):
                    database.execute(action)
                else:
                    action(database)
        database.execute(f"PRAGMA application_id = {self.application_id:d}")
        database.execute(f"PRAGMA user_version = {version:d}")

    def check(self, database: sqlite3.Connection, location: str) -> None:
        """Raise `StoreFormatError` unless a database is of this kind and of the version that this release works with."""
        version = self.version_of(database, location)
        if version < self.version:
            raise StoreFormatError(
                f"{location} is {self.noun} of layout {version}, and this release reads layout {self.version}: open it "
                f"once for writing, which brings it forward (copy it first if an older release is to read it)",
                location=location,
            )

    def has_moved(self, database: sqlite3.Connection) -> bool:
        """Return whether a newer release has brought the database forward since it was checked."""
        return _pragma(database, "user_version") != self.version


def _pragma(database: sqlite3.Connection, name: str) -> int:
    (value,) = database.execute(f"PRAGMA {name}").fetchone()
    return int(value)
