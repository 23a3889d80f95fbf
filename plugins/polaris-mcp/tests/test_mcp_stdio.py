"""`polaris-kg serve` as AI clients start it: a process, its input, its output and its end."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any, Self

import pytest
from mcp import Client

if TYPE_CHECKING:
    from pathlib import Path

PRINTING = """
import os, subprocess, sys
print("printed at import")
os.write(1, b"written to file descriptor 1\\n")
subprocess.run(["echo", "printed by a child"])
assert not sys.stdin.read(), "the input is the client's"

from contextlib import asynccontextmanager
from polaris_core.abc import Tool, ToolsetSpec, hookimpl

async def shout(context, arguments):
    print("printed by a tool")
    os.system("echo printed by a shell")
    return {"said": True}

@asynccontextmanager
async def tools(host):
    print("printed while it opened")
    yield [Tool(
        name="shout", title="Shout", description="Prints.", handler=shout, read_only=True,
        input_schema={"type": "object", "additionalProperties": False},
    )]

@hookimpl
def polaris_toolsets():
    print("printed by a hook")
    return [ToolsetSpec(name="loud", sentence="Prints.", open=tools)]
"""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number: int, name: str, /, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def lines(*messages: Any) -> str:
    return "".join(f"{message if isinstance(message, str) else json.dumps(message)}\n" for message in messages)


def run(installation: Any, *arguments: str, say: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        installation.command("serve", *arguments),
        input=say,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=installation.work,
        env=installation.environment,
    )


class Server:
    """A server that is spoken to by hand."""

    def __init__(self, installation: Any, *arguments: str) -> None:
        self.process = subprocess.Popen(
            installation.command("serve", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=installation.work,
            env=installation.environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def input(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def say(self, *messages: Any) -> None:
        self.input.write(lines(*messages))
        self.input.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def greet(self) -> None:
        self.say(INITIALIZE)
        assert self.hear()["id"] == 1
        self.say(INITIALIZED)


# --- talking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_of_each_era_writes_and_another_server_reads(installation: Any, mode: str) -> None:
    async def main() -> None:
        server = installation.server("--store", "sqlite:///kg.db")
        async with Client(server, mode=mode) as client:
            created = await client.call_tool("create_nodes", {"nodes": [{"name": "Ada"}, {"name": "Charles"}]})
            assert not created.is_error, created
            edge = {"source": "Ada", "type": "knows", "target": "Charles"}
            assert not (await client.call_tool("create_edges", {"edges": [edge]})).is_error
            assert (await client.call_tool("delete_nodes", {"names": ["Ada"]})).is_error
        async with Client(server, mode=mode) as client:
            found = await client.call_tool("find_nodes", {"text": "ada"})
            assert found.structured_content["nodes"] == [{"name": "Ada", "type": "node"}]

    asyncio.run(main())
    assert (installation.work / "kg.db").exists()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_plugin_that_prints_does_not_break_the_protocol(installation: Any, mode: str) -> None:
    installation.add("loud", {"toolsets": {"loud": "loud_plugin"}}, loud_plugin=PRINTING)

    async def main() -> None:
        async with Client(installation.server("--store", "memory:"), mode=mode) as client:
            assert "shout" in {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("shout", {})
            assert result.structured_content == {"said": True}

    asyncio.run(main())


def test_two_servers_on_one_store_keep_every_write(installation: Any) -> None:
    async def write(client: Client, who: str) -> None:
        for place in range(20):
            result = await client.call_tool("create_nodes", {"nodes": [{"name": f"{who} {place}"}]})
            assert not result.is_error, result.content

    async def main() -> None:
        server = installation.server("--store", "sqlite:///kg.db")
        async with Client(server) as one, Client(server) as other:
            await asyncio.gather(write(one, "one"), write(other, "other"))
            for client in (one, other):
                overview = await client.call_tool("graph_overview", {})
                assert overview.structured_content["nodes"] == 40

    asyncio.run(main())


def test_fifty_creates_at_once_are_all_kept(installation: Any) -> None:
    async def main() -> None:
        async with Client(installation.server("--store", "sqlite:///kg.db")) as client:
            calls = [client.call_tool("create_nodes", {"nodes": [{"name": f"n{place}"}]}) for place in range(50)]
            assert not any(result.is_error for result in await asyncio.gather(*calls))
            overview = await client.call_tool("graph_overview", {})
            assert overview.structured_content["nodes"] == 50

    asyncio.run(main())


def test_a_line_that_is_no_message_is_answered_and_the_next_one_too(installation: Any) -> None:
    with Server(installation, "--store", "memory:") as server:
        server.greet()
        server.say("{nonsense", '{"jsonrpc":"2.0","id":7}', "", '["batch"]')
        assert [(answer["id"], answer["error"]["code"]) for answer in (server.hear() for _ in range(3))] == [
            (None, -32700),
            (7, -32600),
            (None, -32600),
        ]
        server.say(call(8, "graph_overview"))
        assert server.hear()["id"] == 8


def test_a_long_message_comes_and_goes_whole(installation: Any) -> None:
    with Server(installation, "--store", "memory:") as server:
        server.greet()
        observations = [f"{place} {'ü' * 4_000}" for place in range(100)]
        server.say(call(2, "create_nodes", nodes=[{"name": "Ada", "observations": observations}]))
        assert not server.hear()["result"]["isError"]
        server.say(call(3, "get_nodes", names=["Ada"]))
        answer = server.hear()["result"]["structuredContent"]
        assert answer["nodes"][0]["observations"] == observations[: len(answer["nodes"][0]["observations"])]
        assert "next" in answer


# --- ending -----------------------------------------------------------------------------------------------------------


def test_calls_under_way_when_the_input_ends_are_answered(installation: Any) -> None:
    calls = [call(number, "create_nodes", nodes=[{"name": f"n{number}"}]) for number in range(2, 12)]
    ended = run(installation, "--store", "sqlite:///kg.db", say=lines(INITIALIZE, INITIALIZED, *calls))
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert {json.loads(line)["id"] for line in ended.stdout.splitlines()} == set(range(1, 12))


def test_an_input_that_is_empty_ends_with_0(installation: Any) -> None:
    ended = run(installation, "--store", "memory:")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_in_order(installation: Any, number: signal.Signals) -> None:
    with Server(installation, "--store", "sqlite:///kg.db") as server:
        server.greet()
        server.say(call(2, "create_nodes", nodes=[{"name": "Ada"}]))
        assert not server.hear()["result"]["isError"]
        server.process.send_signal(number)
        assert server.process.wait(timeout=20) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""
    assert sorted(path.name for path in installation.work.iterdir() if path.name.endswith(("-wal", "-shm"))) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_a_signal_ends_a_server_whose_client_does_not_read(installation: Any) -> None:
    with Server(installation, "--store", "memory:") as server:
        server.greet()
        server.say(*(call(number, "no_such_tool_" + "x" * 60) for number in range(2, 1_000)))
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=20) == 0


# --- starting ---------------------------------------------------------------------------------------------------------


def test_a_broken_toolset_fails_the_check_and_a_server_serves_the_rest(installation: Any) -> None:
    installation.add("broken", {"toolsets": {"broken": "broken_plugin"}}, broken_plugin="import no_such_module")
    checked = run(installation, "--store", "sqlite:///kg.db", "--check", "--create", "--json")
    assert checked.returncode == 1
    report = json.loads(checked.stdout)
    assert len(report["tools"]) == 14
    assert "no_such_module" in report["faults"][0]
    ended = run(installation, "--store", "memory:", say=lines(INITIALIZE, INITIALIZED, call(2, "graph_overview")))
    assert ended.returncode == 0
    assert len(ended.stdout.splitlines()) == 2
    assert "broken" in ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes the descriptor")
@pytest.mark.parametrize(("closed", "status"), [("<&-", 1), ("2>&-", 0)])
def test_a_closed_descriptor_is_told_or_done_without(installation: Any, closed: str, status: int) -> None:
    command = shlex.join(installation.command("serve", "--store", "memory:"))
    ended = subprocess.run(
        ["sh", "-c", f"exec {command} {closed}"],
        input=lines(INITIALIZE),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=installation.work,
        env=installation.environment,
    )
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "descriptor" not in ended.stderr


def test_two_toolsets_with_one_tool_keep_a_server_from_starting(installation: Any) -> None:
    source = PRINTING.replace('name="shout"', 'name="find_nodes"')
    installation.add("loud", {"toolsets": {"loud": "loud_plugin"}}, loud_plugin=source)
    ended = run(installation, "--store", "memory:")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "'find_nodes', one of toolset 'graph' and one of toolset 'loud'" in ended.stderr


def test_asking_for_help_imports_neither_mcp_nor_a_graph(installation: Any, tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['serve', '--help']\n"
        "try: runpy.run_module('polaris_core', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules.keys() & {'mcp', 'mcp_types', 'pydantic', 'polaris_core.graph', 'polaris_mcp.host'}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=installation.environment,
    )
    assert "--read-only" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "[]"
