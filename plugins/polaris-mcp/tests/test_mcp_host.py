"""The host: which tools it offers, what a call may cost, and what a model is told when one fails."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from polaris_mcp.host import Bounds

from polaris_core import PluginAmbiguousError, ToolError
from polaris_core.abc import ToolsetSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NUMBER = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}


async def nothing(context: Any, arguments: Any) -> dict[str, Any]:
    return {}


def test_toolsets_are_opened_once_and_closed_in_reverse(kit: Any) -> None:
    opened: list[str] = []

    async def main() -> None:
        one = kit.toolset("a", kit.tool("one", nothing), opened=opened)
        two = kit.toolset("b", kit.tool("two", nothing), opened=opened)
        async with kit.running(one, two) as host:
            await host.execute_tool("one")
            await host.execute_tool("two")
            assert [entry.tool.name for entry in host.catalog] == ["one", "two"]

    asyncio.run(main())
    assert opened == ["a opened", "b opened", "b closed", "a closed"]


def test_two_toolsets_that_claim_one_name_are_refused_by_both_names(kit: Any) -> None:
    async def main() -> None:
        one, two = (kit.toolset(name, kit.tool("same", nothing)) for name in ("first", "second"))
        with pytest.raises(PluginAmbiguousError, match=r"'same'.*'first'.*'second'") as caught:
            async with kit.running(one, two):
                pass
        assert caught.value.claimants == ("first", "second")

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "a b", "a.b", "naïve", "x" * 65, "a\nb"])
def test_a_toolset_with_an_unusable_name_is_left_out_and_the_others_are_served(kit: Any, name: str) -> None:
    async def main() -> None:
        bad = kit.toolset("bad", kit.tool("fine", nothing), kit.tool(name, nothing))
        async with kit.running(bad, kit.toolset("good", kit.tool("one", nothing))) as host:
            assert [entry.tool.name for entry in host.catalog] == ["one"]
            assert [fault.plugin for fault in host.faults] == ["bad"]

    asyncio.run(main())


def test_a_toolset_that_fails_to_open_is_left_out_and_reported(kit: Any) -> None:
    @asynccontextmanager
    async def broken(host: Any) -> AsyncIterator[Any]:
        raise SystemExit(3)
        yield ()

    async def main() -> None:
        spec = ToolsetSpec(name="broken", sentence="Never opens.", open=broken)
        async with kit.running(spec, kit.toolset("good", kit.tool("one", nothing))) as host:
            assert [entry.toolset for entry in host.catalog] == ["good"]
            assert "broken" in str(host.faults[0])

    asyncio.run(main())


def test_a_toolset_that_fails_to_close_keeps_nobody_from_closing(kit: Any) -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def sticky(host: Any) -> AsyncIterator[Any]:
        yield (kit.tool("two", nothing),)
        raise RuntimeError("stuck")

    async def main() -> None:
        spec = ToolsetSpec(name="z", sentence="Fails at the end.", open=sticky)
        async with kit.running(kit.toolset("a", kit.tool("one", nothing), opened=opened), spec):
            pass

    asyncio.run(main())
    assert opened == ["a opened", "a closed"]


def test_unknown_arguments_are_refused_with_those_there_are(kit: Any) -> None:
    async def main() -> None:
        async with kit.running(kit.toolset("a", kit.tool("one", nothing, input_schema=NUMBER))) as host:
            for arguments in ({"number": 1, "nmber": 2}, {}, {"number": "1"}, {"number": True}):
                answer = await host.handle_operation("one", arguments)
                assert answer.is_error
                assert "Its arguments are: number." in answer.text
            assert not (await host.handle_operation("one", {"number": 1})).is_error

    asyncio.run(main())


def test_an_unknown_tool_is_refused_with_names_that_look_like_it(kit: Any) -> None:
    async def main() -> None:
        async with kit.running() as host:
            answer = await host.handle_operation("create_node", {})
            assert answer.is_error
            assert "create_nodes" in answer.text
            assert "There are: graph_overview" in (await host.handle_operation("x" * 5_000, {})).text

    asyncio.run(main())


def test_a_call_beyond_the_deadline_is_given_up(kit: Any) -> None:
    async def forever(context: Any, arguments: Any) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def main() -> None:
        tools = kit.tool("reads", forever), kit.tool("writes", forever, read_only=False)
        async with kit.running(kit.toolset("a", *tools), bounds=Bounds(deadline_seconds=0.01)) as host:
            assert "longer than 0.01 seconds. Ask for less" in (await host.handle_operation("reads")).text
            assert "It may have written" in (await host.handle_operation("writes")).text

    asyncio.run(main())


def test_an_own_timeout_of_a_tool_is_a_fault_of_its_own(kit: Any) -> None:
    async def impatient(context: Any, arguments: Any) -> dict[str, Any]:
        raise TimeoutError

    async def main() -> None:
        async with kit.running(kit.toolset("a", kit.tool("one", impatient))) as host:
            assert "fault " in (await host.handle_operation("one")).text

    asyncio.run(main())


def test_an_unforeseen_fault_is_logged_and_told_only_by_its_number(kit: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(context: Any, arguments: Any) -> dict[str, Any]:
        raise RuntimeError("the password is hunter2")

    async def leaving(context: Any, arguments: Any) -> dict[str, Any]:
        raise SystemExit(1)

    async def main() -> list[str]:
        async with kit.running(kit.toolset("a", kit.tool("one", broken), kit.tool("two", leaving))) as host:
            return [(await host.handle_operation(name)).text for name in ("one", "two")]

    with caplog.at_level(logging.ERROR, "polaris_mcp"):
        texts = asyncio.run(main())
    assert "hunter2" not in texts[0]
    number = texts[0].partition("(fault ")[2][:8]
    assert number in caplog.text
    assert "hunter2" in caplog.text


@pytest.mark.parametrize("answer", [[1], None, {"x": float("nan")}, {"x": object()}, {1: {2: set()}}])
def test_an_answer_that_is_no_json_object_is_a_fault(kit: Any, answer: Any) -> None:
    async def odd(context: Any, arguments: Any) -> Any:
        return answer

    async def main() -> None:
        async with kit.running(kit.toolset("a", kit.tool("one", odd))) as host:
            assert (await host.handle_operation("one")).is_error

    asyncio.run(main())


def test_an_answer_beyond_the_bound_is_refused_and_says_to_ask_for_less(kit: Any) -> None:
    async def long(context: Any, arguments: Any) -> dict[str, Any]:
        return {"text": "é" * 1_000}

    async def main() -> None:
        tools = kit.tool("reads", long), kit.tool("writes", long, read_only=False)
        async with kit.running(kit.toolset("a", *tools), bounds=Bounds(most_answer_bytes=1_900)) as host:
            with pytest.raises(ToolError, match="2011 bytes, and 1900 are allowed") as caught:
                await host.execute_tool("reads")
            assert "Ask for less" in caught.value.hint
            assert "is done" in (await host.handle_operation("writes")).text

    asyncio.run(main())


def test_a_read_only_host_hides_and_refuses_what_writes(kit: Any) -> None:
    async def main() -> None:
        async with kit.running(read_only=True) as host:
            assert {entry.tool.name for entry in host.catalog} == {
                "graph_overview",
                "find_nodes",
                "search_nodes",
                "get_nodes",
                "neighbors",
                "node_history",
            }
            answer = await host.handle_operation("create_nodes", {"nodes": [{"name": "Ada"}]})
            assert answer.is_error
            assert "read-only" in answer.text
            assert (await host.execute_tool("graph_overview"))["nodes"] == 0

    asyncio.run(main())


def test_after_its_end_a_host_answers_that_it_is_not_running(kit: Any) -> None:
    async def main() -> None:
        async with kit.running() as host:
            pass
        assert "not running" in (await host.handle_operation("graph_overview")).text

    asyncio.run(main())


def test_a_cancelled_call_ends_its_handler(kit: Any) -> None:
    ended = []
    started = asyncio.Event()

    async def waiting(context: Any, arguments: Any) -> dict[str, Any]:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return {}

    async def main() -> None:
        async with kit.running(kit.toolset("a", kit.tool("one", waiting))) as host:
            call = asyncio.create_task(host.handle_operation("one"))
            await started.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(main())
    assert ended == [True]
