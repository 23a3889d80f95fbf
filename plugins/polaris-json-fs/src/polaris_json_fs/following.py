"""One store as one process follows it: opening it, reading it, and applying what other processes have committed.

Two threads share it. `_state` excludes them from each other: the one that reads holds it while it reads, the one that writes
only while it changes what is in memory, never while it waits for the disk.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from polaris_core import EditConflictError, StorageError, StoreBusyError, StoreDamagedError
from polaris_core.abc import FileLock
from polaris_json_fs import checkpoint
from polaris_json_fs.counter import CHECKPOINTING, SharedCounter
from polaris_json_fs.directory import initialise, prepare
from polaris_json_fs.faults import translated
from polaris_json_fs.journal import decode_plan, scan
from polaris_json_fs.journal_file import JournalFile
from polaris_json_fs.layout import COUNTER, LOCK, MANIFEST, NEXT, journal_name
from polaris_json_fs.loading import Loading
from polaris_json_fs.recovery import DamageError, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from polaris_core.abc import BlockingSession, StorageOptions
    from polaris_json_fs.journal import Frame
    from polaris_json_fs.manifest import Manifest
    from polaris_json_fs.records import Records

__all__ = ["Following"]


class Following:
    """The directory, what was loaded from it, and how far."""

    _records: Records
    _manifest: Manifest

    def __init__(self, directory: Path, location: str, options: StorageOptions, *, read_only: bool) -> None:
        self.counter: SharedCounter | None = None
        self.stamps: memoryview | None = None
        """The counter's position, as an array of one; None where there is no counter."""
        self._directory = directory
        self._location = location
        self._options = options
        self._read_only = read_only
        self._file_lock = FileLock(
            directory / LOCK, seconds=options.busy_seconds, location=location, read_only=read_only
        )
        self._journal = self._journal_of(0)
        self._state = threading.Lock()
        self._applied = 0  # the position of what is in memory
        self._frames = 0  # of the journal, applied
        self._seen: tuple[object, ...] = ()
        self._broken: StorageError | None = None

    # --- opening --------------------------------------------------------------------------------------------------

    def find(self) -> tuple[Manifest, Loading]:
        """Find or make the store, finish what a crash left, and return the checkpoint to load and an empty loading."""
        with translated(self._location):
            prepare(self._directory, self._location, create=self._options.create and not self._read_only)
            with self._locked():
                manifest = self._current()
                if manifest is None:  # never so for a reader: `prepare` has found one
                    manifest = initialise(self._directory, self._location, self._options.new_head())
                if not self._read_only:
                    checkpoint.tidy(self._directory, manifest.generation)
                return manifest, self._loading()

    def _locked(self) -> AbstractContextManager[object]:
        """Return the lock, or nothing where there is none and none may be made: then nobody ever wrote here."""
        if self._read_only and not (self._directory / LOCK).exists():
            return nullcontext()
        return self._file_lock

    def _current(self) -> Manifest | None:
        if not self._read_only:
            return checkpoint.finish(self._directory, self._location)
        pending = checkpoint.read_manifest(self._directory, self._location, NEXT)
        return pending or checkpoint.read_manifest(self._directory, self._location)

    def _loading(self) -> Loading:
        return Loading(self._directory, self._location, read_only=self._read_only)

    def _map_counter(self) -> None:
        path = self._directory / COUNTER
        if path.exists() or not self._read_only:
            self.counter = SharedCounter(path, write=not self._read_only)
            self.stamps = self.counter.stamps

    def _take_over(self, records: Records, manifest: Manifest) -> None:
        self._records = records
        self._follow_journal(manifest)
        self._applied = manifest.position

    def _follow_journal(self, manifest: Manifest) -> None:
        """Make a manifest's journal, of which nothing is applied yet, the one in use."""
        self._journal.close()
        self._journal = self._journal_of(manifest.generation)
        self._frames = 0
        self._manifest = manifest

    def _journal_of(self, generation: int) -> JournalFile:
        path = self._directory / journal_name(generation)
        return JournalFile(path, self._location, write=not self._read_only)

    def _recover(self) -> Verdict:
        """Apply the journal, cut a torn end, and set the counter right. Called with the lock, and with `_state`."""
        journal, counter, base = self._journal, self.counter, self._manifest.position
        size = journal.size()
        found = scan(journal.read(0, size), 1, self._manifest.seed)
        acknowledged, lost_power = 0, False
        if counter is not None and counter.known:
            lost_power = counter.lost_power
            acknowledged = counter.position - base
            if counter.generation > self._manifest.generation:
                acknowledged = size + 1  # an older copy of the store was put in place
        try:
            verdict = judge(found, size, acknowledged, lost_power=lost_power)
        except DamageError as error:
            raise self._damaged(error.offset) from None
        for frame in found.frames:
            self._apply(frame, 0)
        if counter is None or self._read_only:
            return verdict
        if verdict.end < size:
            journal.cut(verdict.end)
        if verdict.end > acknowledged:
            journal.sync()
        if not verdict.lost:  # else other processes must not take what is now there for what they know
            counter.set(self._manifest.generation, base + verdict.end)
            counter.flags &= ~CHECKPOINTING
        return verdict

    # --- reading --------------------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[BlockingSession]:
        """Return a context in which the latest committed state stands still."""
        with self._state:
            self._check()
            with translated(self._location):
                self._catch_up()
            yield self._records

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken.fresh()

    def _catch_up(self) -> None:
        """Apply what other processes have committed. Called with `_state`."""
        if self.counter is None:
            self._look_again()
        elif self.counter.deleted:
            self._share_again(self.counter, locked=False)
        while (counter := self.counter) is not None:
            generation, position = counter.generation, counter.position  # in this order: see `SharedCounter.set`
            if position <= self._applied:
                return
            if generation != self._manifest.generation:
                self._follow(generation)
            elif not self._replay(position) and counter.generation == generation:
                raise self._damaged(self._applied - self._manifest.position)

    def _share_again(self, old: SharedCounter, *, locked: bool) -> None:
        """Share the counter that others use since somebody deleted `old`; only with the lock may it be made anew."""
        path = self._directory / COUNTER
        if not path.exists() and not locked:
            return
        new = SharedCounter(path, write=not self._read_only)
        if locked and not new.known:
            new.set(old.generation, old.position)
            new.flags = old.flags
        if new.known:
            self.counter, self.stamps = new, new.stamps
            old.close()
        else:
            new.close()

    def _look_again(self) -> None:
        """Load the store again if its files were changed: nobody has opened it for writing, so no counter tells."""
        self._map_counter()
        seen = self._look()
        if seen != self._seen:
            self._reload()
            self._recover()
            self._seen = seen

    def _look(self) -> tuple[object, ...]:
        found: list[object] = []
        for path in (self._directory / MANIFEST, self._directory / NEXT, self._journal.path):
            try:
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
            except FileNotFoundError:
                found.append(None)
        return tuple(found)

    def _replay(self, position: int) -> bool:
        """Apply the journal up to a position that is committed; return whether all of it was there and whole."""
        base = self._manifest.position
        start = self._applied - base
        data = self._journal.read(start, position - base)
        found = scan(data, self._frames + 1, self._manifest.seed)
        for frame in found.frames:
            self._apply(frame, start)
        return self._applied == position

    def _apply(self, frame: Frame, offset: int) -> None:
        try:
            self._records.store(decode_plan(frame.payload, self._records.head()))
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(offset + frame.start) from error
        self._frames += 1
        self._applied += frame.end - frame.start

    def _follow(self, generation: int) -> None:
        """Go over to the journal of a later checkpoint that another process wrote."""
        before = self._manifest
        after = checkpoint.read_manifest(self._directory, self._location)
        if (
            after is not None
            and after.generation == before.generation + 1
            and after.head.epoch == before.head.epoch
            and (self._applied == after.position or self._replay(after.position))
        ):
            self._records.settled()
            self._records.history.settle(after.blocks("changes"), after.head.seq)
            self._follow_journal(after)
        else:
            self._reload()
        if self._manifest.generation < generation:
            raise StoreDamagedError(
                f"{self._location}: {MANIFEST} was replaced by an older one while the store was in use",
                location=self._location,
                where=MANIFEST,
            )

    def _reload(self) -> None:
        """Load a checkpoint that is too far away to follow; another one may be under way, so try for a while."""
        deadline = time.monotonic() + self._options.busy_seconds
        loading = self._loading()
        while True:
            manifest = self._current() if self._read_only else checkpoint.read_manifest(self._directory, self._location)
            try:
                if manifest is not None:
                    for path in loading.missing(manifest):
                        loading.take(manifest, path, loading.read(path))
                    self._take_over(loading.build(manifest), manifest)
                    return
            except EditConflictError:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                raise StoreBusyError(
                    f"{self._location} changes faster than it can be loaded", seconds=self._options.busy_seconds
                )
            time.sleep(0.01)

    def _damaged(self, offset: int) -> StoreDamagedError:
        where = f"{journal_name(self._manifest.generation)}, byte {offset}"
        return StoreDamagedError(
            f"{self._location}: {where}: what stands there is neither a commit nor the torn end of one; restore the"
            " file from a backup, or cut it there and lose what follows",
            location=self._location,
            where=where,
        )
