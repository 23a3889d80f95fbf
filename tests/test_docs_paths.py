"""A path of the source that a document names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
BASES = [ROOT, ROOT / "polaris_core", *sorted(ROOT.glob("plugins/*/src"))]
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:[\w*.-]+/)*[\w*.-]+\.py|(?:[\w*-]+/)+)`")
ABSENT = {
    "test_sqlite_locking.py",
    "test_locking.py",
    "docs/decisions/",
}  # examples of names; a folder that links lead to


def exists(path: str) -> bool:
    if "/" not in path:
        return any(list(base.rglob(path)) for base in BASES[1:])
    return any(list(base.glob(path)) for base in BASES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_docs_paths_are_there(document: Path) -> None:
    named = set(PATH.findall(FENCE.sub("", document.read_text(encoding="utf-8")))) - ABSENT
    assert [path for path in sorted(named) if not exists(path)] == []
