"""Writing the readable files, so that whatever moment a crash picks, the store is as before or as after.

Files are written beside those they replace, then the new manifest under the name of the next one: from that moment on
the checkpoint counts, and whoever finds it finishes it. Only then do the files get their names. Everything here is done
by the holder of the lock for checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from polaris_json_fs import written
from polaris_json_fs.files import make_directory, replace, sync_directory, write_file
from polaris_json_fs.layout import DIRECTORIES, MANIFEST, NEW, NEXT, WRITTEN, journal_generation, journal_name
from polaris_json_fs.manifest import Entry, Manifest
from polaris_json_fs.pacing import delete

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "conclude",
    "content",
    "discard",
    "finish",
    "generations",
    "newest",
    "place",
    "read_manifest",
    "tidy",
    "write",
]


def read_manifest(directory: Path, location: str, name: str = MANIFEST) -> Manifest | None:
    """Return a manifest, or None where there is none; raises what `Manifest.decode` does."""
    try:
        data = (directory / name).read_bytes()
    except FileNotFoundError:
        return None
    return Manifest.decode(data, location)


def write(
    directory: Path, before: Manifest, after: Manifest, files: Iterable[tuple[str, bytes]], *, whole: bool = False
) -> None:
    """Write the files of a checkpoint and its manifest, up to the moment from which it counts.

    `after` has everything but its files. With `whole` files that are not given are to go, else they stay. Where this
    raises before that moment, nothing is left of it.
    """
    discard(directory)
    entries = {} if whole else dict(before.files)
    try:
        for path, content in files:
            if not content:
                entries.pop(path, None)
                continue
            entry = entries[path] = Entry.of(content)
            if before.files.get(path) != entry:
                make_directory((directory / path).parent)
                write_file(directory / (path + NEW), content)
                written.keep(directory, path, content, directory / (path + NEW))
        for parent in sorted(
            {(directory / path).parent for path, entry in entries.items() if before.files.get(path) != entry}
        ):
            sync_directory(parent)
        write_file(directory / (MANIFEST + NEW), attrs.evolve(after, files=entries).encode())
        replace(directory / (MANIFEST + NEW), directory / NEXT)
    except BaseException:
        if not (directory / NEXT).exists():  # else it may count already, and whoever comes next finishes it
            discard(directory)
        raise


def place(directory: Path, location: str) -> Manifest | None:
    """Give the files of a checkpoint that counts their names, and return its manifest, None where no checkpoint counts.

    Done again after a crash, it goes on where it was. What was written for a checkpoint that does not count goes.
    """
    after = read_manifest(directory, location, NEXT)
    if after is None:
        discard(directory)
        return None
    sync_directory(directory)  # whoever said that it counts may have died before that was on the disk
    before = read_manifest(directory, location)
    known = before.files if before else {}
    parents = set()
    for path, entry in after.files.items():
        new = directory / (path + NEW)
        if new.exists():  # it was written for this one: what an earlier one left was deleted before
            new.replace(directory / path)
            written.place(directory, path)
        elif known.get(path) == entry:
            continue
        parents.add(new.parent)  # also where whoever renamed it may have died before that was on the disk
    for path in known.keys() - after.files.keys():
        (directory / path).unlink(missing_ok=True)
        written.drop(directory, path)
        parents.add((directory / path).parent)
    for parent in sorted(parents):
        sync_directory(parent)
    return after


def conclude(directory: Path) -> None:
    """Put the manifest of a checkpoint whose files have their names in force."""
    replace(directory / NEXT, directory / MANIFEST)


def finish(directory: Path, location: str) -> Manifest | None:
    """Finish the checkpoint that a process which died has left, if there is one, and return the manifest in force."""
    if place(directory, location) is not None:
        conclude(directory)
    return read_manifest(directory, location)


def newest(directory: Path, location: str) -> Manifest | None:
    """Return the manifest of the newest checkpoint that counts, in force or not yet."""
    return read_manifest(directory, location, NEXT) or read_manifest(directory, location)


def content(directory: Path, path: str, entry: Entry) -> bytes | None:
    """Return what a file of a manifest holds: under its own name or, of a checkpoint that is not finished, beside it.

    Where neither is what the manifest says, it returns the first of them that there is.
    """
    found = None
    for name in (path, path + NEW, path):  # the last again: it may just have got its name
        try:
            data = (directory / name).read_bytes()
        except FileNotFoundError:
            continue
        if Entry.of(data) == entry:
            return data
        found = data if found is None else found
    return found


def discard(directory: Path) -> None:
    """Delete what was written for a checkpoint that does not count."""
    for folder in (directory, *(directory / name for name in (*DIRECTORIES, WRITTEN))):
        for path in folder.glob(f"*.json*{NEW}"):
            path.unlink(missing_ok=True)


def generations(directory: Path) -> list[int]:
    """Return the generations of the journals that there are, in order."""
    found = (journal_generation(path.name) for path in directory.glob("journal-*.log"))
    return sorted(generation for generation in found if generation is not None)


def tidy(directory: Path, generation: int) -> None:
    """Delete the journals that checkpoints up to this generation have taken in."""
    for older in generations(directory):
        if older < generation:
            delete(directory / journal_name(older))
