"""The names that the project itself gives out: what the core has built in, and which distribution brings what else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polaris_core.abc.plugins import Kind

__all__ = ["BUILT_IN", "CORE", "DISTRIBUTIONS", "HOMES"]

CORE = "polaris-kg-core"

# The rows of the core's own pyproject.toml, which hold where the core runs without having been installed, too.
BUILT_IN: Mapping[tuple[Kind, str], str] = {
    ("storages", "memory"): "polaris_core.storage.plugin",
    ("caches", "lru"): "polaris_core.cache.plugin",
    ("formats", "jsonl"): "polaris_core.formats.plugin",
    ("commands", "completion"): "polaris_core.cli.plugin",
    ("commands", "doctor"): "polaris_core.cli.plugin",
    ("commands", "plugins"): "polaris_core.cli.plugin",
}

HOMES: Mapping[tuple[Kind, str], str] = {
    ("storages", "json"): "polaris-kg-json-fs",
    ("storages", "sqlite"): "polaris-kg-sqlite",
    ("event_stores", "sqlite"): "polaris-kg-event-store",
    ("toolsets", "graph"): "polaris-kg-mcp",
    ("formats", "debian"): "polaris-kg-formats",
    ("formats", "graphml"): "polaris-kg-formats",
    ("formats", "mcp-memory"): "polaris-kg-formats",
    ("formats", "node-link"): "polaris-kg-formats",
    ("commands", "backup"): "polaris-kg-cli",
    ("commands", "demo"): "polaris-kg-cli",
    ("commands", "export"): "polaris-kg-cli",
    ("commands", "find"): "polaris-kg-cli",
    ("commands", "get"): "polaris-kg-cli",
    ("commands", "history"): "polaris-kg-cli",
    ("commands", "import"): "polaris-kg-cli",
    ("commands", "index"): "polaris-kg-cli",
    ("commands", "migrate"): "polaris-kg-cli",
    ("commands", "neighbors"): "polaris-kg-cli",
    ("commands", "repair"): "polaris-kg-cli",
    ("commands", "restore"): "polaris-kg-cli",
    ("commands", "search"): "polaris-kg-cli",
    ("commands", "serve"): "polaris-kg-mcp",
    ("commands", "stats"): "polaris-kg-cli",
    ("commands", "verify"): "polaris-kg-cli",
}

DISTRIBUTIONS = frozenset({CORE, *HOMES.values()})
