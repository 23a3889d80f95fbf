"""Writing the readable files, so that whatever moment a crash picks, the store is as before or as after.

Files are written beside those they replace, then the new manifest under the name of the next one: from that moment on
the checkpoint counts, and whoever finds it finishes it. Only then do the files get their names. Everything here is done
by the holder of the store's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from polaris_json_fs.files import make_directory, replace, sync_directory, write_file
from polaris_json_fs.layout import DIRECTORIES, MANIFEST, NEW, NEXT, journal_name
from polaris_json_fs.manifest import Entry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["discard", "finish", "read_manifest", "tidy", "write"]


def read_manifest(directory: Path, location: str, name: str = MANIFEST) -> Manifest | None:
    """Return a manifest, or None where there is none; raises what `Manifest.decode` does."""
    try:
        data = (directory / name).read_bytes()
    except FileNotFoundError:
        return None
    return Manifest.decode(data, location)


def write(directory: Path, before: Manifest, after: Manifest, files: Iterable[tuple[str, bytes]]) -> None:
    """Write the files of a checkpoint and its manifest, up to the moment from which it counts.

    `after` has everything but its files. Where this raises, the store is as before once `discard` was called.
    """
    discard(directory)
    entries = dict(before.files)
    for path, content in files:
        if not content:
            entries.pop(path, None)
            continue
        entry = Entry.of(content)
        if entries.get(path) != entry:
            entries[path] = entry
            make_directory((directory / path).parent)
            write_file(directory / (path + NEW), content)
    for parent in sorted(
        {(directory / path).parent for path, entry in entries.items() if before.files.get(path) != entry}
    ):
        sync_directory(parent)
    write_file(directory / (MANIFEST + NEW), attrs.evolve(after, files=entries).encode())
    replace(directory / (MANIFEST + NEW), directory / NEXT)


def finish(directory: Path, location: str) -> Manifest | None:
    """Give the files of a checkpoint that counts their names, and return the manifest that is in force.

    Done again after a crash, it goes on where it was. Where no checkpoint counts yet, what was written for one goes.
    """
    after = read_manifest(directory, location, NEXT)
    before = read_manifest(directory, location)
    if after is None:
        discard(directory)
        return before
    known = before.files if before else {}
    parents = set()
    for path, entry in after.files.items():
        new = directory / (path + NEW)
        if known.get(path) != entry:
            if new.exists():
                new.replace(directory / path)
            parents.add(new.parent)  # whoever gave a file its name may have died before that was on the disk
    for path in known.keys() - after.files.keys():
        (directory / path).unlink(missing_ok=True)
        parents.add((directory / path).parent)
    for parent in sorted(parents):
        sync_directory(parent)
    replace(directory / NEXT, directory / MANIFEST)
    return after


def discard(directory: Path) -> None:
    """Delete what was written for a checkpoint that does not count."""
    for folder in (directory, *(directory / name for name in DIRECTORIES)):
        for path in folder.glob(f"*.json*{NEW}"):
            path.unlink(missing_ok=True)


def tidy(directory: Path, generation: int) -> None:
    """Delete the journals that checkpoints up to this generation have taken in."""
    for path in directory.glob("journal-*.log"):
        if path.name < journal_name(generation):
            path.unlink(missing_ok=True)
