"""The format `graphml`: GraphML, the XML that networkx, Gephi and yEd read and write.

`networks` says what data mean. Everything that a graph holds is in the file: GraphML knows texts, numbers and truth values, and
what is none of them stands under its key with `json:` in front, as JSON. So do texts, keys and names with characters that XML
does not have, and what is called `json:` something itself.

Of files from elsewhere:

- a node's name is its id; what yEd shows is its attribute `label`;
- edges of an undirected graph run as they are written, and get the attribute `directed`, which is false;
- the ids of edges are left behind, as nothing in the file refers to them;
- what is drawn, such as the label in yEd, is an attribute where no data have its name;
- what a graph cannot hold is counted as lost: the rest of the drawing, descriptions, what else stands in a tag, such as the
  ports of an edge, and attributes of the file as a whole;
- ports of nodes, hyperedges, graphs within nodes, several graphs in one file and two data of one name are refused.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.etree.ElementTree import Element

from polaris_core import EdgeKey, ValidationError, parse_json
from polaris_formats.networks import Records, at, check_size, network
from polaris_formats.xml_tree import GRAPHML, Tree, tree_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from polaris_core import Edge, Node, UpsertEdge, UpsertNode
    from polaris_core.abc import Losses

__all__ = ["read", "write"]

_CHUNK_BYTES = 1 << 16
_IN_MEMORY_BYTES = 8 << 20
_JSON = "json:"
_TAKEN = frozenset({"id", "source", "target", "directed"})  # what else stands in a tag is lost, but hints for parsers
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
# What XML 1.0 has and hands on as it is; of the control characters an attribute keeps none, a text two.
_WORD = re.compile("[\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_TEXT = re.compile("[\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_NO_CHARACTERS = re.compile("[\ufffe\uffff]")


def read(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    """Yield the nodes, then the edges.

    Raises `ValidationError`, with the line wherever it is known, for what it cannot understand, and for a document type
    declaration: its entities could stand for any amount of text.
    """
    tree = tree_of(file)
    if tree.graph.find(f"{GRAPHML}data") is not None:
        losses.add(None, "attributes")
    if tree.root.find(f"{GRAPHML}data") is not None:
        losses.add(None, "drawing")
    undirected = tree.graph.get("edgedefault") != "directed"
    data = _Data(tree)
    records = Records()
    for element, line in tree.nodes:
        with at(f"line {line}"):
            node = records.node(_word(element.attrib["id"]), _decoded(data.of(element, "node")))
        _count(element, node.name, losses)
        yield node
    for element, line in tree.edges:
        flag = element.get("directed")
        directed = {"directed": False} if (undirected if flag is None else flag == "false") else {}
        with at(f"line {line}"):
            said = _decoded({**directed, **data.of(element, "edge")})
            edge = records.edge(_word(element.attrib["source"]), _word(element.attrib["target"]), said)
        _count(element, EdgeKey(edge.source, edge.type, edge.target), losses)
        yield edge


class _Data:
    """What the data of a document's nodes and edges say, as networkx understands them."""

    def __init__(self, tree: Tree) -> None:
        import networkx as nx

        self._reader = nx.GraphMLReader()
        with _understood():
            self._keys, _ = self._reader.find_graphml_keys(tree.root)  # type: ignore[no-untyped-call]
            self._defaults = _defaults(tree.defaults, self._keys)

    def of(self, element: Element, scope: str) -> dict[str, Any]:
        """Return the data of an element; what is drawn counts where nothing else is called like it."""
        drawing, texts, names = Element(""), Element(""), set[str]()
        for data in element.findall(f"{GRAPHML}data"):
            if len(data):
                drawing.append(data)
                continue
            texts.append(data)
            name = self._keys.get(data.attrib["key"], {}).get("name")
            if name in names:
                raise ValidationError(f"two data are called {name[:80]!r}")
            names.add(name)
        with _understood():
            drawn = self._reader.decode_data_elements(self._keys, drawing) if len(drawing) else {}  # type: ignore[no-untyped-call]
            said = self._reader.decode_data_elements(self._keys, texts)  # type: ignore[no-untyped-call]
        seen = {name: value for name, value in drawn.items() if value is not None}
        return {**seen, **self._defaults[scope], **said}


@contextmanager
def _understood() -> Iterator[None]:
    """Say what networkx does not understand."""
    import networkx as nx

    try:
        yield
    except (nx.NetworkXError, KeyError, TypeError, ValueError) as error:
        raise ValidationError(f"networkx cannot read it: {type(error).__name__}: {str(error)[:200]}") from error


def _defaults(texts: Mapping[str, str], keys: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the data of nodes and edges that do not say otherwise."""
    found: dict[str, dict[str, Any]] = {"node": {}, "edge": {}}
    for id, text in texts.items():
        key = keys[id]
        value = _TRUTH[text.lower()] if key["type"] is bool else key["type"](text)
        for scope, data in found.items():
            if key["for"] in (scope, "all", None):
                data[key["name"]] = value
    return found


def _count(element: Element, key: str | EdgeKey, losses: Losses) -> None:
    if any(len(data) for data in element.findall(f"{GRAPHML}data")):
        losses.add(key, "drawing")
    if element.find(f"{GRAPHML}desc") is not None:
        losses.add(key, "descriptions")
    if any(name not in _TAKEN and not name.startswith("parse.") for name in element.attrib):
        losses.add(key, "XML attributes")


async def write(records: AsyncIterator[Node | Edge], _losses: Losses) -> AsyncIterator[bytes]:
    """Yield the file's bytes, when the last record has come. Nothing is lost."""
    import networkx as nx

    graph = await network(records, named=lambda name: name if _plain(name) else _spelled(name), encoded=_encoded)
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        await asyncio.to_thread(nx.write_graphml_xml, graph, file)
        check_size(0, file.tell())
        file.seek(0)
        while piece := file.read(_CHUNK_BYTES):
            yield piece


def _encoded(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        kind = type(value)
        if _plain(key) and (kind in (bool, int, float) or (kind is str and _TEXT.fullmatch(value))):
            found[key] = value
        else:
            found[_spelled(key)] = _json(value)
    return found


def _decoded(data: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        meant = _word(key)
        if meant in found:
            raise ValidationError(f"two data are called {meant[:80]!r}")
        if key.startswith(_JSON):
            with at(repr(key[:80])):
                found[meant] = parse_json(str(value))
        else:
            found[meant] = value
    return found


def _plain(word: str) -> bool:
    return not word.startswith(_JSON) and _WORD.fullmatch(word) is not None


def _spelled(word: str) -> str:
    """Return a word as it stands where XML could not take it."""
    return _JSON + _json(word)[1:-1]


def _word(text: str) -> str:
    """Return the word that `_spelled` has spelled, or any other as it is."""
    if not text.startswith(_JSON):
        return text
    with at(repr(text[:80])):
        return str(parse_json(f'"{text.removeprefix(_JSON)}"'))


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _NO_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
