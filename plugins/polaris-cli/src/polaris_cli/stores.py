"""The store a command is about: the one in the settings, or the demo's own."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from polaris_core import ConfigError, Location, open_graph_blocking

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from polaris_core import BlockingGraph, BlockingView
    from polaris_core.abc import CommandContext

__all__ = ["demo_file", "demo_url", "masked", "open_state", "open_store", "store_url"]


def demo_file() -> Path:
    """Return where the demo keeps its graph: `demo.db` in the platform's directory for a user's data."""
    return user_data_path("polaris", appauthor=False) / "demo.db"


def demo_url(context: CommandContext) -> str:
    """Return the demo's store: the one on the command line, else its own.

    A store named by the environment or by polaris.toml is somebody's real one, and no place for a demo.
    """
    settings = context.settings
    if settings.store is not None and str(settings.origins.get("store")) == "the command line":
        return settings.store
    return str(Location(scheme="sqlite", path=str(demo_file())))


def store_url(context: CommandContext, named: str | None = None) -> str:
    """Return the store that was named, else the one in the settings; `ConfigError` says how to name one where there is none."""
    if named is not None:
        return named
    if context.settings.store is not None:
        return context.settings.store
    hint = ""
    if demo_file().is_file():
        hint = f". The demo's graph is at {Location(scheme='sqlite', path=str(demo_file()))}"
    raise ConfigError(
        "there is no store to use: name one with --store sqlite:///kg.db, in POLARIS_KG_STORE, "
        f"or as store in polaris.toml{hint}",
        setting="store",
    )


def open_store(context: CommandContext, url: str, *, read_only: bool = False, create: bool = True) -> BlockingGraph:
    """Open a store for blocking use; a `read_only` one is not made where it is missing."""
    settings = context.settings
    return open_graph_blocking(
        url,
        cache=None,  # a command asks once
        create=create and not read_only,
        read_only=read_only,
        durability=settings.durability,
        busy_seconds=settings.busy_seconds,
        limits=settings.limits,
        plugins=context.plugins,
    )


@contextmanager
def open_state(context: CommandContext, options: Namespace) -> Iterator[BlockingGraph | BlockingView]:
    """Open the store of the settings for reading: as it is, or as it was at the moment that `--at` names."""
    with open_store(context, store_url(context), read_only=True) as graph:
        yield graph if options.at is None else graph.at(options.at)


def masked(url: str) -> str:
    """Return a store's URL as it may be shown."""
    return str(Location.parse(url))
