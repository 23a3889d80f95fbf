"""The same rules hold for a plugin that was really built by hatchling and installed by pip."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Site

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "Awkward_Plugin"
version = "2.5"
dependencies = ["polaris-kg-core>={least}"]

[project.entry-points."polaris_core.storages"]
awkward = "awkward_plugin.plugin"

[project.entry-points."polaris_core.commands"]
shout = "awkward_plugin.shout"
"""
SHOUT = """\
from polaris_core.abc import CommandSpec, hookimpl

def configure(parser):
    parser.add_argument("word")

def run(context, arguments):
    print(json.dumps(arguments.word.upper()) if arguments.json else arguments.word.upper())
    return 0

@hookimpl
def polaris_commands():
    return (CommandSpec(name="shout", sentence="Shout a word.", configure=configure, run=run, shows_data=True),)
"""


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


@pytest.fixture
def build(site: Site, tmp_path: Path) -> Callable[[str], None]:
    def install(least: str) -> None:
        project = tmp_path / "project"
        package = project / "awkward_plugin"
        package.mkdir(parents=True)
        (project / "pyproject.toml").write_text(PYPROJECT.format(least=least), encoding="utf-8")
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text("import a_module_nobody_has\n", encoding="utf-8")
        (package / "shout.py").write_text(f"import json\n{SHOUT}", encoding="utf-8")
        pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path, project)
        (wheel,) = tmp_path.glob("*.whl")
        pip("install", "--no-deps", "--no-index", "--target", site.path, wheel)

    return install


def test_one_module_of_an_installed_plugin_is_broken_and_the_other_works(
    site: Site, build: Callable[[str], None]
) -> None:
    build("0.1")
    shouted = site.run("shout", "--json", "hello")
    assert (shouted.returncode, shouted.stdout, shouted.stderr) == (0, '"HELLO"\n', "")
    listed = site.run("plugins", "--check", "--json")
    assert listed.returncode == 1
    entries = {entry["name"]: entry for entry in json.loads(listed.stdout)}
    assert entries["shout"]["status"] == "ok"
    assert (entries["awkward"]["distribution"], entries["awkward"]["version"]) == ("awkward-plugin", "2.5")
    assert entries["awkward"]["detail"].endswith("ModuleNotFoundError: No module named 'a_module_nobody_has'")


def test_an_installed_plugin_for_another_core_is_refused(site: Site, build: Callable[[str], None]) -> None:
    build("99")
    finished = site.run("shout", "hello")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "of awkward-plugin 2.5 needs polaris-kg-core>=99, and this is " in finished.stderr
