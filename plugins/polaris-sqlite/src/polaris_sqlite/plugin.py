"""What this distribution registers."""

from __future__ import annotations

from polaris_core.abc import Location, SalvageReport, Storage, StorageOptions, StorageSpec, hookimpl


def _sqlite(location: Location, options: StorageOptions) -> Storage:
    from polaris_sqlite.storage import SqliteStorage

    return SqliteStorage(location, options)


async def _salvage(damaged: Location, new: Location) -> SalvageReport:
    from polaris_sqlite.salvage import salvage

    return await salvage(damaged, new)


@hookimpl
def polaris_storages() -> tuple[StorageSpec, ...]:
    """Offer `sqlite:///file`."""
    sentence = "A graph in one SQLite database, durable and shared by the processes of one machine."
    return (
        StorageSpec(
            name="sqlite",
            sentence=sentence,
            file="graph.db",
            beside=("-wal", "-shm", "-journal", ".lock"),
            factory=_sqlite,
            salvage=_salvage,
        ),
    )
