"""Polaris on SQLite beside other embedded stores that keep a graph, all asked the same in one run.

    python -m pip install kuzu==0.11.* ladybug==0.22.* kglite==0.21.* duckdb==2.0.* pycozo cozo_embedded==0.7.* overgraph==0.17.*
    python benchmarks/peers.py [--packages FILE] [--nodes 72000] [--only NAME ...] [--rounds 3] [--seconds 0.3] [--json]

None of the peers is a requirement of the project: those that can be imported are measured, the others are named as left out. The
graph is that of `benchmarks/load.py`. Each store runs in a process of its own, because two of them cannot be loaded into one, is
loaded in bulk there, and is asked in Python through one connection, with prepared statements where it has them, an index on names
and one on `section`. Polaris is called as a user calls it, `await graph.get_node(name)`: `polaris` has been asked the same before,
`polaris, cold` remembers nothing (`cache=None`). A figure is the median of the rounds' medians, in microseconds a question:

`get`        a node with all its attributes, by its name
`out`        the names of all nodes that links lead to from a node; `2 hops` and `3 hops` of all within so many, each name once
`path`       the names along a shortest path from a node to one within six links of it
`filter`     any twenty nodes of a section, with all their attributes
`search`     twenty of the nodes that hold two words, the best first; Polaris answers with nodes and excerpts, peers with names
`put`        one new node, committed alone and synced to disk, in the way that is said below the table

The stores take turns: an operation is asked of each of them, round after round, before the next one is. All are asked the same
questions in the same order, until those are through or `--seconds` are over, so that a slow store answers the first of them
only. Before the rounds they are asked once without a clock, and each answer is compared with what it must be: the same record,
the same set of names, a path along links and as short, twenty nodes that match. What was not asked then, for want of time, is
not asked later. A wrong answer takes the place of the figure and
makes the exit status 1; a store that fails, or takes more than a minute, has the reason there. Polaris leads where its median is
the lowest; on a busy machine figures that are near to each other say nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gc
import importlib
import importlib.metadata
import inspect
import itertools
import json
import multiprocessing
import pickle
import random
import re
import statistics
import sys
import tempfile
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from load import made_up, packages
from walks import met

from polaris_core import Edge, Graph, Hits, Node, Page, Route, UpsertEdge, UpsertNode, open_graph

Asked: TypeAlias = Sequence[tuple[Any, ...]]

OPERATIONS = {
    "get": "get",
    "out": "hops",
    "2 hops": "hops",
    "3 hops": "hops",
    "path": "path",
    "filter": "filter",
    "search": "search",
    "put": "put",
}
"""The method of a store that does each."""

PAGE = 20
TRIAL = 2.0  # seconds that the answers of one store to an operation may take before the rounds
LEAST = 5  # questions of a round, however long they take
PATIENCE = 60.0  # seconds that a round of one store may take
NEW = {"type": "package", "version": "1.0-1", "section": "libs", "text": "a package that was not there before"}
"""The node that is put, under one name after another."""


class Model:
    """The graph in dictionaries: what every store is loaded with, and what its answers must be.

    `nodes` has the type, the attributes and the text of each name, `links` source, type, target and attributes, and `columns`
    the type of each attribute; `holding` has the names of the nodes with a word in their text, `named` with one in their name.
    """

    def __init__(self, records: Iterable[Node | Edge | UpsertNode | UpsertEdge]) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.links: list[tuple[str, str, str, dict[str, Any]]] = []
        self.forth: dict[str, list[str]] = {}
        self.columns: dict[str, type] = {}
        self.sections: dict[str, int] = {}
        self.holding: dict[str, set[str]] = {}
        self.named: dict[str, set[str]] = {}
        for record in records:
            if isinstance(record, (Node, UpsertNode)):
                text = " ".join(observation.text for observation in record.observations)
                attributes = dict(record.attributes)
                self.nodes[record.name] = {"type": record.type, "text": text, **attributes}
                self.columns.update((key, type(value)) for key, value in attributes.items())
                section = str(attributes.get("section", ""))
                self.sections[section] = self.sections.get(section, 0) + 1
                for word in words(text):
                    self.holding.setdefault(word, set()).add(record.name)
                for word in words(record.name):
                    self.named.setdefault(word, set()).add(record.name)
            else:
                self.links.append((record.source, record.type, record.target, dict(record.attributes)))
                self.forth.setdefault(record.source, []).append(record.target)

    def rings(self, name: str, count: int) -> list[list[str]]:
        """Return the names that are first reached by no link, by one, and so on."""
        seen, rings = {name}, [[name]]
        while rings[-1] and len(rings) <= count:
            further = dict.fromkeys(far for near in rings[-1] for far in self.forth.get(near, ()) if far not in seen)
            seen.update(further)
            rings.append(list(further))
        return rings

    def questions(self, count: int) -> dict[str, Asked]:
        """Return what all stores are asked, without the names of new nodes."""
        chance = random.Random(5)
        names = chance.sample(sorted(name for name, far in self.forth.items() if set(far) - {name}), count)
        within = [[name for ring in self.rings(name, 6)[1:] for name in ring] for name in names]
        sections = sorted(key for key, found in self.sections.items() if key and found >= PAGE)
        texts = [sorted(words(node["text"])) for _, node in sorted(self.nodes.items())]
        # Without diacritics, which stores treat in ways of their own, and no word that stands in a name, where only some look;
        # half of the searches find more than a page.
        plain = [
            [word for word in text if word.isascii() and word.isalpha() and word not in self.named] for text in texts
        ]
        pairs = [chance.sample(text, 2) for text in plain if len(text) > 1]
        many = [pair for pair in pairs if len(self.holding[pair[0]] & self.holding[pair[1]]) >= PAGE]
        searches = [
            *chance.sample(pairs, min(len(pairs), count // 2)),
            *chance.sample(many, min(len(many), count // 2)),
        ]
        chance.shuffle(searches)
        return {
            "get": [(name,) for name in names],
            **{
                operation: [(name, hops) for name in names]
                for operation, hops in (("out", 1), ("2 hops", 2), ("3 hops", 3))
            },
            "path": [(name, chance.choice(reached)) for name, reached in zip(names, within, strict=True)],
            "filter": [(chance.choice(sections),) for _ in range(count)],
            "search": [tuple(pair) for pair in searches],
        }

    def right(self, operation: str, asked: tuple[Any, ...], answer: Any) -> bool:
        """Return whether a store's answer is what it must be; nodes are records here."""
        if operation == "get":
            return bool(answer == self.nodes[asked[0]])
        if operation == "put":
            return bool(answer == NEW)
        if operation == "filter":
            right = all(self.nodes[name] == record and record["section"] == asked[0] for name, record in answer)
            return right and len({name for name, _ in answer}) == len(answer) == PAGE
        if operation == "search":
            both = self.holding[asked[0]] & self.holding[asked[1]]
            return set(answer) <= both and len(set(answer)) == len(answer) == min(len(both), PAGE)
        if operation == "path":
            source, target = asked
            rings = self.rings(source, len(answer))
            linked = all(far in self.forth.get(near, ()) for near, far in itertools.pairwise(answer))
            return linked and answer[0] == source and answer[-1] == target and target in rings[len(answer) - 1]
        return sorted(answer) == sorted(name for ring in self.rings(*asked)[1:] for name in ring)


