"""The file an import reads: one that is open already, one by its name, or a packed one that is unpacked while it is read."""

from __future__ import annotations

import io
import lzma
import os
import zlib
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

import attrs

from polaris_core.errors import InvalidValueError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

__all__ = ["Source", "open_source"]

# Text packs to a fifth or a tenth of its size. What unpacks to more than 250 times its own is made to fill memory and disks.
MAX_RATIO = 250
FREE_BYTES = 64 << 20  # below this any ratio will do
MEMORY_BYTES = 256 << 20  # an xz file says itself how much memory unpacking it takes
_PIECE_BYTES = 1 << 16


@attrs.frozen(kw_only=True)
class Source:
    """An open file.

    `file` yields its unpacked bytes and `unpacked` says how many it has yielded; `position` says how many bytes were read, of
    the `size` it has, None where that is not known.
    """

    file: BinaryIO
    unpacked: Callable[[], int]
    position: Callable[[], int]
    size: int | None = None


@contextmanager
def open_source(place: str | PathLike[str] | BinaryIO) -> Iterator[Source]:
    """Open a file by its name, unpacked if that ends in .gz or .xz; one that is open already is read as it is, and left open.

    Raises `ValidationError` where it cannot be opened.
    """
    if not isinstance(place, (str, os.PathLike)):
        if isinstance(place, io.TextIOBase) or not callable(getattr(place, "read", None)):
            raise InvalidValueError(f"a file is a name, or one that is open for bytes, not {type(place).__name__}")
        yield _source(_Plain(place))
        return
    name = os.fspath(place)
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below
        status = os.fstat(file.fileno())
    except (OSError, ValueError) as error:
        raise ValidationError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    with file:
        member = _MEMBERS.get(Path(name).suffix.lower())
        source = _source(_Plain(file) if member is None else _Unpacked(file, member, name))
        if S_ISREG(status.st_mode):
            source = attrs.evolve(source, size=status.st_size, position=lambda: os.lseek(file.fileno(), 0, os.SEEK_CUR))
        yield source


def _source(raw: _Plain) -> Source:
    file = cast("BinaryIO", io.BufferedReader(raw, _PIECE_BYTES))
    return Source(file=file, unpacked=lambda: raw.count, position=lambda: raw.count)


class _Plain(io.RawIOBase):
    """The bytes of a file as they are, counted."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._piece(len(buffer))
        self.count += len(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def _piece(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; none at the end."""
        return self._file.read1(size) if isinstance(self._file, io.BufferedIOBase) else self._file.read(size)


class _Member(Protocol):
    """One of the packed streams that a file consists of."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """A member of a gzip file, with the interface of the decompressors that the standard library has for newer formats."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        unpacked = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(unpacked) < max_length
        return unpacked


def _xz() -> _Member:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_BYTES)


_MEMBERS: dict[str, Callable[[], _Member]] = {".gz": _Gzip, ".xz": _xz}


class _Unpacked(_Plain):
    """The bytes that a packed file stands for, a bounded piece at a time."""

    def __init__(self, file: BinaryIO, member: Callable[[], _Member], name: str) -> None:
        super().__init__(file)
        self._new, self._name = member, name
        self._member = member()
        self._read = 0

    def _piece(self, size: int) -> bytes:
        try:
            piece = self._next(size)
        except (zlib.error, lzma.LZMAError) as error:
            raise ValidationError(f"{self._name}: cannot be unpacked: {error}") from error
        if self.count + len(piece) > max(FREE_BYTES, MAX_RATIO * self._read):
            raise ValidationError(
                f"{self._name}: unpacks to more than {MAX_RATIO} times its size; if you trust it, unpack it yourself"
            )
        return piece

    def _next(self, size: int) -> bytes:
        data = b""
        while True:
            if self._member.eof:
                rest = self._member.unused_data.lstrip(b"\0")  # members may be padded
                while not rest:
                    if not (more := self._more()):
                        return b""
                    rest = more.lstrip(b"\0")
                self._member, data = self._new(), rest
            elif self._member.needs_input and not data and not (data := self._more()):
                raise ValidationError(f"{self._name}: ends before what is packed in it does")
            piece = self._member.decompress(data, size)
            data = b""
            if piece:
                return piece

    def _more(self) -> bytes:
        data = self._file.read(_PIECE_BYTES)
        self._read += len(data)
        return data
