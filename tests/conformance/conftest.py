"""What the tests of the kit share: backends that are broken on purpose."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("harness")))  # test folders are no packages, the harness is one


@pytest.fixture(autouse=True)
def _say_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Laws fail here by the hundred; where `CI` is set pytest would spell out how ten thousand records differ."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
