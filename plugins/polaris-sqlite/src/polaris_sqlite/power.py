"""Whether commits may have been lost since they were acknowledged: the one thing durability `process` leaves open.

Such commits survive the death of a process and not that of the machine. So before the first of them the head is marked,
durably, with the name of the machine's present boot; a mark of another boot, found at opening, says that the feed may
have been cut, and begins a new epoch. A store that is closed when everything is on disk loses the mark.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polaris_sqlite import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

__all__ = ["boot", "clear", "mark", "may_have_lost", "renew_after_loss"]


def boot() -> str:
    """Return a name of the machine's present boot; the same for ever where the system does not tell one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def may_have_lost(database: sqlite3.Connection, now: str) -> bool:
    """Return whether commits of another boot were acknowledged that may not have been on disk at its end."""
    return _marked(database) not in (None, now)


def renew_after_loss(database: sqlite3.Connection, now: str, unique: Callable[[], str]) -> None:
    """Begin a new epoch if commits may have been lost, inside a transaction."""
    if may_have_lost(database, now):
        schema.write_head(database, schema.read_head(database)._replace(epoch=unique()))
        database.execute("UPDATE head SET unsynced = NULL")


def mark(database: sqlite3.Connection, now: str) -> None:
    """Say durably, outside a transaction, that commits of this boot may not be on disk."""
    if _marked(database) != now:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("UPDATE head SET unsynced = ?", (now,))
        database.execute("PRAGMA synchronous = NORMAL")


def clear(database: sqlite3.Connection) -> None:
    """Say durably that everything is on disk."""
    if _marked(database) is not None:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("UPDATE head SET unsynced = NULL")


def _marked(database: sqlite3.Connection) -> str | None:
    (found,) = database.execute("SELECT unsynced FROM head").fetchone()
    return None if found is None else str(found)
