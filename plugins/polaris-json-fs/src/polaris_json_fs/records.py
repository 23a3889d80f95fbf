"""The graph in this process's memory, with its history, and what of it the files do not say yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

from polaris_core.abc import CommitPlan, Head, Image
from polaris_json_fs.layout import BLOCK, META, block_of, block_path
from polaris_json_fs.lines import edge_line, meta_line, node_line, receipt_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polaris_core.abc import ChangeRecord, EdgeRecord
    from polaris_json_fs.history import History

__all__ = ["Records"]

_ALL = 1 << 62


@attrs.define
class _Stale:
    """Files that a checkpoint has to write again: blocks, and nodes whose edges' files name them."""

    nodes: set[int] = attrs.Factory(set)
    edges: set[int] = attrs.Factory(set)
    receipts: set[int] = attrs.Factory(set)
    meta: bool = False
    renamed: set[int] = attrs.Factory(set)


class Records(Image):
    """One committed state: an `Image` that keeps its changes in a `History` and knows which files are out of date."""

    def __init__(self, head: Head, history: History) -> None:
        super().__init__(head)
        self.history = history
        self._stale = _Stale()

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order."""
        return self.history.changes(after, limit, id)

    def store(self, plan: CommitPlan) -> None:
        """Apply a plan, in the order of its fields."""
        stale = self._stale
        stale.edges.update(map(block_of, plan.delete_edges))
        stale.nodes.update(map(block_of, plan.delete_nodes))
        stale.nodes.update([block_of(node.id) for node in plan.put_nodes])
        stale.edges.update([block_of(edge.id) for edge in plan.put_edges])
        stale.renamed.update(plan.renamed)
        stale.meta |= bool(plan.put_meta or plan.delete_meta)
        for receipt in (*self.receipts([receipt.key for receipt in plan.receipts]), *plan.receipts):
            if receipt is not None:
                stale.receipts.add(block_of(receipt.first))
        super().store(plan._replace(changes=()))
        self.history.extend(plan.changes)

    def fill(self, plan: CommitPlan) -> None:
        """Take in what the files of a checkpoint hold."""
        super().store(plan)

    def settled(self) -> None:
        """Forget what was stale: a checkpoint of this state was written."""
        self._stale = _Stale()

    def stale_files(self) -> Iterator[tuple[str, bytes]]:
        """Return path and content of each file to write again; a file without content is to go."""
        stale = self._stale
        for id in stale.renamed:
            stale.edges.update([block_of(link.id) for link in self.links([id], "both", None, _ALL, 0)])
        for block in sorted(stale.nodes):
            yield block_path("nodes", block), b"".join(map(node_line, self._block("node", block)))
        for block in sorted(stale.edges):
            yield block_path("edges", block), b"".join(self._edge_lines(block))
        yield from self._receipt_files()
        if stale.meta:
            keys = self.keys("meta", "", _ALL)
            yield META, b"".join([meta_line(record) for record in self.meta(keys) if record])
        for block, content in self.history.files():
            yield block_path("changes", block), content

    def _block(self, kind: Literal["node", "edge"], block: int) -> list[Any]:
        records = self.scan(kind, block * BLOCK - 1, BLOCK)
        return [record for record in records if block_of(record.id) == block]

    def _edge_lines(self, block: int) -> Iterator[bytes]:
        edges: Sequence[EdgeRecord] = self._block("edge", block)
        ends = list({end for edge in edges for end in (edge.source, edge.target)})
        names = {node.id: node.name for node in self.nodes(ends) if node}
        for edge in edges:
            yield edge_line(edge, names[edge.source], names[edge.target])

    def _receipt_files(self) -> Iterator[tuple[str, bytes]]:
        blocks: dict[int, list[bytes]] = {block: [] for block in sorted(self._stale.receipts)}
        if blocks:
            for receipt in self.receipts(self.keys("receipt", "", _ALL)):
                if receipt is not None and block_of(receipt.first) in blocks:
                    blocks[block_of(receipt.first)].append(receipt_line(receipt))
        for block, lines in blocks.items():
            yield block_path("receipts", block), b"".join(lines)
