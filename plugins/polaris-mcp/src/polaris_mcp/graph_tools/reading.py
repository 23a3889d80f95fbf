"""The tool that reads nodes whole, in as many pages as they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core import Graph, InvalidCursorError, Node, NodeNotFoundError, ToolError
from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import CURSOR, NAME, NAMES, NEXT, NODE, answer, closed, some
from polaris_mcp.graph_tools.showing import listed, observed, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["TOOLS"]

_ENVELOPE = 512
_NEAR = 5  # of how many missing names those that look alike are looked up


@explained(writes=False)
async def get_nodes(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read nodes, from where the cursor stands until the answer is full."""
    names: Sequence[str] = list(dict.fromkeys(arguments["names"]))
    first, skip = _place(arguments.get("cursor"), len(names))
    found = await context.graph.get_nodes(names)
    by_name = {name: node for name in names if (node := _of(name, found)) is not None}
    page = _Page(context.answer_bytes - _ENVELOPE, arguments.get("attributes"), details=arguments.get("details", False))
    following = None
    for place in range(first, len(names)):
        node = by_name.get(names[place])
        if node is not None and (stopped := page.add(node, skip)) is not None:
            following = f"{place}.{stopped}"
            break
        skip = 0
    answered: dict[str, Any] = {"nodes": page.nodes}
    if following is not None:
        answered["next"] = following
    if "cursor" not in arguments and (missing := [name for name in names if name not in by_name]):
        answered["missing"] = await _missing(context.graph, listed(missing, context.answer_bytes // 4))
    return answered


def _of(name: str, found: Mapping[str, Node]) -> Node | None:
    return found.get(name) or found.get(Node(name).name)  # as asked for, else as it is normalised


def _place(cursor: str | None, count: int) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    place, dot, skip = cursor.partition(".")
    numbers = all(part.isascii() and part.isdecimal() and len(part) < 8 for part in (place, skip))
    if not (dot and numbers and int(place) < count):
        raise InvalidCursorError(f"not a cursor of these names: {cursor[:80]!r}", cursor=cursor[:80])
    return int(place), int(skip)


async def _missing(graph: Graph, names: Sequence[str]) -> list[dict[str, Any]]:
    missing: list[dict[str, Any]] = []
    for place, name in enumerate(names):
        row: dict[str, Any] = {"name": name}
        if place < _NEAR:
            try:
                await graph.get_node(name)
            except NodeNotFoundError as error:
                if error.near:
                    row["did_you_mean"] = list(error.near)
        missing.append(row)
    return missing


class _Page:
    """Nodes, whole, as long as there is room."""

    def __init__(self, room: int, keys: Sequence[str] | None, *, details: bool) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._whole = self._room = room
        self._keys = keys
        self._details = details

    def add(self, node: Node, skip: int) -> int | None:
        """Add a node without its first `skip` observations; return where the next page begins, if not all fit.

        Raises `ToolError` for a node that fits on no page.
        """
        shown = self._head(node, whole=skip == 0)
        size = size_of(shown) + 32
        if size > self._room:
            if self.nodes:
                return skip
            raise ToolError(
                f"the attributes of {node.name!r} fill {size} bytes, and an answer has {self._whole}.",
                hint=f"Name a few in `attributes`. Its keys are: {', '.join(listed(node.attributes, 1_000))}.",
            )
        self._room -= size
        self.nodes.append(shown)
        texts = []
        for observation in node.observations[skip:]:
            text = observed(observation, self._whole // 2, details=self._details)
            if (size := size_of(text) + 1) > self._room:
                break
            self._room -= size
            texts.append(text)
        if texts:
            shown["observations"] = texts
        shown_all = skip + len(texts) >= len(node.observations)
        return None if shown_all else skip + len(texts)

    def _head(self, node: Node, *, whole: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {"name": node.name, "type": node.type}
        attributes = {key: value for key, value in node.attributes.items() if self._keys is None or key in self._keys}
        if attributes and whole:  # on the pages after, only the observations go on
            shown["attributes"] = attributes
        if self._details and whole and node.provenance is not None:
            shown["version"] = node.provenance.version
            shown["created_at"] = node.provenance.created_at.isoformat()
            shown["updated_at"] = node.provenance.updated_at.isoformat()
            if node.provenance.author is not None:
                shown["author"] = node.provenance.author
        return shown


TOOLS = (
    Tool(
        name="get_nodes",
        title="Get nodes",
        description=(
            "Read nodes whose names you know, whole: attributes and all observations. Names that do not exist come "
            "back under `missing`, with names that look alike. A long answer comes in pages."
        ),
        input_schema=closed(
            {
                "names": some(NAME, "The nodes to read."),
                "attributes": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": 100,
                    "description": "Only these attributes; all by default.",
                },
                "details": {
                    "type": "boolean",
                    "default": False,
                    "description": "Also when and by whom it was written, and where observations come from.",
                },
                "cursor": CURSOR,
            },
            ["names"],
        ),
        output_schema=answer(
            {
                "nodes": {"type": "array", "items": NODE},
                "missing": {
                    "type": "array",
                    "items": answer({"name": {"type": "string"}, "did_you_mean": NAMES}, ["name"]),
                },
                "next": NEXT,
            },
            ["nodes"],
        ),
        handler=get_nodes,
        read_only=True,
        scopes=("graph:read",),
    ),
)
