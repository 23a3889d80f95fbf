"""One committed state, to be written to files while later commits are applied to the records in memory.

Nothing is copied when it begins. From then on each commit leaves here what it replaces, and a block is read as what stands
in memory now with that put back. The records in memory are looked at under their lock, a block at a time; turning them into
lines, which takes a hundred times as long, needs no lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from polaris_json_fs.layout import BLOCK, META, block_of, block_path
from polaris_json_fs.lines import edge_line, meta_line, node_line, read_edge, receipt_line
from polaris_json_fs.pacing import in_slices

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from polaris_core.abc import CommitPlan, EdgeRecord, MetaRecord, NodeRecord, Receipt
    from polaris_json_fs.records import Records
    from polaris_json_fs.stale import Stale

__all__ = ["Frozen"]

T = TypeVar("T")
_Kind = Literal["node", "edge"]


class Frozen:
    """What the records were at one commit, and which files are to say so."""

    def __init__(self, records: Records, stale: Stale, guard: threading.Lock) -> None:
        self.head = records.head()
        self._records = records
        self._stale = stale
        self._guard = guard
        self._before: dict[_Kind, dict[int, dict[int, Any]]] = {"node": {}, "edge": {}}
        self._meta: dict[str, MetaRecord | None] = {}
        self._receipts: dict[str, Receipt | None] = {}

    # --- what later commits replace -------------------------------------------------------------------------------

    def keep(self, plan: CommitPlan, dropped: Sequence[Receipt]) -> None:
        """Keep what a plan is about to replace or drop. Called with the guard."""
        self._keep("node", [*plan.delete_nodes, *(node.id for node in plan.put_nodes)])
        self._keep("edge", [*plan.delete_edges, *(edge.id for edge in plan.put_edges)])
        keys = [key for key in (*plan.delete_meta, *(meta.key for meta in plan.put_meta)) if key not in self._meta]
        self._meta.update(zip(keys, self._records.meta(keys), strict=True))
        for receipt in dropped:
            self._receipts.setdefault(receipt.key, receipt)
        for receipt in plan.receipts:
            self._receipts.setdefault(receipt.key, None)

    def _keep(self, kind: _Kind, ids: list[int]) -> None:
        before = self._before[kind]
        found = self._records.nodes(ids) if kind == "node" else self._records.edges(ids)
        for id, record in zip(ids, found, strict=True):
            before.setdefault(block_of(id), {}).setdefault(id, record)

    # --- files ----------------------------------------------------------------------------------------------------

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Return path and content of each file to write again; a file without content is to go."""
        for block in sorted(self._stale.nodes):
            yield block_path("nodes", block), self._lines(_node_line, self._block("node", block))
        for block in sorted(self._stale.edges | self._renamed_blocks()):
            yield block_path("edges", block), self._edge_lines(block)
        yield from self._receipt_files()
        if self._stale.meta:
            yield META, self._lines(meta_line, self._all_meta())
        yield from self._records.history.files(self.head, self._guard)

    def _lines(self, line_of: Callable[[T], bytes], records: Sequence[T]) -> bytes:
        return b"".join([b"".join(map(line_of, some)) for some in in_slices(records)])

    def _block(self, kind: _Kind, block: int) -> list[Any]:
        with self._guard:
            rows: dict[int, Any] = self._records.block(kind, block)
            rows.update(self._before[kind].get(block, ()))
        return [rows[id] for id in sorted(rows) if rows[id] is not None]

    def _names(self, ids: Iterable[int]) -> dict[int, str]:
        wanted = list(ids)
        before = self._before["node"]
        with self._guard:
            found = self._records.nodes(wanted)
            nodes = [before.get(block_of(id), {}).get(id, now) for id, now in zip(wanted, found, strict=True)]
        return {node.id: node.name for node in nodes if node is not None}

    def _edge_lines(self, block: int) -> bytes:
        parts: list[bytes] = []
        for rows in in_slices(self._block("edge", block)):
            edges: list[EdgeRecord] = [read_edge(row) if isinstance(row, bytes) else row for row in rows]
            names = self._names({end for edge in edges for end in (edge.source, edge.target)})
            parts += [edge_line(edge, names[edge.source], names[edge.target]) for edge in edges]
        return b"".join(parts)

    def _renamed_blocks(self) -> set[int]:
        """Return the blocks of edges whose ends were renamed; one too many does no harm."""
        found: set[int] = set()
        for id in self._stale.renamed:
            after = 0
            while True:
                with self._guard:
                    page = self._records.links([id], "both", None, BLOCK, after)
                if not page:
                    break
                found.update([block_of(link.id) for link in page])
                after = page[-1].id
        with self._guard:
            for block, before in self._before["edge"].items():
                ends = {end for edge in before.values() if edge is not None for end in (edge.source, edge.target)}
                if not ends.isdisjoint(self._stale.renamed):
                    found.add(block)
        return found

    def _all_meta(self) -> list[MetaRecord]:
        with self._guard:
            keys = self._records.keys("meta", "", 1 << 62)
            rows = dict(zip(keys, self._records.meta(keys), strict=True))
            rows.update(self._meta)
        return [row for _, row in sorted(rows.items()) if row is not None]

    def _receipt_files(self) -> Iterator[tuple[str, bytes]]:
        blocks: dict[int, list[Receipt]] = {block: [] for block in sorted(self._stale.receipts)}
        if blocks:
            with self._guard:
                rows = self._records.all_receipts()
                before = dict(self._receipts)
            rows = [receipt for receipt in rows if receipt.key not in before]
            rows += [receipt for receipt in before.values() if receipt is not None]
            for receipt in rows:
                if block_of(receipt.first) in blocks:
                    blocks[block_of(receipt.first)].append(receipt)
        for block, receipts in blocks.items():
            yield block_path("receipts", block), self._lines(receipt_line, sorted(receipts))


def _node_line(row: bytes | NodeRecord) -> bytes:
    return row + b"\n" if isinstance(row, bytes) else node_line(row)
