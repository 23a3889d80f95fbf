"""One store as one process writes it: commits, and the checkpoints that bring the readable files up to date.

The writer holds the store's file lock from before it looks at the state until its commit is visible; that excludes all
other writers, in whatever process. Whoever wants both takes the file lock first and `_state` after it.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from polaris_core import OutcomeUnknownError, StorageError, StoreBusyError, StoreUnavailableError
from polaris_core.abc import CommitPlan
from polaris_json_fs import checkpoint
from polaris_json_fs.counter import CHECKPOINTING, UNSYNCED, SharedCounter
from polaris_json_fs.faults import translated
from polaris_json_fs.following import Following
from polaris_json_fs.journal import encode_frame, encode_plan, scan
from polaris_json_fs.journal_file import UncertainError
from polaris_json_fs.layout import NEXT
from polaris_json_fs.manifest import Manifest
from polaris_json_fs.sessions import Writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polaris_core.abc import BlockingSession, Head, StorageOptions
    from polaris_json_fs.loading import Loading

__all__ = ["Store"]

_SMALL_JOURNAL: Final = 4 << 20
_CLOSING_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


class Store(Following):
    """A store that can be written, unless it was opened for reading."""

    def __init__(self, directory: Path, location: str, options: StorageOptions, *, read_only: bool) -> None:
        super().__init__(directory, location, options, read_only=read_only)
        self._loaded = False
        self._tried = 0  # the length of the journal when a checkpoint last failed

    def start(self, loading: Loading, manifest: Manifest) -> Head | None:
        """Take over a loaded checkpoint, recover the journal after it, and return where the store stands.

        None means that another process has written a later checkpoint meanwhile.
        """
        records = loading.build(manifest)
        with translated(self._location), self._locked():
            current = self._current()
            if current is None or current.digest != manifest.digest:
                return None
            self._map_counter()
            with self._state:
                self._take_over(records, manifest)
                verdict = self._recover()
                self._seen = self._look()
            if verdict.lost and not self._read_only:
                _log.warning(
                    "%s: commits that were acknowledged are gone, so its history begins a new epoch", self._location
                )
                head = self._records.head()
                head = head._replace(epoch=self._options.unique())
                known = self.counter.position if self.counter else 0
                self._write_checkpoint(head, max(known, self._applied) + 1)
            self._loaded = True
            return self._records.head()

    # --- writing --------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[BlockingSession]:
        """Return a context in which nobody else commits; what its session stored is committed at its end."""
        self._check()
        with translated(self._location):
            self._file_lock.acquire()
        try:
            with translated(self._location):
                self._catch_up_to_the_end()
            session = Writing(self._records)
            yield session
            if session.plan is not None:
                self._commit(session.plan)
        finally:
            self._file_lock.release()

    def _shared(self) -> SharedCounter:
        assert self.counter is not None  # noqa: S101 - a store that is open for writing has one
        return self.counter

    def _is_at_the_end(self) -> bool:
        """Whether there is nothing to catch up with. Called with the lock, but a long read may hold `_state`.

        The reader changes `_applied` after what belongs to it and `_manifest` last, so they are looked at in this order.
        """
        counter = self._shared()
        return (
            not counter.deleted
            and counter.position == self._applied
            and counter.generation == self._manifest.generation
            and not counter.flags & CHECKPOINTING
            and self._journal.size() == self._applied - self._manifest.position
        )

    def _catch_up_to_the_end(self) -> None:
        """Catch up, and settle what a writer left that died. Called with the lock."""
        if not self._is_at_the_end():
            with self._state:
                self._settle()

    def _settle(self) -> None:
        if self._shared().deleted:
            self._share_again(self._shared(), locked=True)
        counter = self._shared()
        if counter.flags & CHECKPOINTING:
            manifest = checkpoint.finish(self._directory, self._location)
            if manifest is not None:
                counter.generation = manifest.generation
            counter.flags &= ~CHECKPOINTING
        self._catch_up()
        if counter.generation != self._manifest.generation:
            self._follow(counter.generation)
        start = self._applied - self._manifest.position
        size = self._journal.size()
        if size == start:
            return
        found = scan(self._journal.read(start, size), self._frames + 1, self._manifest.seed)
        if size < start or found.damaged:
            raise self._damaged(min(size, start) + found.end)
        if start + found.end < size:
            self._journal.cut(start + found.end)
        if found.frames:  # whole, but nobody was told: it counts from here on, for everybody
            self._journal.sync()
            counter.position = self._applied + found.end
            self._catch_up()

    def _commit(self, plan: CommitPlan) -> None:
        counter, power = self._shared(), self._options.durability == "power"
        start = self._applied
        frame = encode_frame(encode_plan(plan), self._frames + 1, self._manifest.seed)
        with translated(self._location):
            if not power and not counter.flags & UNSYNCED:
                counter.note_unsynced()
            try:
                self._journal.append(frame, start - self._manifest.position, sync=power)
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
        with self._state:
            if self._applied == start:  # else the reader saw the counter move and was here first
                self._records.store(plan)
                self._frames += 1
                self._applied = start + len(frame)

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def due(self) -> bool:
        """Whether the journal has grown so large that taking it into the files pays."""
        length = self._applied - self._manifest.position
        if length < self._tried:  # another process has written one since
            self._tried = 0
        return length > max(_SMALL_JOURNAL, self._manifest.record_bytes, 2 * self._tried)

    def checkpoint(self, seconds: float | None = None) -> None:
        """Bring the readable files up to date and begin a new journal, if there is anything in this one."""
        if self._broken is not None:
            return
        with translated(self._location):
            self._file_lock.acquire(seconds)
            try:
                self._catch_up_to_the_end()
                if self._applied != self._manifest.position:
                    self._write_checkpoint(self._records.head(), self._applied)
            except BaseException:
                self._tried = self._applied - self._manifest.position
                raise
            finally:
                self._file_lock.release()

    def _write_checkpoint(self, head: Head, position: int) -> None:
        counter, before = self._shared(), self._manifest
        after = Manifest(head=head, generation=before.generation + 1, position=position)
        counter.flags |= CHECKPOINTING
        try:
            checkpoint.write(self._directory, before, after, self._records.stale_files())
        except BaseException:
            if not (self._directory / NEXT).exists():  # else it may count already, and the next commit finishes it
                counter.flags &= ~CHECKPOINTING
                checkpoint.discard(self._directory)
            raise
        manifest = checkpoint.finish(self._directory, self._location) or before
        with self._state:
            if head != self._records.head():
                self._records.store(CommitPlan(expected=self._records.head(), head=head))
            self._records.settled()
            self._records.history.settle(manifest.blocks("changes"), head.seq)
            self._follow_journal(manifest)
            self._applied = position
            self._tried = 0
            counter.set(manifest.generation, position)
        counter.flags = 0
        checkpoint.tidy(self._directory, manifest.generation)

    def close(self) -> None:
        """Bring the files up to date, unless another process is at it, and release everything."""
        try:
            if self._loaded and not self._read_only:
                self.checkpoint(min(self._options.busy_seconds, _CLOSING_SECONDS))
        except StorageError as error:
            level = logging.INFO if isinstance(error, StoreBusyError) else logging.WARNING
            _log.log(level, "%s; the journal keeps what the files lack", error)
        finally:
            self.release()

    def release(self) -> None:
        """Close what is open, and write nothing."""
        self._file_lock.close()
        if self.counter is not None:
            self.counter.close()
        self._journal.close()
