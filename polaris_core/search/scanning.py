"""The core's search: a look at every node, up to a bound, where a backend has no index of words."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from polaris_core.codec import loads
from polaris_core.model import Path
from polaris_core.records import NodeRecord, Session
from polaris_core.search.asked import Phrase, TextQuery
from polaris_core.search.texts import WEIGHTS, texts_of
from polaris_core.search.words import Word, words_of

__all__ = ["SEARCHED", "Found", "TextHits", "found_in", "scan_text", "searched_paths"]

SEARCHED = "search/attributes"
"""The key of the record beside the graph that lists the paths of attributes which are searched."""

_CHUNK = 2_000
_AROUND = 6
_SNIPPET_WORDS = 16


class Found(NamedTuple):
    """A node that matches: `score` tells the order, the highest first, and is comparable within one answer only.

    `snippet` is the part of a text around the first match, with the words that match in brackets.
    """

    record: NodeRecord
    score: float
    snippet: str


class TextHits(NamedTuple):
    """The best matches. `complete` is False where a scan ended at its bound, after `scanned` nodes; None: by an index."""

    found: Sequence[Found]
    complete: bool = True
    scanned: int | None = None


async def searched_paths(session: Session) -> tuple[Path, ...]:
    """Return the paths of attributes that were chosen to be searched."""
    (record,) = await session.meta((SEARCHED,))
    paths = () if record is None else loads(record.body)
    if not isinstance(paths, (list, tuple)):
        return ()
    return tuple(tuple(path) for path in paths if isinstance(path, list) and all(isinstance(key, str) for key in path))


async def scan_text(session: Session, query: TextQuery) -> TextHits:
    """Return the nodes that match, the best first, and where scores are equal the oldest.

    A phrase that stands `n` times in a text adds the text's weight times `n / (n + 1)` to the score.
    """
    paths = await searched_paths(session)
    words = {word for phrase in query.phrases for word in phrase.words}
    best: list[tuple[float, int, Found]] = []
    after = looked = 0
    complete = False
    while looked < query.scan:
        records = await session.scan("node", after, min(_CHUNK, query.scan - looked))
        if not records:
            complete = True
            break
        for record in records:
            if (query.type is None or record.type == query.type) and _may_match(record, words):
                found = found_in(record, query.phrases, paths)
                if found is not None:
                    entry = (found.score, -record.id, found)
                    (heapq.heappush if len(best) < query.limit else heapq.heappushpop)(best, entry)
        after, looked = records[-1].id, looked + len(records)
    return TextHits([found for _, _, found in sorted(best, reverse=True)], complete, looked)


def _may_match(record: NodeRecord, words: set[str]) -> bool:
    """Tell at little cost that a node cannot match, where its bytes say so."""
    if not (record.body.isascii() and record.name.isascii()):
        return True
    name, body = record.name.lower(), record.body.lower()
    return all(word in body or word in name for word in words)


def found_in(record: NodeRecord, phrases: Sequence[Phrase], paths: Sequence[Path]) -> Found | None:
    """Return how a node matches, with the score that a scan gives it; None where it does not."""
    texts = texts_of(record, paths)
    words = [words_of(text) for text in texts]
    score, snippet = 0.0, ""
    for phrase in phrases:
        counted = 0
        for text, some, weight in zip(texts, words, WEIGHTS, strict=True):
            places = _places(some, phrase)
            if places:
                counted += len(places)
                score += float(weight) * len(places) / (len(places) + 1)
                snippet = snippet or _snippet(text, some, phrases, places[0])
        if not counted:
            return None
    return Found(record, score, snippet)


def _places(words: Sequence[Word], phrase: Phrase) -> list[int]:
    *before, last = phrase.words
    size = len(before)
    if phrase.prefix:
        ends = [place for place, word in enumerate(words) if word.text.startswith(last)]
    else:
        ends = [place for place, word in enumerate(words) if word.text == last]
    if not before:
        return ends
    return [end - size for end in ends if end >= size and [word.text for word in words[end - size : end]] == before]


def _snippet(text: str, words: Sequence[Word], phrases: Sequence[Phrase], place: int) -> str:
    first = max(0, place - _AROUND)
    last = min(len(words), first + _SNIPPET_WORDS) - 1
    matching = {at + step for phrase in phrases for at in _places(words, phrase) for step in range(len(phrase.words))}
    parts: list[str] = []
    at = 0 if first == 0 else words[first].start
    for number in range(first, last + 1):
        word = words[number]
        parts.append(text[at : word.start])
        parts.append(f"[{text[word.start : word.end]}]" if number in matching else text[word.start : word.end])
        at = word.end
    end = text[at:] if last == len(words) - 1 else "…"
    return ("" if first == 0 else "…") + "".join(parts) + end
