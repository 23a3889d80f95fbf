"""Futures that threads settle: every answer arrives once, whatever becomes of its caller or its loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polaris_core.abc import settle


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_a_result_or_an_error_comes_from_a_thread() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        answered, failed, ended = loop.create_future(), loop.create_future(), loop.create_future()
        in_thread(lambda: settle(answered, 7))
        in_thread(lambda: settle(failed, error=KeyError("x")))
        in_thread(lambda: settle(ended, error=StopIteration()))
        assert await answered == 7
        with pytest.raises(KeyError):
            await failed
        with pytest.raises(RuntimeError):
            await ended

    asyncio.run(scenario())


def test_every_answer_of_many_threads_arrives() -> None:
    async def scenario() -> None:
        for _ in range(20):
            futures = [asyncio.get_running_loop().create_future() for _ in range(200)]

            def answer(start: int, futures: list[asyncio.Future[Any]] = futures) -> None:
                for number in range(start, 200, 4):
                    settle(futures[number], number)

            threads = [in_thread(lambda start=start: answer(start)) for start in range(4)]
            assert await asyncio.wait_for(asyncio.gather(*futures), 30) == list(range(200))
            for thread in threads:
                thread.join()

    asyncio.run(scenario())


def test_a_future_that_was_cancelled_stays_so_and_hurts_no_other() -> None:
    async def scenario() -> None:
        given_up, waiting = asyncio.get_running_loop().create_future(), asyncio.get_running_loop().create_future()
        given_up.cancel()
        in_thread(lambda: settle(given_up, 1))
        in_thread(lambda: settle(waiting, 2))
        assert await waiting == 2
        assert given_up.cancelled()

    asyncio.run(scenario())


def test_an_answer_for_a_loop_that_has_ended_is_dropped() -> None:
    async def asks() -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    future = asyncio.run(asks())
    settle(future, 1)
    assert not future.done()


def test_a_loop_may_end_at_any_moment_of_an_answer() -> None:
    async def asks() -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    failed: list[BaseException] = []

    def answer(future: asyncio.Future[Any]) -> None:
        try:
            for _ in range(50):
                settle(future, 1)
        except BaseException as error:  # noqa: BLE001 - none is to come
            failed.append(error)

    for _ in range(200):
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=answer, args=(loop.run_until_complete(asks()),))
        thread.start()
        loop.close()
        del loop
        thread.join()
    assert not failed


def test_loops_that_have_ended_leave_no_descriptor_behind() -> None:
    async def scenario() -> None:
        future = asyncio.get_running_loop().create_future()
        in_thread(lambda: settle(future, 1))
        await future
        settle(asyncio.get_running_loop().create_future(), 2)  # and nobody is there any more to take it

    def held() -> int:
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    asyncio.run(scenario())
    before = held()
    for _ in range(10):
        asyncio.run(scenario())
    assert held() <= before
