"""What the tests of the server share: plugins that are not installed, hosts in memory, servers in processes."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from mcp.client.stdio import StdioServerParameters
from polaris_mcp.host import Bounds, Host
from polaris_mcp.plugin import polaris_toolsets

from polaris_core import PluginNotFoundError, open_graph
from polaris_core.abc import Kind, Tool, ToolHost, ToolsetSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

OBJECT = {"type": "object", "properties": {}, "additionalProperties": False}


class Toolsets:
    """Plugins that are toolsets only, by name."""

    def __init__(self, *specs: ToolsetSpec) -> None:
        self.specs = {spec.name: spec for spec in specs or polaris_toolsets()}

    def names(self, kind: Kind) -> Sequence[str]:
        return sorted(self.specs) if kind == "toolsets" else ()

    def toolset(self, name: str) -> ToolsetSpec:
        return self.specs[name]

    def storage(self, scheme: str) -> NoReturn:
        raise PluginNotFoundError("only toolsets here", plugin=scheme)

    def cache(self, name: str) -> NoReturn:
        raise PluginNotFoundError("only toolsets here", plugin=name)

    event_store = storage
    format = command = cache


def make_toolset(name: str, *tools: Tool, opened: list[str] | None = None) -> ToolsetSpec:
    @asynccontextmanager
    async def open_tools(host: ToolHost) -> AsyncIterator[Sequence[Tool]]:
        if opened is not None:
            opened.append(f"{name} opened")
        try:
            yield tools
        finally:
            if opened is not None:
                opened.append(f"{name} closed")

    return ToolsetSpec(name=name, sentence=f"The tools of {name}.", open=open_tools)


def make_tool(name: str, handler: Callable[..., Any], **fields: Any) -> Tool:
    return Tool(
        **{
            "name": name,
            "title": name,
            "description": name,
            "input_schema": OBJECT,
            "handler": handler,
            "read_only": True,
            **fields,
        }
    )


def make_host(*specs: ToolsetSpec, bounds: Bounds | None = None, read_only: bool = False) -> Host:
    return Host(open_graph("memory:"), Toolsets(*specs), bounds=bounds, read_only=read_only)


def running(*specs: ToolsetSpec, **options: Any) -> AbstractAsyncContextManager[Host]:
    return make_host(*specs, **options).manage_resources()


class Kit:
    """The functions above, as a fixture hands them out: test folders are no packages."""

    toolsets = Toolsets
    toolset = staticmethod(make_toolset)
    tool = staticmethod(make_tool)
    host = staticmethod(make_host)
    running = staticmethod(running)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit


class Installation:
    """Where the servers of the tests run: an empty directory, and the plugins installed or on sys.path."""

    def __init__(self, path: Path) -> None:
        self.site = path / "site"
        self.work = path / "work"
        self.site.mkdir()
        self.work.mkdir()
        self._install(
            "polaris-kg-mcp", {"toolsets": {"graph": "polaris_mcp.plugin"}, "commands": {"serve": "polaris_mcp.plugin"}}
        )
        self._install("polaris-kg-sqlite", {"storages": {"sqlite": "polaris_sqlite.plugin"}})

    def _install(self, name: str, rows: Mapping[str, Mapping[str, str]]) -> None:
        try:
            distribution(name)
        except PackageNotFoundError:  # run from a checkout: what pip would have written
            self.add(name, rows)

    def add(self, name: str, rows: Mapping[str, Mapping[str, str]], **modules: str) -> None:
        folder = self.site / f"{name.replace('-', '_')}-0.1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n", encoding="utf-8")
        lines = [
            line
            for kind, named in rows.items()
            for line in (f"[polaris_core.{kind}]", *(f"{row} = {module}" for row, module in named.items()))
        ]
        (folder / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        for module, source in modules.items():
            (self.site / f"{module}.py").write_text(source, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        paths = [str(self.site), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        return {
            **{name: text for name, text in os.environ.items() if not name.startswith("POLARIS_KG_")},
            "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in paths),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "polaris_core", *arguments]

    def server(self, *arguments: str) -> StdioServerParameters:
        command, *rest = self.command("serve", *arguments)
        return StdioServerParameters(command=command, args=rest, env=self.environment, cwd=self.work)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)
