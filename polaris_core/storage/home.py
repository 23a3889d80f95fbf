"""The event loop a service lives on, and the way there from every other one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar, TypeVarTuple

from polaris_core.errors import ForkedError, StoreClosedError

__all__ = ["Home"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_CHECK_SECONDS = 1.0


class Home:
    """The loop that runs when it is entered. Once it is left, has ended, or the process has forked, every call is refused."""

    def __init__(self) -> None:
        self.forked = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self) -> None:
        """Make the running loop the home."""
        self._loop = asyncio.get_running_loop()

    def leave(self) -> None:
        """Have no home any more."""
        self._loop = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The home; raises `StoreClosedError` or `ForkedError` where there is none any more."""
        if self.forked:
            raise ForkedError("the process forked after this graph was opened; open it again in the child")
        if self._loop is None:
            raise StoreClosedError("the graph is closed")
        if self._loop.is_closed():
            raise StoreClosedError("the event loop this graph was opened on has ended")
        return self._loop

    def call(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> Awaitable[T]:
        """Call a function on the home loop, from whatever loop this is; what is returned comes to what its answer comes to."""
        if not self.forked and asyncio.get_running_loop() is self._loop:
            return function(*args)
        loop = self.loop

        async def at_home() -> T:
            return await function(*args)

        return self._brought(asyncio.run_coroutine_threadsafe(at_home(), loop), loop)

    async def _brought(self, call: Future[T], loop: asyncio.AbstractEventLoop) -> T:
        answer = asyncio.wrap_future(call)
        try:
            while not answer.done():
                await asyncio.wait((answer,), timeout=_CHECK_SECONDS)
                if not answer.done() and not loop.is_running():
                    break
        except asyncio.CancelledError:
            call.cancel()
            raise
        if not answer.done() or call.cancelled():
            call.cancel()
            raise StoreClosedError("the event loop this graph was opened on has ended before it answered")
        return answer.result()
