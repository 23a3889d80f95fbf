"""The graph in this process's memory, with its history, and what of it the files do not say yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_core.abc import Head, Image
from polaris_json_fs.frozen import Frozen
from polaris_json_fs.stale import Stale

if TYPE_CHECKING:
    import threading

    from polaris_core.abc import ChangeRecord, CommitPlan, Receipt
    from polaris_json_fs.history import History

__all__ = ["Records"]


class Records(Image):
    """One committed state: an `Image` that keeps its changes in a `History` and knows which files are out of date."""

    def __init__(self, head: Head, history: History, generation: int) -> None:
        """`generation` is that of the journal that what is stored from now on stands in."""
        super().__init__(head)
        self.history = history
        self._stale = {generation: Stale()}
        self._now = self._stale[generation]
        self._frozen: Frozen | None = None

    def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
        """Return the changes after a number, in order."""
        return self.history.changes(after, limit, id)

    def store(self, plan: CommitPlan) -> None:
        """Apply a plan, in the order of its fields."""
        dropped = self._dropped(plan)
        self._now.note(plan, dropped)
        if self._frozen is not None:
            self._frozen.keep(plan, dropped)
        super().store(plan._replace(changes=()))
        self.history.extend(plan.changes)
        self.history.trim(plan.head.floor)

    def _dropped(self, plan: CommitPlan) -> list[Receipt]:
        """Return the receipts that a plan replaces or lets go."""
        dropped = [receipt for receipt in self.receipts([new.key for new in plan.receipts]) if receipt is not None]
        for receipt in self._receipts.values():  # in the order of their times
            if receipt.time >= plan.forget_receipts:
                break
            dropped.append(receipt)
        return dropped

    def all_receipts(self) -> list[Receipt]:
        """Return all receipts, in the order of their times."""
        return list(self._receipts.values())

    def fill(self, plan: CommitPlan) -> None:
        """Take in what the files of a checkpoint hold."""
        super().store(plan)

    def turn(self, generation: int) -> None:
        """Tell what is stored from now on, in the journal of this generation, from what came before."""
        self._now = self._stale.setdefault(generation, Stale())

    def settled(self, generation: int) -> None:
        """Forget what the checkpoint of this generation has taken in."""
        self._stale = {journal: stale for journal, stale in self._stale.items() if journal >= generation}

    def freeze(self, guard: threading.Lock) -> Frozen:
        """Hold on to this state, while others follow, for a checkpoint; `guard` is held wherever `store` is called."""
        stale = Stale()
        for one in self._stale.values():
            stale.add(one)
        self._frozen = Frozen(self, stale, guard)
        return self._frozen

    def thaw(self) -> None:
        """Let go of the state that was held on to."""
        self._frozen = None
