"""The host as clients see it, in both eras of the protocol, without a process between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from polaris_mcp.host import Bounds
from polaris_mcp.server import make_server

Scenario = Callable[[Client], Awaitable[None]]

MODES = ("auto", "legacy")


@pytest.fixture(params=MODES)
def talk(request: pytest.FixtureRequest, kit: Any) -> Callable[..., None]:
    """Run a scenario with a client of each era on an empty graph."""

    def run(scenario: Scenario, *toolsets: Any, **options: Any) -> None:
        async def main() -> None:
            async with (
                kit.running(*toolsets, **options) as host,
                Client(make_server(host), mode=request.param) as client,
            ):
                await scenario(client)

        asyncio.run(main())

    return run


def test_a_client_creates_links_finds_and_deletes(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        async def call(name: str, /, **arguments: Any) -> Any:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]
            return result.structured_content

        nodes = [{"name": name, "type": "person", "observations": [f"is {name}"]} for name in ("Ada", "Charles")]
        assert await call("create_nodes", nodes=nodes) == {"created": 2}
        await call("create_edges", edges=[{"source": "Ada", "type": "knows", "target": "Charles"}])
        found = await call("find_nodes", text="is ada")
        assert found["nodes"] == [{"name": "Ada", "type": "person", "observations": ["is Ada"]}]
        around = await call("neighbors", name="Charles")
        assert around["neighbors"][0]["node"]["name"] == "Ada"
        assert (await call("graph_overview"))["edges"] == 1
        await call("delete_nodes", names=["Ada", "Charles"], detach=True)
        assert (await call("graph_overview"))["nodes"] == 0

    talk(scenario)


def test_a_refusal_reaches_the_model_as_text(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        for name, arguments, expected in (
            ("delete_nodes", {"names": ["Nobody"]}, "no node 'Nobody'"),
            ("find_nodes", {"query": "x"}, "'query' was unexpected"),
            ("no_such_tool", {}, "there is no tool"),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error
            assert result.structured_content is None
            assert expected in result.content[0].text  # type: ignore[union-attr]

    talk(scenario)


def test_tools_are_listed_with_schemas_and_annotations(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert len(tools) == 14
        find, delete = tools["find_nodes"].annotations, tools["delete_nodes"].annotations
        assert find is not None
        assert delete is not None
        assert (find.read_only_hint, find.destructive_hint) == (True, False)
        assert (delete.read_only_hint, delete.destructive_hint, delete.idempotent_hint) == (False, True, True)
        assert tools["find_nodes"].input_schema["additionalProperties"] is False
        assert tools["find_nodes"].output_schema is not None
        listed = json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools.values()])
        assert len(listed) < 1_400 * len(tools)  # a client pays for the list in every conversation

    talk(scenario)


def test_the_list_comes_in_pages(talk: Any, kit: Any) -> None:
    async def nothing(context: Any, arguments: Any) -> dict[str, Any]:
        return {}

    async def scenario(client: Client) -> None:
        names: list[str] = []
        cursor = None
        pages = 0
        while True:
            page = await client.list_tools(cursor=cursor)
            pages += 1
            names += [tool.name for tool in page.tools]
            if (cursor := page.next_cursor) is None:
                break
        assert names == [f"t{place}" for place in range(20)]
        assert pages == 3
        for wrong in ("x", "0", "-1", "20", "999999999", "1.5", "²"):
            with pytest.raises(MCPError, match="not a cursor"):
                await client.list_tools(cursor=wrong)

    tools = [kit.tool(f"t{place}", nothing) for place in range(20)]
    talk(scenario, kit.toolset("many", *tools), bounds=Bounds(page=8))


def test_the_server_says_what_it_is_and_promises_no_notices(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        assert client.server_info is not None
        assert client.server_info.name == "polaris"
        assert client.instructions is not None
        assert "knowledge graph" in client.instructions
        assert client.server_capabilities is not None
        assert client.server_capabilities.tools is not None
        assert not client.server_capabilities.tools.list_changed
        assert client.server_capabilities.resources is None

    talk(scenario)


def test_what_a_client_writes_carries_its_name(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        await client.call_tool("create_nodes", {"nodes": [{"name": "Ada"}]})
        result = await client.call_tool("get_nodes", {"names": ["Ada"], "details": True})
        assert result.structured_content["nodes"][0]["author"] == "mcp"

    talk(scenario)


def test_fifty_creates_at_once_are_all_kept(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        calls = [client.call_tool("create_nodes", {"nodes": [{"name": f"n{place}"}]}) for place in range(50)]
        assert not any(result.is_error for result in await asyncio.gather(*calls))
        overview = await client.call_tool("graph_overview", {})
        assert overview.structured_content["nodes"] == 50

    talk(scenario)


def test_a_read_only_server_lists_only_what_reads(talk: Any) -> None:
    async def scenario(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools if not (tool.annotations and tool.annotations.read_only_hint)] == []
        assert (await client.call_tool("create_nodes", {"nodes": [{"name": "Ada"}]})).is_error

    talk(scenario, read_only=True)
