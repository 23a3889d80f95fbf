"""`get`, `find`, `search`, `neighbors` and `stats`: what they show, as tables and as JSON, and how they fail."""

from __future__ import annotations

from typing import Any

import pytest

from polaris_core import BlockingGraph, open_graph_blocking, to_json

URL = "sqlite:///kg.db"
STORE = ("--store", URL)


@pytest.fixture
def graph(plugins: Any) -> Any:
    with open_graph_blocking(URL, plugins=plugins) as graph:
        graph.create_node("Ada Lovelace", "person", {"born": 1815, "of": {"title": "Countess"}}, ["wrote Note G"])
        graph.create_node("Charles Babbage", "person", {"born": 1791, "nick": "1791"})
        graph.create_node("Note G", "text", observations=["the first published program"])
        graph.create_edge("Ada Lovelace", "wrote", "Note G", {"in": 1843})
        graph.create_edge("Ada Lovelace", "knew", "Charles Babbage")
        graph.create_edge("Charles Babbage", "read", "Note G")
        yield graph


@pytest.fixture(params=["text", "json"])
def form(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return ("--json",) if request.param == "json" else ()


def test_get_shows_all_there_is_to_a_node(run: Any, graph: BlockingGraph) -> None:
    outcome = run("get", "Ada Lovelace", *STORE)
    assert outcome.status == 0
    for text in ("Ada Lovelace  person", "born", "1815", '{"title": "Countess"}', "- wrote Note G", "version 1"):
        assert text in outcome.out


def test_get_as_json_is_the_node(run: Any, graph: BlockingGraph) -> None:
    assert run("get", "Ada Lovelace", *STORE, "--json").data == to_json(graph.get_node("Ada Lovelace"))


@pytest.mark.parametrize("command", ["get", "neighbors"])
def test_a_node_that_is_not_there_is_an_error_with_names_that_look_alike(
    run: Any, graph: BlockingGraph, command: str, form: tuple[str, ...]
) -> None:
    outcome = run(command, "Ada Lovelac", *STORE, *form)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "no node 'Ada Lovelac'; did you mean 'Ada Lovelace'?\n"


def test_search_lists_what_holds_the_words_the_best_first(run: Any, graph: BlockingGraph) -> None:
    listed = run("search", "note", "g", *STORE)
    assert (listed.status, listed.err) == (0, "")
    assert listed.out.index("Note G") < listed.out.index("Ada Lovelace")
    assert "wrote [Note] [G]" in listed.out
    assert "[first] published [program]" in run("search", "fir* program", "--type", "text", *STORE).out
    assert "nothing found" in run("search", '"G note"', *STORE).out
    refused = run("search", "--", "-", *STORE)
    assert (refused.status, refused.out) != (0, "")


def test_search_as_json_has_nodes_scores_and_snippets(run: Any, graph: BlockingGraph) -> None:
    data = run("search", "countess OR note", "--limit", "1", *STORE, "--json").data
    assert data == {"hits": [], "complete": True, "scanned": None}
    data = run("search", "note", "--limit", "1", *STORE, "--json").data
    (hit,) = data["hits"]
    assert hit["node"] == to_json(graph.get_node("Note G"))
    assert hit["snippet"] == "[Note] G"
    assert hit["score"] > 0


FOUND = [
    ([], ["Ada Lovelace", "Charles Babbage", "Note G"]),
    (["--type", "person"], ["Ada Lovelace", "Charles Babbage"]),
    (["--prefix", "Note"], ["Note G"]),
    (["--text", "PROGRAM"], ["Note G"]),
    (["--where", "born:=1815"], ["Ada Lovelace"]),
    (["--where", "born=1815"], []),
    (["--where", "nick=1791"], ["Charles Babbage"]),
    (["--where", 'of:={"title":"Countess"}'], ["Ada Lovelace"]),
    (["--where", "born:=1791", "--where", "nick=1791", "--type", "person"], ["Charles Babbage"]),
    (["--type", "nothing"], []),
    (["--where", '{"born": {"$lt": 1800}}'], ["Charles Babbage"]),
    (["--where", "of.title=Countess"], ["Ada Lovelace"]),
    (["--where", '{"$or": [{"name": "Note G"}, {"born": 1815}]}'], ["Ada Lovelace", "Note G"]),
    (["--order", "name", "--descending", "--type", "person"], ["Charles Babbage", "Ada Lovelace"]),
]


@pytest.mark.parametrize(("options", "names"), FOUND, ids=[" ".join(row[0]) for row in FOUND])
def test_find_lists_what_matches_all_that_is_given(
    run: Any, graph: BlockingGraph, options: list[str], names: list[str]
) -> None:
    listed = run("find", *options, *STORE)
    data = run("find", *options, *STORE, "--json").data
    assert data == {"nodes": [to_json(graph.get_node(name)) for name in names], "next": None}
    shown = [name for name in ("Ada Lovelace", "Charles Babbage", "Note G") if f"\n{name} " in listed.out]
    assert sorted(shown, key=lambda name: listed.out.index(f"\n{name} ")) == names
    assert names or listed.out.startswith("nothing found\n")


def test_find_says_how_to_compare_with_a_number_when_a_text_like_one_finds_nothing(
    run: Any, graph: BlockingGraph
) -> None:
    assert "--where born:=1815" in run("find", "--where", "born=1815", *STORE).out


def test_find_goes_on_where_the_last_list_ended(run: Any, graph: BlockingGraph) -> None:
    first = run("find", "--limit", "2", *STORE, "--json").data
    assert [node["name"] for node in first["nodes"]] == ["Ada Lovelace", "Charles Babbage"]
    assert f"--cursor {first['next']}" in run("find", "--limit", "2", *STORE).out
    rest = run("find", "--limit", "2", "--cursor", first["next"], *STORE, "--json").data
    assert [node["name"] for node in rest["nodes"]] == ["Note G"]


def test_find_lists_edges_and_rows_and_counts(run: Any, graph: BlockingGraph) -> None:
    edges = run("find", "--edges", "--where", "source=Ada Lovelace", "--order", "target", *STORE, "--json").data
    assert [edge["target"] for edge in edges["edges"]] == ["Charles Babbage", "Note G"]
    lines = [" ".join(line.split()) for line in run("find", "--edges", "--type", "wrote", *STORE).out.split("\n")]
    assert "Ada Lovelace wrote → Note G in: 1843" in lines
    rows = run("find", "--select", "name", "--select", "born", "--order", "born", *STORE, "--json").data
    assert rows["rows"] == [
        {"name": "Note G"},
        {"name": "Charles Babbage", "born": 1791},
        {"name": "Ada Lovelace", "born": 1815},
    ]
    cells = [line.split() for line in run("find", "--select", "born", "--select", "type", *STORE).out.split("\n")]
    assert cells[0] == ["born", "type"]
    assert cells[2:5] == [["1815", "person"], ["1791", "person"], ["text"]]
    edges = run("find", "--edges", "--select", "type", "--limit", "1", *STORE, "--json").data
    assert (edges["rows"], edges["next"] is None) == ([{"type": "wrote"}], False)
    assert run("find", "--count", "--type", "person", *STORE).out == "2\n"
    assert run("find", "--count", "--edges", *STORE, "--json").data == {"count": 3}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--edges", "--text", "x"], "--text are of nodes"),
        (["--descending"], "give one with --order"),
        (["--where", '{"born": {"$above": 1}}'], "no operator '$above'"),
        (["--order", "a..b"], "not a path"),
        (["--edges", "--select", "name"], "an edge has no name"),
    ],
)
def test_a_question_that_makes_no_sense_is_an_error_in_words(
    run: Any, graph: BlockingGraph, options: list[str], words: str
) -> None:
    outcome = run("find", *options, *STORE)
    assert (outcome.status, outcome.out) == (1, "")
    assert words in outcome.err


