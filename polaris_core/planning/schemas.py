"""The schemas that a graph keeps, as a session finds them."""

from __future__ import annotations

from polaris_core.records import MetaRecord, Session
from polaris_core.schema import SCHEMAS

__all__ = ["count_schemas", "stored_schemas"]

_PAGE = 1_000


async def stored_schemas(session: Session) -> dict[str, MetaRecord]:
    """Return the records of all schemas, by key, in order."""
    found: dict[str, MetaRecord] = {}
    after = SCHEMAS
    while page := [key for key in await session.keys("meta", after, _PAGE) if key.startswith(SCHEMAS)]:
        found.update((record.key, record) for record in await session.meta(page) if record)
        after = page[-1]
    return found


async def count_schemas(session: Session, most: int) -> int:
    """Return how many schemas there are, looking no further than so many."""
    return sum(key.startswith(SCHEMAS) for key in await session.keys("meta", SCHEMAS, most))
