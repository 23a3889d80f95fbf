"""The service that stands before every backend, and the backend that keeps nothing."""

from polaris_core.storage.service import StorageService

__all__ = ["StorageService"]
