"""The format `graphml`: files as Gephi, yEd and networkx write them, and what is none."""

from __future__ import annotations

import io
from typing import Any

import networkx as nx
import pytest
from polaris_formats import graphml, xml_tree

from polaris_core import Loss, UpsertEdge, UpsertNode, ValidationError
from polaris_core.abc import Losses

GEPHI = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key attr.name="label" attr.type="string" for="node" id="label"/>
<key attr.name="Edge Label" attr.type="string" for="edge" id="edgelabel"/>
<key attr.name="weight" attr.type="double" for="edge" id="weight"/>
<key attr.name="r" attr.type="int" for="node" id="r"/>
<key attr.name="born" attr.type="long" for="node" id="born"><default>1800</default></key>
<graph edgedefault="undirected">
<node id="n0"><data key="label">Ada Lovelace</data><data key="born">1815</data><data key="r">153</data></node>
<node id="n1"><data key="label">Note G</data></node>
<edge id="0" source="n1" target="n0"><data key="weight">1.5</data></edge>
<edge id="1" source="n0" target="n1" directed="true"><data key="edgelabel">wrote</data></edge>
</graph>
</graphml>
"""

YED = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:java="http://www.yworks.com/xml/yfiles-common/1.0/java"
 xmlns:sys="http://www.yworks.com/xml/yfiles-common/markup/primitives/2.0" xmlns:y="http://www.yworks.com/xml/graphml"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://www.yworks.com/xml/schema/graphml/1.1/ygraphml.xsd">
  <!--Created by yEd 3.23-->
  <key attr.name="Description" attr.type="string" for="graph" id="d0"/>
  <key for="port" id="d1" yfiles.type="portgraphics"/>
  <key attr.name="url" attr.type="string" for="node" id="d4"><default xml:space="preserve"/></key>
  <key for="node" id="d6" yfiles.type="nodegraphics"/>
  <key for="graphml" id="d7" yfiles.type="resources"/>
  <key for="edge" id="d10" yfiles.type="edgegraphics"/>
  <graph edgedefault="directed" id="G">
    <data key="d0" xml:space="preserve"/>
    <node id="n0">
      <data key="d6"><y:ShapeNode><y:Geometry height="30.0" width="30.0" x="1.0" y="2.0"/>
        <y:Fill color="#FFCC00" transparent="false"/><y:NodeLabel alignment="center">Ada</y:NodeLabel>
        <y:Shape type="rectangle"/></y:ShapeNode></data>
    </node>
    <node id="n1"/>
    <edge id="e0" source="n0" target="n1">
      <data key="d10"><y:PolyLineEdge><y:EdgeLabel>wrote</y:EdgeLabel></y:PolyLineEdge></data>
    </edge>
  </graph>
  <data key="d7"><y:Resources/></data>
</graphml>
"""


def read(text: str | bytes, losses: Losses | None = None) -> list[UpsertNode | UpsertEdge]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(graphml.read(io.BytesIO(data), losses or Losses("a graph", "error")))


def of(body: str = "", keys: str = "") -> str:
    return f'<graphml xmlns="{xml_tree.GRAPHML[1:-1]}">{keys}<graph edgedefault="directed">{body}</graph></graphml>'


KEY = '<key id="k" for="node" attr.name="x" attr.type="{}"/>'


def test_a_file_of_gephi_is_read_with_its_defaults_and_undirected_edges_as_they_are_written() -> None:
    assert read(GEPHI) == [
        UpsertNode("n0", "node", {"label": "Ada Lovelace", "born": 1815, "r": 153}),
        UpsertNode("n1", "node", {"label": "Note G", "born": 1800}),
        UpsertEdge("n1", "edge", "n0", {"weight": 1.5, "directed": False}),
        UpsertEdge("n0", "edge", "n1", {"Edge Label": "wrote"}),
    ]


