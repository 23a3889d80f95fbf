"""Futures of an event loop that threads settle, at three quarters of what `call_soon_threadsafe` costs.

That one wakes the loop through a socket, once a call, and reads it until there is nothing to read. Here all answers that
are ready travel together, behind one byte in a pipe.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import suppress
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, finalize, ref

__all__ = ["settle", "thread_future"]


class _Inbox:
    """What threads have left for one loop, which keeps it alive until it is closed.

    The loop is told by a byte; what is left while that is on its way goes along.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: int, writer: int) -> None:
        self._answers: deque[tuple[asyncio.Future[Any], object, BaseException | None]] = deque()
        self._told = False
        self._reader, self._writer = reader, writer
        # Not `__del__`, in which a thread could still come by the inbox and write into a pipe that is half closed.
        finalize(self, _close, reader, writer).atexit = False
        os.set_blocking(reader, False)
        loop.add_reader(reader, self._deliver)

    def leave(self, future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
        self._answers.append((future, result, error))
        if not self._told:
            self._told = True
            os.write(self._writer, b"\0")

    def _deliver(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._reader, 1_024)
        self._told = False  # before anything is taken: what comes from now on tells of itself
        while self._answers:
            _set(*self._answers.popleft())


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


_inboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, ReferenceType[_Inbox]] = WeakKeyDictionary()


def thread_future() -> asyncio.Future[Any]:
    """Return a new future of the running loop, which a thread settles by `settle`."""
    loop = asyncio.get_running_loop()
    if loop not in _inboxes:
        with suppress(OSError):  # no descriptor is left: then each answer goes the loop's own way
            _inboxes[loop] = ref(_Inbox(loop, *os.pipe()))
    return loop.create_future()


def settle(future: asyncio.Future[Any], result: object = None, error: BaseException | None = None) -> None:
    """Give a future its result or its error, from any thread and without waiting for its loop.

    One that was cancelled stays so, and one whose loop has ended is nobody's any more. A `StopIteration`, which no future
    takes, becomes a `RuntimeError`.
    """
    if isinstance(error, StopIteration):
        error = RuntimeError("a generator ended here")
    loop = future.get_loop()
    found = _inboxes.get(loop)
    inbox = None if found is None else found()
    if inbox is not None:
        inbox.leave(future, result, error)
        return
    with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
        loop.call_soon_threadsafe(_set, future, result, error)


def _set(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # its caller was cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
