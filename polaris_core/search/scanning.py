"""The core's search: a look at every node, up to a bound, where a backend has no index of words."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple
from unicodedata import normalize

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
_REACH = 200  # characters on either side, of which a snippet is made
_SNIPPET_WORDS = 16
_BETWEEN_WORDS = re.compile("[^a-z0-9]+")


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
    texts = [(_Searched(text), weight) for text, weight in zip(texts_of(record, paths), WEIGHTS, strict=True)]
    score, snippet = 0.0, ""
    for phrase in phrases:
        found = [(text, text.starts(phrase), float(weight)) for text, weight in texts]
        if not any(starts for _, starts, _ in found):
            return None
        score += sum(weight * len(starts) / (len(starts) + 1) for _, starts, weight in found)
        snippet = snippet or next(_snippet(text.text, starts[0], phrases) for text, starts, _ in found if starts)
    return Found(record, score, snippet)


class _Searched:
    """A text in NFC that is searched for phrases; one in ASCII, as most are, without taking it apart."""

    def __init__(self, text: str) -> None:
        self.text = normalize("NFC", text)
        self._lower = text.lower() if text.isascii() else None

    @cached_property
    def _words(self) -> list[Word]:
        return words_of(self.text)

    def starts(self, phrase: Phrase) -> list[int]:
        """Return where in the text a phrase stands."""
        if self._lower is not None:
            return list(_starts(self._lower, phrase))
        return [self._words[place].start for place in _places(self._words, phrase)]


def _starts(lower: str, phrase: Phrase) -> Iterator[int]:
    """Yield where a phrase stands in lowered ASCII. No match begins inside another: what stands there follows a letter or digit."""
    first, *rest = phrase.words
    at = lower.find(first)
    while at >= 0:
        end = at + len(first)
        if not (at and lower[at - 1].isalnum()) and _goes_on(lower, end, rest, phrase.prefix):
            yield at
        at = lower.find(first, end)


def _goes_on(lower: str, at: int, words: Sequence[str], prefix: bool) -> bool:
    """Return whether these words follow, and a word ends behind the last one, unless that is the beginning of one."""
    for word in words:
        between = _BETWEEN_WORDS.match(lower, at)
        if between is None or not lower.startswith(word, between.end()):
            return False
        at = between.end() + len(word)
    return prefix or not lower[at : at + 1].isalnum()


def _places(words: Sequence[Word], phrase: Phrase) -> list[int]:
    first, *rest = phrase.words
    if not rest and phrase.prefix:
        return [place for place, word in enumerate(words) if word.text.startswith(first)]
    places = [place for place, word in enumerate(words) if word.text == first]
    return [place for place in places if _follows(words[place + 1 : place + 1 + len(rest)], rest, phrase.prefix)]


def _follows(words: Sequence[Word], wanted: Sequence[str], prefix: bool) -> bool:
    texts = [word.text for word in words]
    if prefix and len(texts) == len(wanted):
        texts[-1] = texts[-1][: len(wanted[-1])]
    return texts == wanted


def _snippet(text: str, start: int, phrases: Sequence[Phrase]) -> str:
    """Return the words around the one that starts at a place, with those in brackets that match."""
    low, high = max(0, start - _REACH), start + 2 * _REACH
    part = text[low:high]
    words = words_of(part)
    if low and words[0].start == 0 < start - low:
        del words[0]  # a part of a word
    place = next(number for number, word in enumerate(words) if word.start == start - low)
    if high < len(text) and words[-1].end == len(part) and place < len(words) - 1:
        del words[-1]
    first = max(0, place - _AROUND)
    last = min(len(words), first + _SNIPPET_WORDS) - 1
    matching = {at + step for phrase in phrases for at in _places(words, phrase) for step in range(len(phrase.words))}
    whole = low == first == 0
    parts, at = list[str](), 0 if whole else words[first].start
    for number in range(first, last + 1):
        word = words[number]
        parts.append(part[at : word.start])
        parts.append(f"[{part[word.start : word.end]}]" if number in matching else part[word.start : word.end])
        at = word.end
    end = part[at:] if last == len(words) - 1 and high >= len(text) else "…"
    return ("" if whole else "…") + "".join(parts) + end
