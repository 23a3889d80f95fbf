"""One SQLite connection with a thread of its own, on which a whole function runs in one hop.

aiosqlite hops to its thread and back for every statement. What is built on it here hops once for a whole transaction,
so a caller who is cancelled in the middle leaves nothing open. This module is the only one that knows aiosqlite's
inside, which is why the dependency is pinned to one minor release: `_tx`, the queue of `(future or None, function)`;
`_thread`, which `await` starts; `_connection`, `_connector` and `_running`; and that its own methods put their work on
`_tx`.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import os
import time
from functools import partial
from itertools import count
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import aiosqlite

from polaris_core import ForkedError, StoreClosedError
from polaris_core.abc import settle

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator
    from queue import SimpleQueue

__all__ = ["Connection"]

T = TypeVar("T")
_Jobs: TypeAlias = "SimpleQueue[tuple[asyncio.Future[Any] | None, Callable[[], Any]]]"

_EXIT_SECONDS = 5.0
_numbers = count()
_open: WeakValueDictionary[int, Connection] = WeakValueDictionary()
_threads: set[Thread] = set()


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose `run` calls a function with the `sqlite3.Connection`, on its thread, in one hop.

    `connector` opens the database; it is called on that thread, and so is everything else. Opened by `await connection`
    or `async with`. It serves callers of any event loop, one after another, and outlives every loop: a loop that ends
    with calls under way loses their answers and nothing else. A process that exits without closing it waits for what is
    under way, a few seconds at most, and closes it in order.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection], *, name: str = "sqlite") -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._pid = os.getpid()
        self._number = next(_numbers)
        # Not aiosqlite's own loop, which dies when it cannot answer; and a daemon, for which no exit waits.
        self._thread = Thread(target=_serve, args=(self._tx,), name=name, daemon=True)

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function on the connection's thread and return what it returns or raise what it raises.

        A caller who is cancelled meanwhile gets `CancelledError`; the function is run to its end all the same. Raises
        `StoreClosedError` after `close` and `ForkedError` in a child process.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future, partial(function, self._usable())))
        return await future

    def post(self, function: Callable[[sqlite3.Connection], object]) -> None:
        """Call a function on the connection's thread after what waits there; nobody is told."""
        self._tx.put_nowait((None, partial(function, self._usable())))

    def _usable(self) -> sqlite3.Connection:
        if os.getpid() != self._pid:
            raise ForkedError("this database was opened before the process was forked: open it again here")
        if self._connection is None or not self._running:
            raise StoreClosedError("this database is closed")
        return self._connection

    async def __aenter__(self) -> Self:
        return await self

    def __await__(self) -> Generator[Any, None, Self]:
        _threads.add(self._thread)
        self._thread.start()
        return self._connect().__await__()

    async def _connect(self) -> Self:
        if self._connection is None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._tx.put_nowait((future, self._open))
            try:
                await future
            except BaseException:
                self.stop()
                raise
        return self

    def _open(self) -> None:
        self._connection = self._connector()
        _open[self._number] = self

    def stop(self) -> asyncio.Future[Any] | None:
        """Close the database after what waits on the thread, and end the thread. Prefer `close`."""
        if not self._running:
            return None
        self._running = False
        if os.getpid() != self._pid:  # the thread stayed with the parent
            return None
        try:
            future = asyncio.get_running_loop().create_future()
        except RuntimeError:  # at exit, or while garbage is collected
            future = None
        self._tx.put_nowait((future, self._close))
        self._tx.put_nowait((None, _end))
        return future

    def _close(self) -> None:
        database, self._connection = self._connection, None
        if database is not None:
            database.close()

    async def close(self) -> None:
        """Finish what waits, close the database and end the thread; in one hop. Closing twice is closing once."""
        future = self.stop()
        if future is not None:
            await future

    def join(self, seconds: float) -> None:
        """Wait for the thread's end after `stop`, from outside any event loop."""
        if self._thread.ident is not None:
            self._thread.join(max(seconds, 0.0))


def _end() -> None:
    """Stands in the queue for the end of it."""


def _serve(jobs: _Jobs) -> None:
    """Do what is queued, one after the other. Nothing here may keep the connection alive, or raise."""
    while True:
        future, function = jobs.get()
        if function is _end:
            _threads.discard(current_thread())
            return
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it is the caller's
            error = raised
        if future is not None:
            settle(future, result, error)
        del future, function, result, error  # the last answer is nobody's while the queue is empty


@atexit.register
def _close_all() -> None:
    """Close what is still open, the newest first, as a program that takes care would."""
    deadline = time.monotonic() + _EXIT_SECONDS
    for connection in [_open[number] for number in sorted(_open, reverse=True)]:
        connection.stop()
        connection.join(deadline - time.monotonic())
    for thread in list(_threads):  # those of connections that nobody had any more
        thread.join(max(deadline - time.monotonic(), 0.0))


def _abandon_all() -> None:
    """In a forked child: never touch the parent's connections, not even by freeing them.

    To close one here would roll back, in the memory both processes share, a transaction that the parent is in.
    """
    for connection in list(_open.values()):
        database, connection._connection = connection._connection, None  # noqa: SLF001
        if database is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(database))
    _open.clear()
    _threads.clear()


os.register_at_fork(after_in_child=_abandon_all)
