"""What this distribution registers."""

from __future__ import annotations

from polaris_core.abc import EventLog, EventStoreSpec, Location, StorageOptions, hookimpl


def _sqlite(location: Location, options: StorageOptions) -> EventLog:
    from polaris_event_store.store import EventStore

    return EventStore.at(location, options)


@hookimpl
def polaris_event_stores() -> tuple[EventStoreSpec, ...]:
    """Offer `sqlite:///file`."""
    sentence = "A durable log of events in one SQLite database, shared by the processes of one machine."
    return (EventStoreSpec(name="sqlite", sentence=sentence, factory=_sqlite),)
