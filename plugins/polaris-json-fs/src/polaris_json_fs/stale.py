"""What of the graph in memory the files do not say yet, and so which files a checkpoint has to write again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from polaris_json_fs.layout import block_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polaris_core.abc import CommitPlan, Receipt

__all__ = ["Stale"]


@attrs.define
class Stale:
    """Blocks that are out of date, and nodes whose names stand in the files of their edges and are no longer right."""

    nodes: set[int] = attrs.Factory(set)
    edges: set[int] = attrs.Factory(set)
    receipts: set[int] = attrs.Factory(set)
    meta: bool = False
    renamed: set[int] = attrs.Factory(set)

    def note(self, plan: CommitPlan, replaced: Iterable[Receipt]) -> None:
        """Take in what a plan changes; `replaced` are the receipts it replaces or drops."""
        self.edges.update(map(block_of, plan.delete_edges))
        self.nodes.update(map(block_of, plan.delete_nodes))
        self.nodes.update([block_of(node.id) for node in plan.put_nodes])
        self.edges.update([block_of(edge.id) for edge in plan.put_edges])
        self.renamed.update(plan.renamed)
        self.meta |= bool(plan.put_meta or plan.delete_meta)
        self.receipts.update([block_of(receipt.first) for receipt in (*replaced, *plan.receipts)])

    def add(self, other: Stale) -> None:
        """Take in what another one says."""
        self.nodes |= other.nodes
        self.edges |= other.edges
        self.receipts |= other.receipts
        self.meta |= other.meta
        self.renamed |= other.renamed
