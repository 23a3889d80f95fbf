"""The built-in cache, as a plugin like any other."""

from __future__ import annotations

from polaris_core.abc import Cache, CacheOptions, CacheSpec, hookimpl


def _lru(options: CacheOptions) -> Cache:
    from polaris_core.cache.lru import LRUCache

    return LRUCache(options)


@hookimpl
def polaris_caches() -> tuple[CacheSpec, ...]:
    """Offer `lru`."""
    return (
        CacheSpec(name="lru", sentence="Least recently used goes first; bounded by entries, and by age.", factory=_lru),
    )
