"""The question of a text search, and its answer."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from polaris_core.abc.capabilities import SearchSession
from polaris_core.codec import decode_node
from polaris_core.graph.questions import Question
from polaris_core.model import Node, Path
from polaris_core.records import Session
from polaris_core.search import TextHits, TextQuery, scan_text, searched_paths

__all__ = ["Hit", "Hits", "SearchNodes", "SearchedAttributes"]


MAX_SNIPPET = 400
"""Characters: a word may be as long as a text."""


def _cut(snippet: str) -> str:
    return snippet if len(snippet) <= MAX_SNIPPET else f"{snippet[: MAX_SNIPPET - 1]}…"


@attrs.frozen
class Hit:
    """A node that a search found.

    `score` tells the order, the highest first, and is comparable within one answer only. `snippet` is the part of a text
    around a match, with the words that match in brackets.
    """

    node: Node
    score: float
    snippet: str


@attrs.frozen
class Hits:
    """What a search found, the best first.

    `complete` is False where a scan ended at its bound before it had seen every node; `scanned` is how many it looked at,
    None where an index of words answered.
    """

    items: tuple[Hit, ...]
    complete: bool = True
    scanned: int | None = None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@attrs.frozen
class SearchNodes(Question[Hits]):
    """The nodes that a text query asks for."""

    query: TextQuery

    async def __call__(self, session: Session) -> Hits:
        """Return the hits, from the backend's index where it has one."""
        answer: TextHits | None = None
        if isinstance(session, SearchSession):
            answer = await session.search(self.query)
        if answer is None:
            answer = await scan_text(session, self.query)
        hits = tuple([Hit(decode_node(found.record), found.score, _cut(found.snippet)) for found in answer.found])
        return Hits(hits, answer.complete, answer.scanned)


@attrs.frozen
class SearchedAttributes(Question[tuple[Path, ...]]):
    """The paths of attributes that are searched."""

    async def __call__(self, session: Session) -> tuple[Path, ...]:
        """Return the paths."""
        return await searched_paths(session)
