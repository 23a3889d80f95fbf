"""`json:` as a storage: every program is one hop to a thread, and what opening has to read is streamed in."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import aiofiles

from polaris_core import (
    EditConflictError,
    ForkedError,
    InvalidLocationError,
    StoreBusyError,
    StoreClosedError,
    StoreReadOnlyError,
)
from polaris_core.abc import NETWORK, BlockingStorage, allows_network, check_local
from polaris_json_fs.faults import translated
from polaris_json_fs.maintenance import MaintainedStore
from polaris_json_fs.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polaris_core.abc import BlockingSession, Head, Location, Progress, StorageOptions, VerifyReport
    from polaris_json_fs.loading import Loading
    from polaris_json_fs.manifest import Manifest

__all__ = ["JsonStorage"]

T = TypeVar("T")


class _Threads(NamedTuple):
    """The threads of an open store: one that reads, one that commits, one that writes checkpoints."""

    read: Worker
    write: Worker
    keep: Worker


class JsonStorage(BlockingStorage):
    """A graph in a directory of JSON files, with a journal that makes each commit durable by one append."""

    capabilities = frozenset({"backup", "verify"})

    def __init__(self, location: Location, options: StorageOptions) -> None:
        """Take a location such as `json:///directory`; raises `InvalidLocationError`."""
        self._location = str(location)
        if not location.path or location.host or location.port or location.username:
            raise InvalidLocationError(
                f"{self._location} names no directory; write json:///directory or json:////absolute/directory",
                location=self._location,
            )
        if unknown := location.options.keys() - {NETWORK}:
            raise InvalidLocationError(
                f"{self._location}: json has no option {min(unknown)!r}, only {NETWORK}", location=self._location
            )
        if location.graph not in (None, "default"):
            raise InvalidLocationError(
                f"{self._location}: a directory holds one graph, called 'default'; use one directory a graph",
                location=self._location,
            )
        self._read_only = options.read_only or location.mode == "ro"
        self._store = MaintainedStore(Path.cwd() / location.path, self._location, options, read_only=self._read_only)
        self._network = allows_network(location)
        self._pid = os.getpid()
        self._threads: _Threads | None = None
        self._checkpoint_posted = False

    async def open(self) -> Head:
        """Open or make the store, recover what a crash left, and return where it stands."""
        self._threads = _Threads(Worker("polaris-json-read"), Worker("polaris-json-write"), Worker("polaris-json-keep"))
        try:
            return await self._load()
        except BaseException:
            self._stop(self._store.release)
            raise

    async def close(self) -> None:
        """Bring the readable files up to date and release everything."""
        if self._threads is None:
            return
        if os.getpid() != self._pid:  # the threads stayed in the parent, and so does the store
            self._threads = None
            self._store.release()
            return
        await self._stop(self._store.close)

    def _stop(self, last: Callable[[], None]) -> asyncio.Future[None]:
        assert self._threads is not None  # noqa: S101 - both callers have them
        threads, self._threads = self._threads, None
        idle = [threading.Event() for _ in threads[:2]]  # a cancelled caller's work may still be under way
        for thread, event in zip(threads, idle, strict=False):
            thread.post(event.set)
            thread.stop()

        def end() -> None:
            for event in idle:
                event.wait()
            last()

        done = threads.keep.run(end)
        threads.keep.stop()
        return done

    async def _load(self) -> Head:
        """Load a checkpoint while others go on; where one of them comes in between, once more without them."""
        store, loading = self._store, None
        if not self._network:
            await self._call(partial(check_local, store.directory, self._location), write=True)
        try:
            for alone in (False, True):
                if alone:
                    await self._call(store.be_alone, write=True)
                found = await self._call(store.find, write=True)
                if found is None:
                    continue
                manifest, fresh = found
                loading = loading or fresh
                try:
                    await self._stream(loading, manifest)
                    await self._call(partial(store.look_for_added, manifest), write=True)
                except EditConflictError as error:
                    if alone:
                        return await self._call(partial(store.take_edits, loading, manifest, error), write=True)
                    continue
                head = await self._call(partial(store.start, loading, manifest), write=True)
                if head is not None:
                    return head
            raise StoreBusyError(
                f"{self._location} was changed by something other than Polaris while it was opened",
                location=self._location,
            )
        finally:
            await self._call(store.let_others_in, write=True)

    async def _stream(self, loading: Loading, manifest: Manifest) -> None:
        """Read the files one after the other, the next one while the thread takes in the last."""
        taking: asyncio.Future[None] | None = None
        for path in loading.missing(manifest):
            with translated(self._location):  # who is cancelled meanwhile leaves no file open
                data = await asyncio.shield(asyncio.ensure_future(_read(self._store.directory / path)))
            if taking is not None:
                await taking
            taking = self._submit(partial(loading.take, manifest, path, data), write=True)
        if taking is not None:
            await taking

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        """Return a session on the latest committed state, in a thread."""
        with self._store.writing() if write else self._store.reading() as session:
            yield session
        if write and not self._checkpoint_posted and self._store.due() and self._threads is not None:
            self._checkpoint_posted = True
            self._threads.keep.post(self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            self._store.checkpoint()
        except StoreBusyError:
            return  # another process is at it
        finally:
            self._checkpoint_posted = False

    async def run(self, function: Callable[[], T], *, write: bool) -> T:
        """Run a function in the thread that reads or in the one that writes."""
        if write and self._read_only:
            raise StoreReadOnlyError(f"{self._location} was opened for reading", location=self._location)
        return await self._call(function, write=write)

    async def _call(self, function: Callable[[], T], *, write: bool) -> T:
        return await self._submit(function, write=write)

    def _submit(self, function: Callable[[], T], *, write: bool) -> asyncio.Future[T]:
        threads = self._checked()
        return (threads.write if write else threads.read).run(function)

    def _checked(self) -> _Threads:
        if os.getpid() != self._pid:
            raise ForkedError(f"{self._location} was opened before this process was forked: open it again here")
        if self._threads is None:
            raise StoreClosedError(f"{self._location} is closed")
        return self._threads

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Read everything from the disk and return what is not as it was written. Others go on meanwhile."""
        return await self._checked().keep.run(partial(self._store.verify, progress))

    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        """Write one committed state as a directory of its own, and return its head. Others go on meanwhile."""
        return await self._checked().keep.run(partial(self._store.backup, target, progress))

    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        """Replace everything by what a backup, or another closed store, holds; commits wait until it is done."""
        if self._read_only:
            raise StoreReadOnlyError(f"{self._location} was opened for reading", location=self._location)
        return await self._checked().keep.run(partial(self._store.restore, source, progress))

    def __repr__(self) -> str:
        return f"<JsonStorage {self._location}>"

    def stamp(self) -> int | None:
        """Return how many bytes were ever committed, by any process; None for a copy that nobody opened for writing."""
        stamps = self._store.stamps
        return None if stamps is None else stamps[0]


async def _read(path: Path) -> bytes | None:
    try:
        async with aiofiles.open(path, "rb") as file:
            return await file.read()
    except FileNotFoundError:
        return None
