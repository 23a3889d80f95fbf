"""From a URL to an open graph."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any, Literal

from polaris_core.abc.cache import CacheOptions
from polaris_core.abc.location import Location
from polaris_core.abc.plugins import Plugins
from polaris_core.abc.storage import StorageOptions
from polaris_core.config import Settings
from polaris_core.graph.graph import Graph
from polaris_core.limits import Limits
from polaris_core.registry import default
from polaris_core.storage import StorageService
from polaris_core.storage.own_files import OwnFiles
from polaris_core.storage.weights import weight_of

__all__ = ["Opening", "open_graph"]


class Opening:
    """A graph about to be opened: `async with open_graph(...) as graph`, or `graph = await open_graph(...)`."""

    def __init__(self, service: StorageService) -> None:
        self._service = service
        self._graph: Graph | None = None

    async def _open(self) -> Graph:
        await self._service.initialize()
        self._graph = Graph(self._service)
        return self._graph

    def __await__(self) -> Generator[Any, None, Graph]:
        return self._open().__await__()

    async def __aenter__(self) -> Graph:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._service.close()


def open_graph(
    url: str,
    *,
    cache: str | None = "lru",
    create: bool = True,
    read_only: bool = False,
    durability: Literal["power", "process"] = "power",
    busy_seconds: float = 10.0,
    limits: Limits | None = None,
    options: StorageOptions | None = None,
    plugins: Plugins | None = None,
) -> Opening:
    """Open the graph at a URL such as `sqlite:///kg.db`, `json:///directory` or `memory:`.

    `cache` names what keeps nodes and edges that were read; with None nothing is remembered, neighbours neither. `create` makes
    a store where there is none; `durability` is `power` or `process`; `busy_seconds` is how long to wait for another process.
    `options` sets the three at once, with the clock.
    `plugins` says where backends are looked for, among the installed ones by default. Raises
    `InvalidLocationError`, `PluginNotFoundError` with the backends there are, or a `StoreUnavailableError`.
    """
    location = Location.parse(url)
    told = Settings(durability=durability, busy_seconds=busy_seconds).for_url(url)
    settings = options or StorageOptions(
        create=create,
        read_only=read_only or location.mode == "ro",
        durability=told.durability,
        busy_seconds=told.busy_seconds,
    )
    installed = plugins or default()
    specification = installed.storage(location.scheme)
    return Opening(
        StorageService(
            storage=specification.factory(location, settings),
            options=settings,
            limits=limits,
            cache=None if cache is None else installed.cache(cache).factory(_bounded(limits or Limits())),
            own_files=OwnFiles.of(location, specification),
        )
    )


def _bounded(limits: Limits) -> CacheOptions:
    """Leave half of the memory to nodes and edges, as many as there is room for, and half to who is next to whom."""
    room = max(limits.cache_bytes // 2, 1)
    return CacheOptions(entries=room, bytes=room, weigh=weight_of)
