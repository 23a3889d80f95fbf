"""`json:` keeps the laws of a storage."""

from polaris_core.testing import StorageConformance


class TestJson(StorageConformance):
    url = "json:///{folder}/kg"
    capabilities = frozenset({"backup", "verify"})
