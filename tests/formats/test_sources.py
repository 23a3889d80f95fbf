"""Where an import reads from: packed files are unpacked while they are read, and none can fill the memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core import InvalidValueError, ValidationError
from polaris_core.formats import sources
from polaris_core.formats.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = b"".join(b"line %d\n" % number for number in range(50_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress}


def content(path: Path) -> bytes:
    with open_source(str(path)) as source:
        data = source.file.read()
        assert source.unpacked() == len(data)
        assert source.size == path.stat().st_size == source.position()
        return data


@pytest.fixture(params=PACKERS)
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pack(suffix: str) -> Callable[[bytes], bytes]:
    return PACKERS[suffix]


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_bytes(TEXT)
    assert content(tmp_path / "file.txt") == TEXT


def test_a_packed_file_is_unpacked(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"file{suffix.upper()}"
    path.write_bytes(pack(TEXT))
    assert content(path) == TEXT


def test_several_packed_streams_in_one_file_follow_each_other(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(pack(TEXT) + pack(b"") + b"\0" * 131_072 + pack(b"more") + b"\0" * 8)
    assert content(path) == TEXT + b"more"


def test_lines_are_read_one_at_a_time(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(pack(TEXT))
    with open_source(str(path)) as source:
        assert source.file.readline() == b"line 0\n"
        assert source.unpacked() < len(TEXT)


def test_a_packed_file_that_was_cut_off_is_refused(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(pack(TEXT)[:-20])
    with pytest.raises(ValidationError, match="ends before"):
        content(path)


def test_an_empty_file_is_not_a_packed_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.touch()
    with pytest.raises(ValidationError, match="ends before"):
        content(path)


@pytest.mark.parametrize("tail", [b"garbage " * 8, bz2.compress(b"other")], ids=["garbage", "bzip2"])
def test_what_is_not_packed_as_its_name_says_is_refused(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes], tail: bytes
) -> None:
    for data in (tail, pack(TEXT) + tail, pack(TEXT)[:100] + tail * 10 + pack(TEXT)[100:]):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(data)
        with pytest.raises(ValidationError, match="cannot be unpacked"):
            content(path)


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(pack(b"\n" * (sources.FREE_BYTES + (8 << 20))))
    with open_source(str(path)) as source:
        pieces = iter(lambda: len(source.file.read(1 << 20)), 0)
        with pytest.raises(ValidationError, match="more than 250 times"):
            sum(pieces)
        assert source.unpacked() <= sources.FREE_BYTES + (1 << 20)


def test_an_xz_file_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    packed = bytearray(lzma.compress(b"x"))
    header = slice(12, 12 + 4 * (packed[12] + 1))  # of the first block, with its checksum in the last four bytes
    packed[packed.index(b"\x21\x01") + 2] = 36  # the size of the dictionary: 1 GiB
    packed[header.stop - 4 : header.stop] = struct.pack("<I", zlib.crc32(packed[header.start : header.stop - 4]))
    path = tmp_path / "file.xz"
    path.write_bytes(packed)
    with pytest.raises(ValidationError, match=r"[Mm]emory"):
        content(path)


@pytest.mark.parametrize("name", ["absent", ".", "a\0b", "x" * 5_000])
def test_what_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be read"), open_source(str(tmp_path / name)):
        pass


@pytest.mark.parametrize("place", [3, None, io.StringIO()], ids=["number", "None", "text"])
def test_what_is_no_file_of_bytes_is_refused(place: Any) -> None:
    with pytest.raises(InvalidValueError, match="open for bytes"), open_source(place):
        pass


def test_a_file_that_is_open_is_read_as_it_is_and_left_open() -> None:
    file = io.BytesIO(gzip.compress(TEXT))
    with open_source(file) as source:
        assert source.file.read() == file.getvalue()
        assert (source.size, source.position()) == (None, len(file.getvalue()))
    assert not file.closed
