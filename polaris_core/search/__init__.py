"""Text search: what is asked, how texts are taken apart, and the core's own answer, a bounded scan."""

from polaris_core.search.asked import Phrase, TextQuery, parse_text
from polaris_core.search.scanning import SEARCHED, Found, TextHits, found_in, scan_text, searched_paths
from polaris_core.search.texts import WEIGHTS, Texts, texts_of
from polaris_core.search.words import folded_text, words_of

__all__ = [
    "SEARCHED",
    "WEIGHTS",
    "Found",
    "Phrase",
    "TextHits",
    "TextQuery",
    "Texts",
    "folded_text",
    "found_in",
    "parse_text",
    "scan_text",
    "searched_paths",
    "texts_of",
    "words_of",
]
