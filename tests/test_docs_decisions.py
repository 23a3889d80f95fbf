"""Every decision has a number of its own and says its context, what was decided and what follows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DECISIONS = sorted((Path(__file__).resolve().parents[1] / "docs" / "decisions").glob("*.md"))
FORM = re.compile(
    r"# (?P<number>\d{3}): .+\n\n\*\*Context\.\*\* .+\n\n\*\*Decision\.\*\* .+\n\n\*\*Consequence\.\*\* .+", re.DOTALL
)


def test_docs_decisions_have_numbers_of_their_own() -> None:
    numbers = [path.name[:3] for path in DECISIONS]
    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize("path", DECISIONS, ids=[path.stem for path in DECISIONS])
def test_docs_decisions_say_context_decision_and_consequence(path: Path) -> None:
    found = FORM.match(path.read_text(encoding="utf-8"))
    assert found is not None
    assert path.name.startswith(f"{found['number']}-")
