"""What a search asks for: words, phrases in double quotes, and beginnings of words, all of which must be there.

Everything else that a caller types stands between words: there is nothing to quote and nothing to inject.
"""

from __future__ import annotations

import re
from typing import cast

import attrs

from polaris_core.errors import InvalidValueError
from polaris_core.search.words import words_of

__all__ = ["MAX_TEXT", "MAX_WORDS", "Phrase", "TextQuery", "parse_text"]

MAX_TEXT = 1_000
MAX_WORDS = 32

_PART = re.compile(r'"([^"]*)(?:"|$)(\*?)|([^\s"]+)')


@attrs.frozen
class Phrase:
    """Words, folded, that stand one after the other; with `prefix` the last one is only the beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False


@attrs.frozen(kw_only=True)
class TextQuery:
    """Nodes that hold all `phrases` in their searched texts, the best `limit` of them; of one type where that is given.

    A scan looks at `scan` records at most.
    """

    phrases: tuple[Phrase, ...]
    type: str | None = None
    limit: int = 20
    scan: int = 1_000_000


def parse_text(text: str) -> tuple[Phrase, ...]:
    """Return what a text asks for: `ada "first program" comp*`.

    A word with signs in it, such as `o'brien` or `libc6-dev`, is the phrase of its parts. A quote that is not closed ends
    with the text. Raises `InvalidValueError` for what holds no word, or more than 1,000 characters or 32 words.
    """
    if not isinstance(cast("object", text), str):
        raise InvalidValueError(f"a search is a text, not {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise InvalidValueError(f"a search has at most {MAX_TEXT} characters")
    phrases: dict[Phrase, None] = {}
    for part in _PART.finditer(text):
        quoted, star, plain = part.groups()
        words = tuple(word.text for word in words_of(plain or quoted or ""))
        if words:
            phrases[Phrase(words, bool(star) if plain is None else plain.endswith("*"))] = None
    if not phrases:
        raise InvalidValueError(f"there is no word to search for in {text[:80]!r}")
    if sum(len(phrase.words) for phrase in phrases) > MAX_WORDS:
        raise InvalidValueError(f"a search has at most {MAX_WORDS} words")
    return tuple(phrases)
