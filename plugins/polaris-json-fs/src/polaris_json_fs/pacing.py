"""Long work beside a thread that commits: a part at a time, so that neither the interpreter nor the disk is taken for long."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["delete", "drop", "in_slices"]

T = TypeVar("T")

_SLICE: Final = 64
_PAUSE: Final = 0.000_05
"""Seconds between slices. Without a pause a thread that commits would wait for the interpreter up to
`sys.getswitchinterval()` each time it comes back from the disk."""
_DROPPED: Final = 1_024
_STEP: Final = 4 << 20
_STEP_PAUSE: Final = 0.002


def in_slices(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield some of the rows at a time, with a pause after each."""
    for start in range(0, len(rows), _SLICE):
        yield rows[start : start + _SLICE]
        time.sleep(_PAUSE)


def drop(rows: list[T]) -> None:
    """Let go of rows, some at a time, with a pause after each."""
    while rows:
        del rows[-_DROPPED:]
        time.sleep(_PAUSE)


def delete(path: Path) -> None:
    """Delete a file if it is there, and free what it holds a part at a time: the system syncs nothing while it frees much.

    Whoever has it open reads it on to its end; then it is the system that frees it, when the last one closes it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # it is gone, or may not be opened, which keeps nobody from deleting it
        path.unlink(missing_ok=True)
        return
    try:
        path.unlink(missing_ok=True)
        if _has_nobody_else(descriptor):
            for size in range(os.fstat(descriptor).st_size - _STEP, 0, -_STEP):
                os.ftruncate(descriptor, size)
                time.sleep(_STEP_PAUSE)
    finally:
        os.close(descriptor)


def _has_nobody_else(descriptor: int) -> bool:
    """Return whether a file has no name and is open nowhere else; False where the system does not say."""
    if os.fstat(descriptor).st_nlink or not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:  # the system gives a lease for writing only to who has the file for itself
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True