def test_a_file_of_yed_is_read_with_its_labels_and_the_rest_of_the_drawing_is_counted() -> None:
    losses = Losses("a graph")
    assert read(YED, losses) == [
        UpsertNode("n0", "node", {"label": "Ada", "shape_type": "rectangle", "x": "1.0", "y": "2.0", "url": ""}),
        UpsertNode("n1", "node", {"url": ""}),
        UpsertEdge("n0", "edge", "n1", {"label": "wrote"}),
    ]
    assert losses.counted() == (
        Loss("file", "attributes", 1),
        Loss("file", "drawing", 1),
        Loss("node", "drawing", 1),
        Loss("edge", "drawing", 1),
    )


def test_a_file_of_networkx_is_read() -> None:
    graph: Any = nx.MultiDiGraph()
    graph.add_node("a", type="person", born=1815, height=1.0, alive=False)
    graph.add_edge("a", "b", type="wrote")
    graph.add_edge("a", "b", type="read")
    file = io.BytesIO()
    nx.write_graphml(graph, file)
    assert read(file.getvalue()) == [
        UpsertNode("a", "person", {"born": 1815, "height": 1.0, "alive": False}),
        UpsertNode("b", "node"),
        UpsertEdge("a", "wrote", "b"),
        UpsertEdge("a", "read", "b"),
    ]


def test_a_file_without_the_namespace_is_read() -> None:
    assert read('<graphml><graph><node id="a"/></graph></graphml>') == [UpsertNode("a", "node")]


def test_another_encoding_is_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?>' + of('<node id="née"/>')
    for encoding in ("iso-8859-1", "utf-16"):
        assert read(text.format(encoding).encode(encoding)) == [UpsertNode("née", "node")]


def test_descriptions_are_counted_as_lost() -> None:
    losses = Losses("a graph")
    read(of('<node id="a"><desc>b</desc></node>'), losses)
    assert losses.counted() == (Loss("node", "descriptions", 1),)


def test_what_else_stands_in_a_tag_is_counted_as_lost() -> None:
    losses = Losses("a graph")
    read(
        of("<node id='a' colour='red' parse.indegree='1'/><edge id='0' source='a' target='a' sourceport='b'/>"), losses
    )
    assert losses.counted() == (Loss("node", "XML attributes", 1), Loss("edge", "XML attributes", 1))


def test_a_hint_for_parsers_is_no_loss() -> None:
    assert read(of("<node id='a' parse.indegree='1'/>")) == [UpsertNode("a", "node")]


def drawn(label: str) -> str:
    return f"<data key='d'><y:ShapeNode xmlns:y='http://www.yworks.com/xml/graphml'>{label}</y:ShapeNode></data>"


@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
def test_what_is_drawn_does_not_take_the_place_of_what_is_said(order: int) -> None:
    keys = KEY.replace('"x"', '"label"').format("string") + "<key for='node' id='d' yfiles.type='nodegraphics'/>"
    data = "".join([drawn("<y:NodeLabel>drawn</y:NodeLabel>"), "<data key='k'>said</data>"][::order])
    assert read(of(f"<node id='a'>{data}</node>", keys), Losses("a graph")) == [
        UpsertNode("a", "node", {"label": "said"})
    ]


def test_what_is_drawn_without_a_label_has_none() -> None:
    keys = "<key for='node' id='d' yfiles.type='nodegraphics'/>"
    assert read(of(f"<node id='a'>{drawn('<y:NodeLabel/>')}</node>", keys), Losses("a graph")) == [
        UpsertNode("a", "node")
    ]


def test_data_may_be_called_like_an_argument_of_networkx() -> None:
    keys = KEY.replace('"x"', '"self"').format("string")
    assert read(of("<node id='a'><data key='k'>b</data></node>", keys)) == [UpsertNode("a", "node", {"self": "b"})]


def test_an_end_that_is_no_node_is_left_to_the_import() -> None:
    assert read(of('<edge source="a" target="b"/>')) == [UpsertEdge("a", "edge", "b")]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
