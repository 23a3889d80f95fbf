"""An exclusive lock on a permanent file, held across processes and threads, with a deadline and the holder's name.

It is `flock`: the kernel drops it when its holder dies, however it dies, and closing another descriptor of the file
does no harm. The file is never deleted, because a lock on a deleted file has a second holder soon. `flock` alone lets
whoever releases it take it again before anybody who sleeps has woken up; so whoever waits writes its name into the
file, and the last holder stands back for a moment when it finds one there. What the file says is a courtesy and decides
nothing. POSIX only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Self
from weakref import WeakSet

from polaris_core.errors import ForkedError, StoreBusyError, StoreClosedError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["FileLock"]

_FIRST_PAUSE = 0.000_1  # seconds between two tries
_LONGEST_PAUSE = 0.002
_COURTESY = 0.005  # longer than the longest pause, so that whoever waits finds the lock free once in it
_serials = count(1)
_live: WeakSet[FileLock] = WeakSet()


class _Note(NamedTuple):
    """What the file says: who holds the lock or held it last, and who asks to be next, each as (pid, serial)."""

    holder: tuple[int, int] = (0, 0)
    waiter: tuple[int, int] = (0, 0)

    def encode(self) -> bytes:
        return b"holder %010d.%06d, next %010d.%06d\n" % (*self.holder, *self.waiter)

    @classmethod
    def decode(cls, line: bytes) -> _Note:
        try:
            return cls((int(line[7:17]), int(line[18:24])), (int(line[31:41]), int(line[42:48])))
        except ValueError:
            return cls()


class FileLock:
    """A lock that one thread of one process holds at a time; `with lock:` holds it for the block.

    `path` is the lock's own file, made where there is none and left for good. `seconds` is how long to wait for it, and
    `location` what errors call the store it guards. Two locks on one path exclude each other, in one process too. The
    file is opened by the first `acquire`. With `read_only` it is neither made nor written, and `acquire` raises
    `FileNotFoundError` where there is none. In a child process after a fork every call but `close` raises
    `ForkedError`.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, seconds: float = 10.0, location: str = "", read_only: bool = False
    ) -> None:
        self._fd = -1
        self._read_only = read_only
        self._path = os.fspath(path)
        self._seconds = seconds
        self._location = location or str(path)
        self._thread = threading.Lock()
        self._pid = os.getpid()
        self._me = (self._pid, next(_serials) % 1_000_000)
        self._settled = _Note(self._me).encode()
        self._closed = False
        _live.add(self)

    def acquire(self, seconds: float | None = None) -> None:
        """Take the lock, waiting at most `seconds`; None stands for what the constructor was given.

        Raises `StoreBusyError` with the holder's pid at the deadline, `ForkedError`, `StoreClosedError`, or the
        `OSError` that kept the file from being opened.
        """
        if os.getpid() != self._pid:
            raise ForkedError(f"{self._location} was opened before this process was forked: open it again here")
        seconds = self._seconds if seconds is None else seconds
        deadline = time.monotonic() + seconds
        if not self._thread.acquire(timeout=max(seconds, 0)):
            raise self._busy(self._pid, seconds)
        try:
            # The rule: nobody else was here since, and nobody asks. The rest costs three times as much.
            if self._fd < 0 or os.pread(self._fd, 64, 0) != self._settled or not self._try():
                self._wait(deadline, seconds)
        except BaseException:
            self.rest()  # the file may be locked already, and closing it gives the lock back
            self._thread.release()
            raise

    def release(self) -> None:
        """Give the lock back. Only the holder calls this."""
        if os.getpid() != self._pid:
            raise ForkedError(f"{self._location} was opened before this process was forked: open it again here")
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._thread.release()

    def close(self) -> None:
        """Close the file; called when nobody holds the lock, and harmless when called again."""
        self._closed = True
        _live.discard(self)
        self.rest()

    def rest(self) -> None:
        """Close the file while nobody holds the lock; the next `acquire` opens it again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        """Close the file of a lock that nobody has any more, such as that of a store whose opening was cancelled."""
        self.rest()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def _wait(self, deadline: float, seconds: float) -> None:
        pause = _FIRST_PAUSE
        note = self._open_and_read()
        # Only who held it last stands back: with more courtesy than that, those who wait would wait for each other.
        before_me = note.waiter if note.holder == self._me and note.waiter not in (self._me, (0, 0)) else None
        patience = time.monotonic() + _COURTESY if before_me else 0.0
        while True:
            now = time.monotonic()
            if (now >= patience or note.waiter != before_me) and self._try():
                note = self._read()
                # A waiter whom courtesy did not serve is dead or gone, and would cost everyone the same time again.
                waiter = (0, 0) if note.waiter in (self._me, before_me) else note.waiter
                self._write(note, _Note(self._me, waiter))
                return
            if now >= deadline:
                note = self._open_and_read()
                if note.waiter == self._me:
                    self._write(note, note._replace(waiter=(0, 0)))
                raise self._busy(note.holder[0] or None, seconds)
            time.sleep(min(pause, max(deadline - now, 0)))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            note = self._open_and_read()
            if note.waiter == (0, 0):
                self._write(note, note._replace(waiter=self._me))

    def _try(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
                return False
            raise
        if self._is_current():
            return True
        fd, self._fd = self._fd, -1  # somebody replaced the file, and those who come now lock the new one
        os.close(fd)
        return False

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self._path))  # noqa: PTH116 - a third of the price
        except FileNotFoundError:
            return False

    def _open_and_read(self) -> _Note:
        if self._closed:
            raise StoreClosedError(f"the lock of {self._location} is closed")
        if self._fd < 0:
            flags = os.O_RDONLY if self._read_only else os.O_RDWR | os.O_CREAT
            self._fd = os.open(self._path, flags | os.O_CLOEXEC, 0o666)
        return self._read()

    def _read(self) -> _Note:
        return _Note.decode(os.pread(self._fd, 64, 0))

    def _write(self, old: _Note, new: _Note) -> None:
        if new != old and not self._read_only:
            try:
                os.pwrite(self._fd, new.encode(), 0)
            except OSError:
                return  # a full disk keeps nobody from locking

    def _busy(self, pid: int | None, seconds: float) -> StoreBusyError:
        holder = f"process {pid}" if pid else "another process"
        return StoreBusyError(
            f"{self._location} is held by {holder}; gave up after {seconds:g} s",
            location=self._location,
            pid=pid,
            seconds=seconds,
        )


def _close_in_child() -> None:
    # The child's copy of the descriptor would keep the lock alive after the parent has died while holding it.
    for lock in list(_live):
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)
