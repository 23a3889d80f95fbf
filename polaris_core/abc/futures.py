"""Futures of an event loop that threads settle, whatever becomes of their caller or of the loop."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["settle"]


def settle(future: asyncio.Future[Any], result: object = None, error: BaseException | None = None) -> None:
    """Give a future its result or its error, from any thread and without waiting for its loop.

    One that was cancelled stays so, and one whose loop has ended is nobody's any more. A `StopIteration`, which no future
    takes, becomes a `RuntimeError`.
    """
    if isinstance(error, StopIteration):
        error = RuntimeError("a generator ended here")
    try:
        future.get_loop().call_soon_threadsafe(_set, future, result, error)
    except RuntimeError:  # the loop has ended, and with it whoever waited
        return


def _set(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():  # its caller was cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
