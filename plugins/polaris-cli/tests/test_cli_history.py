"""`history`, and `--at` on the commands that read: what happened, and the graph as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from polaris_core import BlockingGraph, Cursor, StorageOptions, open_graph_blocking, to_json

URL = "sqlite:///kg.db"
STORE = ("--store", URL)
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def graph(plugins: Any) -> Any:
    """A life of five changes, an hour apart: the last one is at 16:00 UTC."""
    clock = [START]
    options = StorageOptions(now=lambda: int(clock[0].timestamp()) * 1_000_000)
    with open_graph_blocking(URL, plugins=plugins, options=options) as graph:
        graph.create_node("Ada Byron", "person", {"born": 1815})
        clock[0] += timedelta(hours=1)
        graph.create_node("Note G", "text")
        clock[0] += timedelta(hours=1)
        graph.create_edge("Ada Byron", "wrote", "Note G", {"in": 1842})
        clock[0] += timedelta(hours=1)
        graph.acting_as("ann").rename_node("Ada Byron", "Ada Lovelace")
        clock[0] += timedelta(hours=1)
        graph.patch_edge("Ada Lovelace", "wrote", "Note G", set={"in": 1843}, unset=["at"])
        yield graph


def test_history_lists_what_happened_the_newest_first(run: Any, graph: BlockingGraph) -> None:
    graph.patch_node("Ada Lovelace", set={("home", "town"): "London"}, unset=["born"], observe="counts", type="poet")
    outcome = run("history", "Ada Lovelace", *STORE)
    assert outcome.status == 0
    _, _, *rows = outcome.out.splitlines()
    told = " ".join(" ".join(row.split()) for row in rows)
    expected = 'updated type: poet; home: {"town": "London"}; without born; + counts'
    assert told.startswith(f"6 2026-01-31 16:00:00 {expected} 4 ")
    assert "4 2026-01-31 15:00:00 ann renamed Ada Byron is called Ada Lovelace" in told
    assert told.endswith("1 2026-01-31 12:00:00 created Ada Byron, person")


def test_history_as_json_is_the_changes(run: Any, graph: BlockingGraph) -> None:
    changes = [to_json(change) for change in graph.history("Ada Lovelace")]
    assert run("history", "Ada Byron", *STORE, "--json").data == {"changes": changes, "next": None}
    assert run("history", "Ada Byron", "--oldest-first", *STORE, "--json").data["changes"] == changes[::-1]


def test_history_of_an_edge_is_asked_by_its_three_parts(run: Any, graph: BlockingGraph) -> None:
    data = run("history", "Ada Lovelace", "wrote", "Note G", *STORE, "--json").data
    assert [change["kind"] for change in data["changes"]] == ["edge.updated", "edge.created"]
    outcome = run("history", "Ada Lovelace", "wrote", *STORE)
    assert outcome.status == 1
    assert "source, type and target" in outcome.err


def test_history_goes_on_with_its_cursor(run: Any, graph: BlockingGraph) -> None:
    first = run("history", "Ada Lovelace", "--limit", "1", *STORE, "--json").data
    second = run("history", "Ada Lovelace", "--limit", "1", "--cursor", first["next"], *STORE, "--json").data
    assert [change["kind"] for change in first["changes"] + second["changes"]] == ["node.renamed", "node.created"]
    assert f"--cursor {first['next']}" in run("history", "Ada Lovelace", "--limit", "1", *STORE).out


MOMENTS = ["2", "2026-01-31T13:30+00:00", "2026-01-31T13:00Z"]


@pytest.mark.parametrize("moment", [*MOMENTS, "cursor"])
def test_what_is_read_at_a_moment_is_as_it_was(run: Any, graph: BlockingGraph, moment: str) -> None:
    place: Cursor = graph.cursor()._replace(seq=2)
    at = ("--at", str(place) if moment == "cursor" else moment, *STORE, "--json")
    view = graph.at(2)
    assert run("get", "Ada Byron", *at).data == to_json(view.get_node("Ada Byron"))
    assert [node["name"] for node in run("find", *at).data["nodes"]] == ["Ada Byron", "Note G"]
    assert run("neighbors", "Ada Byron", *at).data == {"neighbors": [], "next": None}
    assert run("stats", *at).data == to_json(view.statistics())
    assert len(run("history", "Ada Byron", *at).data["changes"]) == 1
    assert run("get", "Ada Lovelace", *at).err == "no node 'Ada Lovelace'\n"
    exported = run("export", "jsonl", "-", *at).out
    assert '"Ada Byron"' in exported
    assert "wrote" not in exported


def test_a_time_without_an_offset_is_local(run: Any, graph: BlockingGraph) -> None:
    local = (START + timedelta(hours=1)).astimezone().replace(tzinfo=None).isoformat()
    assert run("stats", "--at", local, *STORE, "--json").data["nodes"] == 2


@pytest.mark.parametrize("moment", ["yesterday", "", "-1", "9" * 20, "a:b"])
def test_what_is_no_moment_is_refused(run: Any, graph: BlockingGraph, moment: str) -> None:
    outcome = run("stats", f"--at={moment}", *STORE)
    assert outcome.status == 2
    assert "a change number, a time such as" in outcome.err
