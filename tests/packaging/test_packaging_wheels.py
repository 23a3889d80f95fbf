"""What is in a built wheel."""

from __future__ import annotations

from configparser import ConfigParser
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from pathlib import Path

CORE = "polaris-kg-core"
PACKAGES = {
    CORE: "polaris_core",
    "polaris-kg-cli": "polaris_cli",
    "polaris-kg-event-store": "polaris_event_store",
    "polaris-kg-formats": "polaris_formats",
    "polaris-kg-json-fs": "polaris_json_fs",
    "polaris-kg-mcp": "polaris_mcp",
    "polaris-kg-sqlite": "polaris_sqlite",
}
ROWS = {
    CORE: {
        "console_scripts": {"polaris-kg": "polaris_core.cli:main"},
        "polaris_core.storages": {"memory": "polaris_core.storage.plugin"},
        "polaris_core.caches": {"lru": "polaris_core.cache.plugin"},
        "polaris_core.formats": {"jsonl": "polaris_core.formats.plugin"},
        "polaris_core.commands": dict.fromkeys(["completion", "doctor", "plugins"], "polaris_core.cli.plugin"),
    },
    "polaris-kg-cli": {
        "polaris_core.commands": dict.fromkeys(
            [
                "backup",
                "demo",
                "export",
                "find",
                "get",
                "history",
                "import",
                "index",
                "migrate",
                "neighbors",
                "repair",
                "restore",
                "search",
                "stats",
                "verify",
            ],
            "polaris_cli.plugin",
        ),
    },
    "polaris-kg-event-store": {"polaris_core.event_stores": {"sqlite": "polaris_event_store.plugin"}},
    "polaris-kg-formats": {
        "polaris_core.formats": dict.fromkeys(
            ["debian", "graphml", "mcp-memory", "node-link"], "polaris_formats.plugin"
        ),
    },
    "polaris-kg-json-fs": {"polaris_core.storages": {"json": "polaris_json_fs.plugin"}},
    "polaris-kg-mcp": {
        "polaris_core.toolsets": {"graph": "polaris_mcp.plugin"},
        "polaris_core.commands": {"serve": "polaris_mcp.plugin"},
    },
    "polaris-kg-sqlite": {"polaris_core.storages": {"sqlite": "polaris_sqlite.plugin"}},
}
EVERY = sorted(PACKAGES)
PLUGINS = [name for name in EVERY if name != CORE]


def one(files: Mapping[str, bytes], ending: str) -> bytes:
    (content,) = [content for name, content in files.items() if name.endswith(ending)]
    return content


def metadata(files: Mapping[str, bytes]) -> Message:
    return BytesParser().parsebytes(one(files, ".dist-info/METADATA"))


def rows(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    parser = ConfigParser(delimiters=["="])
    parser.read_string(one(files, ".dist-info/entry_points.txt").decode())
    return {group: dict(parser[group]) for group in parser.sections()}


def test_there_is_one_wheel_for_each_distribution(
    wheels: Mapping[str, Path], projects: Mapping[Path, Mapping[str, Any]]
) -> None:
    assert sorted(wheels) == EVERY == sorted(project["project"]["name"] for project in projects.values())


@pytest.mark.parametrize("name", EVERY)
def test_a_wheel_holds_its_own_package_and_nothing_else(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    tops = {member.partition("/")[0] for member in contents[name]}
    assert {top for top in tops if not top.endswith(".dist-info")} == {PACKAGES[name]}
    assert not [member for member in contents[name] if "/tests/" in member or "__pycache__" in member]


@pytest.mark.parametrize("name", EVERY)
def test_a_wheel_says_that_it_is_typed(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    assert f"{PACKAGES[name]}/py.typed" in contents[name]


@pytest.mark.parametrize("name", EVERY)
def test_a_wheel_carries_its_licence(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    assert one(contents[name], ".dist-info/licenses/LICENSE").startswith(b"MIT License")
    assert metadata(contents[name])["License-Expression"] == "MIT"


@pytest.mark.parametrize("name", EVERY)
def test_a_wheel_has_the_documented_entry_points(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    assert rows(contents[name]) == ROWS[name]


@pytest.mark.parametrize("name", EVERY)
def test_every_entry_point_names_a_module_in_its_wheel(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    for group in rows(contents[name]).values():
        for value in group.values():
            path = value.partition(":")[0].replace(".", "/")
            assert {f"{path}.py", f"{path}/__init__.py"} & set(contents[name]), value


@pytest.mark.parametrize("name", EVERY)
def test_no_requirement_is_an_address(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    requirements = [Requirement(line) for line in metadata(contents[name]).get_all("Requires-Dist", [])]
    assert [str(requirement) for requirement in requirements if requirement.url] == []


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_requires_the_core_of_its_series(name: str, contents: Mapping[str, Mapping[str, bytes]]) -> None:
    core = metadata(contents[CORE])["Version"]
    requirements = [Requirement(line) for line in metadata(contents[name]).get_all("Requires-Dist", [])]
    (required,) = [requirement for requirement in requirements if requirement.name == CORE]
    assert required.specifier.contains(core)
    assert not required.specifier.contains("0.2.0")


def test_the_extra_all_names_every_plugin_in_the_version_at_hand(contents: Mapping[str, Mapping[str, bytes]]) -> None:
    requirements = [Requirement(line) for line in metadata(contents[CORE]).get_all("Requires-Dist", [])]
    named = {r.name: r.specifier for r in requirements if r.marker and r.marker.evaluate({"extra": "all"})}
    assert sorted(named) == PLUGINS
    for name, specifier in named.items():
        assert specifier.contains(metadata(contents[name])["Version"])
