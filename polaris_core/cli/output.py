"""Text for a terminal. What comes from outside cannot move its cursor, forge a line or hide a part of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["printable", "table"]


def printable(text: object) -> str:
    """Return a text on one line, with escapes where a character is a control, an invisible or a direction mark."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in str(text)
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows in aligned columns, the first row being the heading."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
