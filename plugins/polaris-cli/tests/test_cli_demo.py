"""`demo`, on the environment that runs the tests: what it holds, what it answers, and what a second run does."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions, entry_points, version
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name

from polaris_core import open_graph_blocking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def report(run: Any) -> Any:
    outcome = run("demo", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.data


def test_every_installed_distribution_is_a_package_with_its_version(report: Any, plugins: Any) -> None:
    installed = {canonicalize_name(found.metadata.get_all("Name")[0]) for found in distributions()}  # type: ignore[index]
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        packages = {node.name: node for node in graph.all_nodes(type="package")}
    assert {name for name, node in packages.items() if node.attributes["installed"]} == installed
    assert packages["pytest"].attributes["version"] == version("pytest")
    assert packages["pytest"].observations[0].source == "package metadata"


def test_edges_say_what_requires_what_which_licence_and_which_module(report: Any, plugins: Any) -> None:
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        assert graph.get_edge("pytest", "requires", "pluggy").attributes["versions"]
        graph.get_edge("pytest", "licensed-under", "licence:MIT")  # or it raises
        graph.get_edge("pytest", "provides", "module:pytest")
        assert {node.type for node in graph.all_nodes()} == {"package", "licence", "module"}


def test_the_report_has_the_documented_shape(report: Any) -> None:
    assert set(report) == {
        "environment", "store", "written", "holds", "questions", "tree", "client", "served", "next", "seconds",
    }  # fmt: skip
    assert report["environment"] == sys.prefix
    assert set(report["written"]) == {"created", "updated", "deleted"}
    assert report["written"]["created"] == report["holds"]["nodes"] + report["holds"]["edges"]
    assert set(report["questions"]) == {"needs", "path", "without"}


def test_the_answers_are_true(report: Any, plugins: Any) -> None:
    needs, way, without = (report["questions"][key] for key in ("needs", "path", "without"))
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        requires = {(edge.source, edge.target) for edge in graph.all_edges(type="requires")}
    assert [package["name"] for package in needs["answer"]] == sorted(
        source for source, target in requires if target == needs["package"]
    )
    path = way["answer"]
    assert (path[0], path[-1]) == (way["from"], way["to"])
    assert set(pairwise(path)) <= requires
    broken = {without["package"], *without["answer"]}
    assert {source for source, target in requires if target in broken} | {without["package"]} == broken


def test_the_questions_can_be_asked_about_others(run: Any) -> None:
    asked = run("demo", "--json", "--needs", "Pluggy", "--from", "pytest", "--to", "pluggy", "--without", "iniconfig")
    questions = asked.data["questions"]
    assert "pytest" in [package["name"] for package in questions["needs"]["answer"]]
    assert questions["path"]["answer"] == ["pytest", "pluggy"]
    assert "pytest" in questions["without"]["answer"]
    assert run("demo", "--json", "--from", "pluggy", "--to", "pytest").data["questions"]["path"]["answer"] is None
    for option in ("--needs", "--from", "--to", "--without"):
        missing = run("demo", option, "no-such-package")
        assert missing.status == 1
        assert "no node 'no-such-package'" in missing.err


def test_a_second_run_changes_nothing(run: Any, report: Any) -> None:
    again = run("demo", "--json").data
    assert again["written"] == {"created": 0, "updated": 0, "deleted": 0}
    assert again["holds"] == report["holds"]
    assert "(up to date)" in run("demo").out


def test_a_run_brings_the_graph_up_to_date_and_leaves_what_others_wrote(run: Any, report: Any, plugins: Any) -> None:
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        edges = {edge.key for edge in graph.all_edges()}
        graph.delete_node("pytest", detach=True)
        graph.patch_node("pluggy", set={"version": "0", "note": "mine"}, observe=["my own words"])
        graph.create_node("my package", "package", {"installed": True})
        graph.create_edge("my package", "requires", "pluggy")
    written = run("demo", "--json").data["written"]
    assert written["created"] == 1 + sum("pytest" in key for key in edges)
    assert (written["updated"], written["deleted"]) == (1, 0)
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        pluggy = graph.get_node("pluggy")
        assert pluggy.attributes["version"] == version("pluggy")
        assert pluggy.attributes["note"] == "mine"
        assert "my own words" in [observation.text for observation in pluggy.observations]
        assert {edge.key for edge in graph.all_edges()} - edges == {("my package", "requires", "pluggy")}


def test_what_is_not_installed_any_more_is_deleted(
    run: Any, report: Any, plugins: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "site" / "passing-1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(
        "Metadata-Version: 2.4\nName: Passing\nVersion: 1\nSummary: Comes and goes.\nRequires-Dist: pluggy>=1\n"
        "Requires-Dist: not-here\nRequires-Dist: never; python_version < '3'\nRequires-Dist: also; extra == 'more'\n"
        "License-Expression: MIT OR Apache-2.0\nHome-page: https://example.org\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert run("demo", "--json").data["written"]["created"] >= 5
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        assert [item.text for item in graph.get_node("passing").observations] == ["Comes and goes."]
        found = graph.neighbors("passing", direction="out").items
        targets = {(neighbor.edge.type, neighbor.node.name) for neighbor in found}
        assert targets == {
            ("requires", "pluggy"),
            ("requires", "not-here"),
            ("licensed-under", "licence:MIT"),
            ("licensed-under", "licence:Apache-2.0"),
        }
        assert graph.get_node("not-here").attributes == {"installed": False}
    metadata.write_text("Metadata-Version: 2.4\nName: Passing\nVersion: 2\nSummary: Is about to go.\n")
    run("demo")
    with open_graph_blocking(report["store"], plugins=plugins) as graph:
        passing = graph.get_node("passing")
        assert [item.text for item in passing.observations] == ["Is about to go."]
        assert passing.attributes == {"installed": True, "requested": False, "version": "2"}
        assert not graph.get_nodes(["not-here"])
    metadata.unlink()
    metadata.parent.rmdir()
    assert run("demo", "--json").data["holds"]["node_types"] == report["holds"]["node_types"]


def test_an_environment_where_nothing_requires_anything_has_no_questions(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("demo").status == 0  # imports all that is needed, before the path is no more
    metadata = tmp_path / "site" / "lonely-1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: lonely\nVersion: 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), sysconfig.get_path("stdlib")])
    assert "No package here requires another" in run("demo").out
    report = run("demo", "--json").data
    assert (report["holds"]["nodes"], report["holds"]["edges"]) == (1, 0)
    assert (report["questions"], report["tree"]) == (None, None)


def test_it_shows_all_of_it_in_80_columns_without_colours(run: Any, report: Any) -> None:
    shown = run("demo").out
    assert "\x1b" not in shown
    pasted = [json.dumps(text) for text in (report["store"], sys.executable)]
    lines = [line for line in shown.split("\n") if report["store"] not in line and not any(p in line for p in pasted)]
    assert max(map(len, lines)) <= 80
    for text in (
        "licensed-under",
        "What needs",
        "Why is",
        "What breaks without",
        "stands on",
        "mcpServers",
        "try next",
    ):
        assert text in shown


def test_what_to_paste_into_a_client_is_whole_and_runs_this_interpreter(run: Any, report: Any) -> None:
    shown = run("demo").out
    block = shown[shown.index("  {\n") : shown.index("\n  }\n") + 5]
    assert json.loads(block) == report["client"]
    (server,) = report["client"]["mcpServers"].values()
    assert server == {
        "command": sys.executable,
        "args": ["-m", "polaris_core", "serve", "--store", report["store"]],
    }
    assert report["store"].startswith("sqlite:///")


def test_what_to_try_next_works(run: Any, report: Any) -> None:
    for line in report["next"]:
        program, *arguments = shlex.split(line)
        assert program == "polaris-kg"
        assert run(*arguments, "--store", report["store"]).status == 0, line


def test_it_writes_into_no_store_but_its_own_unless_the_command_line_says_so(run: Any, tmp_path: Path) -> None:
    (tmp_path / "polaris.toml").write_text('store = "sqlite:///mine.db"\n')
    assert run("demo").status == 0
    assert not (tmp_path / "mine.db").exists()
    assert run("demo", "--store", "sqlite:///named.db", "--json").data["store"] == "sqlite:///named.db"
    assert (tmp_path / "named.db").exists()


def test_a_data_directory_that_cannot_be_made_is_an_error_that_names_it(run: Any, home: Path) -> None:
    home.write_text("a file in its place")
    outcome = run("demo")
    assert outcome.status == 1
    assert "--store" in outcome.err


def test_the_installed_command_does_it_too(home: Path) -> None:
    if not entry_points(group="polaris_core.commands", name="demo"):
        pytest.skip("polaris-kg-cli is on the path and not installed, so polaris-kg does not know its commands")
    line = [sys.executable, "-m", "polaris_core", "demo", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, encoding="utf-8")
    assert json.loads(done.stdout)["written"]["created"] > 0
