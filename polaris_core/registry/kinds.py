"""The six kinds of plugin, as data. Nothing is imported to list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

import attrs

from polaris_core.abc.plugins import Kind

if TYPE_CHECKING:
    from polaris_core.abc.cache import CacheSpec
    from polaris_core.abc.commands import CommandSpec
    from polaris_core.abc.events import EventStoreSpec
    from polaris_core.abc.formats import FormatSpec
    from polaris_core.abc.storage import StorageSpec
    from polaris_core.abc.tools import ToolsetSpec
    from polaris_core.registry.hookspecs import Hooks  # would load pluggy, and nothing evaluates it

__all__ = [
    "CACHES",
    "COMMANDS",
    "EVENT_STORES",
    "FORMATS",
    "KINDS",
    "STORAGES",
    "TOOLSETS",
    "PluginKind",
    "Specification",
]


class Specification(Protocol):
    """What every specification class has."""

    @property
    def name(self) -> str:
        """What a user types."""
        ...

    @property
    def sentence(self) -> str:
        """What it is good for."""
        ...


S_co = TypeVar("S_co", bound=Specification, covariant=True)


@attrs.frozen(kw_only=True)
class PluginKind(Generic[S_co]):
    """A kind of plugin: its entry-point group, its hook and its specification class.

    `noun` is the kind's name in messages, in settings and in front of a plugin's name: `storage.sqlite`.
    """

    kind: Kind
    noun: str
    class_name: str
    ask: Callable[[Hooks], Sequence[S_co]]

    @property
    def group(self) -> str:
        """The entry-point group."""
        return f"polaris_core.{self.kind}"

    @property
    def hook(self) -> str:
        """The name of the hook."""
        return f"polaris_{self.kind}"

    @property
    def specification(self) -> type[S_co]:
        """The specification class."""
        from polaris_core import abc

        return cast("type[S_co]", getattr(abc, self.class_name))

    @property
    def label(self) -> str:
        """The noun as people write it."""
        return self.noun.replace("_", " ")


def _storages(hooks: Hooks) -> Sequence[StorageSpec]:
    return hooks.polaris_storages()


def _caches(hooks: Hooks) -> Sequence[CacheSpec]:
    return hooks.polaris_caches()


def _event_stores(hooks: Hooks) -> Sequence[EventStoreSpec]:
    return hooks.polaris_event_stores()


def _toolsets(hooks: Hooks) -> Sequence[ToolsetSpec]:
    return hooks.polaris_toolsets()


def _formats(hooks: Hooks) -> Sequence[FormatSpec]:
    return hooks.polaris_formats()


def _commands(hooks: Hooks) -> Sequence[CommandSpec]:
    return hooks.polaris_commands()


STORAGES = PluginKind(kind="storages", noun="storage", class_name="StorageSpec", ask=_storages)
CACHES = PluginKind(kind="caches", noun="cache", class_name="CacheSpec", ask=_caches)
EVENT_STORES = PluginKind(kind="event_stores", noun="event_store", class_name="EventStoreSpec", ask=_event_stores)
TOOLSETS = PluginKind(kind="toolsets", noun="toolset", class_name="ToolsetSpec", ask=_toolsets)
FORMATS = PluginKind(kind="formats", noun="format", class_name="FormatSpec", ask=_formats)
COMMANDS = PluginKind(kind="commands", noun="command", class_name="CommandSpec", ask=_commands)

KINDS: Mapping[Kind, PluginKind[Specification]] = {
    "storages": STORAGES,
    "caches": CACHES,
    "event_stores": EVENT_STORES,
    "toolsets": TOOLSETS,
    "formats": FORMATS,
    "commands": COMMANDS,
}
