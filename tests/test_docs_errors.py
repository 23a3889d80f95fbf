"""The reference of errors is the code's: its tree, its attributes and a row for every class."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, cast

import attrs
import pytest

from polaris_core import errors

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
TREE = re.search(r"^```text tree\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(?P<depth>[│├└─ ]*)(?P<name>\w+Error)(?: \((?P<base>\w+)\))?(?P<attributes>(?: +\.\w+)*)")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
CLASSES = {name: getattr(errors, name) for name in errors.__all__}


def drawn() -> list[re.Match[str]]:
    assert TREE is not None
    return [found for line in TREE[1].splitlines() if (found := LINE.match(line))]


def own_attributes(error: type[errors.PolarisError]) -> set[str]:
    return {field.name for field in attrs.fields(cast("Any", error)) if not field.inherited} - {"message"}


def test_docs_errors_draw_the_tree_of_the_module() -> None:
    assert TREE is not None
    assert inspect.cleandoc(TREE[1]) in inspect.cleandoc(str(errors.__doc__)).replace("\n    ", "\n")


def test_docs_errors_draw_every_class_under_its_base() -> None:
    parents: dict[int, str] = {}
    found = {}
    for line in drawn():
        depth = len(line["depth"]) // 4
        parents[depth] = line["name"]
        bases = {parents[depth - 1]} if depth else {"Exception"}
        found[line["name"]] = bases | ({line["base"]} if line["base"] else set())
    assert found == {name: {base.__name__ for base in error.__bases__} for name, error in CLASSES.items()}


def test_docs_errors_draw_the_attributes() -> None:
    found = {line["name"]: set(re.findall(r"\.(\w+)", line["attributes"])) for line in drawn()}
    told = {"ToolError": {"hint"}}  # in words, beside the tree
    assert {**found, **told} == {name: own_attributes(error) for name, error in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_docs_errors_say_what_the_class_says(name: str) -> None:
    rows = {row[1]: row for row in ROW.finditer(PAGE)}
    assert rows[name][2] == " ".join(inspect.getdoc(CLASSES[name]).split())  # type: ignore[union-attr]
