"""Records as lines of JSON, the same in the journal as in the files of a checkpoint.

The body stands last and is kept byte for byte, so that it needs no parsing to be stored or found again: the first
`,"body":` of a line is where it starts, because a quote inside a JSON string follows a backslash. Lines end with U+000A
and nothing else: JSON may hold U+2028 and U+0085, which `str.splitlines` takes for line ends.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

import orjson

from polaris_core import ProgramError
from polaris_core.abc import ChangeRecord, EdgeRecord, MetaRecord, NodeRecord, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "change_line",
    "edge_line",
    "meta_line",
    "node_line",
    "read_change",
    "read_edge",
    "read_meta",
    "read_node",
    "read_receipt",
    "receipt_line",
    "split_lines",
]

_BODY = b',"body":'
_text = orjson.dumps


def _body(text: str) -> bytes:
    if "\n" in text:
        raise ProgramError("a body is canonical JSON, which is one line")
    return text.encode()


def node_line(node: NodeRecord) -> bytes:
    """Return the line of a node."""
    return b'{"name":%b,"type":%b,"id":%d,"revision":%d,"body":%b}\n' % (
        _text(node.name),
        _text(node.type),
        node.id,
        node.revision,
        _body(node.body),
    )


def edge_line(edge: EdgeRecord, source: str | None = None, target: str | None = None) -> bytes:
    """Return the line of an edge; the names of its ends are for people and for git, and are not read back."""
    return b'{%b"type":%b,%b"id":%d,"source_id":%d,"target_id":%d,"revision":%d,"body":%b}\n' % (
        b"" if source is None else b'"source":%b,' % _text(source),
        _text(edge.type),
        b"" if target is None else b'"target":%b,' % _text(target),
        edge.id,
        edge.source,
        edge.target,
        edge.revision,
        _body(edge.body),
    )


def meta_line(meta: MetaRecord) -> bytes:
    """Return the line of a record beside the graph."""
    return b'{"key":%b,"revision":%d,"body":%b}\n' % (_text(meta.key), meta.revision, _body(meta.body))


def change_line(change: ChangeRecord) -> bytes:
    """Return the line of a change."""
    return b'{"seq":%d,"commit":%d,"kind":%b,"id":%d,"source_id":%d,"target_id":%d,"body":%b}\n' % (
        change.seq,
        change.commit,
        _text(change.kind),
        change.id,
        change.source,
        change.target,
        _body(change.body),
    )


def receipt_line(receipt: Receipt) -> bytes:
    """Return the line of a receipt."""
    return b'{"key":%b,"digest":%b,"first":%d,"last":%d,"time":%d,"body":%b}\n' % (
        _text(receipt.key),
        _text(receipt.digest),
        receipt.first,
        receipt.last,
        receipt.time,
        _body(receipt.body),
    )


def _parts(line: bytes) -> tuple[dict[str, Any], str]:
    cut = line.index(_BODY)
    return orjson.loads(line[:cut] + b"}"), line[cut + len(_BODY) : -1].decode()


def read_node(line: bytes) -> NodeRecord:
    """Return the node of a line. Like its neighbours, it raises `ValueError` or `KeyError` for what is no such line."""
    fields, body = _parts(line)
    return NodeRecord(fields["id"], fields["name"], intern(fields["type"]), fields["revision"], body)


def read_edge(line: bytes) -> EdgeRecord:
    """Return the edge of a line."""
    fields, body = _parts(line)
    return EdgeRecord(
        fields["id"], fields["source_id"], intern(fields["type"]), fields["target_id"], fields["revision"], body
    )


def read_meta(line: bytes) -> MetaRecord:
    """Return the record beside the graph of a line."""
    fields, body = _parts(line)
    return MetaRecord(fields["key"], fields["revision"], body)


def read_change(line: bytes) -> ChangeRecord:
    """Return the change of a line."""
    fields, body = _parts(line)
    return ChangeRecord(
        fields["seq"], fields["commit"], fields["kind"], fields["id"], fields["source_id"], fields["target_id"], body
    )


def read_receipt(line: bytes) -> Receipt:
    """Return the receipt of a line."""
    fields, body = _parts(line)
    return Receipt(fields["key"], fields["digest"], fields["first"], fields["last"], fields["time"], body)


def split_lines(data: bytes) -> Iterable[bytes]:
    """Return the lines of a file without their ends."""
    return data.split(b"\n")[:-1] if data.endswith(b"\n") else data.split(b"\n") if data else ()
