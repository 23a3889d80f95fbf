"""Which nodes changes have touched: what may be remembered of the others still holds."""

from __future__ import annotations

from collections.abc import Iterable

from polaris_core.history.undoing import name_before, reading
from polaris_core.records import ChangeRecord

__all__ = ["nodes_touched"]

_OF_NO_NODE = frozenset({"edge.created", "edge.updated", "edge.deleted", "event", "meta.set", "meta.deleted"})


def nodes_touched(changes: Iterable[ChangeRecord]) -> frozenset[str] | None:
    """Return the names whose nodes some changes created, changed, renamed or deleted; None where that may be any name."""
    names = set[str]()
    for change in changes:
        match change.kind:
            case "node.created" | "node.updated" | "node.deleted":
                with reading(change) as body:
                    names.add(body["key"])
            case "node.renamed":
                with reading(change) as body:
                    names.add(body["key"])
                names.add(name_before(change))
            case kind if kind not in _OF_NO_NODE:  # a load, or what a later version writes
                return None
    return frozenset(names)
