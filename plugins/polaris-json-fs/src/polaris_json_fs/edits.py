"""A file that is not as the last checkpoint wrote it: what to tell whoever changed it."""

from __future__ import annotations

from itertools import count, zip_longest
from typing import TYPE_CHECKING

import orjson

from polaris_core import EditConflictError, StoreDamagedError
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
    split_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["added", "again", "damaged", "edited", "first_difference", "not_taken_in"]


def _edge_again(line: bytes) -> bytes:
    fields = orjson.loads(line)
    return edge_line(read_edge(line), fields["source"], fields["target"])


_AGAIN: dict[str, Callable[[bytes], bytes]] = {
    "nodes": lambda line: node_line(read_node(line)),
    "edges": _edge_again,
    "changes": lambda line: change_line(read_change(line)),
    "receipts": lambda line: receipt_line(read_receipt(line)),
    "meta.jsonl": lambda line: meta_line(read_meta(line)),
}


def again(path: str, line: bytes) -> bytes:
    """Return how Polaris would write what a line says; raises `ValueError`, `KeyError` or `TypeError` for none of its kind."""
    orjson.loads(line)
    return _AGAIN[path.partition("/")[0]](line)


def _first_strange_line(path: str, data: bytes) -> int | None:
    """Return the number of the first line that Polaris would have written otherwise, where there is one."""
    for number, line in zip(count(1), split_lines(data), strict=False):
        try:
            if again(path, line) != line + b"\n":
                return number
        except (ValueError, KeyError, TypeError):
            return number
    return None


def first_difference(path: str, written: bytes, data: bytes) -> str:
    """Return the file and the number of the first line that is not as it was written."""
    lines = list(zip_longest(split_lines(written), split_lines(data)))
    different = (number for number, (was, now) in enumerate(lines, 1) if was != now)
    return f"{path}:{next(different, len(lines))}"  # the last line where only its end is gone


def damaged(location: str, path: str, written: bytes, data: bytes) -> StoreDamagedError:
    """Return the error for a file that differs from what was written though nobody has written to it since."""
    where = first_difference(path, written, data)
    return StoreDamagedError(
        f"{location}: {where} is not as it was written, and nobody has written to the file since; bring the file back from"
        " git, move the store away and restore a backup in its place, or salvage it",
        location=location,
        where=where,
    )


def added(location: str, path: str) -> EditConflictError:
    """Return the error for a file of records that the manifest does not name, and that cannot be taken in as it is."""
    return EditConflictError(
        f"{location}: {path}:1 stands in a file that Polaris has not written; add its lines to another file of records, or to"
        " the one that its next record belongs to, while nobody has the store open and there is no journal",
        location=location,
        where=f"{path}:1",
    )


def not_taken_in(location: str, where: str) -> EditConflictError:
    """Return the error for an edit that somebody meets who may only read."""
    return EditConflictError(
        f"{location}: {where} was changed by something other than Polaris, and this opening only reads; an opening for writing"
        " takes the edit in, or says why it cannot",
        location=location,
        where=where,
    )


def edited(
    location: str, path: str, data: bytes | None, *, waiting: bool, was: bytes | None = None
) -> EditConflictError:
    """Return the error for a file that differs from the manifest or is gone; `waiting` tells of a journal beside it.

    `was` is what was written, where that is known; else the line is told only if Polaris would have written it otherwise.
    """
    if data is not None and was is not None:
        where = first_difference(path, was, data)
    else:
        number = None if data is None else _first_strange_line(path, data)
        where = path if number is None else f"{path}:{number}"
    what = "is missing" if data is None else "was changed by something other than Polaris"
    journal = ", and the journal holds commits that build on what it held" if waiting else ""
    return EditConflictError(
        f"{location}: {where} {what}{journal}; bring back what it held (with git: `git checkout -- {path}`), open the"
        " store, and make the change through Polaris; or, to import the files as a new store, delete manifest.json",
        location=location,
        where=where,
    )
