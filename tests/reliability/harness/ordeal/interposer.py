"""The library that stands between a program and the C library: built, armed, and what it recorded.

`interposer.c` says how it works. It is compiled when it is first needed, so a machine without a C compiler, or one whose
Python calls the kernel past the C library, cannot have the methods that need it; `build` says so.
"""

from __future__ import annotations

import ctypes
import errno
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import attrs

__all__ = [
    "CHANGING",
    "EVERY",
    "UNBROKEN",
    "Action",
    "Event",
    "Fault",
    "Interposer",
    "Kind",
    "MissingError",
    "build",
    "read_recording",
]


class Kind(IntEnum):
    """What was called, as in the C source; those from `NOTE` on are only recorded."""

    OPEN = 1
    READ = 2
    WRITE = 3
    TRUNCATE = 4
    SYNC = 5
    RENAME = 6
    UNLINK = 7
    MKDIR = 8
    RMDIR = 9
    LINK = 10
    MAP = 11
    LOCK = 12
    NOTE = 20
    MAPPED = 21
    CREATE = 22
    LOST_SYNC = 23


EVERY = frozenset(kind for kind in Kind if kind < Kind.NOTE)
CHANGING = frozenset(
    {Kind.OPEN, Kind.WRITE, Kind.TRUNCATE, Kind.SYNC, Kind.RENAME, Kind.UNLINK, Kind.MKDIR, Kind.RMDIR, Kind.LINK}
)
"""Between two of these a process may die wherever it likes: what it leaves is the same."""


class Action(IntEnum):
    """What happens at a point: nothing, death, an error, half a write and death, or half a write."""

    COUNT = 0
    KILL = 1
    FAIL = 2
    TEAR = 3
    SHORTEN = 4


@attrs.frozen(kw_only=True)
class Fault:
    """What goes wrong at the `at`-th call, counted from 1, of some kinds; `always` goes on with every one after it."""

    action: Action = Action.COUNT
    at: int = 0
    kinds: frozenset[Kind] = CHANGING
    error: str = ""
    always: bool = False

    def __str__(self) -> str:
        what = self.error or self.action.name.lower()
        return f"{what} at call {self.at}{' and all after it' if self.always else ''}"


UNBROKEN = Fault()


class MissingError(Exception):
    """Something that a method needs is not on this machine; the text says what."""


def build(folder: Path) -> Path:
    """Compile the library into a folder and return its path; raises `MissingError` where that cannot be done."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not sys.platform.startswith("linux") or struct.calcsize("P") != 8:
        raise MissingError("calls are interposed on 64-bit Linux only")
    if compiler is None:
        raise MissingError("there is no C compiler on PATH (cc, gcc or clang)")
    target = folder / "interposer.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(target), str(Path(__file__).with_name("interposer.c"))]
    finished = subprocess.run([*command, "-lpthread"], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise MissingError(f"{compiler} cannot build the interposer: {finished.stderr.strip().splitlines()[-1]}")
    return target


class Interposer:
    """The library as the process that it was preloaded into speaks to it; raises `MissingError` where it was not."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        try:
            self._watch, self._note, self._relent = library.ordeal_watch, library.ordeal_note, library.ordeal_relent
            self._points, self._felt = library.ordeal_points, library.ordeal_felt
        except AttributeError as error:
            raise MissingError("the interposer is not preloaded") from error
        self._watch.argtypes = [
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_uint32,
            ctypes.c_int,
            ctypes.c_long,
            ctypes.c_int,
            ctypes.c_int,
        ]
        self._note.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self._points.restype = self._felt.restype = ctypes.c_long

    def watch(self, directory: str, fault: Fault, recording: str = "") -> None:
        """Count calls below a directory from here on, let the fault happen, and record if there is a file to record into."""
        mask = sum(1 << kind for kind in fault.kinds)
        code = getattr(errno, fault.error) if fault.error else 0
        self._watch(directory.encode(), recording.encode(), mask, fault.action, fault.at, fault.always, code)

    def relent(self) -> None:
        """Let nothing go wrong any more."""
        self._relent()

    def note(self, text: str) -> None:
        """Put a line of the program's own into the recording."""
        data = text.encode()
        self._note(data, len(data))

    @property
    def points(self) -> int:
        """How many calls were counted."""
        return self._points()

    @property
    def felt(self) -> int:
        """How many times the fault happened."""
        return self._felt()


class Event(NamedTuple):
    """One thing that happened, in order: `first` and `second` are paths."""

    kind: Kind
    inode: int
    offset: int
    first: str
    second: str
    data: bytes


_HEAD = struct.Struct("=4I2Q")


def read_recording(path: Path) -> list[Event]:
    """Return what was recorded; a process that was killed left whole events only."""
    return list(_events(path.read_bytes()))


def _events(data: bytes) -> Iterator[Event]:
    place = 0
    while place < len(data):
        kind, first, second, size, inode, offset = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        parts = []
        for length in (first, second, size):
            parts.append(data[place : place + length])
            place += length
        yield Event(Kind(kind), inode, offset, parts[0].decode(), parts[1].decode(), parts[2])


def noted(events: Iterable[Event]) -> list[str]:
    """Return the program's own lines among events."""
    return [event.data.decode() for event in events if event.kind is Kind.NOTE]
