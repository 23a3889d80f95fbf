"""One thread that runs what it is handed, in order, and answers whatever loop asked, if that loop is still there."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from polaris_core.abc import settle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Worker"]

T = TypeVar("T")
_Job = tuple["Callable[[], Any]", "asyncio.Future[Any] | None"]
_log = logging.getLogger(__name__)


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        function, future = job
        result: Any = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - it is the caller's, and the thread serves the next one
            failure = error
        del job, function  # and what they hold, before anybody hears that it is done
        if future is None:
            if failure is not None:
                _log.warning("%s", failure, exc_info=failure)
            continue
        settle(future, result, failure)
        del future, result, failure  # or the last result lives until the next call


class Worker:
    """A daemon thread: a store that nobody closed hangs no interpreter, and what was acknowledged is durable anyway."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()
        weakref.finalize(self, self._jobs.put, None)

    def run(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Run a function in the thread, to its end even if the future is cancelled; called on a running loop."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((function, future))
        return future

    def post(self, function: Callable[[], object]) -> None:
        """Run a function in the thread, after what was handed in before; what it raises is logged."""
        self._jobs.put((function, None))

    def stop(self) -> None:
        """End the thread after what was handed in before."""
        self._jobs.put(None)
