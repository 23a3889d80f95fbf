"""Stores that are weak on purpose: one that a method does not catch is a hole in the method.

Each is made out of a real backend by changing what it does in the process that is broken.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import attrs

__all__ = ["WEAKNESSES", "Weakness"]


@attrs.frozen(kw_only=True)
class Weakness:
    """A backend, what makes it weak, and the words of the failure that comes of it: any other would prove nothing."""

    backend: str
    weaken: Callable[[], None]
    shows: str


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


def _does_not_sync_its_journal() -> None:
    from polaris_json_fs.journal_file import JournalFile

    _instead(
        JournalFile,
        "append",
        lambda real: lambda self, frame, offset, *, sync: real(self, frame, offset, sync=False),
    )


def _does_not_sync_its_directories() -> None:
    from polaris_json_fs import checkpoint, files, journal_file

    for module in (checkpoint, files, journal_file):
        _instead(module, "sync_directory", lambda real: lambda path: None)


def _forgets_that_it_did_not_sync_its_journal() -> None:
    from polaris_json_fs.counter import SharedCounter

    _instead(SharedCounter, "note_unsynced", lambda real: lambda self: None)


def _takes_a_full_disk_for_success() -> None:
    from polaris_json_fs.journal_file import JournalFile

    def append(real: Any) -> Any:
        def hopeful(self: JournalFile, frame: bytes, offset: int, *, sync: bool) -> None:
            with suppress(OSError):
                real(self, frame, offset, sync=sync)

        return hopeful

    _instead(JournalFile, "append", append)


def _takes_a_failed_sync_for_success() -> None:
    from polaris_json_fs import journal_file

    def fdatasync(descriptor: int) -> None:
        with suppress(OSError):
            os.fdatasync(descriptor)

    _instead(journal_file, "os", lambda real: SimpleNamespace(**{**vars(real), "fdatasync": fdatasync}))


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


def _does_not_sync_its_log() -> None:
    from polaris_sqlite import database_file

    assert "synchronous = FULL" in database_file._SETTINGS
    _instead(database_file, "_SETTINGS", lambda settings: (*settings, "synchronous = NORMAL"))  # of commits, that is


def _forgets_that_it_did_not_sync_its_log() -> None:
    from polaris_sqlite import power

    _instead(power, "mark", lambda real: lambda database, now: None)


def _answers_with_what_the_system_said() -> None:
    from polaris_sqlite import database

    _instead(database, "failures_of", lambda real: lambda location, **_: nullcontext())


def _migrates_step_by_step() -> None:
    from polaris_sqlite.layout import Layout

    def bring_forward(real: Any) -> Any:
        def in_steps(self: Layout, database: sqlite3.Connection, **chosen: Any) -> None:
            database.execute(f"PRAGMA user_version = {self.version:d}")
            database.execute("COMMIT")
            database.execute("BEGIN IMMEDIATE")
            database.execute("PRAGMA user_version = 1")
            real(self, database, **chosen)

        return in_steps

    _instead(Layout, "bring_forward", bring_forward)


def _backs_up_in_place() -> None:
    from polaris_sqlite.draft import Draft

    def entering(real: Any) -> Any:
        def begin(self: Draft) -> Any:
            self.path = self.place
            return real(self)

        return begin

    _instead(Draft, "__enter__", entering)
    _instead(Draft, "check_free", lambda real: lambda self: None)
    _instead(Draft, "publish", lambda real: lambda self: setattr(self, "path", self.path.with_name("nothing")))


_OTHER = "it holds what no allowed history leads to"


def _loads_in_two_commits() -> None:
    from polaris_core import Graph

    whole = Graph.load

    async def load(self: Graph, records: Any, **asked: Any) -> Any:
        half = len(records) // 2
        await whole(self, records[:half], **asked)
        return await whole(self, records[half:], **asked)

    Graph.load = load  # type: ignore[method-assign]


_UNTOLD = "acknowledged writes are lost, and no new epoch says so"

WEAKNESSES: Mapping[str, Weakness] = {
    "migrates step by step": Weakness(backend="sqlite", weaken=_migrates_step_by_step, shows="lacks a part"),
    "loads in two commits": Weakness(backend="", weaken=_loads_in_two_commits, shows="not as it was told to be"),
    "backs up in place": Weakness(backend="sqlite", weaken=_backs_up_in_place, shows="moved is an empty file"),
    "takes a full disk for success": Weakness(backend="json", weaken=_takes_a_full_disk_for_success, shows=_OTHER),
    "takes a failed sync for success": Weakness(backend="json", weaken=_takes_a_failed_sync_for_success, shows=_OTHER),
    "answers with what the system said": Weakness(
        backend="sqlite", weaken=_answers_with_what_the_system_said, shows="an error that is not ours"
    ),
    "does not sync its journal": Weakness(backend="json", weaken=_does_not_sync_its_journal, shows=_OTHER),
    "does not sync its directories": Weakness(backend="json", weaken=_does_not_sync_its_directories, shows=_OTHER),
    "forgets that it did not sync its journal": Weakness(
        backend="json", weaken=_forgets_that_it_did_not_sync_its_journal, shows=_UNTOLD
    ),
    "forgets that it did not sync its log": Weakness(
        backend="sqlite", weaken=_forgets_that_it_did_not_sync_its_log, shows=_UNTOLD
    ),
    "does not sync its log": Weakness(backend="sqlite", weaken=_does_not_sync_its_log, shows=_OTHER),
    "overwrites its files": Weakness(
        backend="json", weaken=_overwrites_its_files, shows="was changed by something other than Polaris"
    ),
    "writes one commit late": Weakness(backend="json", weaken=_writes_one_commit_late, shows=_OTHER),
    "commits in two parts": Weakness(backend="sqlite", weaken=_commits_in_two_parts, shows="it contradicts itself"),
}
