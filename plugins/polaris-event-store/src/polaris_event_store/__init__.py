"""Keeps the events of Polaris knowledge graphs in a durable log in a SQLite database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polaris_event_store.store import EventStore

__all__ = ["EventStore"]

if not TYPE_CHECKING:  # a type checker is to know every name, and to refuse any other

    def __getattr__(name: str) -> object:
        """Import the store when it is first used: looking at the plugin loads neither aiosqlite nor sqlite3."""
        if name != "EventStore":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from polaris_event_store.store import EventStore

        globals()[name] = EventStore
        return EventStore


def __dir__() -> list[str]:
    return sorted(__all__)
