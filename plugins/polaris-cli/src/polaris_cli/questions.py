"""Three questions about packages, and a picture, answered by walking the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from polaris_core import BlockingGraph, Neighbor

__all__ = ["dependents", "needed_by", "path", "tree"]

REQUIRES = "requires"


def needed_by(graph: BlockingGraph, name: str) -> list[dict[str, Any]]:
    """Return the packages that require a package themselves, each with the versions it demands, or null."""
    found = [(neighbor.node.name, neighbor.edge.attributes.get("versions")) for neighbor in _around(graph, name, "in")]
    return [{"name": package, "versions": versions} for package, versions in sorted(found)]


def path(graph: BlockingGraph, start: str, end: str) -> list[str] | None:
    """Return the names on a shortest way along `requires` from one package to another, both included; None where none is."""
    graph.get_node(end)  # a name that does not exist is an error, and not the answer that there is no way
    came_from, frontier = {start: start}, [start]
    while end not in came_from:
        following = []
        for name in frontier:
            for neighbor in _around(graph, name, "out"):
                if neighbor.node.name not in came_from:
                    came_from[neighbor.node.name] = name
                    following.append(neighbor.node.name)
        if not following:
            return None
        frontier = following
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]


def dependents(graph: BlockingGraph, name: str) -> list[str]:
    """Return what requires a package, what requires that, and so on: all that breaks without it."""
    found, frontier = {name}, [name]
    while frontier:
        above = {neighbor.node.name for one in frontier for neighbor in _around(graph, one, "in")} - found
        found |= above
        frontier = sorted(above)
    return sorted(found - {name})


def tree(graph: BlockingGraph, name: str, depth: int = 3, width: int = 5) -> dict[str, Any]:
    """Return what a package requires, nested: `name` and `requires`; a package that has its place already is not repeated.

    Of each package at most `width` are shown, those first that require most themselves; `left_out` counts the others.
    """
    root: dict[str, Any] = {"name": name, "requires": [], "left_out": 0}
    shown, level = {name}, [root]
    for _ in range(depth):
        for place in level:
            below = {neighbor.node.name for neighbor in _around(graph, place["name"], "out")} - shown
            weights = {child: -len(_around(graph, child, "out")) for child in below}
            children = [child for _, child in sorted((weight, child) for child, weight in weights.items())]
            place["requires"] = [{"name": child, "requires": [], "left_out": 0} for child in children[:width]]
            place["left_out"] = len(children[width:])
            shown.update(children[:width])
        level = [child for place in level for child in place["requires"]]
    return root


def _around(graph: BlockingGraph, name: str, direction: Literal["out", "in"]) -> list[Neighbor]:
    found, cursor = list[Any](), None
    while True:
        page = graph.neighbors(name, direction=direction, types=[REQUIRES], limit=1_000, cursor=cursor)
        found += page
        if (cursor := page.next) is None:
            return found
