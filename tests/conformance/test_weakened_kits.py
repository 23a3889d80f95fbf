"""A kit notices when a class derived from it weakens a law: only xfail with a reason may."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core.testing import StorageConformance

if TYPE_CHECKING:
    from pathlib import Path

LAW = "test_ids_are_never_given_out_again"


def passes(self: Any) -> None:
    return


def derived(*bases: type, **said: Any) -> type:
    return type("TestMine", bases or (StorageConformance,), said)


@pytest.mark.parametrize(
    "override",
    [
        passes,
        None,
        pytest.mark.skip(reason="slow")(lambda self: None),
        pytest.mark.skipif(condition=True, reason="slow")(lambda self: None),
        pytest.mark.xfail()(lambda self: None),
        pytest.mark.xfail(reason="")(lambda self: None),
        pytest.mark.skip(reason="slow")(pytest.mark.xfail(reason="broken")(lambda self: None)),
    ],
    ids=["passes", "None", "skip", "skipif", "no reason", "empty reason", "skip beside xfail"],
)
def test_a_law_that_is_overridden_is_refused_where_the_class_is_made(override: Any) -> None:
    with pytest.raises(TypeError, match=f"TestMine.{LAW} overrides a law .*xfail"):
        derived(**{LAW: override})


def test_a_law_that_a_class_beside_the_kit_overrides_is_refused_too() -> None:
    with pytest.raises(TypeError, match="overrides a law"):
        derived(type("Lenient", (), {LAW: passes}), StorageConformance)


@pytest.mark.parametrize("mark", [pytest.mark.skip, pytest.mark.xfail(reason="all of it"), [pytest.mark.skipif]])
def test_a_mark_that_weakens_every_law_is_refused(mark: Any) -> None:
    with pytest.raises(TypeError, match="would weaken every law"):
        derived(pytestmark=mark)
    with pytest.raises(TypeError, match="would weaken every law"):
        derived(type("Lenient", (), {"pytestmark": mark}), StorageConformance)


@pytest.mark.parametrize("name", ["place", "run", "needs_persistence", "_in_a_folder_of_its_own", "_needs"])
def test_what_carries_the_laws_is_the_kits_own(name: str) -> None:
    with pytest.raises(TypeError, match=f"TestMine.{name} is the kit's own; a class gives url, open"):
        derived(**{name: passes})


def test_a_class_says_what_is_its_to_say_and_has_tests_of_its_own() -> None:
    mine = derived(url="memory:", persistent=False, shared=False, examples=3, test_of_mine=passes, helper=passes)
    assert derived(mine, url="other:").url == "other:"
    mine().test_no_law_is_weakened()


@pytest.mark.parametrize("replaced", [passes, None])
def test_a_law_that_is_replaced_later_is_noticed_by_the_law_about_laws(replaced: Any) -> None:
    mine = derived()
    setattr(mine, LAW, replaced)
    with pytest.raises(AssertionError, match=f"{LAW} was replaced"):
        mine().test_no_law_is_weakened()


def run(folder: Path, source: str, *arguments: str) -> str:
    (folder / "test_mine.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rxXfs", *arguments, str(folder)]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    return finished.stdout + finished.stderr


def test_a_law_that_is_expected_to_fail_runs_as_it_stands_in_the_kit(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        f"""
import pytest
from polaris_core.testing import StorageConformance

class TestMine(StorageConformance):
    url = "memory:"
    persistent = False
    shared = False

    @pytest.mark.xfail(reason="keeps it after all", strict=True)
    def {LAW}(self): raise AssertionError

    @pytest.mark.xfail(reason="lists are ordered otherwise")
    def test_a_plan_that_expects_another_head_is_refused_and_nothing_of_it_is_stored(self): raise AssertionError
""",
        "-k",
        f"{LAW} or another_head",
    )
    assert "[XPASS(strict)] keeps it after all" in printed
    assert "1 failed" in printed
    assert "7 xpassed" in printed  # one a field of the head


def test_a_weakened_kit_stops_the_collection_with_what_to_do(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        f"""
from polaris_core.testing import StorageConformance

class TestMine(StorageConformance):
    url = "memory:"

    def {LAW}(self): pass
""",
    )
    assert f"TypeError: TestMine.{LAW} overrides a law of the kit" in printed
    assert '@pytest.mark.xfail(reason="...")' in printed


@pytest.mark.parametrize("mark", ["skip(reason='slow')", "skipif(True, reason='slow')", "xfail(reason='all of it')"])
def test_a_mark_put_on_a_class_that_is_made_already_stops_the_collection(mark: str, tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        f"""
import pytest
from polaris_core.testing import StorageConformance

@pytest.mark.{mark}
class TestMine(StorageConformance):
    url = "memory:"
    persistent = False
    shared = False
""",
    )
    assert f"TypeError: TestMine is marked {mark.partition('(')[0]}, which would weaken every law" in printed
    assert "1 error" in printed


def test_skips_give_their_reasons(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
from polaris_core.abc import Location, StorageOptions
from polaris_core.testing import StorageConformance

class TestMine(StorageConformance):
    persistent = False
    shared = False

    def open(self, folder, options):
        from polaris_core.registry import default
        return default().storage("memory").factory(Location.parse("memory:"), options)
""",
        "-k",
        "forked or opened_again or verify",
    )
    assert "another process cannot open the store: give the class a `url` or an `opener`" in printed
    assert "persistent = False: what was stored ends with the storage that stored it" in printed
    assert "'verify' is not among the capabilities" in printed
