"""The core stays minimal: what installing it alone brings along, and that it works like that."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALLOWED = {
    "polaris-kg-core",
    # its own requirements
    "attrs",
    "cattrs",
    "jsonschema",
    "orjson",
    "packaging",
    "pluggy",
    # theirs
    "jsonschema-specifications",
    "referencing",
    "rpds-py",
    "typing-extensions",
    # the environment's
    "pip",
    "setuptools",
}
LIST = """
import json
from importlib.metadata import distributions
print(json.dumps([distribution.name for distribution in distributions()]))
"""


@pytest.fixture(scope="module")
def alone(wheels: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment into which the core was installed and nothing else."""
    folder = tmp_path_factory.mktemp("core-alone")
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    programs = folder / "bin"
    options = ["--quiet", "--disable-pip-version-check", "--python", str(programs / "python")]
    command = [sys.executable, "-m", "pip", *options, "install", str(wheels["polaris-kg-core"])]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return programs


def test_the_core_alone_brings_only_the_allowed_distributions(alone: Path) -> None:
    listed = subprocess.run([alone / "python", "-I", "-c", LIST], capture_output=True, text=True, check=True).stdout
    names = {name.lower().replace("_", "-") for name in json.loads(listed)}
    assert names <= ALLOWED
    assert "polaris-kg-core" in names


def test_the_core_alone_has_a_command_line(alone: Path, tmp_path: Path) -> None:
    for command in ([alone / "polaris-kg"], [alone / "python", "-m", "polaris_core"]):
        finished = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert "0.1.0" in finished.stdout


def test_the_core_alone_has_the_kit_and_says_what_it_lacks(alone: Path, tmp_path: Path) -> None:
    said = 'StorageConformance needs hypothesis: pip install "polaris-kg-core[testing]"'
    program = f"""
from polaris_core.testing import everything, writing
try:
    from polaris_core.testing import StorageConformance
except ImportError as error:
    assert str(error) == {said!r}, error
else:
    raise AssertionError("there is a kit without what it needs")
"""
    command = [alone / "python", "-I", "-W", "error", "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
