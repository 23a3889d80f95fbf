"""What changes have touched: what is remembered of all the rest still holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple

from polaris_core.history.undoing import name_before, reading
from polaris_core.model import EdgeKey
from polaris_core.records import ChangeRecord

__all__ = ["Touched", "touched"]


class Touched(NamedTuple):
    """What some changes created, changed, renamed or deleted.

    `ends` are the names of nodes whose links are other ones now. `renamed` are nodes that were given another name, by id, with
    all the names they had: the edges of such a node are called otherwise, and so are its neighbours' links, without a change
    that says so.
    """

    nodes: frozenset[str]
    edges: frozenset[EdgeKey]
    ends: frozenset[str]
    renamed: Mapping[int, frozenset[str]]


def touched(changes: Iterable[ChangeRecord], most: int) -> Touched | None:
    """Return what some changes have touched; None where that may be anything, or is more than so many edges."""
    nodes, ends = set[str](), set[str]()
    renamed: dict[int, set[str]] = {}
    edges: list[tuple[ChangeRecord, EdgeKey]] = []
    for change in changes:
        match change.kind:
            case "node.created" | "node.updated":
                nodes.add(_key(change))
            case "node.deleted":
                ends.add(name := _key(change))
                nodes.add(name)
            case "node.renamed":
                names = {_key(change), name_before(change)}
                renamed.setdefault(change.id, set()).update(names)
                nodes |= names
                ends |= names
            case "edge.created" | "edge.updated" | "edge.deleted":
                with reading(change) as body:
                    edges.append((change, EdgeKey(*body["key"])))
            case "event" | "meta.set" | "meta.deleted":
                pass
            case _:  # a load, or what a later version writes
                return None
    keys = set[EdgeKey]()
    for change, key in edges:
        sources = renamed.get(change.source, set()) | {key.source}
        targets = renamed.get(change.target, set()) | {key.target}
        if len(keys) + len(sources) * len(targets) > most:  # of ends that were renamed over and over
            return None
        keys.update(EdgeKey(source, key.type, target) for source, target in product(sources, targets))
        if change.kind != "edge.updated":
            ends |= sources | targets
    return Touched(
        frozenset(nodes), frozenset(keys), frozenset(ends), {id: frozenset(names) for id, names in renamed.items()}
    )


def _key(change: ChangeRecord) -> str:
    with reading(change) as body:
        return str(body["key"])
