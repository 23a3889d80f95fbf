"""Edits by hand, made while nothing ran: the differences become one commit, which is a checkpoint right away.

There is no moment at which the commit is in the journal and the files are not written: a crash leaves the edit as it was
found, to be taken in by the next opening, or the checkpoint that has taken it in.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import attrs

from polaris_core import Batch, EditConflictError, Limits, PolarisError
from polaris_core.abc import CommitPlan, deciding, run_program
from polaris_json_fs import checkpoint, written
from polaris_json_fs.differences import Edit, differences
from polaris_json_fs.edits import added, damaged, not_taken_in
from polaris_json_fs.faults import translated
from polaris_json_fs.importing import unnamed
from polaris_json_fs.journal import Turn, content
from polaris_json_fs.layout import META, NEXT, block_of, block_path, journal_name
from polaris_json_fs.manifest import Entry
from polaris_json_fs.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core.abc import Head
    from polaris_json_fs.loading import Loading
    from polaris_json_fs.manifest import Manifest
    from polaris_json_fs.records import Records

__all__ = ["EditableStore"]

_AUTHOR: Final = "edit"
_LIMITS: Final = Limits(
    batch_mutations=1 << 40, commit_records=1 << 40, commit_schema_work=1 << 40
)  # what is in a file was let in by whoever wrote it
_log = logging.getLogger(__name__)


class EditableStore(Store):
    """A store whose files may be edited while nobody has it open."""

    def look_for_added(self, manifest: Manifest) -> None:
        """Raise `EditConflictError` for a file of records that somebody added, or that a checkpoint just now adds."""
        if self._read_only and (self.directory / NEXT).exists():  # what it deletes may still be there
            return
        with translated(self._location):
            for path in unnamed(self.directory, manifest):
                raise added(self._location, path)

    def take_edits(self, loading: Loading, manifest: Manifest, error: EditConflictError) -> Head:
        """Take in the files that differ from the manifest, and return where the store stands then.

        Called while nobody writes checkpoints. Raises `error` where they cannot be told from what commits build on, and one
        with file and line for what cannot be taken in.
        """
        with translated(self._location):
            self._refuse_damaged(loading, manifest)
        if self._read_only:
            raise not_taken_in(self._location, error.where)
        with translated(self._location), self._file_lock:
            self._map_counter()
            before, after = self._touched(loading, manifest, error)
            edits = differences(before, after, self._location)
            records = loading.build(manifest)
            plan = self._planned(records, edits)
            self._check_added(set(after) - manifest.files.keys(), plan)
            with self._state:
                self._take_over(records, manifest)
                records.store(plan)
                records.mark(after)
            self._write_edits(manifest, set(after))
            self._loaded = True
            _log.info("%s: %d edits by hand are a commit now", self._location, len(edits))
            return plan.head

    def _refuse_damaged(self, loading: Loading, manifest: Manifest) -> None:
        """Raise `StoreDamagedError` for a file that differs from the manifest though nobody has written to it."""
        for path in loading.missing(manifest):
            entry = manifest.files[path]
            data = checkpoint.content(self.directory, path, entry)
            if data is None or Entry.of(data) == entry:
                continue
            was = written.recall(self.directory, path, entry)
            if was is not None and not written.touched(self.directory, path):
                raise damaged(self._location, path, was, data)

    def _touched(
        self, loading: Loading, manifest: Manifest, error: EditConflictError
    ) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Let what was written be loaded, and return it and what there is now, for the files that differ."""
        journals = [self.directory / journal_name(generation) for generation in checkpoint.generations(self.directory)]
        if any(content(journal.read_bytes()) for journal in journals):
            raise error
        counter = self._shared()
        if (
            counter.known and counter.position > manifest.position
        ):  # commits are gone: first of all, their files are to come back
            raise error
        before, after = dict[str, bytes](), dict[str, bytes]()
        for path in loading.missing(manifest):
            entry = manifest.files[path]
            data = checkpoint.content(self.directory, path, entry)
            if data is not None and Entry.of(data) != entry:
                was = written.recall(self.directory, path, entry)
                if was is None:
                    raise error
                before[path], after[path] = was, data
                loading.accept(manifest, path, was)
            else:
                loading.take(manifest, path, data)
        for path in unnamed(self.directory, manifest):
            before[path], after[path] = b"", (self.directory / path).read_bytes()
        return before, after

    def _check_added(self, paths: set[str], plan: CommitPlan) -> None:
        """Raise for an added file that the checkpoint will not write: it would be found again by the next opening."""
        made = {block_path("nodes", block_of(node.id)) for node in plan.put_nodes}
        made |= {block_path("edges", block_of(edge.id)) for edge in plan.put_edges}
        made |= {META} if plan.put_meta else set()
        for path in sorted(paths - made):
            raise added(self._location, path)

    def _planned(self, records: Records, edits: Sequence[Edit]) -> CommitPlan:
        def plan(count: int) -> CommitPlan:
            batch = Batch([edit.mutation for edit in edits[:count]], author=_AUTHOR)
            return run_program(deciding(batch, self._options.now(), _LIMITS), records)

        if not edits:
            return CommitPlan(expected=records.head(), head=records.head())
        decided = plan(len(edits))
        refused = decided.outcomes[0]
        if isinstance(refused, PolarisError):
            # Where the first edits are refused, more of them are refused too.
            at = bisect_left(
                range(1, len(edits) + 1), True, key=lambda n: isinstance(plan(n).outcomes[0], PolarisError)
            )
            where = edits[at].where
            raise EditConflictError(
                f"{self._location}: {where} cannot be taken in: {refused}; correct the line, or bring back what it held",
                location=self._location,
                where=where,
            ) from refused
        return decided

    def _write_edits(self, manifest: Manifest, touched: set[str]) -> None:
        """Write the checkpoint that takes the edits in. Called with both locks."""
        after = attrs.evolve(self._next_manifest(self._records.head()), journal=self._options.unique())
        with self._state:
            self._applied = after.position
            self._advance(0, Turn(after.generation, after.journal))
        untouched = {path: entry for path, entry in manifest.files.items() if path not in touched}
        self._manifest = attrs.evolve(manifest, files=untouched)
        self._begin_with(after)
