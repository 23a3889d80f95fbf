"""Words as a search sees them: runs of letters and digits, without regard to case and diacritics.

Case goes by Unicode's full folding, and diacritics are the marks of its block Combining Diacritical Marks, whether they stand
alone or in a letter: `é` is `e`, but the voiced `が` stays another letter than `か`. A text is seen in NFC, as names are stored, so
`か` with a voicing mark of its own is `が`.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from unicodedata import normalize

__all__ = ["Word", "folded_text", "words_of"]

_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")
_MARKS = dict.fromkeys(range(0x300, 0x370))


class Word(NamedTuple):
    """A word, folded, and where it stands in its text in NFC."""

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words of a text, in order."""
    return [Word(_folded(match[0]), match.start(), match.end()) for match in _WORD.finditer(normalize("NFC", text))]


def folded_text(text: str) -> str:
    """Return a text whose ASCII letters and digits, in either case, and other signs, make up the folded words of a text.

    An index that takes it apart at all other ASCII signs and knows nothing of Unicode has the very words of `words_of`.
    """
    return text if text.isascii() else " ".join([word.text for word in words_of(text)])


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return normalize("NFC", normalize("NFD", normalize("NFD", word).casefold()).translate(_MARKS))
