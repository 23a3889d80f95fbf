"""What is installed is found by metadata, whatever one distribution's metadata looks like."""

from __future__ import annotations

import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from polaris_core.registry import Registry, default
from polaris_core.registry.discovery import installed
from polaris_core.registry.first_party import BUILT_IN, CORE, HOMES
from polaris_core.registry.kinds import KINDS

if TYPE_CHECKING:
    from tests.conftest import Site

ROOT = Path(__file__).resolve().parents[2]
ODD = """from polaris_core.abc import CacheSpec, StorageSpec, hookimpl
loads = []
@hookimpl
def polaris_storages():
    loads.append("storages")
    return (StorageSpec(name="odd", sentence="It is odd.", factory=lambda location, options: None),)
@hookimpl
def polaris_caches():
    loads.append("caches")
    return [CacheSpec(name="odd", sentence="It is odd.", factory=lambda options: None)]
"""
ODD_STORAGE = ODD.partition("@hookimpl\ndef polaris_caches")[0]


def projects_rows() -> dict[tuple[str, str], tuple[str, str]]:
    found = {}
    for path in [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        for group, rows in project.get("entry-points", {}).items():
            for name, module in rows.items():
                found[group.removeprefix("polaris_core."), name] = (project["name"], module)
    return found


def test_what_is_built_in_is_what_the_project_says() -> None:
    assert {key: module for key, (owner, module) in projects_rows().items() if owner == CORE} == BUILT_IN


def test_every_first_party_name_has_its_pip_line() -> None:
    assert {key: owner for key, (owner, _) in projects_rows().items() if owner != CORE} == HOMES


def test_rows_are_in_an_order_that_the_file_system_does_not_decide(site: Site) -> None:
    for name in ("zeta", "alpha", "midst"):
        site.add(name, {"caches": {name: "nothing"}, "storages": {name: "nothing"}})
    rows = [(row.kind, row.name) for row in installed() if row.module == "nothing"]
    assert rows == sorted(rows)
    assert len(rows) == 6


def test_a_second_copy_of_a_distribution_is_no_second_claim(site: Site, tmp_path: Path) -> None:
    site.add("odd", {"storages": {"odd": "odd_one"}}, {"odd_one": ODD_STORAGE})
    second = type(site)(tmp_path / "second", site.work)
    second.add("odd", {"storages": {"odd": "odd_two", "older": "odd_two"}}, version="0.9")
    sys.path.append(str(second.path))
    try:
        assert Registry().storage("odd").name == "odd"
        assert "odd_one" in sys.modules
        assert "older" not in Registry().names("storages")
    finally:
        sys.path.remove(str(second.path))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("entry_points.txt", b"[polaris_core.storages]\nthis line has no sign of equality\n"),
        ("entry_points.txt", b"[polaris_core.storages]\nodd = \xff\xfe\n"),
        ("METADATA", b"\xff\xfe\xff"),
        ("METADATA", b""),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of importlib.metadata, about metadata without a name
def test_unreadable_metadata_hides_no_other_plugin(site: Site, file: str, content: bytes) -> None:
    site.add("awful", {"storages": {"awful": "awful"}})
    site.add("fine", {"storages": {"fine": "fine"}})
    (site.path / "awful-1.0.dist-info" / file).write_bytes(content)
    assert {"fine", "memory"} <= set(Registry().names("storages"))


def test_a_module_in_several_rows_is_imported_once_and_asked_kind_by_kind(site: Site) -> None:
    site.add("odd", {"storages": {"odd": "odd_both"}, "caches": {"odd": "odd_both"}}, {"odd_both": ODD})
    registry = Registry()
    assert registry.storage("odd") is registry.storage("odd")
    assert sys.modules["odd_both"].loads == ["storages"]
    assert registry.cache("odd").name == "odd"
    assert sys.modules["odd_both"].loads == ["storages", "caches"]


def test_a_plugin_is_asked_alone(site: Site) -> None:
    site.add("odd", {"storages": {"odd": "odd_alone"}}, {"odd_alone": ODD_STORAGE})
    site.add("even", {"storages": {"even": "even_alone"}}, {"even_alone": ODD_STORAGE.replace("odd", "even")})
    registry = Registry()
    registry.storage("odd")
    registry.storage("even")
    assert sys.modules["odd_alone"].loads == sys.modules["even_alone"].loads == ["storages"]


def test_every_kind_has_its_group_hook_and_specification() -> None:
    for name, kind in KINDS.items():
        assert kind.kind == name
        assert kind.group == f"polaris_core.{name}"
        assert kind.specification.__name__ == kind.class_name


@pytest.mark.parametrize(
    ("method", "name"), [("storage", "memory"), ("cache", "lru"), ("format", "jsonl"), ("command", "plugins")]
)
def test_what_is_built_in_loads(method: str, name: str) -> None:
    assert getattr(Registry(), method)(name).name == name


def test_threads_that_ask_at_once_get_the_same_specification(site: Site) -> None:
    site.add("odd", {"storages": {"odd": "odd_threads"}}, {"odd_threads": ODD_STORAGE})
    registry = Registry()
    start = Barrier(8)

    def ask(_: int) -> object:
        start.wait()
        return registry.storage("odd")

    with ThreadPoolExecutor(8) as pool:
        assert len({id(spec) for spec in pool.map(ask, range(8))}) == 1
    assert sys.modules["odd_threads"].loads == ["storages"]


def test_there_is_one_default_registry_a_process() -> None:
    assert default() is default()
