"""Existing names that look like one that is missing."""

from __future__ import annotations

import difflib

from polaris_core.records import Session

__all__ = ["near_names"]

_WINDOW = 200
_MOST = 3


async def near_names(session: Session, name: str) -> tuple[str, ...]:
    """Return up to three existing names close to `name`: other cases of it first, then what stands near it in name order.

    Looks at no more than a few hundred names, however large the graph is.
    """
    cases = [
        case
        for case in dict.fromkeys((name.strip(), name.lower(), name.title(), name.upper()))
        if case not in ("", name)
    ]
    found = [record.name for record in await session.nodes(cases) if record] if cases else []
    window = list(
        dict.fromkeys([other for start in _starts(name) for other in await session.keys("node", start, _WINDOW)])
    )
    close = difflib.get_close_matches(name, window, _MOST, 0.6)
    longer = [other for other in window if len(name) >= 3 and other.casefold().startswith(name.casefold())]
    return tuple(dict.fromkeys((*found, *close, *longer)))[:_MOST]


def _starts(name: str) -> tuple[str, ...]:
    """Return where in name order to look: just before what begins like the name, more or less of it, in either case."""
    half = name[: max(1, len(name) // 2)]
    return tuple(dict.fromkeys(_before(begin) for begin in (name, half, half.lower(), half.title())))


def _before(text: str) -> str:
    """Return a text that stands in code point order before `text` and after everything that is less than it."""
    last = ord(text[-1]) - 1
    return text[:-1] + chr(0xD7FF if 0xD800 <= last <= 0xDFFF else last) + "\U0010ffff"
