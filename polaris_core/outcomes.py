"""What a graph's one door for writes answers: what became of a batch and of each of its mutations, and of a load."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from polaris_core.model import Cursor, Edge, Key, Node
from polaris_core.opened import opened
from polaris_core.schema import TypeSchema

__all__ = ["Commit", "Loaded", "Result", "Status", "Tally", "unchecked_commit", "unchecked_result"]

Status: TypeAlias = Literal["created", "updated", "renamed", "deleted", "unchanged", "absent", "emitted"]


@attrs.frozen(weakref_slot=False)
class Result:
    """What one mutation did. `revision` is the record's after it; `value` is None for what is gone and in repeated answers."""

    status: Status
    key: Key | None
    id: int
    revision: int
    value: Node | Edge | TypeSchema | None = attrs.field(default=None, eq=False)


_OpenResult = opened(Result)


def unchecked_result(
    status: Status, key: Key | None, id: int, revision: int, value: Node | Edge | TypeSchema | None = None
) -> Result:
    """Return a result of parts that were checked before."""
    made = _OpenResult()
    made.status = status
    made.key = key
    made.id = id
    made.revision = revision
    made.value = value
    made.__class__ = Result
    result: Result = made
    return result


@attrs.frozen(weakref_slot=False)
class Commit:
    """What an accepted batch did: changes `first` to `last` of the feed (none where `last < first`), at `time`, in UTC.

    `cursor` is the place in history after it: what a reader of the feed, or an expectation, goes on from.
    """

    first: int
    last: int
    time: datetime
    results: tuple[Result, ...]
    cursor: Cursor


_OpenCommit = opened(Commit)


def unchecked_commit(first: int, last: int, time: datetime, results: tuple[Result, ...], cursor: Cursor) -> Commit:
    """Return a commit of parts that were checked before."""
    made = _OpenCommit()
    made.first = first
    made.last = last
    made.time = time
    made.results = results
    made.cursor = cursor
    made.__class__ = Commit
    commit: Commit = made
    return commit


@attrs.frozen(kw_only=True)
class Tally:
    """What became of the records of one kind that a load was given: each is counted once.

    `skipped` are those that were left as they are because they exist already, and edges left out for a missing end.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


@attrs.frozen(kw_only=True)
class Loaded:
    """What a load did, in one commit at `time`: changes `first` to `last` of the feed, none where `last < first`.

    `missing` is how many names stood only at the ends of edges, and neither among the loaded nodes nor in the graph: such
    nodes were made, where that was asked for, beyond those that `nodes` counts. `cursor` is the place in history after it.
    """

    nodes: Tally
    edges: Tally
    missing: int
    first: int
    last: int
    time: datetime
    cursor: Cursor
