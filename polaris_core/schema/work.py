"""How much work may be done to hold records against the schemas of their types, all of them together."""

from __future__ import annotations

from polaris_core.errors import LimitExceededError

__all__ = ["Work"]


class Work:
    """Work that is counted before it is done. `most` is the limit, `spent` what was done of it."""

    def __init__(self, most: int, spent: int = 0) -> None:
        self.most: int = most
        self.spent: int = spent

    def spend(self, size: int) -> None:
        """Count some work; raises `LimitExceededError`, and counts nothing, where that is more than what is left."""
        if self.spent + size > self.most:
            raise LimitExceededError(
                f"schema_work is limited to {self.most}, to hold the records so far against their schemas needs "
                f"{self.spent + size}: write fewer at a time, or make the schemas simpler",
                limit="schema_work",
                size=self.spent + size,
                maximum=self.most,
            )
        self.spent += size
