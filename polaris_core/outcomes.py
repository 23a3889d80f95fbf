"""What a graph's one door for writes answers: what became of a batch and of each of its mutations, and of a load."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from polaris_core.model import Cursor, Edge, Key, Node
from polaris_core.schema import TypeSchema
from polaris_core.unchecked import unchecked

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


unchecked_result: Callable[[Status, Key | None, int, int, Node | Edge | TypeSchema | None], Result] = unchecked(Result)


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


unchecked_commit: Callable[[int, int, datetime, tuple[Result, ...], Cursor], Commit] = unchecked(Commit)


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
