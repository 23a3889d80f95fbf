"""What the plugin offers; nothing heavy is imported before it is used."""

from __future__ import annotations

from polaris_core.abc import Location, SalvageReport, Storage, StorageOptions, StorageSpec, hookimpl

__all__ = ["polaris_storages"]


def _json(location: Location, options: StorageOptions) -> Storage:
    from polaris_json_fs.storage import JsonStorage

    return JsonStorage(location, options)


async def _salvage(damaged: Location, new: Location) -> SalvageReport:
    import asyncio

    from polaris_json_fs.salvage import salvage

    return await asyncio.to_thread(salvage, damaged, new)


@hookimpl
def polaris_storages() -> tuple[StorageSpec, ...]:
    """Offer `json:`."""
    return (
        StorageSpec(
            name="json",
            sentence="A directory of JSON files that a person can read and git can compare.",
            factory=_json,
            salvage=_salvage,
        ),
    )
