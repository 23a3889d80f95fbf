"""Words as a search sees them: runs of letters and digits, without regard to case and diacritics.

These are the rules of the tokenizer `unicode61` of SQLite's FTS5 (https://www.sqlite.org/fts5.html, section 4.3.1) with
`remove_diacritics 2`; for characters newer than its tables, and for some that fold to several, the two may differ.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from unicodedata import combining, normalize

__all__ = ["Word", "words_of"]

_WORD = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")


class Word(NamedTuple):
    """A word, folded, and where it stands in its text."""

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words of a text, in order."""
    return [Word(_folded(match[0]), match.start(), match.end()) for match in _WORD.finditer(text)]


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return normalize("NFC", "".join(sign for sign in normalize("NFD", word.lower()) if not combining(sign)))
