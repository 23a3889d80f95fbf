"""A GraphML document as a tree of elements, checked while it is parsed: a file from outside cannot fill memory or ask for files.

A document type declaration is refused before anything in it counts, so there are no entities but XML's own five.
"""

from __future__ import annotations

from typing import BinaryIO, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import attrs

from polaris_core import ValidationError
from polaris_formats.networks import check_size

__all__ = ["GRAPHML", "Tree", "tree_of"]

GRAPHML = "{http://graphml.graphdrawing.org/xmlns}"

MAX_ELEMENTS = 2_500_000
MAX_DEPTH = 64

_PIECE_BYTES = 1 << 16
_TYPES = frozenset({"boolean", "int", "integer", "long", "float", "double", "string"})
# Where each element may stand. Drawing programs have elements of their own inside of data.
_HOMES = {
    "graphml": (None,),
    "key": ("graphml",),
    "default": ("key",),
    "graph": ("graphml",),
    "node": ("graph",),
    "edge": ("graph",),
    "data": ("graphml", "graph", "node", "edge"),
    "desc": ("graphml", "key", "graph", "node", "edge"),
}
_NEEDED = {"key": ("id",), "node": ("id",), "edge": ("source", "target"), "data": ("key",)}


@attrs.define
class Tree:
    """A document: its root, its one graph, the nodes and edges of that with their lines, and the defaults of keys by id.

    The defaults are no longer in the tree.
    """

    root: Element = attrs.field(factory=lambda: Element(""))
    graph: Element = attrs.field(factory=lambda: Element(""))
    nodes: list[tuple[Element, int]] = attrs.field(factory=list)
    edges: list[tuple[Element, int]] = attrs.field(factory=list)
    defaults: dict[str, str] = attrs.field(factory=dict)


def tree_of(file: BinaryIO) -> Tree:
    """Return a document; raises `ValidationError` with the line for what is not well-formed, no GraphML, or too large."""
    return _Parsing().parsed(file)


class _Parsing:
    """One document on its way through expat."""

    def __init__(self) -> None:
        self._tree = Tree()
        self._builder = TreeBuilder()
        self._above: list[tuple[str, Element]] = []
        self._keys = set[str]()
        self._count = 0
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data

    def parsed(self, file: BinaryIO) -> Tree:
        size = 0
        try:
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                check_size(0, size)
                self._parser.Parse(piece)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise ValidationError(f"line {error.lineno}: not XML: {expat.ErrorString(error.code)}") from error
        except (LookupError, ValueError) as error:  # of an encoding that is not known, or is not what it says
            if isinstance(error, ValidationError):
                raise
            raise ValidationError(f"not XML: {error}") from error
        self._tree.root = self._builder.close()
        if self._tree.graph.tag != f"{GRAPHML}graph":
            raise ValidationError("no graph in the file")
        return self._tree

    def _refuse(self, why: str) -> NoReturn:
        raise ValidationError(f"line {self._parser.CurrentLineNumber}: {why}")

    def _doctype(self, *_: object) -> NoReturn:
        self._refuse("a document type declaration, whose entities could stand for any amount of text")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._above) >= MAX_DEPTH:
            self._refuse(f"more than {MAX_ELEMENTS:,} elements, or nested deeper than {MAX_DEPTH}")
        full = f"{{{tag}" if "}" in tag else GRAPHML + tag  # some programs leave out the namespace
        kind = full.removeprefix(GRAPHML)
        self._check(kind, full, attributes)
        element = self._builder.start(full, attributes)
        self._above.append((kind, element))
        if kind == "node":
            self._tree.nodes.append((element, self._parser.CurrentLineNumber))
        elif kind == "edge":
            self._tree.edges.append((element, self._parser.CurrentLineNumber))
        elif kind == "graph":
            self._tree.graph = element

    def _check(self, kind: str, full: str, attributes: dict[str, str]) -> None:
        above = self._above[-1][0] if self._above else None
        if kind == full:  # of another namespace
            if not any(outer == "data" for outer, _ in self._above):
                self._refuse(f"not GraphML: an element {full[:80]!r}")
            return
        if above not in _HOMES.get(kind, ()):
            self._refuse(
                f"an element {kind[:80]!r} {f'in a {above[:80]!r}' if above else 'at the top'}, which is not taken"
            )
        for name in _NEEDED.get(kind, ()):
            if name not in attributes:
                self._refuse(f"an element {kind!r} without {name!r}")
        if kind == "graph" and self._tree.graph.tag:
            self._refuse("a second graph in one file")
        if kind == "key":
            if attributes["id"] in self._keys:
                self._refuse(f"two keys with the id {attributes['id'][:80]!r}")
            self._keys.add(attributes["id"])
        if kind == "key" and "yfiles.type" not in attributes and attributes.get("attr.type") not in _TYPES:
            self._refuse(f"a key whose attr.type is none of {', '.join(sorted(_TYPES))}")
        check_size(len(self._tree.nodes) + len(self._tree.edges), 0)

    def _end(self, _tag: str) -> None:
        kind, element = self._above.pop()
        self._builder.end(element.tag)
        if kind == "default":
            key = self._above[-1][1]
            self._tree.defaults[key.attrib["id"]] = element.text or ""
            key.remove(element)
