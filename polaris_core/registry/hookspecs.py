"""The hooks. Each takes nothing, returns inert specifications, and is asked of one plugin at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core.abc.cache import CacheSpec
    from polaris_core.abc.commands import CommandSpec
    from polaris_core.abc.events import EventStoreSpec
    from polaris_core.abc.formats import FormatSpec
    from polaris_core.abc.storage import StorageSpec
    from polaris_core.abc.tools import ToolsetSpec

__all__ = ["PROJECT", "Hooks"]

PROJECT = "polaris_core"

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker(PROJECT)


class Hooks(Protocol):
    """What a plugin module may implement, and, as a type, what is called.

    One definition serves both: pluggy reads the marks, and type checkers check the calls, which pluggy's own relay
    leaves untyped. `firstresult` makes a call return what the one plugin that is asked returned, not a list of that.
    """

    @hookspec(firstresult=True)
    def polaris_storages(self) -> Sequence[StorageSpec]:
        """Return the storage backends of this plugin."""
        ...

    @hookspec(firstresult=True)
    def polaris_caches(self) -> Sequence[CacheSpec]:
        """Return the caches of this plugin."""
        ...

    @hookspec(firstresult=True)
    def polaris_event_stores(self) -> Sequence[EventStoreSpec]:
        """Return the event stores of this plugin."""
        ...

    @hookspec(firstresult=True)
    def polaris_toolsets(self) -> Sequence[ToolsetSpec]:
        """Return the sets of tools of this plugin."""
        ...

    @hookspec(firstresult=True)
    def polaris_formats(self) -> Sequence[FormatSpec]:
        """Return the file formats of this plugin."""
        ...

    @hookspec(firstresult=True)
    def polaris_commands(self) -> Sequence[CommandSpec]:
        """Return the subcommands of this plugin."""
        ...
