"""A value under way: of all who miss a key at the same time one loads it, and the others wait for what comes of that."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import Future
from threading import get_ident
from typing import Any

from polaris_core.errors import PolarisError

__all__ = ["Flight"]


class Flight:
    """Who loads a value, what came of it, and whether the cache still wants it."""

    __slots__ = ("_answer", "_loader", "wanted")

    def __init__(self) -> None:
        self._loader = get_ident()
        self._answer: Future[Any] = Future()
        self.wanted: bool = True

    def land(self, value: Any) -> None:
        """Hand the value to all who wait."""
        self._answer.set_result(value)

    def crash(self, error: BaseException) -> None:
        """Hand the error to all who wait."""
        self._answer.set_exception(error)

    def join(self, key: Hashable) -> Any:
        """Wait for the value and return it, or raise the error; who loads it would wait for ever, and gets `RuntimeError`."""
        if self._loader == get_ident():
            raise RuntimeError(f"loading {key!r} asks the cache for {key!r}")
        error = self._answer.exception()
        if error is None:
            return self._answer.result()
        raise error.fresh() if isinstance(error, PolarisError) else error
