"""What a filter, an order or a projection may ask of one stored record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from polaris_core.codec import loads
from polaris_core.errors import StoreDamagedError
from polaris_core.query.fields import Field
from polaris_core.query.ordering import MISSING, OrderKey, Rank, order_key
from polaris_core.records import EdgeRecord, NodeRecord

__all__ = ["Facts", "Reader", "key_reader", "moment", "reader"]


class Facts:
    """A record, the names of its ends where it is an edge and they are asked for, and its body once something asks for it."""

    __slots__ = ("_body", "record", "source", "target")

    def __init__(self, record: NodeRecord | EdgeRecord, source: str = "", target: str = "") -> None:
        self.record: NodeRecord | EdgeRecord = record
        self.source: str = source
        self.target: str = target
        self._body: dict[str, Any] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """What is stored beside name and type; raises `StoreDamagedError` for what no record has."""
        if self._body is None:
            body = loads(self.record.body)
            if not isinstance(body, dict) or not isinstance(body.get("attributes"), dict):
                kind = "node" if isinstance(self.record, NodeRecord) else "edge"
                where = f"{kind} {self.record.id}"
                raise StoreDamagedError(f"{where} has a body that no {kind} has", where=where)
            self._body = body
        return self._body


Reader: TypeAlias = Callable[[Facts], Any]


def reader(field: Field) -> Reader:
    """Return a function that reads the JSON value of a field, `MISSING` where there is none."""
    root, keys = field.root, field.keys
    match root:
        case "attributes":
            return (lambda facts: _at(facts.body["attributes"], keys)) if keys else lambda facts: facts.body[root]
        case "name":
            return lambda facts: facts.record.name  # type: ignore[union-attr]
        case "type":
            return lambda facts: facts.record.type
        case "source":
            return lambda facts: facts.source
        case "target":
            return lambda facts: facts.target
        case "observations":
            return _observations
        case "provenance.revision":
            return lambda facts: facts.record.revision
        case _:
            part = root.partition(".")[2]
            return lambda facts: facts.body.get(part, MISSING)


def key_reader(field: Field) -> Callable[[Facts], OrderKey]:
    """Return a function that reads where a record stands in the order of a field."""
    read = reader(field)
    if field.is_name:  # bounded anyway, so ordered whole
        return lambda facts: (Rank.STRING, read(facts))
    if field.is_time:
        return lambda facts: order_key(moment(read(facts)))
    return lambda facts: order_key(read(facts))


def moment(time: str) -> str:
    """Return a stored time so that the order of the strings is that of the times: a fraction is a longer string."""
    return time.removesuffix("Z")


def _at(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def _observations(facts: Facts) -> list[str]:
    return [observation["text"] for observation in facts.body["observations"]]
