"""An event loop that runs in a thread of its own, for those who wait for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from polaris_core.errors import ForkedError, OutcomeUnknownError, StoreClosedError

__all__ = ["LoopThread"]

T = TypeVar("T")

_PATIENCE = 5.0  # seconds; who closed the graph in order has left nothing that takes long


class LoopThread:
    """An event loop that runs in a daemon thread until it is stopped."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._door = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self.loop.run_forever, name="polaris-graph", daemon=True)
        self._thread.start()

    @property
    def lives(self) -> bool:
        """Whether the loop runs: not once it is stopped, and not in a forked child, which has no such thread."""
        return not (self.loop.is_closed() or self._forked)

    @property
    def _forked(self) -> bool:
        return os.getpid() != self._process

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it; an interrupt cancels it."""
        if self._forked:
            coroutine.close()
            raise ForkedError("the process forked after this graph was opened; open it again in the child")
        with self._door:  # who comes in before it is shut is waited for, and nobody after
            if self._stopping:
                coroutine.close()
                raise StoreClosedError("the graph is closed")
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except CancelledError:
            raise OutcomeUnknownError("the graph was closed before it answered") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Let what still runs there come to its end, or cancel it after some seconds, and end the loop and its thread."""
        if self.lives:
            with self._door:
                self._stopping = True
            asyncio.run_coroutine_threadsafe(_end_others(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, late = await asyncio.wait(others, timeout=_PATIENCE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
