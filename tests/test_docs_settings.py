"""The reference of settings lists every setting there is, with its default."""

from __future__ import annotations

import re
from pathlib import Path

from polaris_core import Settings

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_.]+)` \| `?([^|`]+)`? \| .+ \|$", re.MULTILINE)


def written(value: object) -> str:
    if value is None or value == ():
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_docs_settings_are_all_there_with_their_defaults(tmp_path: Path) -> None:
    settings = Settings.load({}, {}, tmp_path).explain()
    assert {row[1]: row[2] for row in ROW.finditer(PAGE)} == {line.setting: written(line.value) for line in settings}