def words(text: str) -> set[str]:
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return set(re.findall(r"[^\W_]+", plain.lower()))


class Store:
    """What is asked of a store; `name` is said when it is missing, `packages` are those that it is installed by.

    `get` and `filter` answer with the store's own nodes, which `record` turns into a name and a record when no clock runs.
    """

    module = ""
    packages: tuple[str, ...] = ()
    durable = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def close(self) -> None:
        pass


class Polaris(Store):
    module = "polaris_core"
    packages = ("polaris-kg-core", "polaris-kg-sqlite")
    durable = "WAL, synchronous = FULL: a commit is synced"
    cache: Mapping[str, Any] = {}
    graph: Graph

    async def load(self, model: Model) -> None:
        self.opened = open_graph(f"sqlite:///{self.folder / 'graph.db'}", **self.cache)
        self.graph = await self.opened.__aenter__()
        nodes = (
            UpsertNode(name, node["type"], self.attributes(node), [node["text"]] if node["text"] else [])
            for name, node in model.nodes.items()
        )
        await self.graph.load([*nodes, *(UpsertEdge(*link) for link in model.links)])
        await self.graph.create_index("node", "section")
        await self.graph.search("library")  # which makes the index of words

    @staticmethod
    def attributes(node: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in node.items() if key not in {"type", "text"}}

    async def get(self, name: str) -> Node:
        return await self.graph.get_node(name)

    async def hops(self, name: str, count: int) -> Iterable[str]:
        return await self.graph.walk(name).out(depth=count).names()

    async def path(self, source: str, target: str) -> Sequence[str]:
        route: Route | None = await self.graph.shortest_path(source, target)
        return route.nodes if route else ()

    async def filter(self, section: str) -> Page[Node]:
        return await self.graph.find_nodes(where={"section": section}, limit=PAGE)

    async def search(self, one: str, two: str) -> Sequence[str]:
        hits: Hits = await self.graph.search(f"{one} {two}", limit=PAGE)
        return [hit.node.name for hit in hits]

    async def put(self, name: str) -> None:
        await self.graph.create_node(name, NEW["type"], self.attributes(NEW), [NEW["text"]])

    def record(self, node: Node) -> tuple[str, dict[str, Any]]:
        text = " ".join(observation.text for observation in node.observations)
        return node.name, {**node.attributes, "type": node.type, "text": text}

    async def aclose(self) -> None:
        await self.opened.__aexit__(None, None, None)


