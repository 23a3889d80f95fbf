"""The texts of a node that are searched: its name, its observations, and the attributes that were chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from polaris_core.codec import loads
from polaris_core.errors import StoreDamagedError
from polaris_core.model import Path
from polaris_core.records import NodeRecord

__all__ = ["WEIGHTS", "Texts", "texts_of"]


class Texts(NamedTuple):
    """Observations, and the texts at the chosen paths, are joined by line ends."""

    name: str
    observations: str
    attributes: str


WEIGHTS = Texts(10.0, 3.0, 1.0)  # type: ignore[arg-type]
"""How much a word counts in each of them."""


def texts_of(record: NodeRecord, paths: Sequence[Path]) -> Texts:
    """Return the texts of a stored node; at a path a string counts, or the strings of an array."""
    body = loads(record.body)
    try:
        observations = "\n".join([item["text"] for item in body["observations"]])
        attributes = body["attributes"]
    except (KeyError, TypeError) as error:
        where = f"node {record.id}"
        raise StoreDamagedError(f"{where} has a body that no node has: {error!r}", where=where) from error
    return Texts(record.name, observations, "\n".join([text for path in paths for text in _at(attributes, path)]))


def _at(value: Any, path: Path) -> list[str]:
    for key in path:
        if not isinstance(value, dict):
            return []
        value = value.get(key)
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
