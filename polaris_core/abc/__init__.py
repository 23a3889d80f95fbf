"""What a plugin implements and what it calls. Nothing is imported before it is named."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pluggy

    from polaris_core.abc.cache import Cache, CacheCodec, CacheOptions, CacheSpec, CacheStatistics, Departure
    from polaris_core.abc.capabilities import (
        Backup,
        BlockingQuerySession,
        BlockingSearchSession,
        Finding,
        Index,
        Indexes,
        Load,
        Progress,
        QuerySession,
        SalvageReport,
        SearchSession,
        Stage,
        StagedRecords,
        Verify,
        VerifyReport,
    )
    from polaris_core.abc.commands import CommandContext, CommandSpec
    from polaris_core.abc.decision import deciding
    from polaris_core.abc.events import Event, EventLog, EventStoreSpec
    from polaris_core.abc.flaws import flaws_of
    from polaris_core.abc.formats import MAX_LINE_BYTES, FormatSpec, Loss, Losses, OnLoss, read_lines
    from polaris_core.abc.futures import settle
    from polaris_core.abc.image import Image
    from polaris_core.abc.location import Location
    from polaris_core.abc.lock import FileLock
    from polaris_core.abc.mounts import NETWORK, allows_network, check_local
    from polaris_core.abc.plugins import Kind, Plugins
    from polaris_core.abc.storage import (
        BlockingSession,
        BlockingStorage,
        Storage,
        StorageOptions,
        StorageSpec,
        run_program,
    )
    from polaris_core.abc.tools import Tool, ToolContext, ToolHost, ToolsetSpec
    from polaris_core.query import (
        KEY_CHARACTERS,
        Facts,
        Order,
        OrderKey,
        Position,
        Query,
        Rank,
        Selected,
        beyond,
        conjuncts,
        interpret,
        interpret_count,
        key_reader,
        needs_ends,
        order_key,
        predicate,
        too_many,
    )
    from polaris_core.records import (
        FORMAT,
        ChangeRecord,
        CommitPlan,
        Direction,
        EdgeRecord,
        EdgeRef,
        Head,
        KeyKind,
        Link,
        LoadPlan,
        MetaRecord,
        NodeRecord,
        NodeRef,
        Program,
        Receipt,
        Session,
        StagedEdge,
        StagedNode,
    )
    from polaris_core.search import (
        WEIGHTS,
        Found,
        Phrase,
        TextHits,
        TextQuery,
        Texts,
        folded_text,
        found_in,
        searched_paths,
        texts_of,
    )

    hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("polaris_core")

_HOMES = {
    "polaris_core.abc.cache": ("Cache", "CacheCodec", "CacheOptions", "CacheSpec", "CacheStatistics", "Departure"),
    "polaris_core.abc.capabilities": (
        "Backup",
        "BlockingQuerySession",
        "BlockingSearchSession",
        "Finding",
        "Index",
        "Indexes",
        "Load",
        "Progress",
        "QuerySession",
        "SalvageReport",
        "SearchSession",
        "Stage",
        "StagedRecords",
        "Verify",
        "VerifyReport",
    ),
    "polaris_core.abc.commands": ("CommandContext", "CommandSpec"),
    "polaris_core.abc.decision": ("deciding",),
    "polaris_core.abc.events": ("Event", "EventLog", "EventStoreSpec"),
    "polaris_core.abc.flaws": ("flaws_of",),
    "polaris_core.abc.formats": ("MAX_LINE_BYTES", "FormatSpec", "Loss", "Losses", "OnLoss", "read_lines"),
    "polaris_core.abc.futures": ("settle",),
    "polaris_core.abc.image": ("Image",),
    "polaris_core.abc.location": ("Location",),
    "polaris_core.abc.lock": ("FileLock",),
    "polaris_core.abc.mounts": ("NETWORK", "allows_network", "check_local"),
    "polaris_core.abc.plugins": ("Kind", "Plugins"),
    "polaris_core.abc.storage": (
        "BlockingSession",
        "BlockingStorage",
        "Storage",
        "StorageOptions",
        "StorageSpec",
        "run_program",
    ),
    "polaris_core.abc.tools": ("Tool", "ToolContext", "ToolHost", "ToolsetSpec"),
    "polaris_core.query": (
        "KEY_CHARACTERS",
        "Facts",
        "Order",
        "OrderKey",
        "Position",
        "Query",
        "Rank",
        "Selected",
        "beyond",
        "conjuncts",
        "interpret",
        "interpret_count",
        "key_reader",
        "needs_ends",
        "order_key",
        "predicate",
        "too_many",
    ),
    "polaris_core.records": (
        "ChangeRecord",
        "CommitPlan",
        "Direction",
        "EdgeRecord",
        "EdgeRef",
        "FORMAT",
        "Head",
        "KeyKind",
        "Link",
        "LoadPlan",
        "MetaRecord",
        "NodeRecord",
        "NodeRef",
        "Program",
        "Receipt",
        "Session",
        "StagedEdge",
        "StagedNode",
    ),
    "polaris_core.search": (
        "Found",
        "Phrase",
        "TextHits",
        "TextQuery",
        "Texts",
        "WEIGHTS",
        "folded_text",
        "found_in",
        "searched_paths",
        "texts_of",
    ),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "FORMAT",
    "KEY_CHARACTERS",
    "MAX_LINE_BYTES",
    "NETWORK",
    "WEIGHTS",
    "Backup",
    "BlockingQuerySession",
    "BlockingSearchSession",
    "BlockingSession",
    "BlockingStorage",
    "Cache",
    "CacheCodec",
    "CacheOptions",
    "CacheSpec",
    "CacheStatistics",
    "ChangeRecord",
    "CommandContext",
    "CommandSpec",
    "CommitPlan",
    "Departure",
    "Direction",
    "EdgeRecord",
    "EdgeRef",
    "Event",
    "EventLog",
    "EventStoreSpec",
    "Facts",
    "FileLock",
    "Finding",
    "FormatSpec",
    "Found",
    "Head",
    "Image",
    "Index",
    "Indexes",
    "KeyKind",
    "Kind",
    "Link",
    "Load",
    "LoadPlan",
    "Location",
    "Loss",
    "Losses",
    "MetaRecord",
    "NodeRecord",
    "NodeRef",
    "OnLoss",
    "Order",
    "OrderKey",
    "Phrase",
    "Plugins",
    "Position",
    "Program",
    "Progress",
    "Query",
    "QuerySession",
    "Rank",
    "Receipt",
    "SalvageReport",
    "SearchSession",
    "Selected",
    "Session",
    "Stage",
    "StagedEdge",
    "StagedNode",
    "StagedRecords",
    "Storage",
    "StorageOptions",
    "StorageSpec",
    "TextHits",
    "TextQuery",
    "Texts",
    "Tool",
    "ToolContext",
    "ToolHost",
    "ToolsetSpec",
    "Verify",
    "VerifyReport",
    "allows_network",
    "beyond",
    "check_local",
    "conjuncts",
    "deciding",
    "flaws_of",
    "folded_text",
    "found_in",
    "hookimpl",
    "interpret",
    "interpret_count",
    "key_reader",
    "needs_ends",
    "order_key",
    "predicate",
    "read_lines",
    "run_program",
    "searched_paths",
    "settle",
    "texts_of",
    "too_many",
]

if not TYPE_CHECKING:  # a type checker is to know every name, and to refuse any other

    def __getattr__(name: str) -> object:
        """Import a name when it is first used."""
        if name == "hookimpl":
            import pluggy

            value: object = pluggy.HookimplMarker("polaris_core")
        elif name in _MODULES:
            value = getattr(import_module(_MODULES[name]), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
