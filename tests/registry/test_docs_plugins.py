"""The page on plugins says of every hook, specification and error what is so, and its plugin works."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import polaris_core
from polaris_core.errors import PluginError
from polaris_core.registry.first_party import BUILT_IN
from polaris_core.registry.hookspecs import Hooks
from polaris_core.registry.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Site

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "plugins.md").read_text(encoding="utf-8")
FILES = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fields_of(cls: Any) -> Sequence[attrs.Attribute[Any]]:
    return tuple(attrs.fields(cls))


def table_rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]


def test_docs_have_the_exact_signature_of_every_hook() -> None:
    hooks = {name: hook for name, hook in vars(Hooks).items() if name.startswith("polaris_")}
    expected = []
    for name, hook in hooks.items():
        signature = inspect.signature(hook)
        own = signature.replace(parameters=list(signature.parameters.values())[1:])
        expected.append(f"def {name}{own}".replace("'", ""))
    block = re.search(r"^```text\n(def .*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert block[1].splitlines() == expected
    assert list(hooks) == [kind.hook for kind in KINDS.values()]


def test_docs_list_every_kind() -> None:
    listed = [row[:4] for row in table_rows() if "`polaris_core." in row[1]]
    assert listed == [
        [kind.label, f"`{kind.group}`", f"`{kind.hook}`", f"`{kind.class_name}`"] for kind in KINDS.values()
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_docs_name_every_field_of_a_specification(kind: str) -> None:
    found = next(each for each in KINDS.values() if each.kind == kind)
    described = next(row[1] for row in table_rows() if row[0] == f"`{found.class_name}`")
    fields = {field.name for field in fields_of(found.specification)} - {"name", "sentence"}
    assert fields <= set(re.findall(r"`(\w+)`", described))


def test_docs_name_every_error_with_what_it_carries() -> None:
    listed = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in table_rows() if "Error`" in row[0]}
    expected = {
        error.__name__: {field.name for field in fields_of(error)} - {"message", "plugin"}
        for error in PluginError.__subclasses__()
    }
    assert listed == expected


def test_docs_name_what_is_built_in() -> None:
    paragraph = next(part for part in TEXT.split("\n\n") if part.startswith("The core has these built in"))
    assert set(re.findall(r"`(\w+)`", paragraph)) == {name for _, name in BUILT_IN}


def test_docs_plugin_can_be_built_installed_and_run(site: Site, tmp_path: Path) -> None:
    for name, content in FILES.findall(TEXT):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    subprocess.run([*pip, *build, str(tmp_path / "polaris-kg-count")], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(site.path), str(wheel)], check=True)

    counted = site.run("count", "--json")
    assert (counted.returncode, counted.stdout, counted.stderr) == (0, '{"count": 0}\n', "")
    assert '`{"count": 0}`' in TEXT
    assert site.run("count", "--edges").stdout == "0\n"
    listed = json.loads(site.run("plugins", "--check", "--json").stdout)
    (entry,) = [entry for entry in listed if entry["distribution"] == "polaris-kg-count"]
    assert (entry["kind"], entry["name"], entry["status"], entry["detail"]) == ("commands", "count", "ok", "")


def test_docs_requirement_is_one_that_this_core_meets() -> None:
    assert polaris_core.__version__.startswith("0.1.")
    assert 'dependencies = ["polaris-kg-core>=0.1,<0.2"]' in TEXT
