"""Where an export goes: a file is whole under its name, or what was there stays."""

from __future__ import annotations

import errno
import fcntl
import gzip
import io
import lzma
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from polaris_core import InvalidValueError, ValidationError
from polaris_core.formats.destinations import Destination

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write(place: Any, data: bytes) -> None:
    with Destination(place) as destination:
        destination.write(data)
        destination.finish()


@pytest.mark.parametrize(
    ("suffix", "unpack"), [("", bytes), (".gz", gzip.decompress), (".XZ", lzma.decompress)], ids=["plain", "gz", "xz"]
)
def test_a_file_holds_what_was_written_packed_as_its_name_says(tmp_path: Path, suffix: str, unpack: Any) -> None:
    write(tmp_path / f"file{suffix}", b"new")
    assert unpack((tmp_path / f"file{suffix}").read_bytes()) == b"new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_without_finish_what_was_there_stays_and_nothing_is_left(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="on the way"), Destination(path) as destination:
        destination.write(b"new")
        raise RuntimeError("on the way")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_keeps_what_was_there_until_finish(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with Destination(path) as destination:
        destination.write(b"new")
        assert path.read_bytes() == b"old"
        destination.finish()
        assert path.read_bytes() == b"new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_two_that_write_one_name_at_a_time_each_leave_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Destination(path) as one, Destination(path) as other:
        one.write(b"the whole of one")
        other.write(b"the other")
        one.finish()
        assert path.read_bytes() == b"the whole of one"
        other.finish()
    assert path.read_bytes() == b"the other"
    assert list(tmp_path.iterdir()) == [path]


def write_and_die(path: Path) -> None:
    """Be killed in the middle of writing a file, in another process."""
    program = f"""
import os, signal
from polaris_core.formats.destinations import Destination
with Destination({str(path)!r}) as destination:
    destination.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL


def test_what_a_killed_writer_left_goes_with_the_next_file_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    for _ in range(2):
        write_and_die(path)
    assert path.read_bytes() == b"old"
    left = set(tmp_path.iterdir()) - {path}
    assert len(left) == 2
    write(path, b"new")
    assert path.read_bytes() == b"new"
    assert set(tmp_path.iterdir()) == {path, *left}  # by their age they could be those of a writer on another machine
    age(left)
    write(path, b"newer")
    assert list(tmp_path.iterdir()) == [path]


def age(files: Iterable[Path]) -> None:
    """Make files look as if nobody had written to them for two hours."""
    then = time.time() - 7_200
    for file in files:
        os.utime(file, (then, then))


def test_what_is_left_under_other_names_and_what_is_written_stays(tmp_path: Path) -> None:
    write_and_die(tmp_path / "other")
    (left,) = tmp_path.iterdir()
    age([left])
    path = tmp_path / "file"
    with Destination(path) as living:
        living.write(b"the living one")
        written = set(tmp_path.iterdir())
        age(written)
        write(path, b"new")
        assert set(tmp_path.iterdir()) == written | {path}
        living.finish()
    assert path.read_bytes() == b"the living one"
    assert set(tmp_path.iterdir()) == {path, left}


def test_many_that_write_one_name_at_a_time_leave_one_of_them_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write_many(number: int) -> None:
        for _ in range(50):
            write(path, bytes([number]) * 10_000)

    with ThreadPoolExecutor(8) as threads:
        for written in [threads.submit(write_many, number) for number in range(8)]:
            written.result()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() in {bytes([number]) * 10_000 for number in range(8)}


def test_where_files_cannot_be_locked_they_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    write_and_die(tmp_path / "file")
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr(fcntl, "flock", refuse)
    write(tmp_path / "file", b"new")
    assert set(tmp_path.iterdir()) == {tmp_path / "file", left}


def test_a_file_that_is_replaced_keeps_who_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with Destination(path) as destination:
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        destination.finish()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255), b"new")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"new"


def test_a_file_that_is_open_is_written_flushed_and_left_open() -> None:
    file = io.BytesIO()
    write(file, b"new")
    assert (file.getvalue(), file.closed) == (b"new", False)


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write(tmp_path / "pipe", b"new")
    reader.join()
    assert found == [b"new"]


@pytest.mark.parametrize("place", [3, None, io.StringIO()], ids=["number", "None", "text"])
def test_what_is_no_file_of_bytes_is_refused(place: Any) -> None:
    with pytest.raises(InvalidValueError, match="open for bytes"):
        write(place, b"new")


@pytest.mark.parametrize("name", ["absent/file", ".", "a\0b"])
def test_what_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be written"):
        write(f"{tmp_path}/{name}", b"new")
