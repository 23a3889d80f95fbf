"""The format `node-link`: files from elsewhere, and what is none."""

from __future__ import annotations

import io
import json
from typing import Any

import networkx as nx
import pytest
from polaris_formats import node_link

from polaris_core import Loss, LossError, UpsertEdge, UpsertNode, ValidationError
from polaris_core.abc import Losses


def read(value: Any, losses: Losses | None = None) -> list[UpsertNode | UpsertEdge]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return list(node_link.read(io.BytesIO(data), losses or Losses("a graph", "error")))


def of(*edges: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nodes": [{"id": "a"}, {"id": "b"}], "links": list(edges), **more}


@pytest.mark.parametrize("name", ["edges", "links"])
def test_the_list_of_edges_has_either_name(name: str) -> None:
    value = {"nodes": [{"id": "a", "type": "person", "born": 1815}], name: [{"source": "a", "target": "a", "w": 1.0}]}
    assert read(value) == [UpsertNode("a", "person", {"born": 1815}), UpsertEdge("a", "edge", "a", {"w": 1.0})]


def test_a_file_of_networkx_is_read_its_numbers_as_names_and_each_edge_as_it_runs() -> None:
    graph: Any = nx.Graph()
    graph.add_edges_from([(2, 1, {"weight": 3}), (1, 3)])
    data = nx.node_link_data(graph, edges="edges")
    assert read(data) == [
        *(UpsertNode(name, "node") for name in ("2", "1", "3")),
        UpsertEdge("2", "edge", "1", {"weight": 3, "directed": False}),
        UpsertEdge("1", "edge", "3", {"directed": False}),
    ]


def test_a_key_that_is_a_text_is_the_type_where_there_is_no_other() -> None:
    graph: Any = nx.MultiDiGraph()
    graph.add_edge("a", "b", key="knows")
    graph.add_edge("a", "b", key="likes", type="to like")
    graph.add_edge("a", "b", type="to see")
    assert read(nx.node_link_data(graph, edges="links"))[2:] == [
        UpsertEdge("a", "knows", "b"),
        UpsertEdge("a", "to like", "b", {"key": "likes"}),
        UpsertEdge("a", "to see", "b"),
    ]


@pytest.mark.parametrize("key", [1.5, True, ["a"], {"a": None}], ids=repr)
def test_a_key_of_another_kind_is_an_attribute(key: Any) -> None:
    assert read(of({"source": "a", "target": "b", "key": key}))[2:] == [UpsertEdge("a", "edge", "b", {"key": key})]


def test_a_type_that_is_no_text_is_an_attribute() -> None:
    assert read({"nodes": [{"id": "a", "type": 3}], "edges": []}) == [UpsertNode("a", "node", {"type": 3})]


def test_an_end_that_is_no_node_is_left_to_the_import() -> None:
    assert read(of({"source": "a", "target": "c"}))[2:] == [UpsertEdge("a", "edge", "c")]


@pytest.mark.parametrize("more", [{"graph": {"name": "x"}}, {"groups": [1]}], ids=["graph", "groups"])
def test_what_belongs_to_the_whole_is_counted_as_lost(more: dict[str, Any]) -> None:
    losses = Losses("a graph")
    read(of(**more), losses)
    assert losses.counted() == (Loss("file", "attributes", 1),)
    with pytest.raises(LossError):
        read(of(**more))


EDGE = {"source": "a", "target": "b"}
HOSTILE: dict[str, tuple[Any, str]] = {
    "no JSON": (b"nonsense", "not JSON"),
    "no object": ([], "is an object with"),
    "no nodes": ({"edges": []}, "is an object with"),
    "no edges": ({"nodes": []}, "is an object with"),
    "both lists of edges": ({"nodes": [], "edges": [], "links": []}, "is an object with"),
    "nodes that are an object": ({"nodes": {}, "edges": []}, "is an object with"),
    "a node that is a text": ({"nodes": ["a"], "edges": []}, r"nodes\[0\]: not an object with id"),
    "a node without id": ({"nodes": [{"name": "a"}], "edges": []}, r"nodes\[0\]: not an object with id"),
    "an id that is a list": ({"nodes": [{"id": ["a"]}], "edges": []}, r"nodes\[0\]: the name of a node"),
    "an id that is true": ({"nodes": [{"id": True}], "edges": []}, r"nodes\[0\]: the name of a node"),
    "an empty id": ({"nodes": [{"id": ""}], "edges": []}, r"nodes\[0\]: a name is empty"),
    "two nodes of one name": ({"nodes": [{"id": 1}, {"id": "1"}], "edges": []}, r"nodes\[1\]: two nodes"),
    "two names that are one in NFC": (
        {"nodes": [{"id": "\u00e9"}, {"id": "e\u0301"}], "edges": []},
        r"nodes\[1\]: two nodes",
    ),
    "an edge without target": (of({"source": "a"}), r"links\[0\]: not an object with source and target"),
    "parallel edges of one type": (of(EDGE, {**EDGE, "type": "edge"}), r"links\[1\]: two edges are 'a'"),
    "an empty type": (of({**EDGE, "type": ""}), r"links\[0\]: a type is empty"),
    "NaN": (b'{"nodes":[{"id":"a","x":NaN}],"edges":[]}', "not JSON"),
    "2**64": ({"nodes": [{"id": "a", "x": 2**64}], "edges": []}, "64 bits"),
    "U+0000": ({"nodes": [{"id": "a", "x": "\0"}], "edges": []}, r"nodes\[0\]: .*U\+0000"),
    "65 levels": (
        b'{"nodes":[{"id":"a","x":' + b"[" * 65 + b"]" * 65 + b'}],"edges":[]}',
        r"nodes\[0\]: nested deeper",
    ),
    "100,000 levels": (b'{"nodes":' + b"[" * 100_000, "not JSON"),
    "a key that networkx cannot take": ({"nodes": [{"id": "a", "self": 1}], "edges": []}, "networkx cannot read it"),
    "directed that is a text": (of(directed="yes"), "`directed` is true or false"),
    "observations that are a text": ({"nodes": [{"id": "a", "polaris:observations": "b"}], "edges": []}, "is a list"),
    "observations of an edge": (
        of({**EDGE, "polaris:observations": ["b"]}),
        r"links\[0\]: an edge has no observations",
    ),
    "a provenance that is none": ({"nodes": [{"id": "a", "polaris:provenance": 1}], "edges": []}, r"nodes\[0\]"),
}


@pytest.mark.parametrize(("value", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_graph_cannot_mean_is_refused_with_its_place(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        read(value)
    assert len(str(caught.value)) < 1_000
