"""Programs to drive a storage with, as the core would."""

from __future__ import annotations

from polaris_core.limits import Limits
from polaris_core.mutations import Batch
from polaris_core.planning import load, plan
from polaris_core.records import CommitPlan, Program, Session

__all__ = ["writing"]


def writing(*batches: Batch, now: int = 0, limits: Limits | None = None) -> Program[CommitPlan]:
    """Return the program that applies batches: `plan = await storage.commit(writing(Batch(...)))`, then `plan.outcomes`.

    `now` is in microseconds since 1970 UTC; a store's time never goes back, so 0 keeps it where it is.
    """
    bounds = limits or Limits()

    async def program(session: Session) -> CommitPlan:
        return plan(batches, await load(session, batches, bounds), now, bounds)

    return program