@pytest.mark.parametrize(
    "options",
    [
        ["--limit", "0"],
        ["--limit", "many"],
        ["--where", "born"],
        ["--where", "=1"],
        ["--where", "born:={"],
        ["--where", "{"],
    ],
)
def test_arguments_that_make_no_sense_are_refused(run: Any, options: list[str]) -> None:
    outcome = run("find", *options, *STORE)
    assert outcome.status == 2
    assert options[0] in outcome.err


def test_a_cursor_of_another_question_is_an_error(run: Any, graph: BlockingGraph) -> None:
    cursor = run("find", "--limit", "1", *STORE, "--json").data["next"]
    assert run("find", "--limit", "1", "--type", "person", "--cursor", cursor, *STORE).status == 1


NEIGHBORS = [
    ([], ["wrote → Note G", "knew → Charles Babbage"]),
    (["--direction", "in"], []),
    (["--type", "knew"], ["knew → Charles Babbage"]),
    (["--type", "knew", "--type", "wrote", "--direction", "out"], ["wrote → Note G", "knew → Charles Babbage"]),
]


@pytest.mark.parametrize(("options", "edges"), NEIGHBORS, ids=[" ".join(row[0]) for row in NEIGHBORS])
def test_neighbors_lists_edges_with_what_is_at_their_other_end(
    run: Any, graph: BlockingGraph, options: list[str], edges: list[str]
) -> None:
    lines = [" ".join(line.split()) for line in run("neighbors", "Ada Lovelace", *options, *STORE).out.split("\n")]
    assert [edge for edge in edges if any(line.startswith(edge) for line in lines)] == edges
    data = run("neighbors", "Ada Lovelace", *options, *STORE, "--json").data
    assert [f"{found['edge']['type']} → {found['node']['name']}" for found in data["neighbors"]] == edges
    assert data["next"] is None


