"""What is wrong with one stored record, whatever keeps it: for backends that verify what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from polaris_core.codec import decode_change, decode_edge, decode_node, dumps, loads, receipt_results
from polaris_core.errors import PolarisError
from polaris_core.records import ChangeRecord, EdgeRecord, Head, MetaRecord, NodeRecord, Receipt
from polaris_core.values import normalize_name, normalize_type

__all__ = ["Record", "flaws_of"]

Record: TypeAlias = NodeRecord | EdgeRecord | MetaRecord | ChangeRecord | Receipt


def flaws_of(record: Record, head: Head) -> list[str]:
    """Return a sentence for each way in which a record is not one that Polaris stores in a store that stands at `head`.

    This looks at the record alone. That an edge's ends exist and the feed has no gaps is for the backend to see.
    """
    match record:
        case NodeRecord():
            return [*_node_flaws(record, head)]
        case EdgeRecord():
            return [*_edge_flaws(record, head)]
        case MetaRecord():
            return [*_meta_flaws(record, head)]
        case ChangeRecord():
            return [*_change_flaws(record, head)]
        case Receipt():
            return [*_receipt_flaws(record, head)]


def _node_flaws(record: NodeRecord, head: Head) -> Iterator[str]:
    yield from _place_flaws(record.id, record.revision, head)
    yield from _text_flaws("name", record.name, normalize_name)
    yield from _text_flaws("type", record.type, normalize_type)
    yield from _body_flaws(record.body, lambda: decode_node(record))


def _edge_flaws(record: EdgeRecord, head: Head) -> Iterator[str]:
    yield from _place_flaws(record.id, record.revision, head)
    yield from _text_flaws("type", record.type, normalize_type)
    yield from _body_flaws(record.body, lambda: decode_edge(record, "source", "target"))


def _meta_flaws(record: MetaRecord, head: Head) -> Iterator[str]:
    yield from _text_flaws("key", record.key, normalize_name)
    if not 1 <= record.revision <= head.seq:
        yield f"its revision is {record.revision}, and the last change is {head.seq}"
    yield from _body_flaws(record.body, lambda: None)


def _change_flaws(record: ChangeRecord, head: Head) -> Iterator[str]:
    if not head.floor < record.seq <= head.seq:
        yield f"the changes that are kept are {head.floor + 1} to {head.seq}"
    if not 1 <= record.commit <= record.seq:
        yield f"it says that its commit began with {record.commit}"
    if any(not 0 <= id < head.next_id for id in (record.id, record.source, record.target)):
        yield f"it names ids that were never given out: the next one is {head.next_id}"
    yield from _text_flaws("kind", record.kind, normalize_type)
    yield from _body_flaws(record.body, lambda: decode_change(record, head))


def _receipt_flaws(record: Receipt, head: Head) -> Iterator[str]:
    yield from _text_flaws("key", record.key, normalize_name)
    if not 1 <= record.first <= record.last + 1 or record.last > head.seq:
        yield f"it is for changes {record.first} to {record.last}, and the last change is {head.seq}"
    yield from _body_flaws(record.body, lambda: receipt_results(record.body))


def _place_flaws(id: int, revision: int, head: Head) -> Iterator[str]:
    if not 1 <= id < head.next_id:
        yield f"its id was never given out: the next one is {head.next_id}"
    if not 1 <= revision <= head.seq:
        yield f"its revision is {revision}, and the last change is {head.seq}"


def _text_flaws(what: str, text: str, normalize: Callable[[object], str]) -> Iterator[str]:
    try:
        if normalize(text) != text:
            yield f"its {what} is not normalised: {text!r}"
    except PolarisError as error:
        yield f"its {what} is none: {error}"


def _body_flaws(body: str, decode: Callable[[], Any]) -> Iterator[str]:
    try:
        decode()
        if dumps(loads(body)) != body:
            yield "its body is not as Polaris writes it"
    except (PolarisError, ValueError, TypeError, KeyError) as error:
        yield f"its body cannot be read: {error}"
