"""One store as one process follows it: opening it, reading it, and applying what other processes have committed.

Several threads share it. `_state` excludes them from each other: who reads holds it while it reads, who writes only while it
changes what is in memory, never while it waits for the disk.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from polaris_core import EditConflictError, StorageError, StoreBusyError, StoreDamagedError
from polaris_core.abc import FileLock
from polaris_json_fs import checkpoint
from polaris_json_fs.counter import REPLACING, SharedCounter
from polaris_json_fs.directory import initialise, prepare
from polaris_json_fs.faults import translated
from polaris_json_fs.journal import Turn, content, decode, scan
from polaris_json_fs.journal_file import JournalFile
from polaris_json_fs.layout import CHECKPOINT_LOCK, COUNTER, LOCK, MANIFEST, NEXT
from polaris_json_fs.loading import Loading
from polaris_json_fs.recovery import DamageError, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
    _journal: JournalFile

    def __init__(self, directory: Path, location: str, options: StorageOptions, *, read_only: bool) -> None:
        self.counter: SharedCounter | None = None
        self.stamps: memoryview | None = None
        """The counter's position, as an array of one; None where there is no counter."""
        self.directory = directory
        self._location = location
        self._options = options
        self._read_only = read_only
        self._file_lock = self._lock_of(LOCK)
        self._checkpoint_lock = self._lock_of(CHECKPOINT_LOCK)
        self._alone = False
        self._state = threading.Lock()
        self._applied = 0  # the position of what is in memory
        self._journal = self._journal_of(Turn(0, ""), 0)
        self._seen: tuple[object, ...] = ()
        self._broken: StorageError | None = None

    def _lock_of(self, name: str) -> FileLock:
        return FileLock(
            self.directory / name,
            seconds=self._options.busy_seconds,
            location=self._location,
            read_only=self._read_only,
        )

    # --- opening --------------------------------------------------------------------------------------------------

    def find(self) -> tuple[Manifest, Loading] | None:
        """Find or make the store, finish what a crash left, and return the checkpoint to load and an empty loading.

        None means that another process is making the store just now: `be_alone` waits for it.
        """
        with translated(self._location):
            prepare(self.directory, self._location, create=self._options.create and not self._read_only)
            before = self._alone
            self._alone = before or (not self._read_only and self._took(self._checkpoint_lock))
            try:
                with self._locked(self._file_lock):
                    manifest = self._found()
            finally:
                if not before:
                    self.let_others_in()
            return None if manifest is None else (manifest, Loading(self.directory, self._location))

    def be_alone(self) -> None:
        """Wait until no process writes a checkpoint, and let none begin."""
        with translated(self._location):
            lock = self._locked(self._checkpoint_lock)
            if isinstance(lock, FileLock):
                lock.acquire()
                self._alone = True

    def let_others_in(self) -> None:
        """Let others write checkpoints again."""
        if self._alone:
            self._alone = False
            self._checkpoint_lock.release()

    @staticmethod
    def _took(lock: FileLock) -> bool:
        try:
            lock.acquire(0)
        except StoreBusyError:
            return False
        return True

    def _locked(self, lock: FileLock) -> AbstractContextManager[object]:
        """Return a lock, or nothing where there is none and none may be made: then nobody ever wrote here."""
        name = LOCK if lock is self._file_lock else CHECKPOINT_LOCK
        if self._read_only and not (self.directory / name).exists():
            return nullcontext()
        return lock

    def _found(self) -> Manifest | None:
        if self._read_only or not self._alone:
            return checkpoint.newest(self.directory, self._location)
        manifest = checkpoint.finish(self.directory, self._location)
        if manifest is None:
            manifest = initialise(self.directory, self._location, self._options.new_head())
        return manifest

    def _map_counter(self) -> None:
        path = self.directory / COUNTER
        if self.counter is None and (path.exists() or not self._read_only):
            self.counter = self._counter_at(path)
            self.stamps = None if self.counter is None else self.counter.stamps

    def _counter_at(self, path: Path) -> SharedCounter | None:
        """Map the counter; None where this process may only read and nobody has filled the file, or a power loss cut it."""
        try:
            return SharedCounter(path, write=not self._read_only)
        except ValueError:
            if self._read_only:
                return None
            raise

    def _take_over(self, records: Records, manifest: Manifest) -> None:
        self._records = records
        self._manifest = manifest
        self._go_on_in(Turn(manifest.generation, manifest.journal), manifest.position)
        self._applied = manifest.position  # last: see `_advance`

    def _go_on_in(self, turn: Turn, base: int) -> None:
        """Make a journal, of which nothing is applied yet, the one in use."""
        self._journal.close()
        self._journal = self._journal_of(turn, base)

    def _journal_of(self, turn: Turn, base: int) -> JournalFile:
        return JournalFile(
            self.directory,
            self._location,
            turn.generation,
            seed=turn.seed,
            base=base,
            write=not self._read_only,
        )

    def _recover(self) -> Verdict:
        """Apply the journals, cut a torn end, and set the counter right. Called with the lock, and with `_state`."""
        counter = self.counter
        known = counter if counter is not None and counter.known else None
        last = max(checkpoint.generations(self.directory), default=0)
        while True:
            journal, start = self._journal, self._applied
            data = content(journal.read(0, journal.size()))
            size = len(data)
            found = scan(data, 1, journal.seed)
            acknowledged = known.position - start if known else 0
            if known and known.generation > journal.generation:
                acknowledged = size + 1  # an older copy of the store was put in place
            for frame in found.frames:
                self._apply(frame, 0)
                if self._journal is not journal:  # what follows a turn is damage
                    found = found._replace(end=frame.end)
                    break
            turned = self._journal is not journal
            try:
                verdict = judge(
                    found,
                    size,
                    acknowledged,
                    turned=turned,
                    later=last > journal.generation,
                    lost_power=known is not None and known.lost_power,
                )
            except DamageError as error:
                raise self._damaged(error.offset, journal) from None
            if not turned:
                break
            if counter is not None and not self._read_only and verdict.end > acknowledged:
                journal.sync()  # nobody was told of the turn, and what comes after it counts only if it is on the disk
                journal.close()
        if counter is None or self._read_only:
            return verdict
        if verdict.end < size:
            journal.cut(verdict.end)
        if verdict.end > acknowledged:
            journal.sync()
        if not verdict.lost:  # else other processes must not take what is now there for what they know
            # A checkpoint that is not in force yet is no generation to follow; a restore is, or others could not tell it.
            pending = (self.directory / NEXT).exists() and not counter.flags & REPLACING
            counter.set(counter.generation if pending else self._manifest.generation, self._applied)
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
            if position > self._applied and not self._replay(position):
                if counter.generation > self._journal.generation:
                    self._reload()
                elif (counter.generation, counter.position) == (generation, position):
                    raise self._damaged(self._applied - self._journal.base)
            elif generation > self._manifest.generation:  # it is below where this process opened a pending one
                self._follow(generation)
            elif position <= self._applied:
                return

    def _share_again(self, old: SharedCounter, *, locked: bool) -> None:
        """Share the counter that others use since somebody deleted `old`; only with the lock may it be made anew."""
        path = self.directory / COUNTER
        if not path.exists() and not locked:
            return
        new = self._counter_at(path)
        if new is None:
            return
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
        for path in (self.directory / MANIFEST, self.directory / NEXT, self._journal.path):
            try:
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, state.st_ino))
            except FileNotFoundError:
                found.append(None)
        return tuple(found)

    def _replay(self, position: int) -> bool:
        """Apply the journals up to a position that is committed; return whether all of it was there and whole."""
        while self._applied < position:
            journal = self._journal
            start = self._applied - journal.base
            found = scan(journal.read(start, position - journal.base), journal.frames + 1, journal.seed)
            for frame in found.frames:
                self._apply(frame, start)
                if self._journal is not journal:
                    break
            if not found.frames:
                return False
        return self._applied == position

    def _apply(self, frame: Frame, offset: int) -> None:
        try:
            said = decode(frame.payload, self._records.head())
            if not isinstance(said, Turn):
                self._records.store(said)
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(offset + frame.start) from error
        self._advance(frame.end - frame.start, said if isinstance(said, Turn) else None)

    def _advance(self, length: int, turn: Turn | None) -> None:
        """Count a frame of this length as applied."""
        applied = self._applied + length
        self._journal.frames += 1
        if turn is not None:
            self._records.turn(turn.generation)
            self._go_on_in(turn, applied)
        self._applied = applied  # last: a writer that finds itself at the end takes all the rest without `_state`

    def _follow(self, generation: int) -> None:
        """Take note of a checkpoint that another process wrote."""
        before = self._manifest
        after = checkpoint.newest(self.directory, self._location)
        if (
            after is not None
            and after.head.epoch == before.head.epoch
            and after.generation > before.generation
            and (self._applied >= after.position or self._replay(after.position))
        ):
            self._settle_on(after)
        else:
            self._reload()
        if self._manifest.generation < generation:
            raise StoreDamagedError(
                f"{self._location}: {MANIFEST} was replaced by an older one while the store was in use",
                location=self._location,
                where=MANIFEST,
            )

    def _settle_on(self, manifest: Manifest) -> Sequence[object]:
        """Let go of what the files of a checkpoint hold, and return it, to be dropped where no lock is held."""
        self._records.settled(manifest.generation)
        self._manifest = manifest
        return self._records.history.settle(manifest.blocks("changes"), manifest.head)

    def _reload(self) -> None:
        """Load a checkpoint that is too far away to follow; another one may be under way, so try for a while."""
        deadline = time.monotonic() + self._options.busy_seconds
        loading = Loading(self.directory, self._location)
        while True:
            manifest = checkpoint.newest(self.directory, self._location)
            try:
                if manifest is not None:
                    for path in loading.missing(manifest):
                        loading.take(manifest, path, None)
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

    def _damaged(self, offset: int, journal: JournalFile | None = None) -> StoreDamagedError:
        where = f"{(journal or self._journal).path.name}, byte {offset}"
        return StoreDamagedError(
            f"{self._location}: {where}: what stands there is neither a commit nor the torn end of one; restore the"
            " file from a backup, or cut it there and lose what follows",
            location=self._location,
            where=where,
        )
