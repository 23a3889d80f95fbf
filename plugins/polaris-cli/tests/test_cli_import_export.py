"""`import` and `export`: the same graph on every backend, whole or not at all, and back.

The real thing, with some 63,000 packages and 350,000 relations:
`apt-cache dumpavail | polaris-kg import debian - --store sqlite:///debian.db`
"""

from __future__ import annotations

import gzip
import json
import lzma
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core import (
    BlockingGraph,
    Edge,
    Node,
    UpsertEdge,
    UpsertNode,
    ValidationError,
    open_graph_blocking,
    to_json,
)
from polaris_core.abc import FormatSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

STORES = {"sqlite": "sqlite:///kg.db", "json": "json:///kg"}


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest) -> str:
    return STORES[str(request.param)]


def facts(record: Node | Edge) -> dict[str, Any]:
    """All of a record that is not about when and in which store it was written."""
    found = to_json(record)
    del found["provenance"]
    for observation in found.get("observations", ()):
        del observation["recorded_at"]
    return found  # type: ignore[no-any-return]


def everything(graph: BlockingGraph) -> list[dict[str, Any]]:
    return [*map(facts, graph.all_nodes()), *map(facts, graph.all_edges())]


def answers(graph: BlockingGraph, seed: int, count: int) -> Iterator[Any]:
    """Answers to random questions, the same ones for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        name, other = (f"{chance.choice(['package', 'virtual'])}-{chance.randrange(60)}" for _ in range(2))
        kind = chance.randrange(20)
        if kind < 7:
            yield {key: facts(node) for key, node in graph.get_nodes([name, other, "absent"]).items()}
        elif kind < 14 and graph.get_nodes([name]):
            page = graph.neighbors(
                name,
                direction=chance.choice(["in", "out", "both"]),
                types=chance.choice([None, ["depends"], ["provides", "recommends"]]),
                limit=chance.randrange(1, 9),
            )
            yield [(facts(neighbor.edge), facts(neighbor.node)) for neighbor in page], page.next
        elif kind == 19:
            found = graph.find_nodes(prefix=name, where={"section": "libs"}, limit=chance.randrange(1, 9))
            yield list(map(facts, found)), found.next
        else:
            edge = (name, chance.choice(["depends", "recommends"]), other)
            yield [facts(found_edge) for found_edge in graph.get_edges([edge]).values()]


def test_every_backend_holds_the_same_and_answers_the_same(
    run: Any, plugins: Any, make_packages: Any, tmp_path: Path
) -> None:
    (tmp_path / "Packages").write_bytes(make_packages(2_000))
    with open_graph_blocking("memory:", plugins=plugins) as memory:
        memory.import_file(tmp_path / "Packages", plugins.format("debian"))
        expected = memory.statistics()
        for url in STORES.values():
            report = run("import", "debian", "Packages", "--store", url, "--json").data
            assert report["nodes"] == {"created": expected.nodes, "updated": 0, "unchanged": 0, "skipped": 0}
            assert report["edges"] == {"created": expected.edges, "updated": 0, "unchanged": 0, "skipped": 0}
            with open_graph_blocking(url, plugins=plugins) as graph:
                found = graph.statistics()
                assert (found.nodes, found.node_types) == (expected.nodes, expected.node_types)
                assert (found.edges, found.edge_types) == (expected.edges, expected.edge_types)
                pairs = zip(answers(graph, 1, 1_000), answers(memory, 1, 1_000), strict=True)
                assert all(one == other for one, other in pairs)


def test_a_report_has_the_documented_shape(run: Any, url: str) -> None:
    outcome = run("import", "debian", "-", "--store", url, "--json", stdin=b"Package: a\nDepends: b\n")
    assert outcome.status == 0
    report = outcome.data
    assert report.pop("seconds") > 0
    assert report.pop("records_per_second") > 0
    assert report == {
        "format": "debian",
        "file": "-",
        "store": url,
        "records": 3,
        "nodes": {"created": 2, "updated": 0, "unchanged": 0, "skipped": 0},
        "edges": {"created": 1, "updated": 0, "unchanged": 0, "skipped": 0},
        "missing": 0,
        "losses": [],
        "interrupted": False,
    }


def test_a_report_in_words_has_counts_and_the_rate(run: Any) -> None:
    outcome = run("import", "debian", "-", "--store", STORES["sqlite"], stdin=b"Package: a\nDepends: b\n")
    assert (outcome.status, outcome.err) == (0, "")  # no bar where nobody watches
    lines = [" ".join(line.split()) for line in outcome.out.split("\n")]
    assert "nodes 2 0 0" in lines
    assert "edges 1 0 0" in lines
    assert any(line.startswith("3 records in") and "a second, into sqlite:///kg.db" in line for line in lines)


@pytest.mark.parametrize(
    ("policy", "fate"), [("create", "were made, besides these"), ("skip", "were left out with their edges")]
)
def test_the_nodes_that_are_ends_of_edges_only_are_told(run: Any, policy: str, fate: str) -> None:
    line = b'{"kind": "edge", "source": "a", "type": "to", "target": "b"}'
    outcome = run("import", "jsonl", "-", "--store", STORES["sqlite"], "--on-dangling", policy, stdin=line)
    assert f"2 nodes that are ends of edges only {fate}" in " ".join(outcome.out.split())


def test_importing_again_changes_nothing(run: Any, plugins: Any, url: str, make_packages: Any) -> None:
    data = make_packages(200)
    first = run("import", "debian", "-", "--store", url, "--json", stdin=data).data
    with open_graph_blocking(url, plugins=plugins) as graph:
        cursor = graph.cursor()
    again = run("import", "debian", "-", "--store", url, "--json", stdin=data).data
    assert again["nodes"] == {"created": 0, "updated": 0, "unchanged": first["nodes"]["created"], "skipped": 0}
    assert again["edges"] == {"created": 0, "updated": 0, "unchanged": first["edges"]["created"], "skipped": 0}
    with open_graph_blocking(url, plugins=plugins) as graph:
        assert graph.cursor() == cursor


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_file_may_be_packed(run: Any, tmp_path: Path, make_packages: Any, suffix: str, pack: Any) -> None:
    data = make_packages(20)
    (tmp_path / f"Packages{suffix}").write_bytes(pack(data))
    named = run("import", "debian", f"Packages{suffix}", "--store", "sqlite:///one.db", "--json").data
    piped = run("import", "debian", "-", "--store", "sqlite:///two.db", "--json", stdin=data).data
    assert (named["nodes"], named["edges"]) == (piped["nodes"], piped["edges"])


def numbered(count: int) -> Iterator[UpsertNode]:
    return (UpsertNode(f"node {number}") for number in range(count))


def prefix_of(plugins: Any, url: str) -> int:
    """How many numbered nodes a store holds, having made sure that they are the first ones."""
    with open_graph_blocking(url, plugins=plugins) as graph:
        names = [node.name for node in graph.all_nodes()]
    assert names == [f"node {number}" for number in range(len(names))]
    return len(names)


def test_an_interruption_leaves_the_store_as_it_was_and_the_next_import_goes_through(
    run: Any, plugins: Any, url: str
) -> None:
    def read(_file: Any, _losses: Any) -> Iterator[Any]:
        yield from numbered(2_500)
        signal.raise_signal(signal.SIGINT)
        yield from numbered(1)

    plugins.formats["numbers"] = FormatSpec(name="numbers", sentence="Numbers, and Ctrl-C.", read=read)
    outcome = run("import", "numbers", "-", "--store", url, "--json")
    assert outcome.status == 130
    assert (outcome.data["interrupted"], outcome.data["records"]) == (True, 0)
    assert prefix_of(plugins, url) == 0
    plugins.formats["numbers"] = FormatSpec(
        name="numbers", sentence="Numbers.", read=lambda _file, _losses: numbered(3_000)
    )
    again = run("import", "numbers", "-", "--store", url)
    assert again.status == 0
    assert prefix_of(plugins, url) == 3_000


def test_an_interruption_is_told_in_words(run: Any, plugins: Any) -> None:
    def read(_file: Any, _losses: Any) -> Iterator[Any]:
        yield UpsertNode("node 0")
        raise KeyboardInterrupt

    plugins.formats["numbers"] = FormatSpec(name="numbers", sentence="One, and Ctrl-C.", read=read)
    outcome = run("import", "numbers", "-", "--store", STORES["sqlite"])
    assert outcome.status == 130
    assert "Interrupted. The store is as it was." in " ".join(outcome.out.split())


def test_an_interruption_while_the_store_is_closed_comes_too_late(
    run: Any, plugins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = BlockingGraph.close

    def interrupted(graph: BlockingGraph) -> None:
        close(graph)
        signal.raise_signal(signal.SIGINT)

    plugins.formats["numbers"] = FormatSpec(
        name="numbers", sentence="Numbers.", read=lambda _file, _losses: numbered(3_000)
    )
    with monkeypatch.context() as patched:
        patched.setattr(BlockingGraph, "close", interrupted)
        outcome = run("import", "numbers", "-", "--store", STORES["sqlite"], "--json")
    assert (outcome.status, outcome.data["interrupted"], outcome.data["nodes"]["created"]) == (0, False, 3_000)
    assert prefix_of(plugins, STORES["sqlite"]) == 3_000


def test_an_error_in_the_file_leaves_the_store_as_it_was(run: Any, plugins: Any, url: str) -> None:
    def read(_file: Any, _losses: Any) -> Iterator[Any]:
        yield from numbered(2_001)
        raise ValidationError("line 2002: nonsense")

    plugins.formats["numbers"] = FormatSpec(name="numbers", sentence="Numbers.", read=read)
    outcome = run("import", "numbers", "-", "--store", url, "--json")
    assert (outcome.status, outcome.out, outcome.err) == (1, "", "line 2002: nonsense\n")
    assert prefix_of(plugins, url) == 0


def test_what_exists_and_what_is_missing_is_told_apart(run: Any, plugins: Any, url: str) -> None:
    def read(_file: Any, _losses: Any) -> Iterator[Any]:
        yield UpsertEdge("a", "near", "absent")
        yield UpsertNode("a", None, {"new": 2})

    plugins.formats["edges"] = FormatSpec(name="edges", sentence="An edge.", read=read)
    with open_graph_blocking(url, plugins=plugins) as graph:
        graph.create_node("a", "kind", {"old": 1})
    for option, status in (([], 1), (["--on-existing", "error", "--on-dangling", "skip"], 1)):
        assert run("import", "edges", "-", "--store", url, *option).status == status
    outcome = run("import", "edges", "-", "--store", url, "--on-existing", "skip", "--on-dangling", "skip", "--json")
    assert (outcome.data["nodes"]["skipped"], outcome.data["edges"]["skipped"], outcome.data["missing"]) == (1, 1, 1)
    outcome = run("import", "edges", "-", "--store", url, "--on-dangling", "create", "--json")
    assert (outcome.data["nodes"]["updated"], outcome.data["edges"]["created"], outcome.data["missing"]) == (1, 1, 1)
    with open_graph_blocking(url, plugins=plugins) as graph:
        node = graph.get_node("a")
        assert (node.type, node.attributes) == ("kind", {"old": 1, "new": 2})
        assert [item.node.name for item in graph.neighbors("a")] == ["absent"]


def test_a_graph_that_is_exported_and_imported_elsewhere_is_equal(
    run: Any, plugins: Any, url: str, make_packages: Any, tmp_path: Path
) -> None:
    run("import", "debian", "-", "--store", url, stdin=make_packages(300))
    for file in ("graph.jsonl", "graph.jsonl.gz", "graph.jsonl.xz"):
        assert run("export", "jsonl", file, "--store", url).status == 0
        for number, other in enumerate(STORES.values()):
            target = other.replace("kg", f"other-{number}-{file.replace('.', '-')}")
            assert run("import", "jsonl", file, "--store", target).status == 0
            with (
                open_graph_blocking(url, plugins=plugins) as one,
                open_graph_blocking(target, plugins=plugins) as copy,
            ):
                assert everything(copy) == everything(one)
                times = [node.observations[0].recorded_at for node in one.all_nodes() if node.observations]
                assert times == [node.observations[0].recorded_at for node in copy.all_nodes() if node.observations]
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name) == []


def test_an_export_to_standard_output_is_the_file_and_nothing_else(
    run: Any, make_packages: Any, tmp_path: Path
) -> None:
    run("import", "debian", "-", "--store", "sqlite:///kg.db", stdin=make_packages(30))
    report = run("export", "jsonl", "graph.jsonl", "--store", "sqlite:///kg.db", "--json").data
    assert report.pop("seconds") > 0
    assert report.items() >= {"format": "jsonl", "file": "graph.jsonl", "store": "sqlite:///kg.db"}.items()
    outcome = run("export", "jsonl", "-", "--store", "sqlite:///kg.db")
    assert outcome.out == (tmp_path / "graph.jsonl").read_text(encoding="utf-8")
    assert len(outcome.out.splitlines()) == report["nodes"] + report["edges"]
    assert "into standard output" in outcome.err


def test_an_export_that_fails_leaves_the_file_that_was_there(run: Any, plugins: Any, tmp_path: Path) -> None:
    async def write(records: AsyncIterator[Node | Edge], _losses: Any) -> AsyncIterator[bytes]:
        async for record in records:
            yield str(record).encode()
            raise ValidationError("cannot be written")

    plugins.formats["failing"] = FormatSpec(name="failing", sentence="Fails.", write=write)
    run("import", "debian", "-", "--store", "sqlite:///kg.db", stdin=b"Package: a\n")
    (tmp_path / "file").write_text("what was there")
    outcome = run("export", "failing", "file", "--store", "sqlite:///kg.db")
    assert (outcome.status, outcome.err) == (1, "cannot be written\n")
    assert (tmp_path / "file").read_text() == "what was there"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///kg.db", "kg.db"),
        ("sqlite:///kg.db", "folder/../kg.db"),
        ("sqlite:///kg.db", "link"),
        ("json:///kg", "kg/manifest.json"),
    ],
)
def test_an_export_takes_no_place_of_the_store_it_is_of(
    run: Any, plugins: Any, tmp_path: Path, url: str, file: str
) -> None:
    with open_graph_blocking(url, plugins=plugins) as graph:
        graph.create_node("a")
    (tmp_path / "link").symlink_to("kg.db")
    (tmp_path / "folder").mkdir()
    outcome = run("export", "jsonl", file, "--store", url)
    assert outcome.status == 1
    assert f"{file}: is a file of the store {url} itself" in outcome.err
    with open_graph_blocking(url, plugins=plugins) as graph:
        assert graph.get_node("a").name == "a"


def test_an_export_holds_one_state_whatever_is_written_meanwhile(run: Any, plugins: Any, tmp_path: Path) -> None:
    async def write(records: AsyncIterator[Node | Edge], _losses: Any) -> AsyncIterator[bytes]:
        async for record in records:
            with open_graph_blocking("sqlite:///kg.db", plugins=plugins) as graph:
                graph.upsert_node(f"after {record.key}")
                graph.delete_node("c", missing_ok=True)
            yield f"{record.key}\n".encode()

    plugins.formats["changing"] = FormatSpec(name="changing", sentence="Changes the graph.", write=write)
    with open_graph_blocking("sqlite:///kg.db", plugins=plugins) as graph:
        graph.commit([UpsertNode(name) for name in "abc"])
        place = graph.cursor()
    assert run("export", "changing", "file", "--store", "sqlite:///kg.db").status == 0
    assert (tmp_path / "file").read_text().split() == ["a", "b", "c"]
    assert run("export", "changing", "file", "--store", "sqlite:///kg.db", "--at", str(place)).status == 0
    assert (tmp_path / "file").read_text().split() == ["a", "b", "c"]


@pytest.mark.parametrize("line", [["import", "nonsense", "-"], ["export", "nonsense", "-"]], ids=lambda line: line[0])
def test_a_format_that_nobody_has_is_an_error_that_lists_those_there_are(run: Any, line: list[str]) -> None:
    outcome = run(*line, "--store", "sqlite:///kg.db")
    assert outcome.status == 1
    assert "nonsense" in outcome.err
    assert "jsonl" in outcome.err


def test_a_format_that_only_reads_cannot_be_written_and_the_other_way_round(run: Any, plugins: Any) -> None:
    plugins.formats["mute"] = FormatSpec(name="mute", sentence="Neither reads nor writes.")
    run("import", "jsonl", "-", "--store", "sqlite:///kg.db")
    assert "cannot be written" in run("export", "debian", "-", "--store", "sqlite:///kg.db").err
    assert "cannot be read" in run("import", "mute", "-", "--store", "sqlite:///kg.db").err


@pytest.mark.parametrize("file", ["absent/file", "."])
def test_a_file_that_cannot_be_written_is_named(run: Any, file: str) -> None:
    run("import", "debian", "-", "--store", "sqlite:///kg.db", stdin=b"Package: a\n")
    outcome = run("export", "jsonl", file, "--store", "sqlite:///kg.db")
    assert outcome.status == 1
    assert f"{file}: cannot be written" in outcome.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_export_onto_a_full_disk_says_so_in_one_sentence(run: Any, form: tuple[str, ...]) -> None:
    run("import", "jsonl", "-", "--store", "sqlite:///full.db", stdin=b'{"kind":"node","name":"a"}\n')
    outcome = run("export", "jsonl", "/dev/full", "--store", "sqlite:///full.db", *form)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "/dev/full: cannot be written: No space left on device\n"


@pytest.mark.parametrize("name", ["absent", "a\0b", "x" * 5_000], ids=["absent", "null", "long"])
def test_a_slip_in_the_name_of_the_file_makes_no_store(run: Any, tmp_path: Path, name: str) -> None:
    outcome = run("import", "jsonl", name, "--store", "sqlite:///kg.db")
    assert outcome.status == 1
    assert "cannot be read" in outcome.err
    assert not (tmp_path / "kg.db").exists()


LOSSY = b"""{"kind":"node","name":"a","attributes":{"b":1}}
{"kind":"node","name":"c","attributes":{"d":2},"observations":["e"]}
"""


def test_what_the_format_cannot_hold_is_told_beside_the_report(run: Any) -> None:
    run("import", "jsonl", "-", "--store", "sqlite:///kg.db", stdin=LOSSY)
    outcome = run("export", "mcp-memory", "memory.jsonl", "--store", "sqlite:///kg.db")
    assert outcome.status == 0
    assert outcome.err == (
        "left out, because the format mcp-memory cannot hold it: "
        "attributes of 2 nodes, provenance of 2 nodes, observation times of 1 node\n"
    )
    report = run("export", "mcp-memory", "-", "--store", "sqlite:///kg.db", "--json")
    assert json.loads(report.err)["losses"][0] == {"of": "node", "what": "attributes", "count": 2}
    assert report.out.splitlines()[0] == '{"type":"entity","name":"a","entityType":"node","observations":[]}'


def test_a_loss_refuses_the_export_where_that_is_asked(run: Any, tmp_path: Path) -> None:
    run("import", "jsonl", "-", "--store", "sqlite:///kg.db", stdin=LOSSY)
    outcome = run("export", "mcp-memory", "memory.jsonl", "--store", "sqlite:///kg.db", "--on-loss", "error")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "the format 'mcp-memory' cannot hold the attributes of the node 'a'\n"
    assert not (tmp_path / "memory.jsonl").exists()
    for format in ("graphml", "jsonl", "node-link"):
        assert run("export", format, "file", "--store", "sqlite:///kg.db", "--on-loss", "error").status == 0


def test_what_a_graph_cannot_hold_of_a_file_is_told_or_refuses_the_import(run: Any, plugins: Any) -> None:
    data = b'{"graph":{"name":"x"},"nodes":[{"id":"a"}],"edges":[]}'
    outcome = run("import", "node-link", "-", "--store", "sqlite:///kg.db", stdin=data)
    assert outcome.err == "left out, because a graph cannot hold it: attributes of 1 file\n"
    line = ("import", "node-link", "-", "--store", "sqlite:///other.db", "--on-loss", "error")
    assert run(*line, stdin=data).status == 1
    with open_graph_blocking("sqlite:///other.db", plugins=plugins) as graph:
        assert graph.statistics().nodes == 0


@pytest.mark.parametrize("format", ["graphml", "mcp-memory", "node-link"])
def test_every_format_goes_both_ways(run: Any, plugins: Any, url: str, make_packages: Any, format: str) -> None:
    run("import", "debian", "-", "--store", url, stdin=make_packages(50))
    assert run("export", format, "file.gz", "--store", url).status == 0
    assert run("import", format, "file.gz", "--store", "sqlite:///other.db").status == 0
    with (
        open_graph_blocking(url, plugins=plugins) as one,
        open_graph_blocking("sqlite:///other.db", plugins=plugins) as copy,
    ):
        assert copy.statistics().node_types == one.statistics().node_types
        assert copy.statistics().edge_types == one.statistics().edge_types
        if format != "mcp-memory":
            assert sorted(map(str, everything(copy))) == sorted(map(str, everything(one)))
