"""Changes taken back, one record at a time: from what a record is, and what the feed says of it, to what it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from polaris_core.codec import dumps, loads
from polaris_core.errors import StoreDamagedError
from polaris_core.records import ChangeRecord, EdgeRecord, MetaRecord, NodeRecord
from polaris_core.values import to_micros

__all__ = [
    "deleted_edge",
    "deleted_node",
    "meta_before",
    "name_before",
    "reading",
    "time_of",
    "undo_attributes",
    "undo_observations",
    "undone",
]

R = TypeVar("R", NodeRecord, EdgeRecord)


@contextmanager
def reading(change: ChangeRecord) -> Iterator[Any]:
    """Yield the parsed body of a change; a body that lacks what its kind must have raises `StoreDamagedError`."""
    try:
        yield loads(change.body)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise StoreDamagedError(
            f"change {change.seq} has a body that no {change.kind} has: {error!r}", where=f"change {change.seq}"
        ) from error


def time_of(change: ChangeRecord) -> int:
    """Return the time of a change's commit, in microseconds since 1970 UTC."""
    with reading(change) as body:
        return to_micros(datetime.fromisoformat(body["time"]))


def deleted_node(change: ChangeRecord) -> NodeRecord:
    """Return the node that a `node.deleted` took away."""
    with reading(change) as body:
        revision = body["previous"]["revision"]
        return NodeRecord(change.id, body["key"], body["type"], revision, dumps(body["record"]))


def deleted_edge(change: ChangeRecord) -> EdgeRecord:
    """Return the edge that an `edge.deleted` took away."""
    with reading(change) as body:
        type_, revision = body["key"][1], body["previous"]["revision"]
        return EdgeRecord(change.id, change.source, type_, change.target, revision, dumps(body["record"]))


def name_before(change: ChangeRecord) -> str:
    """Return the name a node had before it was renamed."""
    with reading(change) as body:
        return str(body["undo"]["name"])


def meta_before(change: ChangeRecord) -> tuple[str, MetaRecord | None]:
    """Return the key of the record beside the graph that was set or deleted, and what it was before, None for absent."""
    with reading(change) as body:
        key = body["key"]
        if "previous" not in body:
            return key, None
        value = body["undo"]["value"] if "undo" in body else body["record"]
        return key, MetaRecord(key, body["previous"]["revision"], dumps(value))


def undone(record: R, changes: Iterable[ChangeRecord]) -> R:
    """Return a record as it was before updates and renames of it, given the newest first."""
    fields = loads(record.body)
    about: dict[str, Any] = {}
    for change in changes:
        with reading(change) as body:
            undo, previous = body["undo"], body["previous"]
            undo_attributes(fields["attributes"], undo)
            if "observe" in undo or "forget" in undo:
                fields["observations"] = undo_observations(fields["observations"], undo)
            about |= {name: undo[name] for name in ("name", "type") if name in undo}
            about["revision"] = previous["revision"]
            fields["author"], fields["updated_at"] = previous["author"], previous["updated_at"]
            fields["version"] = body["version"] - 1
    return record._replace(**about, body=dumps(fields))


def undo_attributes(attributes: dict[str, Any], undo: dict[str, Any]) -> None:
    """Make attributes what they were before an update, in place."""
    for *way, key in undo.get("unset", ()):
        del _inside(attributes, way)[key]
    for (*way, key), value in undo.get("set", ()):
        _inside(attributes, way)[key] = value


def _inside(attributes: dict[str, Any], way: Iterable[str]) -> dict[str, Any]:
    at: Any = attributes
    for key in way:
        at = at[key]
    return at  # type: ignore[no-any-return]


def undo_observations(observations: list[Any], undo: dict[str, Any]) -> list[Any]:
    """Return observations as they were before an update, each in its place; the first list is left as it is."""
    forgotten = set(undo.get("forget", ()))
    kept = [item for item in observations if item["text"] not in forgotten]
    for item in undo.get("observe", ()):
        kept.insert(item["at"], {name: item[name] for name in ("recorded_at", "source", "text")})
    return kept
