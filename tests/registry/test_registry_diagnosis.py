"""The doctor finds what is wrong with an installation, and says what is right."""

from __future__ import annotations

import json
import sqlite3
import sys
from typing import TYPE_CHECKING

import polaris_core
from polaris_core import ConfigError, Settings
from polaris_core.config import PluginSettings
from polaris_core.registry import Registry
from polaris_core.registry.diagnosis import Finding, diagnose
from polaris_core.registry.report import entries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

CORE_METADATA = "Metadata-Version: 2.1\nName: polaris-core\nVersion: 3.0\n"


def findings(site: Site, *, status: int = 1) -> list[Finding]:
    finished = site.run("doctor", "--json")
    assert finished.returncode == status, finished.stdout + finished.stderr
    return [Finding(**fields) for fields in json.loads(finished.stdout)]


def troubles(site: Site) -> list[tuple[str, str]]:
    return [(found.subject, found.text) for found in findings(site) if found.trouble]


def test_a_sound_installation_has_no_trouble(site: Site) -> None:
    texts = {found.subject: found.text for found in findings(site, status=0)}
    assert sys.executable in texts["python"]
    assert texts["sqlite"] == sqlite3.sqlite_version
    assert texts["core"].startswith(f"polaris-kg-core {polaris_core.__version__} in ")
    assert texts["settings"] == "all as by default"


def test_another_owner_of_the_package_is_trouble(site: Site) -> None:
    folder = site.path / "polaris_core-3.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(CORE_METADATA, encoding="utf-8")
    (folder / "top_level.txt").write_text("polaris_core\n", encoding="utf-8")
    ((subject, text),) = troubles(site)
    assert subject == "core"
    assert "belongs to polaris-core" in text
    assert "pip uninstall polaris-core," in text


def test_a_second_copy_on_the_path_is_trouble(site: Site, tmp_path: Path) -> None:
    second = type(site)(tmp_path / "second", site.work)
    for place in (site, second):
        place.add("odd", {"commands": {}})
        entry_points = place.path / "odd-1.0.dist-info" / "entry_points.txt"
        entry_points.write_text("[polaris_core.unheard_of]\n", encoding="utf-8")
    code = f"import sys; sys.path.append({str(second.path)!r})\n"
    (site.path / "sitecustomize.py").write_text(code, encoding="utf-8")
    ((subject, text),) = troubles(site)
    assert subject == "duplicate"
    assert text == f"odd is on sys.path 2 times; {site.path} is used, {second.path} is not"


def test_a_second_package_of_the_core_on_the_path_is_trouble(site: Site) -> None:
    (site.work / "other" / "polaris_core").mkdir(parents=True)
    (site.work / "other" / "polaris_core" / "__init__.py").touch()
    code = f"import sys; sys.path.append({str(site.work / 'other')!r})\n"
    (site.path / "sitecustomize.py").write_text(code, encoding="utf-8")
    ((subject, text),) = troubles(site)
    assert subject == "duplicate"
    assert text.startswith("the package polaris_core is on sys.path 2 times")


def test_a_plugin_that_fails_is_trouble(site: Site) -> None:
    site.add(
        "vanishing", {"caches": {"vanishing": "vanishing_plugin"}}, {"vanishing_plugin": "import os\nos._exit(0)\n"}
    )
    assert troubles(site) == [
        ("plugin", "caches vanishing of vanishing 1.0: failed, it ended the process with status 0")
    ]


def test_settings_that_cannot_be_read_are_trouble_and_let_no_stranger_in(site: Site) -> None:
    site.add(
        "vanishing", {"caches": {"vanishing": "vanishing_plugin"}}, {"vanishing_plugin": "import os\nos._exit(0)\n"}
    )
    (site.work / "polaris.toml").write_text("[plugins]\nblok = ['vanishing']\n", encoding="utf-8")
    ((subject, text),) = troubles(site)
    assert subject == "settings"
    assert text == f"{site.work / 'polaris.toml'}:2: there is no setting plugins.blok; did you mean plugins.block?"


def test_settings_are_told_with_their_origin_and_without_passwords(site: Site) -> None:
    (site.work / "polaris.toml").write_text("store = 'pg://me:secret@host/kg'\n", encoding="utf-8")
    told = [found.text for found in findings(site, status=0) if found.subject == "settings"]
    assert told == [f"store = pg://***@host/kg (from {site.work / 'polaris.toml'}:1)"]


def test_the_report_tells_each_row_apart_without_importing_any(site: Site) -> None:
    source = {"nobody_imports_me": "1 / 0\n"}
    site.add("blocked", {"caches": {"blocked": "nobody_imports_me"}}, source)
    site.add("newer", {"caches": {"newer": "nobody_imports_me"}}, requires=["polaris-kg-core>=99"])
    site.add("one", {"caches": {"twice": "nobody_imports_me"}})
    site.add("two", {"caches": {"twice": "nobody_imports_me", "Capital": "nobody_imports_me"}})
    registry = Registry(PluginSettings(block=["blocked"]))
    mine = {"blocked", "newer", "one", "two"}
    found = {(entry.distribution, entry.name): entry for entry in entries(registry) if entry.distribution in mine}
    assert {key: entry.status for key, entry in found.items()} == {
        ("blocked", "blocked"): "blocked",
        ("newer", "newer"): "incompatible",
        ("one", "twice"): "ambiguous",
        ("two", "twice"): "ambiguous",
        ("two", "Capital"): "refused",
    }
    assert [key for key, entry in found.items() if not entry.trouble] == [("blocked", "blocked")]
    assert "nobody_imports_me" not in sys.modules


def test_a_check_loads_nothing_that_is_blocked(site: Site) -> None:
    marker = site.work / "loaded"
    site.add("blocked", {"caches": {"blocked": "marking"}}, {"marking": f"open({str(marker)!r}, 'w').close()\n"})
    finished = site.run("plugins", "--check", POLARIS_KG_PLUGINS_BLOCK="blocked")
    assert finished.returncode == 0, finished.stdout
    assert not marker.exists()


def test_diagnose_takes_the_fault_of_settings(site: Site) -> None:
    registry = Registry(discovery=list)
    found = diagnose(registry, ConfigError("polaris.toml:3: no", setting="x"))
    assert [(each.text, each.trouble) for each in found if each.subject == "settings"] == [("polaris.toml:3: no", True)]
    assert all(each.subject != "plugin" for each in diagnose(registry, Settings()))
