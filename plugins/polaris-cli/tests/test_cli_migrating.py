"""`migrate`: what it prints and returns, and what it refuses."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from polaris_cli import migrating

from polaris_core import Limits, migrate, open_graph_blocking

if TYPE_CHECKING:
    from pathlib import Path

SOURCE, TARGET = "sqlite:///kg.db", "json:///copy"


@pytest.fixture
def filled(plugins: Any) -> None:
    with open_graph_blocking(SOURCE, plugins=plugins) as graph:
        graph.create_node("Ada Lovelace", "person", {"born": 1815})
        graph.create_node("Note G", "text")
        graph.create_edge("Ada Lovelace", "wrote", "Note G")
        graph.create_index("node", "born")


@pytest.mark.usefixtures("filled")
def test_migrate_says_what_is_where(run: Any) -> None:
    outcome = run("migrate", SOURCE, TARGET)
    assert (outcome.status, outcome.err) == (0, "")
    assert ["nodes", "2"] in [line.split()[:2] for line in outcome.out.splitlines()]
    assert "no index on born of nodes: the target has none\n" in outcome.out
    assert "sqlite:///kg.db as of change 3 is in json:///copy, " in outcome.out


@pytest.mark.usefixtures("filled")
def test_migrate_reports_as_json(run: Any, plugins: Any) -> None:
    data = run("migrate", SOURCE, TARGET, "--json").data
    with open_graph_blocking(SOURCE, plugins=plugins) as one, open_graph_blocking(TARGET, plugins=plugins) as other:
        assert (data["from"], data["to"]) == (str(one.cursor()), str(other.cursor()))
    assert (data["source"], data["target"], data["resumed"]) == (SOURCE, TARGET, False)
    counts = {kind: data[kind]["count"] for kind in ("nodes", "edges", "meta", "receipts", "changes")}
    assert counts == {"nodes": 2, "edges": 1, "meta": 0, "receipts": 0, "changes": 3}
    assert len(data["nodes"]["digest"]) == 64
    assert (data["indexes"], data["left_out"]) == ([], [{"kind": "node", "path": "born"}])


@pytest.mark.usefixtures("filled")
def test_a_migrated_graph_is_migrated_back_the_same(run: Any) -> None:
    there = run("migrate", SOURCE, TARGET, "--json").data
    back = run("migrate", TARGET, "sqlite:///again.db", "--json").data
    for kind in ("nodes", "edges", "meta", "receipts", "changes"):
        assert back[kind] == there[kind]


@pytest.mark.usefixtures("filled")
def test_migrate_refuses_a_target_that_holds_something(run: Any, plugins: Any) -> None:
    with open_graph_blocking(TARGET, plugins=plugins) as graph:
        graph.create_node("mine")
    outcome = run("migrate", SOURCE, TARGET)
    assert (outcome.status, outcome.out) == (1, "")
    assert "it holds 1 nodes and 0 edges" in outcome.err


@pytest.mark.usefixtures("filled")
def test_migrate_refuses_the_same_store_twice(run: Any) -> None:
    outcome = run("migrate", SOURCE, SOURCE)
    assert outcome.status == 1
    assert "one store" in outcome.err


def test_migrate_of_what_is_not_there_makes_nothing(run: Any, tmp_path: Path) -> None:
    assert run("migrate", SOURCE, TARGET).status == 1
    assert not (tmp_path / "copy").exists()
    assert not (tmp_path / "kg.db").exists()


@pytest.fixture
def interrupted(run: Any, filled: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Interrupt a migration when so many rows are there."""

    async def until(rows: int, *stores: str, **options: Any) -> Any:
        def interrupt(done: int, _: int | None) -> None:
            if done == rows:
                raise KeyboardInterrupt

        return await migrate(*stores, **{**options, "progress": interrupt, "limits": Limits(group_records=1)})

    def interrupted(target: str, rows: int) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(migrating, "copy_of", partial(until, rows))
            return run("migrate", SOURCE, target)

    return interrupted


def test_an_interrupted_migration_is_seen_in_stats_and_gone_on_with(run: Any, interrupted: Any) -> None:
    outcome = interrupted(TARGET, 4)
    assert (outcome.status, outcome.err) == (130, "Interrupted. The same command goes on from here.\n")
    assert "A migration into this store has not ended" in run("stats", "--store", TARGET).out
    assert "unfinished_migration" in run("stats", "--store", TARGET, "--json").data
    outcome = run("migrate", SOURCE, TARGET)
    assert outcome.status == 0
    assert "gone on with" in outcome.out
    assert "has not ended" not in run("stats", "--store", TARGET).out


def test_migrate_fails_where_source_and_target_differ(run: Any, interrupted: Any, tmp_path: Path) -> None:
    interrupted("sqlite:///copy.db", 4)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as database, database:
        database.execute("DELETE FROM nodes")
    outcome = run("migrate", SOURCE, "sqlite:///copy.db")
    assert outcome.status == 1
    assert "node 1 is not the same in both stores: the target lacks it" in outcome.err
