"""Each law of the kit catches the backends that are broken in the way it is about."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from broken import BREACHES, Breach
from hypothesis import Phase, settings

from polaris_core import StorageError
from polaris_core.testing import StorageConformance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAWS = {name for name, _ in inspect.getmembers(StorageConformance) if name.startswith("test_")}
ELSEWHERE = {
    "test_no_law_is_weakened",  # tests/conformance/test_weakened_kits.py
    "test_any_series_of_writes_leaves_what_the_model_holds",
    "test_any_series_of_writes_that_trim_and_forget_leaves_what_the_model_holds",
}


@pytest.fixture(autouse=True)
def _any_example_will_do() -> Iterator[None]:
    """Search for an example that shows the breach, not for the smallest."""
    before = settings.get_current_profile_name()
    settings.register_profile("broken", settings.get_profile(before), phases=[Phase.explicit, Phase.generate])
    settings.load_profile("broken")
    yield
    settings.load_profile(before)


def kit_of(backend: Any) -> StorageConformance:
    said = {
        "opener": f"{backend.__module__}:{backend.__qualname__}",
        "capabilities": getattr(backend, "claimed", backend.capabilities),
        "file": "notebook",
        "persistent": backend.persistent,
        "shared": backend.shared,
    }
    kit: StorageConformance = type(f"Test{backend.__name__}", (StorageConformance,), said)()
    return kit


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: f"{breach.backend.__name__}-{breach.law}")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning", "ignore::ResourceWarning")
def test_a_broken_backend_is_caught_by_the_law_it_breaks(breach: Breach, tmp_path: Path) -> None:
    kit = kit_of(breach.backend)
    kit.folder = tmp_path
    with pytest.raises((Exception, pytest.fail.Exception)) as caught:
        getattr(kit, breach.law)(*breach.arguments)
    errors = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else [caught.value]
    for error in errors:
        assert isinstance(error, (AssertionError, StorageError, UnicodeError, pytest.fail.Exception)), (
            f"fails by accident: {error!r}"
        )


def test_every_law_is_broken_by_some_backend() -> None:
    assert LAWS - {breach.law for breach in BREACHES} == ELSEWHERE


def test_there_are_enough_broken_backends() -> None:
    assert len({breach.backend for breach in BREACHES}) >= 35
