"""Polaris: knowledge graphs behind one small core, with storage, events and tools as plugins."""

__version__ = "0.1.0"
