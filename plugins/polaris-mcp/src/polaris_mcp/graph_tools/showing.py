"""How much of the graph an answer shows: short forms of nodes, and pages that fit what an answer may hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from polaris_core import Node, Observation, Page

__all__ = ["brief", "brief_attributes", "cut", "fitting", "listed", "observed", "size_of"]

T = TypeVar("T")

_TEXT = 200
_ATTRIBUTES = 600
_ENVELOPE = 256  # what stands around the rows of a page


def size_of(value: Any) -> int:
    """Return how many bytes a value has as JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def brief(node: Node, *, observations: int = 3) -> dict[str, Any]:
    """Return a node in short: its first observations, cut, and its attributes unless they are large."""
    shown: dict[str, Any] = {"name": node.name, "type": node.type, **brief_attributes(node.attributes)}
    if texts := [cut(observation.text) for observation in node.observations[:observations]]:
        shown["observations"] = texts
    if len(node.observations) > observations:
        shown["more_observations"] = len(node.observations) - observations
    return shown


def brief_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as a part of an answer, or only their keys where they are large."""
    if not attributes:
        return {}
    if size_of(attributes) <= _ATTRIBUTES:
        return {"attributes": attributes}
    return {"attribute_keys": listed(attributes, _ATTRIBUTES)}


def observed(observation: Observation, most: int, *, details: bool) -> str | dict[str, Any]:
    """Return an observation's text, cut to so many bytes; with `details` also where it comes from and when."""
    text = cut(observation.text, most)
    if not details:
        return text
    shown: dict[str, Any] = {"text": text}
    if observation.source is not None:
        shown["source"] = cut(observation.source, _ATTRIBUTES)
    if observation.recorded_at is not None:
        shown["recorded_at"] = observation.recorded_at.isoformat()
    return shown


def cut(text: str, most: int = _TEXT) -> str:
    """Return a text, or its beginning and how long it is."""
    if len(text) * 6 <= most or size_of(text) <= most:  # no character takes more than six bytes of JSON
        return text
    end = f"... [cut: {len(text)} characters in all]"
    kept = text[:most]
    while kept and size_of(kept) > most - len(end):
        kept = kept[: len(kept) * 3 // 4]
    return kept + end


def listed(names: Iterable[str], most: int) -> list[str]:
    """Return the first names that fit in so many bytes."""
    kept: list[str] = []
    for name in names:
        most -= size_of(name) + 1
        if most < 0:
            break
        kept.append(name)
    return kept


async def fitting(
    fetch: Callable[[int], Awaitable[Page[T]]], show: Callable[[T], dict[str, Any]], limit: int, most: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a page and its cursor, so few of them that they fit in `most` bytes.

    A page that turns out too large is asked for again, shorter, so that its cursor goes on after the last row shown.
    """
    while True:
        page = await fetch(limit)
        rows = [show(item) for item in page]
        kept = _count(rows, most - _ENVELOPE)
        if kept == len(rows) or len(rows) == 1:  # a single row is short enough by the way it is shown
            return rows, page.next
        limit = max(1, kept)


def _count(rows: Sequence[dict[str, Any]], most: int) -> int:
    for count, row in enumerate(rows):
        most -= size_of(row) + 1
        if most < 0:
            return count
    return len(rows)
