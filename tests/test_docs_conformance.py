"""The reference of the kits names every parameter and every law."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from polaris_core.testing import CacheConformance, StorageConformance
from polaris_core.testing.conformance import PARAMETERS
from polaris_core.testing.kits import Kit
from polaris_core.testing.laws.subject import Subject

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "conformance.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z]+)` \| `?([^|`]+)`? \| .+ \|$", re.MULTILINE)


def written(name: str) -> str:
    value = getattr(Subject, name)
    if callable(value):
        return "by the URL"
    return "none" if value in (None, frozenset()) else str(value)


def laws(kit: type) -> list[str]:
    """What the page says of the laws: for each class its sentence and its tests."""
    lines = [f"`{kit.__name__}`: {(inspect.getdoc(kit) or '').splitlines()[0]}", ""]
    for group in inspect.getmro(kit):
        own = [name for name in vars(group) if name.startswith("test_") and group is not Kit]
        if own:
            lines += [f"### {group.__name__}", "", *(inspect.getdoc(group) or "").splitlines()[:1], ""]
            lines += [f"- `{name}`" for name in own]
            lines += [""]
    return lines


def test_docs_conformance_names_every_parameter_with_its_default() -> None:
    assert [(row[1], row[2]) for row in ROW.finditer(PAGE)] == [(name, written(name)) for name in PARAMETERS]


def test_docs_conformance_names_every_law() -> None:
    storages, _, caches = PAGE.partition("## Laws of storages\n\n")[2].partition("\n## Laws of caches\n\n")
    assert storages.splitlines() == laws(StorageConformance)[:-1]
    assert caches.splitlines() == laws(CacheConformance)[:-1]
