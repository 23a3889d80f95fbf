"""The part of a file, beside it while it is written. Who writes it holds a lock on it, so one that can be locked is nobody's."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO
from uuid import uuid4

__all__ = ["open_part"]

# Whatever it is, looking at it waits for nobody.
_LOOKED_AT = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_STALE_SECONDS = 3_600.0  # a lock is not seen by another machine on every file system that has locks


def open_part(target: Path, stack: ExitStack) -> tuple[Path, BinaryIO]:
    """Return a new part of a file and its name, which is nobody else's, until the stack ends; raises `OSError`.

    Parts of the same file whose writers were killed an hour ago are deleted. Where the file system has no locks they stay.
    """
    digest = sha256(os.fsencode(target.name)).hexdigest()  # as the target's name may be of any length
    beginning = f".{digest[:16]}."
    _delete_stale(target.parent, beginning)
    while True:
        part = target.with_name(f"{beginning}{uuid4().hex}.part")
        with ExitStack() as opened:
            file = opened.enter_context(part.open("xb"))
            opened.callback(part.unlink, missing_ok=True)
            if _is_locked(file) and part.exists():  # nobody took it for a stale one before it was locked
                stack.push(opened.pop_all())
                return part, file


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # as good as locked: where there are no locks, nobody can find it without one
    return True


def _delete_stale(folder: Path, beginning: str) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(beginning) and entry.name.endswith(".part"):
                _delete_if_stale(Path(entry.path))


def _delete_if_stale(part: Path) -> None:
    with suppress(OSError), ExitStack() as stack:  # it is somebody's, or gone, or not ours to delete
        descriptor = os.open(part, _LOOKED_AT)
        stack.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        if S_ISREG(status.st_mode) and time.time() - status.st_mtime > _STALE_SECONDS:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
