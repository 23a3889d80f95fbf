"""The plugins as the rest of the core uses them: resolved by metadata, loaded one at a time, each in isolation."""

from __future__ import annotations

import logging
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, TypeVar, cast

from polaris_core import __version__
from polaris_core.abc import Plugins
from polaris_core.config import PluginSettings, Settings
from polaris_core.registry.discovery import Discovery, Row, installed
from polaris_core.registry.kinds import (
    CACHES,
    COMMANDS,
    EVENT_STORES,
    FORMATS,
    STORAGES,
    TOOLSETS,
    PluginKind,
    Specification,
)
from polaris_core.registry.resolution import choose, malformed, names, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core.abc import (
        CacheSpec,
        CommandSpec,
        EventStoreSpec,
        FormatSpec,
        Kind,
        StorageSpec,
        ToolsetSpec,
    )
    from polaris_core.errors import PluginError
    from polaris_core.registry.loading import Loader

__all__ = ["Registry", "default"]

S = TypeVar("S", bound=Specification)

logger: logging.Logger = logging.getLogger("polaris_core.registry")


class Registry(Plugins):
    """The installed plugins. Listing reads metadata; asking for one imports that one module. Any thread may call it.

    `settings` says what may be loaded. `discovery` returns the rows there are, the installed ones unless given; it is
    called once, when a row is first needed. `version` is the running core's.

    Every method that returns a specification raises `PluginNotFoundError` with the names there are, and the pip line
    where it is known; `PluginBlockedError`, `PluginAmbiguousError` or `PluginIncompatibleError` before anything is
    imported; `PluginLoadError` whose cause is what the plugin's own code raised; or `PluginSpecificationError` that
    says which rule the plugin breaks.
    """

    def __init__(
        self,
        settings: PluginSettings | None = None,
        *,
        discovery: Discovery = installed,
        version: str = __version__,
    ) -> None:
        self._settings = settings or PluginSettings()
        self._discovery = discovery
        self._version = version
        self._lock = RLock()
        self._rows: tuple[Row, ...] | None = None
        self._warned: set[Kind] = set()
        self._loader: Loader | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """Every row, whatever becomes of it."""
        with self._lock:
            if self._rows is None:
                self._rows = tuple(self._discovery())
            return self._rows

    def verdict(self, row: Row) -> PluginError | None:
        """Return why a row cannot be loaded, as far as metadata and settings tell; None where it can."""
        return verdict(row, self.rows, self._settings, self._version)

    def check(self, row: Row) -> None:
        """Import a row's module and hold it to the rules, whatever the settings say; raise what is wrong with it."""
        with self._lock:
            self._load().specifications(row, self.rows)

    def names(self, kind: Kind) -> Sequence[str]:
        """Return the names there are of a kind, sorted; nothing is imported."""
        return names(kind, self._read(kind), self._settings)

    def storage(self, scheme: str) -> StorageSpec:
        """Return the storage of a URL scheme."""
        return self._specification(STORAGES, scheme)

    def cache(self, name: str) -> CacheSpec:
        """Return a cache."""
        return self._specification(CACHES, name)

    def event_store(self, scheme: str) -> EventStoreSpec:
        """Return the event store of a URL scheme."""
        return self._specification(EVENT_STORES, scheme)

    def toolset(self, name: str) -> ToolsetSpec:
        """Return a toolset."""
        return self._specification(TOOLSETS, name)

    def format(self, name: str) -> FormatSpec:
        """Return a file format."""
        return self._specification(FORMATS, name)

    def command(self, name: str) -> CommandSpec:
        """Return a subcommand."""
        return self._specification(COMMANDS, name)

    def _specification(self, kind: PluginKind[S], name: str) -> S:
        with self._lock:
            rows = self._read(kind.kind)
            row = choose(kind, name, rows, self._settings, self._version)
            return cast("S", self._load().specifications(row, rows)[name])

    def _read(self, kind: Kind) -> Sequence[Row]:
        """Return all rows, after a warning about those of this kind that break the rules."""
        with self._lock:
            if kind not in self._warned:
                self._warned.add(kind)
                for row in self.rows:
                    if row.kind == kind and (error := malformed(row)):
                        logger.warning("%s", error)
            return self.rows

    def _load(self) -> Loader:
        if self._loader is None:
            from polaris_core.registry.loading import Loader

            self._loader = Loader()
        return self._loader


@cache
def default() -> Registry:
    """Return this process's registry, made when first asked for; raises `ConfigError` where the settings are wrong."""
    return Registry(Settings.load().plugins)
