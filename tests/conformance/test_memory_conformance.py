"""`memory:` keeps the laws of a storage."""

from polaris_core.testing import StorageConformance


class TestMemory(StorageConformance):
    url = "memory:"
    persistent = False
    shared = False
