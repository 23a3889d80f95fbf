"""`sqlite:` keeps the laws of a storage."""

from polaris_core.testing import StorageConformance


class TestSqlite(StorageConformance):
    url = "sqlite:///{folder}/graph.db"
    capabilities = frozenset({"backup", "indexes", "load", "query", "search", "verify"})
