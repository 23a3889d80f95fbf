"""How much work may be done to hold records against the schemas of their types: for each of them, and for all together."""

from __future__ import annotations

from typing import Final

from polaris_core.errors import LimitExceededError

__all__ = ["Work"]

_UNBOUNDED: Final = 1 << 62


class Work:
    """Work that is counted before it is done: `each` bounds that for one record, `most` that for all, of which some is `spent`."""

    def __init__(self, each: int, most: int = _UNBOUNDED) -> None:
        self.each: int = each
        self.most: int = most
        self.spent: int = 0

    def spend(self, size: int) -> None:
        """Count some work; raises `LimitExceededError`, and counts nothing, where that is more than what is left."""
        if self.spent + size > self.most:
            raise LimitExceededError(
                f"commit_schema_work is limited to {self.most}, to hold the records so far against their schemas needs "
                f"{self.spent + size}: write fewer at a time, or make the schemas simpler",
                limit="commit_schema_work",
                size=self.spent + size,
                maximum=self.most,
            )
        self.spent += size
