"""What the files of records were written with, kept beside them so that an edit by hand can be told line by line.

Nothing here is synced: a copy counts only if it is what the manifest says of its file, and all that is lost without it is
that edits of that file cannot be taken in.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

from polaris_json_fs.layout import NEW, WRITTEN, written_path
from polaris_json_fs.manifest import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["complete", "drop", "keep", "place", "recall", "touched"]


def keep(directory: Path, path: str, content: bytes, file: Path, time: int | None = None) -> None:
    """Write the copy of a file with this path, which stands at `file` now, and was written at `time` in nanoseconds."""
    copy = written_path(path)
    if copy is not None:
        (directory / WRITTEN).mkdir(exist_ok=True)
        (directory / (copy + NEW)).write_bytes(zlib.compress(content, 1))
        time = file.stat().st_mtime_ns if time is None else time
        os.utime(directory / (copy + NEW), ns=(time, time))


def place(directory: Path, path: str) -> None:
    """Give the copy its name, where there is one."""
    copy = written_path(path)
    if copy is not None and (directory / (copy + NEW)).exists():
        (directory / (copy + NEW)).replace(directory / copy)


def complete(directory: Path, files: Mapping[str, Entry]) -> None:
    """Write the copies that are missing or of another time, as after a clone and a pull, of files that are as they should be."""
    for path, entry in files.items():
        copy = written_path(path)
        if copy is None or ((directory / copy).exists() and not touched(directory, path)):
            continue
        try:
            file = directory / path
            time, content = file.stat().st_mtime_ns, file.read_bytes()  # in this order: an edit in between is one, then
        except FileNotFoundError:
            continue
        if Entry.of(content) == entry:
            keep(directory, path, content, file, time)
            place(directory, path)


def drop(directory: Path, path: str) -> None:
    """Delete the copy of a file that is gone."""
    copy = written_path(path)
    if copy is not None:
        (directory / copy).unlink(missing_ok=True)


def touched(directory: Path, path: str) -> bool:
    """Whether somebody has written to a file since: then it differs because of an edit, else because it is damaged."""
    copy = written_path(path)
    return copy is None or (directory / path).stat().st_mtime_ns != (directory / copy).stat().st_mtime_ns


def recall(directory: Path, path: str, entry: Entry) -> bytes | None:
    """Return what a file was written with, None where nobody can say."""
    copy = written_path(path)
    if copy is None:
        return None
    try:
        data = zlib.decompress((directory / copy).read_bytes())
    except (FileNotFoundError, zlib.error):
        return None
    return data if Entry.of(data) == entry else None
