"""`polaris-kg serve` before it serves: what it refuses to start with, and `--check`."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

import pytest
from polaris_mcp.plugin import polaris_commands

from polaris_core import ConfigError, PluginNotFoundError, PolarisError, Registry, Settings, StoreNotFoundError
from polaris_core.abc import CommandContext


class Plugins(Registry):
    """The installed storages and the toolsets of a test."""

    def __init__(self, toolsets: Any) -> None:
        super().__init__()
        self.toolsets = toolsets

    def names(self, kind: Any) -> Any:
        return self.toolsets.names(kind) if kind == "toolsets" else super().names(kind)

    def toolset(self, name: str) -> Any:
        return self.toolsets.toolset(name)


@pytest.fixture
def serve(kit: Any) -> Any:
    """Run the command in this process and return its exit status."""

    def run(store: str | None, *arguments: str, toolsets: Any = None) -> int:
        (spec,) = polaris_commands()
        parser = ArgumentParser()
        parser.add_argument("--json", action="store_true")
        spec.configure(parser)
        context = CommandContext(settings=Settings(store=store), plugins=Plugins(toolsets or kit.toolsets()))
        return spec.run(context, parser.parse_args(arguments))

    return run


def test_without_a_store_it_says_the_three_ways_to_name_one(serve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        serve(None)
    for way in ("--store", "POLARIS_KG_STORE", "polaris.toml"):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    ("store", "arguments", "error"),
    [
        ("nothing:///x", (), PluginNotFoundError),
        ("not a url", (), PolarisError),
        ("memory:?mode=ro", (), StoreNotFoundError),
        ("memory:", ("--read-only",), StoreNotFoundError),
        ("memory:", ("--deadline", "0"), ConfigError),
        ("memory:", ("--deadline", "nan"), ConfigError),
    ],
)
def test_the_check_raises_what_a_server_could_not_start_with(
    serve: Any, capfd: pytest.CaptureFixture[str], store: str, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        serve(store, "--check", *arguments)
    assert capfd.readouterr().out == ""


def test_the_check_makes_no_store_where_a_path_is_misspelt_unless_it_is_told_to(serve: Any, tmp_path: Any) -> None:
    store = f"json:///{tmp_path}/misspelt"
    with pytest.raises(StoreNotFoundError):
        serve(store, "--check")
    assert not list(tmp_path.iterdir())
    assert serve(store, "--check", "--create") == 0
    assert serve(store, "--check") == 0


def test_the_check_lists_the_tools(serve: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert serve("memory:", "--check") == 0
    listed = capfd.readouterr().out
    assert "14 tools" in listed
    assert [line.split()[:3] for line in listed.splitlines() if line.startswith("create_edges")] == [
        ["create_edges", "graph", "adds"]
    ]


def test_the_check_writes_json(serve: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert serve("memory:", "--check", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["store"], report["faults"]) == ("memory:", [])
    assert {tool["access"] for tool in report["tools"]} == {"reads", "adds", "changes"}


def test_what_a_toolset_prints_is_no_part_of_the_report(
    serve: Any, kit: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    class Loud(kit.toolsets):  # type: ignore[misc]
        def toolset(self, name: str) -> Any:
            sys.stdout.write("printed while it loads")
            return super().toolset(name)

    assert serve("memory:", "--check", "--json", toolsets=Loud()) == 0
    captured = capfd.readouterr()
    json.loads(captured.out)
    assert "printed while it loads" in captured.err


def test_a_name_that_would_move_the_cursor_is_shown_with_escapes(
    serve: Any, kit: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    async def nothing(context: Any, arguments: Any) -> dict[str, Any]:
        return {}

    tool = kit.tool("one", nothing, title="\x1b[2Jgone\nforged  line")
    assert serve("memory:", "--check", toolsets=kit.toolsets(kit.toolset("a", tool))) == 0
    out = capfd.readouterr().out
    assert "\x1b" not in out
    assert "\nforged" not in out
