"""The core's decision on a batch, for a backend that takes in what somebody wrote by other means than a graph."""

from __future__ import annotations

from polaris_core.limits import Limits
from polaris_core.mutations import Batch
from polaris_core.planning import load, plan
from polaris_core.records import CommitPlan, Program, Session

__all__ = ["deciding"]


def deciding(batch: Batch, now: int, limits: Limits | None = None) -> Program[CommitPlan]:
    """Return the program that plans a batch, as it is planned when a graph commits it at `now`, in microseconds since 1970.

    `outcomes` of the plan holds one thing: the `Commit`, or the error that refuses the batch.
    """
    chosen = limits or Limits()

    async def program(session: Session) -> CommitPlan:
        return plan([batch], await load(session, [batch], chosen), now, chosen)

    return program
