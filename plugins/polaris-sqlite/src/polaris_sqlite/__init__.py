"""Keeps Polaris knowledge graphs in a SQLite database, and what a durable log needs to live in one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polaris_sqlite.connection import Connection
    from polaris_sqlite.database import Database
    from polaris_sqlite.integrity import checksum, damaged, fetch, sealed
    from polaris_sqlite.layout import Layout
    from polaris_sqlite.locating import path_of
    from polaris_sqlite.storage import SqliteStorage

_HOMES = {
    "Connection": "polaris_sqlite.connection",
    "Database": "polaris_sqlite.database",
    "Layout": "polaris_sqlite.layout",
    "SqliteStorage": "polaris_sqlite.storage",
    "checksum": "polaris_sqlite.integrity",
    "damaged": "polaris_sqlite.integrity",
    "fetch": "polaris_sqlite.integrity",
    "path_of": "polaris_sqlite.locating",
    "sealed": "polaris_sqlite.integrity",
}

__all__ = ["Connection", "Database", "Layout", "SqliteStorage", "checksum", "damaged", "fetch", "path_of", "sealed"]

if not TYPE_CHECKING:  # a type checker is to know every name, and to refuse any other

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: looking at the plugin loads neither aiosqlite nor sqlite3."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