HOSTILE = {
    "no XML": ("nonsense", "line 1: not XML"),
    "nothing": ("", "line 1: not XML"),
    "cut off": (of()[:-3], "line 1: not XML"),
    "another document": ("<html/>", "line 1: an element 'html' at the top"),
    "no graph": ("<graphml/>", "no graph"),
    "a billion laughs": (
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>\n' + of("&l9;"),
        "line 1: a document type declaration",
    ),
    "an external entity": (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + of('<node id="a"><desc>&e;</desc></node>'),
        "line 1: a document type declaration",
    ),
    "an external declaration": ('<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + of(), "document type declaration"),
    "an entity that nobody declared": (of("&e;"), "line 1: not XML: undefined entity"),
    "an encoding that is not known": ('<?xml version="1.0" encoding="klingon"?>' + of(), "not XML"),
    "200 levels": (of('<node id="a"><data key="k">' + "<y:a xmlns:y='y'>" * 200), "nested deeper than 64"),
    "two graphs": (of("</graph><graph>"), "line 1: a second graph"),
    "a graph in a node": (of('<node id="a"><graph/></node>'), "an element 'graph' in a 'node'"),
    "a hyperedge": (of("<hyperedge/>"), "an element 'hyperedge' in a 'graph'"),
    "a port": (of('<node id="a"><port name="b"/></node>'), "an element 'port' in a 'node'"),
    "an element of somebody else": (of("<y:node xmlns:y='y'/>"), "not GraphML: an element '{y}node'"),
    "a node without id": (of("\n<node/>"), "line 2: an element 'node' without 'id'"),
    "an edge without target": (of("<edge source='a'/>"), "an element 'edge' without 'target'"),
    "an empty name": (of("\n<node id=''/>"), "line 2: a name is empty"),
    "two nodes of one name": (of("<node id='a'/>\n<node id='a'/>"), "line 2: two nodes are called 'a'"),
    "parallel edges of one type": (of("<edge source='a' target='b'/>\n" * 2), "line 2: two edges are 'a'"),
    "data without a key": (of("\n<node id='a'><data key='k'>b</data></node>"), "line 2: networkx cannot read it"),
    "two data of one key": (
        of("\n<node id='a'><data key='k'>b</data><data key='k'>c</data></node>", KEY.format("string")),
        "line 2: two data are called 'x'",
    ),
    "two data of one name": (
        of(
            "\n<node id='a'><data key='k'>b</data><data key='l'>c</data></node>",
            KEY.format("string") + KEY.replace('"k"', '"l"').format("int"),
        ),
        "line 2: two data are called 'x'",
    ),
    "two keys of one id": (
        of(keys=KEY.format("string") + "\n" + KEY.format("int")),
        "line 2: two keys with the id 'k'",
    ),
    "a key without a type": (of(keys='<key id="k" attr.name="x"/>'), "a key whose attr.type is none of"),
    "a number that is none": (
        of('\n<node id="a"><data key="k">b</data></node>', KEY.format("int")),
        "line 2: networkx cannot read",
    ),
    "a number that is long": (
        of(f'<node id="a"><data key="k">{"b" * 5_000}</data></node>', KEY.format("double")),
        "networkx cannot read",
    ),
    "a truth that is none": (
        of('\n<node id="a"><data key="k">b</data></node>', KEY.format("boolean")),
        "line 2: networkx cannot",
    ),
    "2**64": (of(f'\n<node id="a"><data key="k">{2**64}</data></node>', KEY.format("long")), "line 2: .*64 bits"),
    "5,000 digits": (
        of(f'<node id="a"><data key="k">{"1" * 5_000}</data></node>', KEY.format("long")),
        "networkx cannot",
    ),
    "NaN": (of('\n<node id="a"><data key="k">NaN</data></node>', KEY.format("double")), "line 2: NaN and infinity"),
    "infinity": (
        of('\n<node id="a"><data key="k">-INF</data></node>', KEY.format("double")),
        "line 2: NaN and infinity",
    ),
    "JSON that is none": (
        of('\n<node id="a"><data key="k">[</data></node>', KEY.format("string").replace('"x"', '"json:x"')),
        "line 2: 'json:x': not JSON",
    ),
    "a name that is spelled wrongly": (of("\n<node id='json:\\x'/>"), r"line 2: 'json:\\\\x': not JSON"),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_graph_cannot_mean_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        read(text)
    assert len(str(caught.value)) < 1_000


def test_how_many_elements_a_file_has_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_tree, "MAX_ELEMENTS", 3)
    with pytest.raises(ValidationError, match="line 1: more than 3 elements"):
        read(of('<node id="a"/>' * 3))
