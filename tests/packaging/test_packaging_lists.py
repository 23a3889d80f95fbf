"""Wherever the plugins are listed by hand, none is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


HARNESSES = ["tests/cache/harness", "tests/conformance/harness", "tests/reliability/harness"]
"""Where packages stand that tests import: what several tests share, and what other processes import."""


@pytest.fixture(scope="session")
def plugins(projects: Mapping[Path, Mapping[str, Any]], checkout: Path) -> list[str]:
    """The folders of the plugins, relative to the checkout."""
    return sorted(folder.relative_to(checkout).as_posix() for folder in projects if folder != checkout)


def requirements(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_requirements_install_the_core_and_every_plugin(plugins: list[str], checkout: Path) -> None:
    assert requirements(checkout / "requirements.txt") == [".", *(f"./{plugin}" for plugin in plugins)]


def test_development_requirements_follow_the_core_and_every_plugin(plugins: list[str], checkout: Path) -> None:
    editable = [line for line in requirements(checkout / "requirements-dev.txt") if line.startswith("-e ")]
    assert editable == ["-e .[testing]", *(f"-e ./{plugin}" for plugin in plugins)]


def test_type_checkers_find_the_source_of_every_plugin(
    plugins: list[str], checkout: Path, projects: Mapping[Path, Mapping[str, Any]]
) -> None:
    tools = projects[checkout]["tool"]
    assert tools["pyright"]["extraPaths"] == [f"{plugin}/src" for plugin in plugins]
    places = [f"{plugin}/src" for plugin in plugins] + HARNESSES
    assert tools["mypy"]["mypy_path"][1:] == [f"$MYPY_CONFIG_FILE_DIR/{place}" for place in places]


def test_every_plugin_has_the_same_files(plugins: list[str], checkout: Path) -> None:
    for plugin in plugins:
        package = f"src/{plugin.rpartition('/')[2].replace('-', '_')}"
        for name in ("LICENSE", "README.md", f"{package}/__init__.py", f"{package}/plugin.py", f"{package}/py.typed"):
            assert (checkout / plugin / name).is_file(), f"{plugin} lacks {name}"
        assert (checkout / plugin / "LICENSE").read_bytes() == (checkout / "LICENSE").read_bytes()


def test_test_modules_have_names_of_their_own(checkout: Path) -> None:
    paths = [*checkout.glob("tests/**/test_*.py"), *checkout.glob("plugins/*/tests/**/test_*.py")]
    names = [path.name for path in paths]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_test_folders_are_no_packages_but_harnesses(checkout: Path) -> None:
    found = [*checkout.glob("tests/**/__init__.py"), *checkout.glob("plugins/*/tests/**/__init__.py")]
    assert {path.parents[1].relative_to(checkout).as_posix() for path in found} == set(HARNESSES)
