"""The only door between models and JSON: bodies as stored, changes and receipts as stored, and the form other programs see.

Stored JSON is canonical: keys sorted, no spaces, times as RFC 3339 in UTC, UTF-8. Equal values have equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson

from polaris_core.errors import StoreDamagedError, ValidationError
from polaris_core.model import (
    Change,
    Cursor,
    Edge,
    EdgeKey,
    Key,
    Node,
    Observation,
    Provenance,
    unchecked_edge,
    unchecked_node,
    unchecked_observation,
    unchecked_provenance,
)
from polaris_core.mutations import Batch
from polaris_core.outcomes import Result, Status
from polaris_core.records import ChangeRecord, EdgeRecord, Head, NodeRecord
from polaris_core.values import EMPTY, INT64_MAX, INT64_MIN, FrozenDict, FrozenList

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "FreshBodies",
    "body_of_edge",
    "body_of_node",
    "change_body",
    "decode_change",
    "decode_edge",
    "decode_node",
    "digest_of",
    "dumps",
    "from_json",
    "loads",
    "parse_json",
    "receipt_body",
    "receipt_results",
    "recorded",
    "seal",
    "to_json",
]

_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_MANY_DIGITS_TEXT = re.compile(r"[0-9]{19}")
_time = datetime.fromisoformat
_dumps = orjson.dumps
_set_key: Callable[[FrozenDict, str, Any], None] = dict.__setitem__  # of one that nobody else has yet
_set_index: Callable[[FrozenList, int, Any], None] = list.__setitem__


def dumps(value: Any) -> str:
    """Return canonical JSON of frozen values, datetimes and fragments of JSON."""
    return _dumps(value, list, _CANONICAL).decode()  # `list`: named tuples, which orjson does not take for tuples


def loads(text: str | bytes) -> Any:
    """Return the value of JSON that Polaris wrote; anything else raises `StoreDamagedError`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise StoreDamagedError(f"stored JSON cannot be read: {error}") from error


def parse_json(text: str | bytes) -> Any:
    """Return the value of JSON from outside; what is not JSON, or holds an integer beyond 64 bits, raises `ValidationError`.

    Of equal keys in one object the last one counts.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValidationError(f"not JSON: {error}") from error
    if (_MANY_DIGITS_TEXT if isinstance(text, str) else _MANY_DIGITS).search(text):  # type: ignore[arg-type]
        # orjson turns 2**64 into a float. The standard library reads numbers as they are written, at a fifth of the speed.
        try:
            value = json.loads(text, parse_int=_integer)
        except RecursionError as error:
            raise ValidationError("not JSON: nested too deep") from error
    return value


def _integer(digits: str) -> int:
    if len(digits) > len(str(INT64_MIN)) or not INT64_MIN <= int(digits) <= INT64_MAX:
        raise ValidationError("an integer must fit in 64 bits; write larger ones as strings")
    return int(digits)


def seal(value: Any) -> Any:
    """Return what `loads` returned, made immutable without checking it again."""
    if type(value) is dict:
        if not value:
            return EMPTY
        mapping = FrozenDict(value)
        for key, item in value.items():
            if type(item) is dict or type(item) is list:
                _set_key(mapping, key, seal(item))
        return mapping
    if type(value) is list:
        array = FrozenList(value)
        for index, item in enumerate(value):
            if type(item) is dict or type(item) is list:
                _set_index(array, index, seal(item))
        return array
    return value


def body_of_node(node: Node) -> str:
    """Return the stored body of a node that has a provenance. Its revision, name and type stand beside it."""
    provenance = cast("Provenance", node.provenance)
    return dumps(
        {
            "attributes": node.attributes,
            "author": provenance.author,
            "created_at": provenance.created_at,
            "observations": [
                {"recorded_at": item.recorded_at, "source": item.source, "text": item.text}
                for item in node.observations
            ],
            "updated_at": provenance.updated_at,
            "version": provenance.version,
        }
    )


def body_of_edge(edge: Edge) -> str:
    """Return the stored body of an edge that has a provenance."""
    provenance = cast("Provenance", edge.provenance)
    return dumps(
        {
            "attributes": edge.attributes,
            "author": provenance.author,
            "created_at": provenance.created_at,
            "updated_at": provenance.updated_at,
            "version": provenance.version,
        }
    )


class FreshBodies:
    """What is stored of records that are all made at one time by one author: their bodies and the changes that tell of them.

    They are those of `body_of_node`, `body_of_edge` and `change_body`, cheaper.
    """

    def __init__(self, time: datetime, author: str | None) -> None:
        moment, name = dumps(time), dumps(author)
        self._at = time
        begin = f',"author":{name},"created_at":{moment}'
        end = f',"updated_at":{moment},"version":1}}'
        self._moment = moment
        self._edge_end = begin + end
        self._observed = f'{begin},"observations":'
        self._node_end = end
        self._change_begin = f'{{"author":{name},"key":'
        self._change_end = f',"time":{moment}'

    @cached_property
    def bare_node(self) -> str:
        """The body of a node with nothing in it."""
        return self.node(EMPTY, ())

    @cached_property
    def bare_edge(self) -> str:
        """The body of an edge with nothing in it."""
        return self.edge(EMPTY)

    def node(self, attributes: Any, observed: Sequence[Observation]) -> str:
        """Return a node's body; observations that have no time get that of the record."""
        fields = ",".join(map(self._observation, observed))
        return f'{{"attributes":{dumps(attributes)}{self._observed}[{fields}]{self._node_end}'

    def _observation(self, observation: Observation) -> str:
        time, source = observation.recorded_at, observation.source
        moment = self._moment if time is None or time is self._at else dumps(time)
        origin = "null" if source is None else dumps(source)
        return f'{{"recorded_at":{moment},"source":{origin},"text":{dumps(observation.text)}}}'

    def edge(self, attributes: Any) -> str:
        """Return an edge's body."""
        return f'{{"attributes":{dumps(attributes)}{self._edge_end}'

    def created_node(self, name: str, type: str, body: str) -> str:
        """Return the body of the change that tells of a new node."""
        return f'{self._change_begin}{dumps(name)},"record":{body}{self._change_end},"type":{dumps(type)}}}'

    def created_edge(self, key: EdgeKey, body: str) -> str:
        """Return the body of the change that tells of a new edge."""
        return f'{self._change_begin}{dumps(key)},"record":{body}{self._change_end}}}'


