"""What a process was told, and where each value came from."""

from __future__ import annotations

from polaris_core.config.merging import Origin, spelled
from polaris_core.config.settings import Explanation, PluginSettings, Settings
from polaris_core.config.sources import URL_SETTINGS, mask_url

__all__ = ["URL_SETTINGS", "Explanation", "Origin", "PluginSettings", "Settings", "mask_url", "spelled"]
