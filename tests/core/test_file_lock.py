"""The lock of the file backends: one holder, a deadline, a name to complain about, and no inheritance by fork."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from polaris_core.abc import FileLock
from polaris_core.errors import StoreBusyError, StoreClosedError

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from polaris_core.abc import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""

COUNT = """
import sys, time
from polaris_core.abc import FileLock
lock, path = FileLock(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
waits = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    with lock:
        waits.append(time.perf_counter() - start)
        with open(path, "r+") as file:
            number = int(file.read())
            time.sleep(0.0002)
            file.seek(0)
            file.write(str(number + 1))
print(max(waits), flush=True)
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate("go\n", timeout=60)
    assert process.returncode == 0
    return output


def test_a_second_process_is_refused_at_the_deadline_with_the_holders_pid(tmp_path: Path) -> None:
    holder = start(HOLD, tmp_path / "lock")
    with pytest.raises(StoreBusyError) as caught:
        FileLock(tmp_path / "lock", seconds=0.05, location="json:///kg").acquire()
    assert (caught.value.pid, caught.value.seconds, caught.value.location) == (holder.pid, 0.05, "json:///kg")
    finish(holder)
    with FileLock(tmp_path / "lock", seconds=0):
        pass


def test_no_time_to_wait_is_enough_for_a_free_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", seconds=0)
    for _ in range(3):
        with lock:
            pass


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    holder = start(HOLD, tmp_path / "lock")
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    FileLock(tmp_path / "lock", seconds=0).acquire()


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    with one, pytest.raises(StoreBusyError) as caught:
        other.acquire(0.02)
    assert caught.value.pid == os.getpid()
    other.acquire(0)


def test_two_threads_of_one_lock_exclude_each_other(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    total = 0

    def work() -> None:
        nonlocal total
        for _ in range(200):
            with lock:
                before = total
                time.sleep(0)
                total = before + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == 800


def test_a_thread_that_waits_in_vain_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    found: list[StoreBusyError] = []

    def work() -> None:
        try:
            lock.acquire(0.02)
        except StoreBusyError as error:
            found.append(error)

    with lock:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [error.pid for error in found] == [os.getpid()]
    lock.acquire(0)


def test_processes_exclude_each_other_and_none_starves(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    processes = [start(COUNT, tmp_path / "lock", tmp_path / "number", 300) for _ in range(3)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    longest = [float(finish(process)) for process in processes]
    assert (tmp_path / "number").read_text() == "900"
    assert max(longest) < 5  # far below the deadline of ten seconds, on a busy machine too


def test_whoever_waits_comes_before_the_last_holder(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    order: list[str] = []

    def work() -> None:
        with other:
            order.append("other")

    lock.acquire()
    thread = threading.Thread(target=work)
    thread.start()
    while b"next %010d.%06d" % (0, 0) in (tmp_path / "lock").read_bytes():
        time.sleep(0.001)
    lock.release()
    lock.acquire()
    order.append("first holder")
    lock.release()
    thread.join()
    assert order == ["other", "first holder"]


def test_a_waiter_that_is_gone_costs_the_holder_its_courtesy_once(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", seconds=1)
    with lock:
        pass
    note = (tmp_path / "lock").read_bytes()
    (tmp_path / "lock").write_bytes(note[: note.index(b"next")] + b"next %010d.%06d\n" % (999_999, 1))
    with lock:
        assert b"next %010d.%06d" % (0, 0) in (tmp_path / "lock").read_bytes()


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"holder", bytes(64)])
def test_what_stands_in_the_file_decides_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lock").write_bytes(content)
    with FileLock(tmp_path / "lock", seconds=1), pytest.raises(StoreBusyError):
        FileLock(tmp_path / "lock").acquire(0)


def test_a_lock_whose_file_was_replaced_follows_the_new_file(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock", seconds=1)
    with lock:
        pass
    (tmp_path / "lock").unlink()
    with FileLock(tmp_path / "lock"), pytest.raises(StoreBusyError):
        lock.acquire(0.02)
    lock.acquire()


def test_after_a_fork_the_child_is_refused_and_holds_nothing(tmp_path: Path) -> None:
    program = """
import os, signal, sys, time
from polaris_core import ForkedError
from polaris_core.abc import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
read, write = os.pipe()
child = os.fork()
if child == 0:
    try:
        lock.acquire()
    except ForkedError:
        os.write(write, b"refused")
    time.sleep(60)  # outlives the parent's work, which must not need its end
print(os.read(read, 7).decode())
lock.release()
FileLock(sys.argv[1]).acquire(0)
print("free")
os.kill(child, signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "lock")], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "refused\nfree\n"


def test_a_fork_does_not_keep_the_lock_of_a_parent_that_dies(tmp_path: Path) -> None:
    program = """
import os, sys, time
from polaris_core.abc import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
child = os.fork()
if child == 0:
    os.close(1)
    os.close(2)
    sys.stdin.readline()
    os._exit(0)
print(child, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    FileLock(tmp_path / "lock").acquire(0.5)
    os.kill(child, 0)  # is still there
    parent.communicate()


def test_a_closed_lock_says_so_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock:
        pass
    lock.close()
    lock.close()
    with pytest.raises(StoreClosedError):
        lock.acquire()


def test_a_lock_that_nobody_has_any_more_is_closed(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock:
        pass
    descriptor = lock._fd
    os.fstat(descriptor)
    del lock
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_the_file_stays_when_the_lock_is_closed(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with lock:
        pass
    lock.close()
    assert (tmp_path / "lock").exists()


def test_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "missing" / "lock")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            lock.acquire()


def test_a_lock_for_reading_writes_nothing_and_excludes_all_the_same(tmp_path: Path) -> None:
    reader = FileLock(tmp_path / "lock", seconds=0, read_only=True)
    with pytest.raises(FileNotFoundError):
        reader.acquire()
    with FileLock(tmp_path / "lock"), pytest.raises(StoreBusyError):
        reader.acquire()
    before = (tmp_path / "lock").read_bytes()
    with reader, pytest.raises(StoreBusyError):
        FileLock(tmp_path / "lock").acquire(0)
    assert (tmp_path / "lock").read_bytes() == before


class UnreadableOnce(FileLock):
    """A lock on a disk that fails once, when the file is read again by who has just locked it."""

    reads = 0

    def _read(self):
        self.reads += 1
        if self.reads == 2:
            raise OSError(errno.EIO, "Input/output error")
        return super()._read()


def test_a_fault_of_the_disk_while_locking_leaves_nothing_locked(tmp_path: Path) -> None:
    broken = UnreadableOnce(tmp_path / "lock", seconds=0.0)
    with pytest.raises(OSError, match="Input/output"):
        broken.acquire()
    with FileLock(tmp_path / "lock", seconds=0.0):
        pass
    with broken:
        pass
    broken.close()
