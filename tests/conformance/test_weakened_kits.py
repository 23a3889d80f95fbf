"""A kit notices when a class derived from it weakens a law: only xfail with a reason may."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core.testing import StorageConformance
from polaris_core.testing.laws.opening import OpeningLaws

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
        pytest.mark.xfail(reason=" ")(lambda self: None),
        pytest.mark.skip(reason="slow")(pytest.mark.xfail(reason="broken")(lambda self: None)),
    ],
    ids=["passes", "None", "skip", "skipif", "no reason", "empty reason", "blank reason", "skip beside xfail"],
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
    mine = derived(url="memory:", persistent=False, shared=False, examples=30, test_of_mine=passes, helper=passes)
    assert derived(mine, url="other:").url == "other:"
    mine().test_no_law_is_weakened()


def test_fewer_random_series_than_the_kit_tries_are_refused() -> None:
    with pytest.raises(TypeError, match=r"TestMine\.examples is 19; fewer than 20 would weaken laws"):
        derived(examples=19)


def test_the_law_about_laws_is_never_expected_to_fail() -> None:
    with pytest.raises(TypeError, match=r"TestMine\.test_no_law_is_weakened is the kit's own"):
        derived(test_no_law_is_weakened=pytest.mark.xfail(reason="why not")(passes))


def test_what_only_calls_itself_a_law_is_noticed_by_the_law_about_laws() -> None:
    mine = derived()
    setattr(mine, LAW, functools.wraps(getattr(StorageConformance, LAW))(passes))
    with pytest.raises(AssertionError, match=f"{LAW} was replaced"):
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


MEMORY = """
import pytest
from polaris_core.testing import StorageConformance

{before}
class TestMine(StorageConformance):
    url = {url!r}
    persistent = False
    shared = False
{body}

{after}
"""
FIXTURE = """
@pytest.fixture(autouse=True{params})
def mine(request):
    if {law!r} in request.node.name: {do}
"""


def kit(before: str = "", body: str = "", after: str = "", url: str = "memory:") -> str:
    return MEMORY.format(before=before, body=textwrap.indent(body, "    "), after=after, url=url)


def fixture(do: str = "pass", params: str = "") -> str:
    return FIXTURE.format(law=LAW, do=do, params=params)


def run_all(folder: Path, sources: dict[str, str]) -> str:
    for name, source in sources.items():
        (folder / f"test_{name}.py").write_text(source, encoding="utf-8")
    return run(folder, "", "-k", LAW)


def test_what_weakens_laws_once_the_class_is_made_stops_the_collection(tmp_path: Path) -> None:
    child = f"class TestB(TestMine):\n    {LAW} = test_no_law_is_weakened = lambda self: None"
    sources = {
        "module": kit("pytestmark = pytest.mark.skip(reason='slow')"),
        "list": kit("pytestmark = [pytest.mark.xfail(reason='all of it')]"),
        "late": kit(after=f"TestMine.{LAW} = TestMine.test_no_law_is_weakened = print"),
        "child": kit(body="def __init_subclass__(cls): pass", after=child),
    }
    printed = run_all(tmp_path, sources)
    assert "test_module.py is marked skip, which would weaken every law" in printed
    assert "test_list.py is marked xfail, which would weaken every law" in printed
    assert f"TestMine weakens laws: {LAW} was replaced, test_no_law_is_weakened was replaced" in printed
    assert f"TestB weakens laws: {LAW} was replaced, test_no_law_is_weakened was replaced" in printed
    assert "4 errors" in printed


@pytest.mark.parametrize("done", ["replaced", "hidden", "marked"])
def test_what_is_done_to_the_kit_itself_is_noticed(done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    law = getattr(StorageConformance, LAW)
    if done == "replaced":
        monkeypatch.setattr(OpeningLaws, LAW, passes)
    elif done == "hidden":
        monkeypatch.setattr(law, "__test__", False, raising=False)
    else:
        monkeypatch.setattr(law, "pytestmark", [pytest.mark.xfail(reason="").mark], raising=False)
    with pytest.raises(AssertionError, match=f"^{LAW} was {done}$"):
        derived()().test_no_law_is_weakened()


def test_a_law_that_somebody_else_skips_has_failed(tmp_path: Path) -> None:
    sources = {
        "method": kit(body="def setup_method(self): pytest.skip('slow')"),
        "class": kit(body="@classmethod\ndef setup_class(cls): pytest.skip('slow')"),
        "open": kit(body="def open(self, folder, options): pytest.skip('slow')"),
        "fixture": kit(fixture("pytest.skip('slow')")),
        "parameters": kit(fixture(params=", params=[]")),
    }
    printed = run_all(tmp_path, sources)
    assert printed.count("), and not by the kit, which weakens it") >= len(sources)
    assert f"{LAW} was skipped (slow), and not by the kit" in printed
    assert "1 failed, 4 errors in " in re.sub(r"\d+ deselected, ", "", printed)


def test_a_law_that_somebody_else_expects_to_fail_has_failed(tmp_path: Path) -> None:
    sources = {
        "now": kit(fixture("pytest.xfail('slow')"), url="nowhere:"),
        "mark": kit(fixture("request.applymarker(pytest.mark.xfail(reason=''))"), url="nowhere:"),
        "parameter": kit(fixture(params=", params=[pytest.param(1, marks=pytest.mark.xfail)]"), url="nowhere:"),
    }
    printed = run_all(tmp_path, sources)
    assert f"{LAW} was expected to fail (" in printed
    assert "2 failed, 1 error in " in re.sub(r"\d+ deselected, ", "", printed)


def test_marks_that_a_conftest_adds_weaken_no_law(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        """
import pytest
def pytest_collection_modifyitems(items):
    for item in items: item.add_marker(getattr(pytest.mark, item.path.stem[5:])(reason="slow"))
""",
        encoding="utf-8",
    )
    printed = run_all(tmp_path, {"skip": kit(), "xfail": kit(url="nowhere:")})
    assert f"{LAW} was skipped (slow), and not by the kit" in printed
    assert f"{LAW} was expected to fail (slow), and not by the kit" in printed
    assert "1 failed, 1 error in " in re.sub(r"\d+ deselected, ", "", printed)


def test_marks_that_weaken_no_law_mean_what_they_always_mean(tmp_path: Path) -> None:
    body = f"""
@pytest.mark.skip(reason="mine")
def test_mine_slow(self): ...
@pytest.mark.xfail
def test_mine_broken(self): raise ValueError
def test_mine_there(self): pytest.skip("mine too")
@pytest.mark.xfail(reason="no such store yet")
def {LAW}(self): ...
"""
    printed = run(tmp_path, kit(body=body, url="nowhere:"), "-k", f"test_mine_ or {LAW}")
    assert "no such store yet" in printed
    assert "2 skipped" in printed
    assert "2 xfailed" in printed


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
