"""One store as one process keeps it: the checkpoints that bring the readable files up to date while commits go on.

A checkpoint holds the lock for commits twice, for some milliseconds each time: to turn to a new journal, so that there is a
state to write, and to put the new manifest in force. In between only the lock for checkpoints is held, which is taken first.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from polaris_core import StorageError, StoreBusyError
from polaris_core.abc import CommitPlan
from polaris_json_fs import checkpoint, written
from polaris_json_fs.committing import Committing
from polaris_json_fs.counter import REPLACING
from polaris_json_fs.faults import translated
from polaris_json_fs.journal import Turn, encode_turn
from polaris_json_fs.layout import NEXT
from polaris_json_fs.manifest import Manifest
from polaris_json_fs.pacing import drop

if TYPE_CHECKING:
    from pathlib import Path

    from polaris_core.abc import Head, StorageOptions
    from polaris_json_fs.frozen import Frozen
    from polaris_json_fs.loading import Loading

__all__ = ["Store"]

_SMALL_JOURNAL: Final = 4 << 20
_CLOSING_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


class Store(Committing):
    """A store that can be written, unless it was opened for reading."""

    def __init__(self, directory: Path, location: str, options: StorageOptions, *, read_only: bool) -> None:
        super().__init__(directory, location, options, read_only=read_only)
        self._loaded = False
        self._tried = 0  # the length of the journal when a checkpoint last failed

    def start(self, loading: Loading, manifest: Manifest) -> Head | None:
        """Take over a loaded checkpoint, recover the journals after it, and return where the store stands.

        None means that it has to be done again while nobody writes checkpoints: there is a later one meanwhile, or commits
        are gone, and a new epoch begins with a checkpoint.
        """
        records = loading.build(manifest)
        with translated(self._location), self._locked(self._file_lock):
            current = checkpoint.newest(self.directory, self._location)
            pending = (self.directory / NEXT).exists()
            if current is None or current.digest != manifest.digest:
                return None
            self._map_counter()
            with self._state:
                self._take_over(records, manifest)
                verdict = self._recover()
                self._seen = self._look()
            if verdict.lost and not self._read_only:
                if not self._alone:
                    return None
                _log.warning(
                    "%s: commits that were acknowledged are gone, so its history begins a new epoch", self._location
                )
                self._begin_epoch()
            elif not pending and not self._read_only:
                checkpoint.tidy(self.directory, manifest.generation)
            self._loaded = True
            return self._records.head()

    def _begin_epoch(self) -> None:
        """Write the state in memory as the beginning of another history. Called with both locks."""
        after = self._next_manifest(self._records.head()._replace(epoch=self._options.unique()))
        with self._state:
            self._records.store(CommitPlan(expected=self._records.head(), head=after.head))
            self._applied = after.position
            self._advance(0, Turn(after.generation, after.journal))
        self._begin_with(after)

    def _begin_with(self, after: Manifest) -> None:
        """Write the state in memory as a checkpoint that does not go on from any journal. Called with both locks."""
        counter = self._shared()
        with self._state:
            frozen = self._records.freeze(self._state)
        manifest = self._write(frozen, after)
        checkpoint.conclude(self.directory)
        with self._state:
            self._settle_on(manifest)
        counter.set(manifest.generation, manifest.position)
        counter.flags = 0
        checkpoint.tidy(self.directory, manifest.generation)

    def _next_manifest(self, head: Head) -> Manifest:
        """Return the manifest of another history: no journal and no position that anybody knows belongs to it."""
        counter = self._shared()
        generation, position = (counter.generation, counter.position) if counter.known else (0, 0)
        last = max(checkpoint.generations(self.directory), default=0)
        return Manifest(
            head=head,
            generation=max(last, self._manifest.generation, generation) + 1,
            position=max(self._applied, position) + 1,
            journal=head.epoch,
        )

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def due(self) -> bool:
        """Whether the journal has grown so large that taking it into the files pays."""
        length = self._applied - self._manifest.position
        if length < self._tried:  # another process has written one since
            self._tried = 0
        return length > max(_SMALL_JOURNAL, self._manifest.record_bytes, 2 * self._tried)

    def checkpoint(self, seconds: float = 0.0) -> None:
        """Bring the readable files up to date, if there is anything in the journal.

        Raises `StoreBusyError` where another process is at it for longer than `seconds`.
        """
        if self._broken is not None:
            return
        with translated(self._location):
            self._checkpoint_lock.acquire(seconds)
            try:
                frozen = self._turn()
                if frozen is not None:
                    self._write_and_switch(frozen)
                with suppress(OSError):  # they are a convenience, and the next one tries again
                    written.complete(self.directory, self._manifest.files)
            except BaseException:
                self._tried = self._applied - self._manifest.position
                raise
            finally:
                self._checkpoint_lock.release()

    def _turn(self) -> Frozen | None:
        """Let commits go on in a new journal, and hold on to the state before them; None if the files say it already."""
        newest = checkpoint.newest(self.directory, self._location)
        pending = (self.directory / NEXT).exists() or self._shared().flags & REPLACING
        if pending or newest is None or newest.generation != self._manifest.generation:
            with self._file_lock:
                self._finish_left()
        with self._file_lock:
            self._catch_up_to_the_end()
            if self._applied == self._manifest.position:
                return None
            if self._applied != self._journal.base:
                self._end_journal()
            with self._state:
                return self._records.freeze(self._state)

    def _finish_left(self) -> None:
        """Finish the checkpoint or restore of a process that died. Called with both locks."""
        if self._shared().flags & REPLACING:
            self._settle_replacement()
            return
        left = checkpoint.finish(self.directory, self._location)
        if left is not None and left.generation != self._manifest.generation:
            self._shared().generation = left.generation
            with self._state:
                self._catch_up()

    def _end_journal(self) -> None:
        start = self._applied
        turn = Turn(max(self._journal.generation, self._shared().generation) + 1, self._options.unique())
        length = self._append(encode_turn(turn), sync=True)  # else the next journal could outlive this one
        with self._state:
            if self._applied == start:
                self._advance(length, turn)

    def _write_and_switch(self, frozen: Frozen) -> None:
        journal = self._journal
        manifest = self._write(
            frozen,
            Manifest(head=frozen.head, generation=journal.generation, position=journal.base, journal=journal.seed),
        )
        with self._file_lock:
            self._catch_up_to_the_end()
            checkpoint.conclude(self.directory)
            with self._state:
                dropped = self._settle_on(manifest)
                self._tried = 0
            counter = self._shared()
            counter.generation = manifest.generation
            if self._applied == manifest.position:
                counter.flags = 0
        rows = [*dropped]  # a reader may still have the list itself
        del dropped
        drop(rows)
        checkpoint.tidy(self.directory, manifest.generation)

    def _write(self, frozen: Frozen, after: Manifest) -> Manifest:
        """Write the files of a state and give them their names."""
        try:
            checkpoint.write(self.directory, self._manifest, after, frozen.files())
            placed = checkpoint.place(self.directory, self._location)
        finally:
            with self._state:
                self._records.thaw()
        assert placed is not None  # noqa: S101 - it was written above
        return placed

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
        self._checkpoint_lock.close()
        if self.counter is not None:
            if self._loaded:
                self.counter.close()
            else:
                self.stamps = None
                self.counter.discard()
        self._journal.close()
