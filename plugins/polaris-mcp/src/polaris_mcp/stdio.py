"""The protocol over a pair of file descriptors: one JSON-RPC message a line.

The SDK's own transport reads in a thread that keeps a process from ending before its client says something, and forgets
calls that are under way when the input ends. This one ends when it is told to, and answers first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from polaris_mcp.guard import Wire

__all__ = ["Input", "Output", "Pending"]

MOST_LINE_BYTES = 64 << 20
_CHUNK = 1 << 16

logger = logging.getLogger("polaris_mcp")


class Pending:
    """The requests that were read and not answered yet."""

    def __init__(self) -> None:
        self._ids: set[str | int] = set()
        self._none = asyncio.Event()
        self._none.set()

    def read(self, message: types.JSONRPCMessage) -> None:
        """Note what the client sent."""
        if isinstance(message, types.JSONRPCRequest):
            self._ids.add(message.id)
            self._none.clear()
        elif isinstance(message, types.JSONRPCNotification) and message.method == "notifications/cancelled":
            self._forget((message.params or {}).get("requestId"))

    def written(self, message: types.JSONRPCMessage) -> None:
        """Note what the server sent."""
        if isinstance(message, (types.JSONRPCResponse, types.JSONRPCError)):
            self._forget(message.id)

    def _forget(self, request: object) -> None:
        if isinstance(request, (str, int)):
            self._ids.discard(request)
        if not self._ids:
            self._none.set()

    async def answered(self, seconds: float) -> None:
        """Return when all of them are answered, or after so many seconds."""
        try:
            await asyncio.wait_for(self._none.wait(), seconds)
        except TimeoutError:
            logger.warning("%d calls were under way when the input ended, and are given up", len(self._ids))


class _Stream:
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the file descriptor to whoever opened it."""


class Output(_Stream):
    """What the server says, written by a thread: a client that does not read holds up nothing but its answers."""

    def __init__(self, wire: Wire, pending: Pending, *, broken: Callable[[], None]) -> None:
        """Call `broken` when the client reads no more."""
        self._pending = pending
        self._waiting: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        loop = asyncio.get_running_loop()

        def settle(done: asyncio.Future[None], error: OSError | None) -> None:
            if error is not None:
                broken()
            if not done.done():
                done.set_result(None)  # the end is told once, through `broken`, and not to every call

        def pump() -> None:
            while True:
                data, done = self._waiting.get()
                fault = None
                try:
                    while data:
                        data = data[os.write(wire.output, data) :]
                except OSError as error:
                    fault = error
                try:
                    loop.call_soon_threadsafe(settle, done, fault)
                except RuntimeError:
                    return

        threading.Thread(target=pump, name="polaris-stdout", daemon=True).start()

    async def send(self, item: SessionMessage, /) -> None:
        """Write a message and return when it is out."""
        line = item.message.model_dump_json(by_alias=True, exclude_unset=True) + "\n"
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put((line.encode(), done))
        await done
        self._pending.written(item.message)


class Input(_Stream):
    """What the client says. Its end is passed on when what it asked for is answered, or `grace` seconds later."""

    def __init__(self, wire: Wire, pending: Pending, output: Output, *, grace: float) -> None:
        self._pending = pending
        self._output = output
        self._grace = grace
        self._stopped = False
        self._lines = asyncio.StreamReader(limit=MOST_LINE_BYTES)
        loop = asyncio.get_running_loop()

        def tell(function: Callable[..., None], *arguments: Any) -> bool:
            try:
                loop.call_soon_threadsafe(function, *arguments)
            except RuntimeError:  # the loop has ended, and nobody listens any more
                return False
            return True

        def pump() -> None:
            try:
                while chunk := os.read(wire.input, _CHUNK):
                    if not tell(self._feed, chunk):
                        return
            except OSError as error:
                logger.debug("the input broke off: %s", error)
            tell(self._lines.feed_eof)

        # A daemon, because a read of a terminal or a pipe cannot be called off, and must not hold the process up.
        threading.Thread(target=pump, name="polaris-stdin", daemon=True).start()

    def _feed(self, chunk: bytes) -> None:
        if not self._stopped:
            self._lines.feed_data(chunk)

    def stop(self) -> None:
        """End now: what was read and not received is dropped, and nothing is waited for."""
        self._stopped = True
        self._lines.feed_eof()

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message. A line that is none is refused here: the server would drop it without a word."""
        while (line := await self._line()) and not self._stopped:
            try:
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValidationError:
                await self._output.send(SessionMessage(_refusal(line)))
            else:
                self._pending.read(message)
                return SessionMessage(message)
        if not self._stopped:
            await self._pending.answered(self._grace)
        raise anyio.EndOfStream

    async def _line(self) -> bytes:
        while True:
            try:
                line = await self._lines.readline()
            except ValueError:
                logger.warning("a message of more than %d bytes is dropped", MOST_LINE_BYTES)
            else:
                if not line or not line.isspace():
                    return line

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


def _refusal(line: bytes) -> types.JSONRPCError:
    """Return the answer to a line that is no message, with the id it has if it has one."""
    code, request = types.PARSE_ERROR, None
    with suppress(ValueError, RecursionError):
        value = json.loads(line)
        code = types.INVALID_REQUEST
        if isinstance(value, dict) and isinstance(value.get("id"), (str, int)):
            request = value["id"]
    error = types.ErrorData(code=code, message="not a JSON-RPC message in UTF-8 that can be understood")
    return types.JSONRPCError(jsonrpc="2.0", id=request, error=error)