def _provenance(body: dict[str, Any], revision: int) -> Provenance:
    created_at, updated_at = body["created_at"], body["updated_at"]
    created = _time(created_at)
    return unchecked_provenance(
        body["version"], revision, created, created if updated_at == created_at else _time(updated_at), body["author"]
    )


def _observations(body: dict[str, Any], provenance: Provenance) -> tuple[Observation, ...]:
    created_at, created = body["created_at"], provenance.created_at  # the time of most of them, which is read once
    return tuple(
        [
            unchecked_observation(
                fields["text"],
                fields["source"],
                created if (time := fields["recorded_at"]) == created_at else None if time is None else _time(time),
            )
            for fields in body["observations"]
        ]
    )


def recorded(observation: Observation, time: datetime) -> Observation:
    """Return an observation with the time of the commit that stores it, unless it has one of its own."""
    if observation.recorded_at is not None:
        return observation
    return unchecked_observation(observation.text, observation.source, time)


def decode_node(record: NodeRecord) -> Node:
    """Return a stored node."""
    id, name, type_, revision, text = record
    body = loads(text)
    try:
        provenance = _provenance(body, revision)
        return unchecked_node(name, type_, seal(body["attributes"]), _observations(body, provenance), provenance)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamagedError(f"node {id} has a body that no node has: {error!r}", where=f"node {id}") from error


def decode_edge(record: EdgeRecord, source: str, target: str) -> Edge:
    """Return a stored edge, given the names of its ends."""
    body = loads(record.body)
    try:
        return unchecked_edge(source, record.type, target, seal(body["attributes"]), _provenance(body, record.revision))
    except (KeyError, TypeError, ValueError) as error:
        raise StoreDamagedError(
            f"edge {record.id} has a body that no edge has: {error!r}", where=f"edge {record.id}"
        ) from error


def change_body(key: Key | None, time: datetime, author: str | None, data: dict[str, Any]) -> str:
    """Return the stored body of a change; a `record` among the data is a body, already JSON."""
    fields = {"author": author, "key": key, "time": time, **data}
    if "record" in fields:
        fields["record"] = orjson.Fragment(fields["record"])
    return dumps(fields)


def decode_change(record: ChangeRecord, head: Head) -> Change:
    """Return a stored change as an entry of the feed of the store that `head` belongs to."""
    body = loads(record.body)
    try:
        key, time, author = body.pop("key"), datetime.fromisoformat(body.pop("time")), body.pop("author")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreDamagedError(
            f"change {record.seq} has a body that no change has: {error!r}", where=f"change {record.seq}"
        ) from error
    return Change(
        cursor=Cursor(head.store, head.epoch, record.seq),
        commit=record.commit,
        kind=record.kind,
        id=record.id,
        key=EdgeKey(*key) if isinstance(key, list) else key,
        time=time,
        author=author,
        data=seal(body),
    )


def receipt_body(results: Sequence[Result]) -> str:
    """Return what a receipt keeps of results."""
    return dumps([[result.status, result.key, result.id, result.revision] for result in results])


def receipt_results(body: str) -> tuple[Result, ...]:
    """Return the results that a receipt kept, without values."""
    return tuple(
        Result(cast("Status", status), EdgeKey(*key) if isinstance(key, list) else key, id, revision)
        for status, key, id, revision in loads(body)
    )


def digest_of(batch: Batch) -> str:
    """Return a digest of everything a batch asks for, its idempotency key left out."""
    fields = to_json(batch)
    del fields["key"]
    return hashlib.sha256(orjson.dumps(fields, option=_CANONICAL)).hexdigest()


@cache
def _converter() -> Converter:
    from polaris_core.wire import make_converter

    return make_converter()


T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return a model, mutation, batch or change as plain JSON values, in the documented form: times as RFC 3339 text."""
    return _converter().unstructure(value)


def from_json(cls: type[T], value: Any) -> T:
    """Return a model, mutation or batch from its JSON form; what does not fit raises `ValidationError` with the path."""
    from polaris_core.wire import structure

    return structure(_converter(), cls, value)
