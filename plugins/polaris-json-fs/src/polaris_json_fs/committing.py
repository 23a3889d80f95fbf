"""One store as one process writes it: commits, each of which is one append to the journal.

The writer holds the store's file lock from before it looks at the state until its commit is visible; that excludes all
other writers, in whatever process. Whoever wants both takes the file lock first and `_state` after it.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from polaris_core import OutcomeUnknownError, StoreUnavailableError
from polaris_json_fs import checkpoint
from polaris_json_fs.counter import REPLACING, UNSYNCED, SharedCounter
from polaris_json_fs.faults import translated
from polaris_json_fs.following import Following
from polaris_json_fs.journal import content, encode_frame, encode_plan, scan
from polaris_json_fs.journal_file import UncertainError
from polaris_json_fs.sessions import Writing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polaris_core.abc import BlockingSession, CommitPlan

__all__ = ["Committing"]


class Committing(Following):
    """A store that commits."""

    @contextmanager
    def writing(self) -> Iterator[BlockingSession]:
        """Return a context in which nobody else commits; what its session stored is committed at its end."""
        self._check()
        with translated(self._location):
            self._acquire_to_write()
        try:
            session = Writing(self._records)
            yield session
            if session.plan is not None:
                self._commit(session.plan)
        finally:
            self._file_lock.release()

    def _acquire_to_write(self) -> None:
        """Take the lock for commits, with nothing left to catch up with, and no restore half done: it would drop the commit."""
        while True:
            self._file_lock.acquire()
            try:
                self._catch_up_to_the_end()
                if not self._shared().flags & REPLACING:
                    return
            except BaseException:
                self._file_lock.release()
                raise
            self._file_lock.release()
            with self._checkpoint_lock, self._file_lock:
                if self._shared().flags & REPLACING:
                    self._settle_replacement()

    def _settle_replacement(self) -> None:
        """Finish a restore that counts, or take note that it does not. Called with both locks.

        A restore begins a generation that no journal and no counter had before. Nothing else does while the flag is set; so a
        manifest of a generation that the counter does not have yet is the restore's, and one that it has was seen already.
        """
        counter, manifest = self._shared(), checkpoint.finish(self.directory, self._location)
        if manifest is not None and manifest.generation > counter.generation:
            with self._state:
                self._reload()
            counter.set(manifest.generation, manifest.position)
            counter.flags = 0
            with suppress(OSError):  # what is left of the history before is deleted by the next opening
                checkpoint.tidy(self.directory, manifest.generation)
        else:
            counter.flags &= ~REPLACING

    def _shared(self) -> SharedCounter:
        assert self.counter is not None  # noqa: S101 - a store that is open for writing has one
        return self.counter

    def _catch_up_to_the_end(self) -> None:
        """Catch up, and settle what a writer left that died. Called with the lock."""
        if not self._is_at_the_end():
            with self._state:
                self._settle()

    def _is_at_the_end(self) -> bool:
        """Whether there is nothing to catch up with. Called with the lock, but a long read may hold `_state`.

        The reader changes `_applied` last, after the journal and what belongs to it, so it is looked at first.
        """
        counter = self._shared()
        return (
            not counter.deleted
            and counter.position == self._applied
            and self._journal.ends_at(self._applied - self._journal.base)
        )

    def _settle(self) -> None:
        if self._shared().deleted:
            self._share_again(self._shared(), locked=True)
        self._catch_up()
        journal, counter = self._journal, self._shared()
        start = self._applied - journal.base
        if journal.ends_at(start):
            return
        size = journal.size()
        rest = content(journal.read(start, size))
        found = scan(rest, journal.frames + 1, journal.seed)
        if size < start or found.damaged:
            raise self._damaged(min(size, start) + found.end)
        if found.end < len(rest):
            journal.cut(start + found.end)
        if found.frames:  # whole, but nobody was told: it counts from here on, for everybody
            journal.sync()
            counter.position = self._applied + found.end
            self._catch_up()

    def _commit(self, plan: CommitPlan) -> None:
        start = self._applied
        length = self._append(encode_plan(plan), sync=self._options.durability == "power")
        with self._state:
            if self._applied == start:  # else the reader saw the counter move and was here first
                self._records.store(plan)
                self._advance(length, None)

    def _append(self, payload: bytes, *, sync: bool) -> int:
        """Commit a frame of this payload, which is not applied yet, and return its length."""
        counter, journal, start = self._shared(), self._journal, self._applied
        frame = encode_frame(payload, journal.frames + 1, journal.seed)
        with translated(self._location):
            if not sync and not counter.flags & UNSYNCED:
                counter.note_unsynced()
            try:
                journal.append(frame, start - journal.base, sync=sync)
            except UncertainError as error:
                self._broken = StoreUnavailableError(
                    f"{self._location}: a commit failed and could not be taken back ({error}); close the store and"
                    " open it again",
                    location=self._location,
                )
                raise OutcomeUnknownError(
                    f"{self._location}: writing failed and taking it back failed too ({error}); close the store and"
                    " open it again to see whether the commit is there"
                ) from error
        counter.position = start + len(frame)
        return len(frame)
