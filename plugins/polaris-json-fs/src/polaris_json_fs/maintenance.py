"""One store as one process looks after it: verifying it, and copies of the whole of it, out and back in."""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from polaris_core import (
    EditConflictError,
    OutcomeUnknownError,
    StorageError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnavailableError,
)
from polaris_json_fs import checkpoint
from polaris_json_fs.counter import REPLACING
from polaris_json_fs.editing import EditableStore
from polaris_json_fs.faults import translated
from polaris_json_fs.files import make_directory, sync_directory, write_file
from polaris_json_fs.layout import GITIGNORE, IGNORED
from polaris_json_fs.manifest import Manifest
from polaris_json_fs.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polaris_core.abc import Head, Progress, StorageOptions, VerifyReport

__all__ = ["MaintainedStore", "opened"]


def opened(directory: Path, location: str, options: StorageOptions) -> MaintainedStore:
    """Open a store for reading, here and now; whoever asked releases it. Raises what opening a storage does."""
    store = MaintainedStore(directory, location, attrs.evolve(options, create=False, read_only=True), read_only=True)
    try:
        for last in (False, True):
            found = store.find()
            if found is None:
                continue
            manifest, loading = found
            try:
                for path in loading.missing(manifest):
                    loading.take(manifest, path, None)
            except EditConflictError:
                if last:
                    raise
                continue
            if store.start(loading, manifest) is not None:
                return store
        raise StoreBusyError(f"{location} changes faster than it can be loaded", seconds=options.busy_seconds)
    except BaseException:
        store.release()
        raise


class MaintainedStore(EditableStore):
    """A store with all that can be done to it."""

    def verify(self, progress: Progress | None) -> VerifyReport:
        """Read everything from the disk and return what is not as it was written. Others go on meanwhile."""
        with translated(self._location), self._locked(self._checkpoint_lock):
            again: list[MaintainedStore] = []

            def session() -> object:
                again.append(opened(self.directory, self._location, self._options))
                return again[0]._records  # noqa: SLF001 - of the same class

            try:
                return verify(self.directory, self._location, session, progress)  # type: ignore[arg-type]
            finally:
                for store in again:
                    store.release()

    def backup(self, target: Path, progress: Progress | None) -> Head:
        """Write one committed state as a store of its own, to a path where nothing is, and return its head."""
        target = target.absolute()
        if os.path.lexists(target):
            raise StoreUnavailableError(
                f"there is something at {target} already: a copy goes where nothing is", location=str(target)
            )
        with translated(str(target)):
            make_directory(target.parent)
            draft = target.with_name(f"{target.name}.{self._options.unique()}.new")
            try:
                head = self._write_whole(draft, progress)
                draft.rename(target)
                sync_directory(target.parent)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            return head

    def _write_whole(self, draft: Path, progress: Progress | None) -> Head:
        draft.mkdir()
        write_file(draft / IGNORED, GITIGNORE.encode())
        with self._state:
            self._check()
            self._catch_up()
            frozen = self._records.freeze(self._state, whole=True)
        try:
            before = Manifest(head=frozen.head, journal=self._options.unique())
            after = attrs.evolve(before, generation=1)
            checkpoint.write(draft, before, after, _told(self._whole(frozen.head), progress))
            checkpoint.finish(draft, str(draft))
        finally:
            with self._state:
                self._records.thaw()
        return frozen.head

    def _whole(self, head: Head) -> Iterator[tuple[str, bytes]]:
        frozen = self._records.frozen
        assert frozen is not None  # noqa: S101 - both callers have frozen it
        return chain(self._records.history.stored(head), frozen.files())

    def restore(self, source: Path, progress: Progress | None) -> Head:
        """Replace everything by what a backup holds, and return the new head. Nobody commits meanwhile."""
        with translated(str(source)):
            origin = opened(Path(source).absolute(), str(source), self._options)
        try:
            findings = origin.verify(None).findings
            if findings:
                where, what = findings[0]
                raise StoreDamagedError(
                    f"{source} is damaged, so nothing was replaced: {where}: {what}"
                    + (f"; {len(findings) - 1} findings more" if len(findings) > 1 else ""),
                    location=str(source),
                    where=where,
                )
            with translated(self._location), self._checkpoint_lock, self._file_lock:
                self._finish_left()
                self._catch_up_to_the_end()
                return self._replace_by(origin, progress)
        finally:
            origin.release()

    def _replace_by(self, origin: MaintainedStore, progress: Progress | None) -> Head:
        copied = origin._records
        head = self._options.restored_head(self._records.head(), copied.head())
        after = self._next_manifest(head)
        copied.freeze(origin._state, whole=True)
        files = origin._whole(copied.head())
        kept = (file for file in files if head.floor == copied.head().floor or not file[0].startswith("changes/"))
        counter = self._shared()
        counter.flags |= REPLACING
        try:
            checkpoint.write(self.directory, self._manifest, after, _told(kept, progress), whole=True)
            self._settle_replacement()
        except Exception as error:
            if self._counts(after):
                raise OutcomeUnknownError(
                    f"{self._location}: the restore failed when everything was written ({error}); the next write, or the next"
                    " opening, finishes it if it can"
                ) from error
            counter.flags &= ~REPLACING
            raise
        return head

    def _counts(self, after: Manifest) -> bool:
        """Return whether a manifest may be the one in force, or is about to be."""
        try:
            newest = checkpoint.newest(self.directory, self._location)
        except (OSError, StorageError):
            return True
        return newest is not None and newest.generation == after.generation


def _told(files: Iterator[tuple[str, bytes]], progress: Progress | None) -> Iterator[tuple[str, bytes]]:
    """Pass files on and tell how many bytes went by."""
    done = 0
    for path, data in files:
        yield path, data
        done += len(data)
        if progress is not None:
            progress(done, None)
