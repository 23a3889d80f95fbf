"""The kit that certifies a cache: all its laws in one class."""

from __future__ import annotations

from polaris_core.testing.kits import Kit
from polaris_core.testing.laws.caches import CacheLaws

__all__ = ["CacheConformance"]


class CacheConformance(CacheLaws, Kit, parameters=("open",)):
    """All laws of a cache. Derive a class from it, say how a cache is made, and let pytest collect it.

    ::

        class TestMine(CacheConformance):
            def open(self, options):
                return MyCache(options)

    A law that a cache does not keep yet is marked with xfail and a reason, as in `StorageConformance`.
    """
