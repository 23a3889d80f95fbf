"""What the ordeals counted, from every process of a test run, as one table and one file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Figure", "rows", "table", "write"]

PROPERTY = "figure"


class Figure(NamedTuple):
    """How often something was seen on a backend by a method."""

    method: str
    backend: str
    what: str
    number: int


def rows(figures: Iterable[Figure]) -> dict[tuple[str, str], dict[str, int]]:
    """Return the sums by method and backend, in the order in which they are to be read."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for method, backend, what, number in sorted(figures, key=lambda figure: figure[:2]):
        row = found.setdefault((method, backend), {})
        row[what] = row.get(what, 0) + number
    return found


def table(figures: Iterable[Figure], skipped: Iterable[str]) -> list[str]:
    """Return the lines of a table, with what was left out and why after it."""
    summed = rows(figures)
    width = max((len(method) for method, _ in summed), default=0)
    lines = [
        f"{method:<{width}}  {backend:<7} {', '.join(f'{number:,} {what}' for what, number in row.items())}"
        for (method, backend), row in summed.items()
    ]
    return [*lines, *(f"left out: {reason}" for reason in skipped)]


def write(path: Path, figures: Iterable[Figure], skipped: Iterable[str], machine: Mapping[str, Any]) -> None:
    """Write the figures as JSON, for a program to read."""
    found = [{"method": method, "backend": backend, "figures": row} for (method, backend), row in rows(figures).items()]
    content = {"machine": dict(machine), "figures": found, "left out": list(skipped)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
