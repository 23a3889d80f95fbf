"""`verify`, `backup`, `restore` and `repair`: what they print, what they return, and how they fail."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from polaris_core import open_graph_blocking
from polaris_core.abc import Finding, Location, SalvageReport, StorageSpec

if TYPE_CHECKING:
    from pathlib import Path

URL = "sqlite:///kg.db"


@pytest.fixture
def filled(plugins: Any, tmp_path: Path) -> Path:
    with open_graph_blocking(URL, plugins=plugins) as graph:
        graph.create_node("Ada Lovelace", "person", {"born": 1815})
        graph.create_node("Note G", "text")
        graph.create_edge("Ada Lovelace", "wrote", "Note G")
    return tmp_path / "kg.db"


def damage(path: Path, statement: str = "UPDATE nodes SET body = body || ' ' WHERE id = 1") -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


@pytest.mark.parametrize("store", [(URL,), ("--store", URL)])
def test_verify_of_a_sound_store_succeeds(run: Any, filled: Path, store: tuple[str, ...]) -> None:
    outcome = run("verify", *store)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("no damage in 6 records, changes and receipts of sqlite:///kg.db")
    data = run("verify", *store, "--json").data
    assert (data["store"], data["looked_at"], data["findings"]) == (URL, 6, [])


def test_verify_says_what_is_damaged_and_has_a_status_of_its_own(run: Any, filled: Path) -> None:
    damage(filled)
    outcome = run("verify", URL)
    assert outcome.status == 3
    assert "node 1: what is stored is not what was written\n" in outcome.out
    finding = {"where": "node 1", "what": "what is stored is not what was written"}
    outcome = run("verify", URL, "--json")
    assert (outcome.status, outcome.data["findings"]) == (3, [finding])


def test_verify_of_a_store_too_damaged_to_open_is_a_finding_too(run: Any, filled: Path) -> None:
    damage(filled, "UPDATE head SET seq = 99")
    outcome = run("verify", URL, "--json")
    assert outcome.status == 3
    assert [finding["where"].startswith("the head of store") for finding in outcome.data["findings"]] == [True]


@pytest.mark.parametrize("command", [("verify",), ("backup", "copy.db")])
def test_a_store_that_is_not_there_is_an_error_and_is_not_made(run: Any, tmp_path: Path, command: Any) -> None:
    outcome = run(command[0], "sqlite:///missing.db", *command[1:])
    assert outcome.status == 1
    assert "there is no sqlite:///missing.db" in outcome.err
    assert not list(tmp_path.glob("*.db"))


def test_a_backup_is_a_store_and_a_restore_brings_it_back(run: Any, plugins: Any, filled: Path, tmp_path: Path) -> None:
    outcome = run("backup", URL, "copy.db")
    assert outcome.status == 0
    assert outcome.out.startswith("sqlite:///kg.db as of change 3 is in copy.db, ")
    assert run("stats", "--store", "sqlite:///copy.db", "--json").data["nodes"] == 2
    with open_graph_blocking(URL, plugins=plugins) as graph:
        graph.delete_node("Ada Lovelace", detach=True)
    outcome = run("restore", URL, "copy.db", "--yes")
    assert (outcome.status, outcome.err) == (0, "")
    assert run("get", "Ada Lovelace", "--store", URL).status == 0


def test_backup_and_restore_say_as_json_where_history_stands(run: Any, filled: Path) -> None:
    copied = run("backup", URL, "copy.db", "--json").data
    restored = run("restore", URL, "copy.db", "--yes", "--json").data
    assert (copied["target"], restored["source"]) == ("copy.db", "copy.db")
    assert copied["cursor"].rpartition(":")[2] == restored["cursor"].rpartition(":")[2] == "3"
    assert copied["cursor"] != restored["cursor"]


def test_a_restore_makes_the_store_that_is_not_there(run: Any, filled: Path) -> None:
    run("backup", URL, "copy.db")
    assert run("restore", "sqlite:///new.db", "copy.db", "--yes").status == 0
    assert run("stats", "--store", "sqlite:///new.db", "--json").data["nodes"] == 2


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("Yes\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_a_restore_asks_first(run: Any, filled: Path, answer: str, status: int) -> None:
    run("backup", URL, "copy.db")
    outcome = run("restore", URL, "copy.db", stdin=answer.encode(), terminal=True)
    assert outcome.status == status
    assert "Replace the 2 nodes and 1 edges in sqlite:///kg.db by what copy.db holds? [y/N]" in outcome.err


def test_a_restore_that_can_ask_nobody_wants_to_be_told_yes(run: Any, filled: Path) -> None:
    outcome = run("restore", URL, "copy.db")
    assert (outcome.status, outcome.out) == (1, "")
    assert "say --yes" in outcome.err


def test_a_damaged_backup_replaces_nothing_and_has_the_status_of_damage(run: Any, filled: Path, tmp_path: Path) -> None:
    run("backup", URL, "copy.db")
    damage(tmp_path / "copy.db")
    outcome = run("restore", URL, "copy.db", "--yes")
    assert outcome.status == 3
    assert "nothing was replaced: node 1" in outcome.err


def test_what_a_store_cannot_do_is_said_with_those_that_can(run: Any) -> None:
    outcome = run("repair", "memory:", "memory:", "--salvage")
    assert (outcome.status, outcome.out) == (1, "")
    assert "nothing can be salvaged from memory:" in outcome.err


def test_repair_reports_what_was_copied_and_what_was_lost(
    run: Any, plugins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def salvage(old: Location, new: Location) -> SalvageReport:
        asked.append((str(old), str(new)))
        return SalvageReport(2, 1, 3, (Finding("node 1", "gone"),) * 30)

    spec: StorageSpec = attrs.evolve(plugins.storage("sqlite"), salvage=salvage)
    monkeypatch.setattr(type(plugins), "storage", lambda *_: spec)
    outcome = run("repair", "--salvage", "sqlite:///old.db", "sqlite:///new.db")
    assert asked == [("sqlite:///old.db", "sqlite:///new.db")]
    assert outcome.status == 3
    assert outcome.out.count("node 1: gone") == 20
    assert "and 10 more" in outcome.out
    assert "2 nodes, 1 edges, 3 changes are in sqlite:///new.db; 30 losses" in outcome.out
    data = run("repair", "--salvage", "sqlite:///old.db", "sqlite:///new.db", "--json").data
    assert (data["nodes"], data["edges"], data["changes"], len(data["lost"])) == (2, 1, 3, 30)


def test_repair_does_nothing_that_it_is_not_told(run: Any) -> None:
    assert run("repair", "sqlite:///old.db", "sqlite:///new.db").status == 2
