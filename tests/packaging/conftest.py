"""The built wheels, and what the projects say about themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkout() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def projects() -> Mapping[Path, Mapping[str, Any]]:
    """The parsed pyproject.toml of each first-party distribution by its folder."""
    folders = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
    return {folder: tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")) for folder in folders}


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of wheels that tox built, or one built here."""
    if built := os.environ.get("POLARIS_WHEELS"):
        return Path(built)
    folder = tmp_path_factory.mktemp("wheelhouse")
    command = [sys.executable, str(ROOT / "scripts" / "wheels.py"), "build", str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


@pytest.fixture(scope="session")
def wheels(wheelhouse: Path) -> Mapping[str, Path]:
    """Each built wheel by the name of its distribution."""
    return {path.name.partition("-")[0].replace("_", "-"): path for path in sorted(wheelhouse.glob("*.whl"))}


@pytest.fixture(scope="session")
def contents(wheels: Mapping[str, Path]) -> Mapping[str, Mapping[str, bytes]]:
    """The files of each wheel by the name of its distribution."""
    read: dict[str, dict[str, bytes]] = {}
    for name, path in wheels.items():
        with ZipFile(path) as archive:
            read[name] = {member: archive.read(member) for member in archive.namelist()}
    return read
