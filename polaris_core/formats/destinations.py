"""The file an export writes: one that is open already, or one that takes its name once it is whole, packed if that says so."""

from __future__ import annotations

import gzip
import io
import lzma
import os
from contextlib import ExitStack
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from polaris_core.errors import InvalidValueError, ValidationError
from polaris_core.formats.parts import open_part

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

__all__ = ["Destination"]


class _Outlet:
    """What a packer writes to, for as long as that is wanted: one that is let go writes out what it still holds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.wanted = True

    def write(self, data: bytes) -> int:
        return self._file.write(data) if self.wanted else len(data)

    def flush(self) -> None:
        if self.wanted:
            self._file.flush()


def _gzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=file, mtime=0))


def _xz(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", lzma.LZMAFile(file, "wb"))


_PACKED = {".gz": _gzip, ".xz": _xz}


class Destination:
    """Where bytes go, in a `with` block that ends with `finish`; without it the file that was there stays as it was.

    A file under a name is written beside it, synced, and renamed by `finish`; it may be read and written by whom the one that
    it replaces might. What a writer that was killed left beside it, one of an hour later deletes. A pipe or a device is written
    directly, and so is a file that is open already, which is flushed and left open. Raises `ValidationError` where the
    file cannot be written.
    """

    def __init__(self, place: str | PathLike[str] | BinaryIO) -> None:
        self._place = place
        self._stack = ExitStack()
        self._renamed: tuple[Path, Path] | None = None
        self._outlet: _Outlet | None = None
        self._raw: BinaryIO
        self._file: BinaryIO

    def __enter__(self) -> Self:
        if not isinstance(self._place, (str, os.PathLike)):
            if isinstance(self._place, io.TextIOBase) or not callable(getattr(self._place, "write", None)):
                raise InvalidValueError(f"a file is a name, or one open for bytes, not {type(self._place).__name__}")
            self._raw = self._file = self._place
            return self
        try:
            with ExitStack() as stack:
                self._open(Path(self._place), stack)
                self._stack = stack.pop_all()
        except (OSError, ValueError) as error:
            raise self._refused(error) from error
        return self

    def _open(self, path: Path, stack: ExitStack) -> None:
        if path.exists() and not path.is_file():  # a pipe or a device, which nothing may replace
            self._raw = self._file = stack.enter_context(path.open("wb"))
        else:
            target = Path(os.path.realpath(path))
            part, self._raw = open_part(target, stack)  # whoever else writes the file has a part of its own
            self._renamed, self._file = (part, target), self._raw
            if target.exists():
                part.chmod(S_IMODE(target.stat().st_mode))  # before anything is in it
        if pack := _PACKED.get(path.suffix.lower()):
            self._outlet = _Outlet(self._raw)
            self._file = pack(cast("BinaryIO", self._outlet))

    def write(self, piece: bytes) -> None:
        """Write some bytes."""
        try:
            self._file.write(piece)
        except BrokenPipeError:  # a reader that has seen enough
            raise
        except OSError as error:
            raise self._refused(error) from error

    def finish(self) -> None:
        """Give the file its name; its bytes are durable."""
        try:
            if self._file is not self._raw:
                self._file.close()
            self._raw.flush()
            if self._renamed:
                os.fsync(self._raw.fileno())
                part, target = self._renamed
                part.replace(target)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._outlet is not None:  # a second time, where it was finished, does nothing
                self._outlet.wanted = False
                self._file.close()
            self._stack.close()
        except OSError as closing:  # what was not written is tried once more
            if error is None:
                raise self._refused(closing) from closing

    def _refused(self, error: Exception) -> ValidationError:
        name = self._place if isinstance(self._place, (str, os.PathLike)) else "the file"
        return ValidationError(f"{name}: cannot be written: {getattr(error, 'strerror', None) or error}")
