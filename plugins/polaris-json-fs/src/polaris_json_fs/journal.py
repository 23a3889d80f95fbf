"""The journal as bytes: how a commit becomes a frame, and which frames are whole. Nothing here touches a file.

A frame is a header of fixed width, which is a line of JSON itself, and as many bytes of lines as it says::

    {"frame":"000000000007","bytes":"0000000412","digest":"5f0c61a2c7f3b1d8"}
    {"head":{...},"delete_edges":[],...,"nodes":1,"edges":0,"meta":0,"changes":1,"receipts":0}
    {"name":"Ada Lovelace","type":"person","id":1,"revision":1,"body":{...}}
    {"seq":1,"commit":1,"kind":"node.created","id":1,"source_id":0,"target_id":0,"body":{...}}

The digest covers the number, the lines and the journal's seed, so that neither a frame of another place nor one of
another journal passes for the next one. A write that was torn is at the end; so a frame that is not whole and is followed
by one that is, is damage.

No frame ends with a zero byte. A journal's zeros at its end are room for later frames, and count as if they were not there:
`content`.

The last frame of a journal may be a turn, `{"turn":{"generation":4,"seed":"..."}}`: then commits go on in the journal of
that generation, and a checkpoint of the state at this point may be written while they do.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import orjson

from polaris_core.abc import CommitPlan, Head
from polaris_json_fs.lines import (
    change_line,
    edge_line,
    meta_line,
    node_line,
    read_change,
    read_edge,
    read_meta,
    read_node,
    read_receipt,
    receipt_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Frame", "Scan", "Turn", "content", "decode", "encode_frame", "encode_plan", "encode_turn", "scan"]

_HEADER = b'{"frame":"%012d","bytes":"%010d","digest":"%b"}\n'
_START = b'{"frame":"'
_PATTERN = re.compile(rb'\{"frame":"(\d{12})","bytes":"(\d{10})","digest":"([0-9a-f]{16})"\}\n')
_LISTS = ("delete_edges", "delete_nodes", "delete_meta", "renamed")


class Frame(NamedTuple):
    """One whole frame: where it starts and ends, and its lines."""

    start: int
    end: int
    payload: bytes


class Turn(NamedTuple):
    """The end of a journal: where commits go on, and what the frames there are tied to."""

    generation: int
    seed: str


class Scan(NamedTuple):
    """The whole frames at the start of some bytes, where they end, and whether a whole one follows what is not."""

    frames: list[Frame]
    end: int
    damaged: bool


def content(data: bytes) -> bytes:
    """Return what a journal, or the end of one, holds without the room for later frames."""
    return data.rstrip(b"\0")


def encode_plan(plan: CommitPlan) -> bytes:
    """Return the lines of a plan."""
    first = {
        "head": plan.head._asdict(),
        **{name: list(getattr(plan, name)) for name in _LISTS if getattr(plan, name)},
        "nodes": len(plan.put_nodes),
        "edges": len(plan.put_edges),
        "meta": len(plan.put_meta),
        "changes": len(plan.changes),
        "receipts": len(plan.receipts),
        **({"forget_receipts": plan.forget_receipts} if plan.forget_receipts else {}),
    }
    return b"".join(
        (
            orjson.dumps(first),
            b"\n",
            *map(node_line, plan.put_nodes),
            *map(edge_line, plan.put_edges),
            *map(meta_line, plan.put_meta),
            *map(change_line, plan.changes),
            *map(receipt_line, plan.receipts),
        )
    )


def encode_turn(turn: Turn) -> bytes:
    """Return the line of a turn."""
    return orjson.dumps({"turn": turn._asdict()}) + b"\n"


def decode(payload: bytes, expected: Head) -> CommitPlan | Turn:
    """Return what some lines say: a turn, or a plan to be applied to a state with this head.

    Raises `ValueError`, `KeyError` or `TypeError` where a whole frame holds neither.
    """
    lines: Iterator[bytes] = iter(payload.split(b"\n"))
    first = orjson.loads(next(lines))
    if "turn" in first:
        return Turn(**first["turn"])
    return CommitPlan(
        expected=expected,
        head=Head(**first["head"]),
        **{name: first.get(name, ()) for name in _LISTS},
        put_nodes=list(map(read_node, islice(lines, first["nodes"]))),
        put_edges=list(map(read_edge, islice(lines, first["edges"]))),
        put_meta=list(map(read_meta, islice(lines, first["meta"]))),
        changes=list(map(read_change, islice(lines, first["changes"]))),
        receipts=list(map(read_receipt, islice(lines, first["receipts"]))),
        forget_receipts=first.get("forget_receipts", 0),
    )


def _digest(payload: bytes, number: int, seed: str) -> bytes:
    digest = hashlib.sha256(b"%b %d " % (seed.encode(), number))
    digest.update(payload)
    return digest.hexdigest()[:16].encode()


def encode_frame(payload: bytes, number: int, seed: str) -> bytes:
    """Return the frame of a journal's commit of this number, counted from 1."""
    return _HEADER % (number, len(payload), _digest(payload, number, seed)) + payload


def _frame_at(data: bytes, start: int, seed: str) -> tuple[int, Frame] | None:
    header = _PATTERN.match(data, start)
    if header is None:
        return None
    number, length = int(header[1]), int(header[2])
    payload = data[header.end() : header.end() + length]
    if len(payload) != length or header[3] != _digest(payload, number, seed):
        return None
    return number, Frame(start, header.end() + length, payload)


def scan(data: bytes, number: int, seed: str) -> Scan:
    """Return the whole frames at the start of some bytes, the first of which has this number."""
    frames: list[Frame] = []
    end = 0
    while (found := _frame_at(data, end, seed)) is not None and found[0] == number:
        frames.append(found[1])
        end, number = found[1].end, number + 1
    later = end
    while end < len(data) and (later := data.find(_START, later)) >= 0:
        if _frame_at(data, later, seed) is not None:
            return Scan(frames, end, damaged=True)
        later += 1
    return Scan(frames, end, damaged=False)
