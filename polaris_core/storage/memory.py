"""`memory:`: a graph in this process, gone when it is closed. It promises nothing about durability and has no hop at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from polaris_core.abc.image import Image
from polaris_core.abc.location import Location
from polaris_core.abc.storage import BlockingSession, BlockingStorage, StorageOptions
from polaris_core.errors import InvalidLocationError, StoreNotFoundError
from polaris_core.records import CommitPlan, Head

__all__ = ["MemoryStorage"]

T = TypeVar("T")


class _Records(Image):
    """The records, and how many commits there were."""

    commits = 0

    def store(self, plan: CommitPlan) -> None:
        """Apply a plan."""
        super().store(plan)
        self.commits += 1


class MemoryStorage(BlockingStorage):
    """A store that lives as long as it is open. Each open graph has its own."""

    def __init__(self, location: Location, options: StorageOptions) -> None:
        if location.path or location.host or location.graph or location.options:
            raise InvalidLocationError("memory: has no path, host or options", location=str(location))
        if options.read_only or not options.create:
            raise StoreNotFoundError("memory: is always a new store, so there is nothing to read", location="memory:")
        self._image = _Records(options.new_head())

    def __repr__(self) -> str:
        return "<MemoryStorage memory:>"

    async def open(self) -> Head:
        """Return the head of a new store."""
        return self._image.head()

    async def close(self) -> None:
        """Nothing is kept."""

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:  # noqa: ARG002 - one loop, no waiting: nothing interferes
        """Return the records themselves."""
        yield self._image

    async def run(self, function: Callable[[], T], *, write: bool) -> T:  # noqa: ARG002
        """Run the function here and now."""
        return function()

    def stamp(self) -> int:
        """Return how many commits there were; some make no change and yet another state."""
        return self._image.commits
