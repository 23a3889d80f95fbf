"""The directory as a place for a store: whether there is one, whether one may be made, and making it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from polaris_core import StoreFormatError, StoreNotFoundError
from polaris_json_fs.checkpoint import finish, newest, write
from polaris_json_fs.files import make_directory, sync_directory, write_file
from polaris_json_fs.importing import adopt, importable
from polaris_json_fs.layout import (
    CHECKPOINT_LOCK,
    COUNTER,
    GITIGNORE,
    IGNORED,
    LEFT_BY_OTHERS,
    LOCK,
    MANIFEST,
    NEW,
)
from polaris_json_fs.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from polaris_core.abc import Head

__all__ = ["initialise", "prepare"]

_OF_A_CREATION = {LOCK, CHECKPOINT_LOCK, COUNTER, IGNORED, MANIFEST + NEW}


def prepare(directory: Path, location: str, *, create: bool) -> None:
    """See to it that the directory holds a store or may hold one.

    Raises `StoreNotFoundError`, or `StoreFormatError` for what is something else; then nothing was written.
    """
    if not directory.exists():
        if not create:
            raise StoreNotFoundError(f"{location}: there is no directory {directory}", location=location)
        make_directory(directory)
        return
    if not directory.is_dir():
        raise StoreFormatError(f"{location}: {directory} is a file, and a store is a directory", location=location)
    if newest(directory, location):
        return
    ours = importable(directory)
    foreign = sorted({path.name for path in directory.iterdir()} - _OF_A_CREATION - LEFT_BY_OTHERS) if not ours else []
    if foreign:
        raise StoreFormatError(
            f"{location}: {directory} holds {foreign[0]!r} and no {MANIFEST}: it is neither a Polaris store nor empty",
            location=location,
        )
    if not create:
        hint = ": open it for writing, and its files are imported" if ours else ""
        raise StoreNotFoundError(f"{location}: there is no store in {directory}{hint}", location=location)


def initialise(directory: Path, location: str, head: Head) -> Manifest:
    """Make a store, empty or of the files that are there, for the holder of its locks, and return its manifest."""
    for above in (directory, *directory.parents):  # whoever made them may have died, or not have waited
        with suppress(PermissionError):
            sync_directory(above)
    if not (directory / IGNORED).exists():
        write_file(directory / IGNORED, GITIGNORE.encode())
    if importable(directory):
        return adopt(directory, location, head)
    before = Manifest(head=head, journal=head.epoch)
    write(directory, before, attrs.evolve(before, generation=1), ())
    made = finish(directory, location)
    assert made is not None  # noqa: S101 - it was written one line above
    return made
