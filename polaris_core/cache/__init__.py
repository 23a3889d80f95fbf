"""The built-in cache."""

from polaris_core.cache.lru import LRUCache

__all__ = ["LRUCache"]
