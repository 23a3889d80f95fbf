"""The README's table has every distribution, with what it needs beside the core."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| `(polaris-kg-[a-z-]+)` \| .+ \| (.+) \|$", re.MULTILINE)


def requirements(project: Path) -> tuple[str, set[str]]:
    """The name of a distribution and the names of what it requires."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table["name"], {Requirement(text).name for text in table["dependencies"]}


def test_docs_distributions_are_all_in_the_readme_with_what_they_need() -> None:
    core, own = requirements(ROOT)
    plugins = dict(requirements(path.parent) for path in ROOT.glob("plugins/*/pyproject.toml"))
    wanted = {core: own, **{name: needs - own - {core} for name, needs in plugins.items()}}
    shown = dict(ROW.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {name: set(needs.split(", ")) for name, needs in shown.items()} == wanted
