"""The graph in this process's memory, with its history, and what of it the files do not say yet."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Literal

from polaris_core.abc import CommitPlan, Image
from polaris_json_fs.frozen import Frozen
from polaris_json_fs.layout import BLOCK, block_at, block_of
from polaris_json_fs.stale import Stale

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Sequence

    from polaris_core.abc import ChangeRecord, EdgeRecord, Head, MetaRecord, NodeRecord, Receipt
    from polaris_json_fs.history import History
    from polaris_json_fs.tables import Table, Tables

__all__ = ["Records"]


class Records(Image):
    """One committed state: an `Image` that keeps its changes in a `History` and knows which files are out of date."""

    def __init__(self, head: Head, history: History, generation: int, tables: Tables) -> None:
        """`generation` is that of the journal that what is stored from now on stands in."""
        super().__init__(head)
        self.adopt(tables.nodes, tables.names, tables.edges, tables.out, tables.into)
        self._tables = tables
        self.history = history
        self._stale = {generation: Stale()}
        self._now = self._stale[generation]
        self.frozen: Frozen | None = None
        """The state that is held on to."""

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order."""
        return self.history.changes(after, limit, id)

    def store(self, plan: CommitPlan) -> None:
        """Apply a plan, in the order of its fields."""
        dropped = self._dropped(plan)
        self._now.note(plan, dropped)
        if self.frozen is not None:
            self.frozen.keep(plan, dropped)
        super().store(plan._replace(changes=()))
        self.history.extend(plan.changes)
        self.history.trim(plan.head.floor)

    def _dropped(self, plan: CommitPlan) -> list[Receipt]:
        """Return the receipts that a plan replaces or lets go."""
        dropped = [receipt for receipt in self.receipts([new.key for new in plan.receipts]) if receipt is not None]
        if plan.forget_receipts:
            dropped += [receipt for receipt in self._receipts.values() if receipt.time < plan.forget_receipts]
        return dropped

    def all_receipts(self) -> list[Receipt]:
        """Return all receipts."""
        return list(self._receipts.values())

    def fill(self, meta: Sequence[MetaRecord], receipts: Sequence[Receipt]) -> None:
        """Take in what else the files of a checkpoint hold."""
        super().store(CommitPlan(expected=self.head(), head=self.head(), put_meta=meta, receipts=receipts))

    def block(self, kind: Literal["node", "edge"], block: int) -> dict[int, bytes | NodeRecord | EdgeRecord]:
        """Return the rows of a file, ordered by id, those as lines that nobody has asked for."""
        order = self._node_order if kind == "node" else self._edge_order
        table: Table[Any] = self._tables.nodes if kind == "node" else self._tables.edges
        ids = order[bisect_left(order, block * BLOCK) : bisect_left(order, (block + 1) * BLOCK)]
        return {id: table.line(id) or table[id] for id in ids}

    def mark(self, paths: Iterable[str]) -> None:
        """Have these files written by the next checkpoint, whatever they say."""
        for path in paths:
            if path.startswith("nodes/"):
                self._now.nodes.add(block_at(path))
            elif path.startswith("edges/"):
                self._now.edges.add(block_at(path))
            else:
                self._now.meta = True

    def turn(self, generation: int) -> None:
        """Tell what is stored from now on, in the journal of this generation, from what came before."""
        self._now = self._stale.setdefault(generation, Stale())

    def settled(self, generation: int) -> None:
        """Forget what the checkpoint of this generation has taken in."""
        self._stale = {journal: stale for journal, stale in self._stale.items() if journal >= generation}

    def freeze(self, guard: threading.Lock, *, whole: bool = False) -> Frozen:
        """Hold on to this state, while others follow, for a checkpoint; `guard` is held wherever `store` is called.

        With `whole` all files are to be written, else those that are out of date.
        """
        stale = Stale()
        for one in self._stale.values():
            stale.add(one)
        if whole:
            stale.nodes.update(map(block_of, self._node_order))
            stale.edges.update(map(block_of, self._edge_order))
            stale.receipts.update([block_of(receipt.first) for receipt in self._receipts.values()])
            stale.meta |= bool(self._meta)
        self.frozen = Frozen(self, stale, guard)
        return self.frozen

    def thaw(self) -> None:
        """Let go of the state that was held on to."""
        self.frozen = None
