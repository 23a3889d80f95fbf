"""A TOML document as dotted names, and the line on which each begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["flat", "line_of"]


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is no table, by its dotted name."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def line_of(document: str, name: str) -> int | None:
    """Return the line on which a value begins: the one after the longest head of the document that lacks it."""
    import tomllib

    lines = document.split("\n")
    begins = 1
    for count in range(1, len(lines) + 1):
        try:
            table = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # ends inside a value
        if name in dict(flat(table)):
            return begins
        begins = count + 1
    return None
