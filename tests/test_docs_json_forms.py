"""The JSON forms in the reference are read, written back the same, and there is one for every mutation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from polaris_core import Batch, Edge, Node, from_json, to_json
from polaris_core.mutations import MUTATIONS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "json-forms.md").read_text(encoding="utf-8")
FORMS = [
    (found[1], json.loads(found[2]))
    for found in re.finditer(r"^```json (\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]


def holds(shown: Any, written: Any) -> bool:
    """Whether what is written says everything that is shown; an object may say more, and a bare text be spelled out."""
    if isinstance(shown, dict) and isinstance(written, dict):
        return all(key in written and holds(value, written[key]) for key, value in shown.items())
    if isinstance(shown, dict):  # of a patch: one key each
        return bool(written == [[[key], value] for key, value in shown.items()])
    if isinstance(shown, list) and isinstance(written, list):
        return len(shown) == len(written) and all(map(holds, shown, written))
    return bool(shown == (written.get("text") if isinstance(shown, str) and isinstance(written, dict) else written))


@pytest.mark.parametrize(("kind", "form"), FORMS, ids=[f"{kind}-{form.get('op', '')}" for kind, form in FORMS])
def test_docs_json_forms_are_read_and_written_back(kind: str, form: dict[str, Any]) -> None:
    if kind == "mutation":
        (written,) = to_json(from_json(Batch, {"mutations": [form]}))["mutations"]
    else:
        written = to_json(from_json({"node": Node, "edge": Edge, "batch": Batch}[kind], form))
    assert holds(form, written)


def test_docs_json_forms_show_every_mutation_with_all_its_fields() -> None:
    shown = {form["op"]: set(form) for kind, form in FORMS if kind == "mutation"}
    assert shown == {cls.__name__: {"op", *(field.name for field in attrs.fields(cls))} for cls in MUTATIONS}
