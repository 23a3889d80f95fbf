"""The plugins that are installed: found by metadata, chosen by rules, loaded one at a time."""

from __future__ import annotations

from polaris_core.registry.discovery import Row
from polaris_core.registry.registry import Registry, default

__all__ = ["Registry", "Row", "default"]
