"""What a plugin implements and what it calls. Nothing else of the core is for plugins, and nothing is imported before it is named."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    "Cache": "abc.cache",
    "CacheOptions": "abc.cache",
    "CacheSpec": "abc.cache",
    "CacheStatistics": "abc.cache",
    "CommandContext": "abc.commands",
    "CommandSpec": "abc.commands",
    "Event": "abc.events",
    "EventLog": "abc.events",
    "EventStoreSpec": "abc.events",
    "FormatSpec": "abc.formats",
    "Image": "abc.image",
    "Location": "abc.location",
    "FileLock": "abc.lock",
    "Kind": "abc.plugins",
    "Plugins": "abc.plugins",
    "BlockingSession": "abc.storage",
    "BlockingStorage": "abc.storage",
    "Storage": "abc.storage",
    "StorageOptions": "abc.storage",
    "StorageSpec": "abc.storage",
    "Tool": "abc.tools",
    "ToolContext": "abc.tools",
    "ToolHost": "abc.tools",
    "ToolsetSpec": "abc.tools",
    "FORMAT": "records",
    "ChangeRecord": "records",
    "CommitPlan": "records",
    "Direction": "records",
    "EdgeRecord": "records",
    "EdgeRef": "records",
    "Head": "records",
    "Link": "records",
    "MetaRecord": "records",
    "NodeRecord": "records",
    "NodeRef": "records",
    "Program": "records",
    "Receipt": "records",
    "Session": "records",
}

__all__ = [*_HOMES, "hookimpl"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name == "hookimpl":
        import pluggy

        value: object = pluggy.HookimplMarker("polaris_core")
    elif name in _HOMES:
        value = getattr(import_module(f"polaris_core.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    import pluggy

    from polaris_core.abc.cache import Cache, CacheOptions, CacheSpec, CacheStatistics
    from polaris_core.abc.commands import CommandContext, CommandSpec
    from polaris_core.abc.events import Event, EventLog, EventStoreSpec
    from polaris_core.abc.formats import FormatSpec
    from polaris_core.abc.image import Image
    from polaris_core.abc.location import Location
    from polaris_core.abc.lock import FileLock
    from polaris_core.abc.plugins import Kind, Plugins
    from polaris_core.abc.storage import BlockingSession, BlockingStorage, Storage, StorageOptions, StorageSpec
    from polaris_core.abc.tools import Tool, ToolContext, ToolHost, ToolsetSpec
    from polaris_core.records import (
        FORMAT,
        ChangeRecord,
        CommitPlan,
        Direction,
        EdgeRecord,
        EdgeRef,
        Head,
        Link,
        MetaRecord,
        NodeRecord,
        NodeRef,
        Program,
        Receipt,
        Session,
    )

    hookimpl = pluggy.HookimplMarker("polaris_core")
