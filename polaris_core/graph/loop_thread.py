"""An event loop that runs in a thread of its own, for those who wait for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from polaris_core.errors import ForkedError, StoreClosedError

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """An event loop that runs in a daemon thread until it is stopped."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self._process = os.getpid()
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
        if self.loop.is_closed():
            coroutine.close()
            raise StoreClosedError("the graph is closed")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Cancel what still runs there, and end the loop and its thread."""
        if self.lives:
            self.call(_cancel_others())
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
