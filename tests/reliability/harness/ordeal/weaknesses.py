"""Stores that are weak on purpose: one that a method does not catch is a hole in the method.

Each is made out of a real backend by changing what it does in the process that is broken.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

__all__ = ["WEAKNESSES", "Weakness"]


@attrs.frozen(kw_only=True)
class Weakness:
    """A backend, and what makes it weak."""

    backend: str
    weaken: Callable[[], None]


def _instead(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put something made out of what is there in its place."""
    setattr(owner, name, make(getattr(owner, name)))


# --- of json ------------------------------------------------------------------------------------------------------------


def _overwrites_its_files() -> None:
    from polaris_json_fs import checkpoint

    def write(real: Any) -> Any:
        def in_place(directory: Any, before: Any, after: Any, files: Any) -> None:
            files = list(files)
            for path, content in files:
                if content and (directory / path).exists():
                    (directory / path).write_bytes(content)
            real(directory, before, after, files)

        return in_place

    _instead(checkpoint, "write", write)


def _writes_one_commit_late() -> None:
    from polaris_json_fs.journal_file import JournalFile

    kept: dict[int, list[Any]] = {}

    def append(real: Any) -> Any:
        def late(self: JournalFile, frame: bytes, offset: int, *, sync: bool) -> None:
            for earlier in kept.pop(id(self), []):
                earlier()
            kept[id(self)] = [partial(real, self, frame, offset, sync=sync)]

        return late

    _instead(JournalFile, "append", append)

    def size(real: Any) -> Any:
        def after_all(self: JournalFile) -> Any:
            for earlier in kept.pop(id(self), []):
                earlier()
            return real(self)

        return after_all

    _instead(JournalFile, "size", size)


# --- of sqlite ----------------------------------------------------------------------------------------------------------


def _commits_in_two_parts() -> None:
    from polaris_sqlite import schema

    def write_head(real: Any) -> Any:
        def apart(database: sqlite3.Connection, head: Any) -> None:
            if database.in_transaction and head.seq:
                database.execute("COMMIT")
                database.execute("BEGIN IMMEDIATE")
            real(database, head)

        return apart

    _instead(schema, "write_head", write_head)


WEAKNESSES: Mapping[str, Weakness] = {
    "overwrites its files": Weakness(backend="json", weaken=_overwrites_its_files),
    "writes one commit late": Weakness(backend="json", weaken=_writes_one_commit_late),
    "commits in two parts": Weakness(backend="sqlite", weaken=_commits_in_two_parts),
}
