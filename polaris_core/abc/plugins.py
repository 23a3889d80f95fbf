"""The plugins that are installed, as a command or a server sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core.abc.cache import CacheSpec
    from polaris_core.abc.commands import CommandSpec
    from polaris_core.abc.events import EventStoreSpec
    from polaris_core.abc.formats import FormatSpec
    from polaris_core.abc.storage import StorageSpec
    from polaris_core.abc.tools import ToolsetSpec

__all__ = ["Kind", "Plugins"]

Kind: TypeAlias = Literal["storages", "caches", "event_stores", "toolsets", "formats", "commands"]


class Plugins(Protocol):
    """One method a kind. Each imports the one plugin that is asked for and no other.

    They raise `PluginNotFoundError` with the names there are, or another `PluginError` that says why the plugin cannot
    be used.
    """

    def names(self, kind: Kind) -> Sequence[str]:
        """Return the names there are of a kind, sorted; nothing is imported."""
        ...

    def storage(self, scheme: str) -> StorageSpec:
        """Return the storage of a URL scheme."""
        ...

    def cache(self, name: str) -> CacheSpec:
        """Return a cache."""
        ...

    def event_store(self, scheme: str) -> EventStoreSpec:
        """Return the event store of a URL scheme."""
        ...

    def toolset(self, name: str) -> ToolsetSpec:
        """Return a toolset."""
        ...

    def format(self, name: str) -> FormatSpec:
        """Return a file format."""
        ...

    def command(self, name: str) -> CommandSpec:
        """Return a subcommand."""
        ...
