"""The built-in storage, as a plugin like any other."""

from __future__ import annotations

from polaris_core.abc import Location, Storage, StorageOptions, StorageSpec, hookimpl


def _memory(location: Location, options: StorageOptions) -> Storage:
    from polaris_core.storage.memory import MemoryStorage

    return MemoryStorage(location, options)


@hookimpl
def polaris_storages() -> tuple[StorageSpec, ...]:
    """Offer `memory:`."""
    return (
        StorageSpec(
            name="memory", sentence="A graph in this process's memory, gone when it is closed.", factory=_memory
        ),
    )