class ColdPolaris(Polaris):
    cache = {"cache": None}  # noqa: RUF012


class Tables(Store):
    """A store with a table of nodes: their columns are `name`, `type`, those of the attributes, and `text`."""

    columns: tuple[str, ...]
    types: dict[str, bool]

    def lay_out(self, model: Model) -> None:
        self.columns = ("name", "type", *model.columns, "text")
        self.types = {column: model.columns.get(column) is int for column in self.columns}

    def rows(self, model: Model) -> Iterable[list[Any]]:
        return ([name, *(node.get(column) for column in self.columns[1:])] for name, node in model.nodes.items())

    def links(self, model: Model) -> Iterable[tuple[str, str, str, str]]:
        return ((source, target, type, json.dumps(attributes)) for source, type, target, attributes in model.links)

    def files(self, model: Model) -> None:
        """Write both tables as CSV, where nothing stands for what a node does not have."""
        for name, rows in (("nodes.csv", self.rows(model)), ("links.csv", self.links(model))):
            with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)

    def new(self, name: str) -> dict[str, Any]:
        return {column: NEW.get(column) for column in self.columns} | {"name": name}

    def record(self, row: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        record = {key: value for key, value in zip(self.columns, row, strict=True) if value is not None}
        return record.pop("name"), {"text": "", **record}


class Kuzu(Tables):
    module = "kuzu"
    packages = ("kuzu",)
    durable = "its log is synced at each commit"

    def load(self, model: Model) -> None:
        kuzu: Any = importlib.import_module(self.module)
        # It calls a statement that is prepared and then executed deprecated; without, each question is parsed and planned anew.
        warnings.filterwarnings("ignore", "The use of separate prepare", DeprecationWarning)
        self.lay_out(model)
        self.files(model)
        self.database = kuzu.Database(str(self.folder / "graph"))
        self.connection = kuzu.Connection(self.database)
        kinds = ", ".join(f"{column} {'INT64' if whole else 'STRING'}" for column, whole in self.types.items())
        for statement in (
            f"CREATE NODE TABLE Node({kinds}, PRIMARY KEY (name))",
            "CREATE REL TABLE Link(FROM Node TO Node, type STRING, attributes STRING)",
            f"COPY Node FROM '{self.folder}/nodes.csv' (PARALLEL=FALSE, ESCAPE='\"')",
            f"COPY Link FROM '{self.folder}/links.csv' (PARALLEL=FALSE, ESCAPE='\"')",
        ):
            self.connection.execute(statement)
        self.no_search = ""
        try:
            with suppress(RuntimeError):  # it is built in, or else it must have been installed from the network
                self.connection.execute("LOAD fts")
            self.connection.execute("CREATE NODE TABLE Ignored(word STRING PRIMARY KEY)")
            self.connection.execute("CREATE (:Ignored {word: 'no word is ignored'})")
            index = "CALL CREATE_FTS_INDEX('Node', 'words', ['text'], stemmer := 'none', stopwords := 'Ignored')"
            self.connection.execute(index)
        except RuntimeError as error:
            self.no_search = str(error)
        whole = ", ".join(f"n.{column}" for column in self.columns)
        far = "MATCH (:Node {{name: $name}})-[:Link{}]->(n:Node) WHERE n.name <> $name RETURN DISTINCT n.name"
        self.getting = self.prepared(f"MATCH (n:Node {{name: $name}}) RETURN {whole}")
        self.reaching = {
            hops: self.prepared(far.format("" if hops == 1 else f"* SHORTEST 1..{hops}")) for hops in (1, 2, 3)
        }
        self.finding = self.prepared(
            "MATCH p = (:Node {name: $source})-[:Link* SHORTEST 1..30]->(:Node {name: $target}) "
            "RETURN properties(nodes(p), 'name')"
        )
        self.filtering = self.prepared(f"MATCH (n:Node) WHERE n.section = $section RETURN {whole} LIMIT {PAGE}")
        if not self.no_search:
            self.searching = self.prepared(
                f"CALL QUERY_FTS_INDEX('Node', 'words', $words, conjunctive := true, top := {PAGE}) "
                "RETURN node.name, score ORDER BY score DESC"
            )
        self.putting = self.prepared(f"CREATE (:Node {{{', '.join(f'{key}: ${key}' for key in ('name', *NEW))}}})")

    def prepared(self, text: str) -> Callable[..., list[list[Any]]]:
        statement = self.connection.prepare(text)

        def ask(**parameters: str) -> list[list[Any]]:
            result = self.connection.execute(statement, parameters)
            rows: list[list[Any]] = result.get_all()
            result.close()
            return rows

        return ask

    def get(self, name: str) -> list[Any]:
        return self.getting(name=name)[0]

    def hops(self, name: str, count: int) -> list[str]:
        return [far for (far,) in self.reaching[count](name=name)]

    def path(self, source: str, target: str) -> list[str]:
        path: list[str] = self.finding(source=source, target=target)[0][0]
        return path

    def filter(self, section: str) -> list[list[Any]]:
        return self.filtering(section=section)

    def search(self, one: str, two: str) -> list[str]:
        if self.no_search:
            raise LookupError(self.no_search)
        return [name for name, _ in self.searching(words=f"{one} {two}")]

    def put(self, name: str) -> None:
        self.putting(name=name, **NEW)

    def close(self) -> None:
        self.connection.close()
        self.database.close()


class Ladybug(Kuzu):
    module = "ladybug"
    packages = ("ladybug",)


class Kglite(Store):
    """The graph is in memory, its log and a checkpoint are on disk; a node's type is its property `kind`."""

    module = "kglite"
    packages = ("kglite",)
    durable = "durable='full': its log is synced at each commit"

    def load(self, model: Model) -> None:
        kglite: Any = importlib.import_module(self.module)
        file = str(self.folder / "graph.kgl")
        nodes = [{"name": name, **self.properties(node)} for name, node in model.nodes.items()]
        links = [
            {"source": source, "target": target, "kind": type, "attributes": json.dumps(attributes)}
            for source, type, target, attributes in model.links
        ]
        ends = {"source_type": "Node", "source_id_field": "source", "target_type": "Node", "target_id_field": "target"}
        kglite.from_records(
            {
                "nodes": [{"type": "Node", "id_field": "name", "title_field": "name", "records": nodes}],
                "connections": [{"type": "LINK", **ends, "records": links}],
            },
            save=file,
            on_missing_endpoint="error",
        )
        self.graph = kglite.open(file, durable="full")
        self.graph.create_index("Node", "section")
        self.graph.build_text_index("Node", "text", name="words")

    @staticmethod
    def properties(node: Mapping[str, Any]) -> dict[str, Any]:
        return {"kind" if key == "type" else key: value for key, value in node.items()}

    def get(self, name: str) -> dict[str, Any]:
        node: dict[str, Any] = self.graph.node("Node", name)
        return node

    def hops(self, name: str, count: int) -> list[str]:
        far = "" if count == 1 else f"*1..{count}"
        text = (
            f"MATCH (:Node {{name: $name}})-[:LINK{far}]->(n:Node) WHERE n.name <> $name RETURN DISTINCT n.name AS name"
        )
        names: list[str] = self.graph.cypher(text, params={"name": name}).column("name")
        return names

    def path(self, source: str, target: str) -> list[str]:
        path: list[str] = self.graph.shortest_path_ids("Node", source, "Node", target, direction="outgoing")
        return path

    def filter(self, section: str) -> list[dict[str, Any]]:
        text = f"MATCH (n:Node {{section: $section}}) RETURN n LIMIT {PAGE}"
        return [row["n"]["properties"] for row in self.graph.cypher(text, params={"section": section}).to_list()]

    def search(self, one: str, two: str) -> list[str]:
        # Its index answers with nodes that hold either word; those that hold both are asked for by the score of each.
        text = (
            "CALL db.index.fulltext.queryNodes('words', $both) YIELD node, score "
            "WHERE text_bm25(node, 'text', $one) > 0 AND text_bm25(node, 'text', $two) > 0 "
            f"RETURN node.name AS name, score ORDER BY score DESC LIMIT {PAGE}"
        )
        names: list[str] = self.graph.cypher(text, params={"both": f"{one} {two}", "one": one, "two": two}).column(
            "name"
        )
        return names

    def put(self, name: str) -> None:
        properties = {"name": name, **self.properties(NEW)}
        text = f"CREATE (:Node {{{', '.join(f'{key}: ${key}' for key in properties)}}})"
        self.graph.cypher(text, params=properties)

    def record(self, node: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        record = {key: value for key, value in node.items() if value is not None}
        name = record["id"]
        for key in ("id", "title", "name", "type", "labels"):
            record.pop(key, None)
        record["type"] = record.pop("kind")
        return name, record

    def close(self) -> None:
        self.graph.close()


class Duckdb(Tables):
    """Tables and SQL; a walk is a statement a link, which is faster than a recursive one, and a path is searched from both ends."""

    module = "duckdb"
    packages = ("duckdb",)
    durable = "its log is synced at each commit"

    def load(self, model: Model) -> None:
        duckdb: Any = importlib.import_module(self.module)
        self.lay_out(model)
        self.files(model)
        self.connection = duckdb.connect(str(self.folder / "graph.db"))
        kinds = ", ".join(f"{column} {'BIGINT' if whole else 'VARCHAR'}" for column, whole in self.types.items())
        for statement in (
            "SET threads = 1",  # more of them make questions as short as these slower
            f"CREATE TABLE nodes ({kinds}, PRIMARY KEY (name))",
            "CREATE TABLE links (source VARCHAR, target VARCHAR, type VARCHAR, attributes VARCHAR)",
            f"COPY nodes FROM '{self.folder}/nodes.csv' (FORMAT csv, HEADER false, QUOTE '\"', ESCAPE '\"', PARALLEL false)",
            f"COPY links FROM '{self.folder}/links.csv' (FORMAT csv, HEADER false, QUOTE '\"', ESCAPE '\"', PARALLEL false)",
            "CREATE INDEX forth ON links (source)",
            "CREATE INDEX back ON links (target)",
            "CREATE INDEX sections ON nodes (section)",
            "CHECKPOINT",
        ):
            self.connection.execute(statement)
        self.no_search = ""
        try:
            self.connection.execute("LOAD fts")
            self.connection.execute(
                "PRAGMA create_fts_index('nodes', 'name', 'text', stemmer = 'none', stopwords = 'none')"
            )
        except duckdb.Error as error:
            self.no_search = str(error)

    def ask(self, text: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.connection.execute(text, parameters).fetchall()
        return rows

    def get(self, name: str) -> tuple[Any, ...]:
        return self.ask("SELECT * FROM nodes WHERE name = ?", [name])[0]

    def hops(self, name: str, count: int) -> list[str]:
        seen, frontier = {name: None}, [name]
        for _ in range(count):
            if not frontier:
                break
            marks = ", ".join("?" * len(frontier))
            rows = self.ask(f"SELECT DISTINCT target FROM links WHERE source IN ({marks})", frontier)
            frontier = [far for (far,) in rows if far not in seen]
            seen.update(dict.fromkeys(frontier))
        del seen[name]
        return list(seen)

    def path(self, source: str, target: str) -> list[str]:
        search: Any = met  # what it says of ids holds of names too
        path: list[str] = search(source, target, self.step("target", "source"), self.step("source", "target"))
        return path

    def step(self, far: str, near: str) -> Callable[[list[str]], list[tuple[Any, ...]]]:
        text = f"SELECT {far}, {near} FROM links WHERE {near} IN "
        return lambda frontier: self.ask(f"{text} ({', '.join('?' * len(frontier))})", frontier)

    def filter(self, section: str) -> list[tuple[Any, ...]]:
        return self.ask(f"SELECT * FROM nodes WHERE section = ? LIMIT {PAGE}", [section])

    def search(self, one: str, two: str) -> list[str]:
        if self.no_search:
            raise LookupError(self.no_search)
        text = f"""SELECT name, fts_main_nodes.match_bm25(name, ?, conjunctive := 1) AS score FROM nodes
                   WHERE score IS NOT NULL ORDER BY score DESC LIMIT {PAGE}"""
        return [name for name, _ in self.ask(text, [f"{one} {two}"])]

    def put(self, name: str) -> None:
        marks = ", ".join("?" * len(self.columns))
        self.connection.execute(f"INSERT INTO nodes VALUES ({marks})", list(self.new(name).values()))

    def close(self) -> None:
        self.connection.close()


class Cozo(Tables):
    """Relations and Datalog, on its SQLite engine."""

    module = "pycozo.client"
    packages = ("pycozo", "cozo_embedded")
    durable = "its SQLite engine syncs each commit; there is nothing to set"

    def load(self, model: Model) -> None:
        pycozo: Any = importlib.import_module(self.module)
        self.lay_out(model)
        self.client = pycozo.Client("sqlite", str(self.folder / "graph.db"), dataframe=False)
        kinds = ", ".join(
            f"{column}: {'Int' if whole else 'String'}?" for column, whole in self.types.items() if column != "name"
        )
        self.client.run(f":create node {{name: String => {kinds}}}")
        self.client.run(":create link {source: String, target: String, type: String => attributes: String}")
        links = {
            "headers": ["source", "target", "type", "attributes"],
            "rows": [list(link) for link in self.links(model)],
        }
        self.client.import_relations({"node": {"headers": self.columns, "rows": list(self.rows(model))}})
        self.client.import_relations({"link": links})
        self.client.run("::index create node:section {section}")
        self.client.run("::fts create node:words {extractor: text, tokenizer: Simple, filters: [Lowercase]}")
        others = ", ".join(self.columns[1:])
        unlike = ", ".join(column for column in self.columns if column != "section")
        given = unlike.replace("name, ", "", 1)
        head = ", ".join(self.columns)
        self.getting = f"?[{head}] := name = $name, *node{{name, {others}}}"
        self.filtering = (
            f"?[{head}] := section = $section, *node:section{{section, name}}, *node{{name, {given}}} :limit {PAGE}"
        )
        self.putting = (
            f"?[{head}] <- [[{', '.join('$' + column for column in self.columns)}]] :insert node {{name => {others}}}"
        )
        self.reaching = {hops: self.reach(hops) for hops in (1, 2, 3)}

    @staticmethod
    def reach(hops: int) -> str:
        rules = ["within1[far] := *link{source: $name, target: far}"]
        for count in range(2, hops + 1):
            rules += [
                f"within{count}[far] := within{count - 1}[far]",
                f"within{count}[far] := within{count - 1}[near], *link{{source: near, target: far}}",
            ]
        return "\n".join([*rules, f"?[far] := within{hops}[far], far != $name"])

    def ask(self, text: str, **parameters: Any) -> list[list[Any]]:
        rows: list[list[Any]] = self.client.run(text, parameters, immutable=True)["rows"]
        return rows

    def get(self, name: str) -> list[Any]:
        return self.ask(self.getting, name=name)[0]

    def hops(self, name: str, count: int) -> list[str]:
        return [far for (far,) in self.ask(self.reaching[count], name=name)]

    def path(self, source: str, target: str) -> list[str]:
        text = "from[] <- [[$source]] to[] <- [[$target]] ?[source, target, path] <~ ShortestPathBFS(*link[], from[], to[])"
        path: list[str] = self.ask(text, source=source, target=target)[0][2]
        return path

    def filter(self, section: str) -> list[list[Any]]:
        return self.ask(self.filtering, section=section)

    def search(self, one: str, two: str) -> list[str]:
        text = f"?[score, name] := ~node:words{{name | query: $words, k: {PAGE}, bind_score: score}} :order -score"
        return [name for _, name in self.ask(text, words=f"{one} AND {two}")]

    def put(self, name: str) -> None:
        self.client.run(self.putting, self.new(name))

    def close(self) -> None:
        self.client.close()


class Overgraph(Store):
    """A node has a key, which is its name here."""

    module = "overgraph"
    packages = ("overgraph",)
    durable = "wal_sync_mode='immediate': its log is synced at each commit"

    def load(self, model: Model) -> None:
        overgraph: Any = importlib.import_module(self.module)
        self.graph = overgraph.OverGraph.open(str(self.folder / "graph"), wal_sync_mode="immediate")
        self.graph.ensure_node_property_index(
            "Node", {"fields": [{"source": "property", "key": "section"}], "kind": "equality"}
        )
        self.graph.ingest_mode()
        nodes = [{"labels": ["Node"], "key": name, "props": node} for name, node in model.nodes.items()]
        ids = dict(zip(model.nodes, self.graph.batch_upsert_nodes(nodes), strict=True))
        self.graph.batch_upsert_edges(
            [
                {"from_id": ids[source], "to_id": ids[target], "label": type, "props": attributes}
                for source, type, target, attributes in model.links
            ]
        )
        self.graph.end_ingest()
        self.graph.flush()
        self.graph.compact()
        while any(index.state == "building" for index in self.graph.list_node_property_indexes()):
            time.sleep(0.1)

    def get(self, name: str) -> tuple[str, dict[str, Any]]:
        node = self.graph.get_node_by_key("Node", name)
        return node.key, node.props

    def hops(self, name: str, count: int) -> list[str]:
        hits = self.graph.traverse(self.graph.get_node_by_key("Node", name).id, count).items
        return self.names([hit.node_id for hit in hits])

    def path(self, source: str, target: str) -> list[str]:
        start, end = (self.graph.get_node_by_key("Node", name).id for name in (source, target))
        return self.names(self.graph.shortest_path(start, end).nodes)

    def names(self, ids: list[int]) -> list[str]:
        return [node.key for node in self.graph.get_nodes(ids)]

    def filter(self, section: str) -> list[tuple[str, dict[str, Any]]]:
        ids = self.graph.find_nodes_paged("Node", "section", section, limit=PAGE).items.to_list()
        return [(node.key, node.props) for node in self.graph.get_nodes(ids)]

    def search(self, one: str, two: str) -> list[str]:
        raise LookupError(f"has no index of words to find {one!r} and {two!r} by")

    def put(self, name: str) -> None:
        self.graph.upsert_node("Node", name, props=NEW)

    def record(self, node: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        return node

    def close(self) -> None:
        self.graph.close()


STORES: dict[str, type[Store]] = {
    "polaris": Polaris,
    "polaris, cold": ColdPolaris,
    "kuzu": Kuzu,
    "ladybug": Ladybug,
    "kglite": Kglite,
    "duckdb": Duckdb,
    "cozo": Cozo,
    "overgraph": Overgraph,
}
OURS = ("polaris", "polaris, cold")
UNASKED = {"falkordblite": "not asked: PyPI has no wheel of it for the machine that this was written on"}


async def result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def ask(store: Any, operation: str, asked: Asked, seconds: float, model: Model | None) -> tuple[int, float]:
    """Return how many answers came and the median of their seconds; with a model, compare them with what they must be."""
    question = getattr(store, OPERATIONS[operation])
    awaited = inspect.iscoroutinefunction(question)
    taken: list[float] = []
    end = time.perf_counter() + seconds
    for arguments in asked:
        start = time.perf_counter()
        answer = await question(*arguments) if awaited else question(*arguments)
        now = time.perf_counter()
        taken.append(now - start)
        if model is not None:
            if operation == "put":
                answer = await result(store.get(*arguments))
            if operation in {"get", "put"}:
                answer = store.record(answer)[1]
            elif operation == "filter":
                answer = [store.record(node) for node in answer]
            if not model.right(operation, arguments, answer):
                raise AssertionError(f"the answer to {arguments} is wrong: {answer}")
        if now > end and len(taken) >= LEAST:
            break
    return len(taken), statistics.median(taken)


async def serve(name: str, folder: Path, pipe: Connection) -> None:
    """Load a store, and measure in it what the pipe asks for, until it asks for nothing."""
    store: Any = STORES[name](folder)
    with (folder.parent / "model").open("rb") as file:
        model: Model = pickle.load(file)
    start = time.perf_counter()
    await result(store.load(model))
    pipe.send((len(model.nodes), time.perf_counter() - start))
    gc.collect()
    gc.freeze()  # the model is large, and no store's
    while (wanted := await asyncio.to_thread(pipe.recv)) is not None:
        operation, asked, seconds, checked = wanted
        try:
            pipe.send(await ask(store, operation, asked, seconds, model if checked else None))
        except AssertionError as error:
            pipe.send(error)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is the reason why it has no figure
            pipe.send(f"{type(error).__name__}: {error}")
    await result(store.aclose() if isinstance(store, Polaris) else store.close())


def process(name: str, folder: Path, pipe: Connection) -> None:
    asyncio.run(serve(name, folder, pipe))


class Turn:
    """A store in its process."""

    def __init__(self, name: str, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        place = folder / name.replace(", ", "-")
        place.mkdir()
        self.process = context.Process(target=process, args=(name, place, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.figures: dict[str, list[float]] = {}
        self.reasons: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.wrong = False
        self.over = ""
        self.loading: float | None = None

    def load(self) -> None:
        """Wait until the store is loaded."""
        answer = self.heard(PATIENCE * 5)
        if isinstance(answer, tuple):
            self.loading = answer[1]
        else:
            self.over = f"could not be loaded: {answer}"

    def heard(self, patience: float) -> Any:
        """Return what the process says, or why it says nothing."""
        try:
            if self.pipe.poll(patience):
                return self.pipe.recv()
            self.process.kill()
            self.over = f"took more than {patience:.0f} seconds"
        except (EOFError, OSError):
            self.process.join(PATIENCE)
            self.over = f"its process ended with status {self.process.exitcode}"
        return self.over

    def ask(self, operation: str, asked: Asked, seconds: float, *, checked: bool) -> None:
        if operation in self.reasons:
            return
        if self.over:
            self.reasons[operation] = self.over
            return
        self.pipe.send((operation, asked[: self.counts.get(operation)], TRIAL if checked else seconds, checked))
        answer = self.heard(PATIENCE)
        if isinstance(answer, tuple):
            count, median = answer
            if checked:
                self.counts[operation] = count
            else:
                self.figures.setdefault(operation, []).append(median * 1e6)
            return
        self.wrong = self.wrong or isinstance(answer, AssertionError)
        self.figures.pop(operation, None)
        self.reasons[operation] = " ".join(str(answer).split())

    def end(self) -> None:
        with suppress(OSError):
            self.pipe.send(None)
        self.process.join(PATIENCE)
        self.process.kill()


def measure(model: Model, stores: Sequence[str], rounds: int, seconds: float, count: int) -> dict[str, Turn]:
    questions = model.questions(count)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        with (folder / "model").open("wb") as file:
            pickle.dump(model, file)
        turns = {store: Turn(store, folder) for store in stores}
        try:
            for turn in turns.values():
                turn.load()
            for operation in OPERATIONS:
                for number in range(rounds + 1):
                    asked = questions.get(operation, [(f"new {number} {each}",) for each in range(count)])
                    if not asked:  # in a graph that is made up, every word of a text stands in names too
                        break
                    for turn in turns.values():
                        turn.ask(operation, asked, seconds, checked=number == 0)
        finally:
            for turn in turns.values():
                turn.end()
    return turns


def missing(names: Iterable[str]) -> dict[str, str]:
    """Return which stores cannot be imported, and why; in a process each, as some cannot be loaded beside another."""
    reasons = {}
    context = multiprocessing.get_context("spawn")
    for name in names:
        trial = context.Process(target=importlib.import_module, args=(STORES[name].module,))
        try:
            for package in STORES[name].packages:
                importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError as error:
            reasons[name] = f"{error.name} is not installed"
            continue
        trial.start()
        trial.join()
        if trial.exitcode:
            reasons[name] = f"{STORES[name].module} cannot be imported"
    return reasons


def behind(figures: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, list[str]]]:
    """Return, for each operation, which peers are faster than Polaris, and than Polaris that remembers nothing."""
    return {
        operation: {
            ours: [
                name
                for name, row in figures.items()
                if name not in OURS and row.get(operation, figures[ours][operation]) < figures[ours][operation]
            ]
            for ours in OURS
            if operation in figures.get(ours, {})
        }
        for operation in OPERATIONS
    }


def printed(report: Mapping[str, Any]) -> str:
    """Return the table, a row a store, and what there is to say of it."""
    figures, reasons = report["microseconds"], report["reasons"]
    lines = [f"{'microseconds':14}" + "".join(f"{operation:>11}" for operation in OPERATIONS)]
    for name, row in figures.items():
        cells = [f"{row[operation]:11,.1f}" if operation in row else f"{'-':>11}" for operation in OPERATIONS]
        lines.append(f"{name:14}" + "".join(cells))
    lines.append("")
    for operation, faster in report["behind"].items():
        said = []
        for ours, names in faster.items():
            than = ", ".join(
                f"{name} ({figures[ours][operation] / figures[name][operation]:.1f} times)" for name in names
            )
            said.append(f"{ours} is " + (f"behind {than}" if names else "ahead of every peer"))
        lines.append(f"{operation:7} {'; '.join(said) or 'not measured'}")
    lines.append("")
    lines += [f"{name}, {operation}: {why}" for name, row in reasons.items() for operation, why in row.items()]
    lines += [f"{name}, left out: {why}" for name, why in report["left out"].items()]
    lines += [f"{name}, put: {how}" for name, how in report["durable"].items()]
    lines.append(", ".join(f"{package} {version}" for package, version in report["versions"].items()))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file, such as `apt-cache dumpavail` prints")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up")
    parser.add_argument(
        "--only", nargs="+", choices=STORES, default=list(STORES), metavar="NAME", help=", ".join(STORES)
    )
    parser.add_argument("--asked", type=int, default=200, help="how many questions of a kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="that a round of one operation and store may take")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    left_out = missing(arguments.only)
    stores = [name for name in arguments.only if name not in left_out]
    model = Model(packages(arguments.packages, "") if arguments.packages else made_up(arguments.nodes, ""))
    turns = measure(model, stores, arguments.rounds, arguments.seconds, arguments.asked)
    figures = {
        name: {operation: statistics.median(each) for operation, each in turn.figures.items()}
        for name, turn in turns.items()
    }
    report = {
        "nodes": len(model.nodes),
        "links": len(model.links),
        "microseconds": figures,
        "behind": behind(figures),
        "reasons": {name: turn.reasons for name, turn in turns.items() if turn.reasons},
        "left out": left_out | UNASKED,
        "durable": {name: STORES[name].durable for name in stores},
        "asked": {name: turn.counts for name, turn in turns.items()},
        "seconds of loading": {name: turn.loading for name, turn in turns.items()},
        "versions": {
            package: importlib.metadata.version(package) for name in stores for package in STORES[name].packages
        },
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if arguments.json else printed(report))
    if any(turn.wrong for turn in turns.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