def test_neighbors_as_json_has_the_edge_and_the_node_whole(run: Any, graph: BlockingGraph) -> None:
    (found,) = run("neighbors", "Note G", "--type", "wrote", *STORE, "--json").data["neighbors"]
    assert found["edge"] == to_json(graph.get_edge("Ada Lovelace", "wrote", "Note G"))
    assert found["node"] == to_json(graph.get_node("Ada Lovelace"))
    assert "← wrote" in run("neighbors", "Note G", *STORE).out


def test_stats_counts(run: Any, graph: BlockingGraph) -> None:
    assert run("stats", *STORE, "--json").data == to_json(graph.statistics())
    lines = [" ".join(line.split()[:2]) for line in run("stats", *STORE).out.split("\n")]
    assert {"nodes 3", "person 2", "text 1", "edges 3", "knew 1", "read 1", "wrote 1"} <= set(lines)


@pytest.mark.parametrize("line", [["get", "a"], ["find"], ["neighbors", "a"], ["stats"]], ids=lambda line: line[0])
def test_reading_makes_no_store(run: Any, line: list[str], tmp_path: Any) -> None:
    before = sorted(tmp_path.iterdir())
    outcome = run(*line, "--store", "sqlite:///absent.db")
    assert outcome.status == 1
    assert "absent.db" in outcome.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "line",
    [["get", "a"], ["find"], ["neighbors", "a"], ["stats"], ["import", "jsonl", "-"], ["export", "jsonl", "-"]],
    ids=lambda line: line[0],
)
def test_without_a_store_the_three_ways_to_name_one_are_said(run: Any, line: list[str]) -> None:
    outcome = run(*line)
    assert outcome.status == 1
    for way in ("--store sqlite:///kg.db", "POLARIS_KG_STORE", "polaris.toml"):
        assert way in outcome.err
    assert "demo" not in outcome.err


def test_without_a_store_the_one_of_the_demo_is_mentioned_where_there_is_one(run: Any) -> None:
    assert run("demo").status == 0
    error = run("stats").err
    assert "The demo's graph is at sqlite:///" in error
    assert run("stats", "--store", error.split()[-1]).status == 0


def test_what_is_piped_has_no_colours_and_no_line_beyond_80_columns(run: Any, graph: BlockingGraph) -> None:
    graph.create_node("x" * 300, "y" * 200, {"z" * 200: "w" * 500}, ["long " * 100])
    graph.create_edge("x" * 300, "v" * 200, "Note G", {"u" * 100: "t" * 100})
    for line in (["get", "x" * 300], ["find"], ["neighbors", "Note G"], ["stats"]):
        shown = run(*line, *STORE).out
        assert "\x1b" not in shown
        assert max(map(len, shown.split("\n"))) <= 80
        assert all(text == text.rstrip() for text in shown.split("\n"))


def test_indexes_are_created_listed_and_dropped(run: Any, graph: BlockingGraph) -> None:
    assert run("index", "list", *STORE).out == "no indexes\n"
    assert run("index", "create", "born", *STORE, "--json").data == {"indexes": [{"kind": "node", "path": "born"}]}
    listed = run("index", "create", "in", "--edges", *STORE).out
    assert [line.split() for line in listed.split("\n")[2:4]] == [["nodes", "born"], ["edges", "in"]]
    assert run("index", "create", "attributes.born", *STORE).out.startswith("there is one already on attributes.born\n")
    assert run("find", "--where", '{"born": {"$gte": 1800}}', "--count", *STORE).out == "1\n"
    run("index", "drop", "born", *STORE)
    assert run("index", "drop", "born", *STORE).out.startswith("there is none on born\n")
    assert run("index", "list", *STORE, "--json").data == {"indexes": [{"kind": "edge", "path": "in"}]}


@pytest.mark.parametrize("line", [["list", "born"], ["create"], ["create", "name"], ["drop", "a..b"]])
def test_an_index_that_cannot_be_is_an_error_in_words(run: Any, graph: BlockingGraph, line: list[str]) -> None:
    outcome = run("index", *line, *STORE)
    assert (outcome.status, outcome.out) == (1, "")
    assert "path" in outcome.err
