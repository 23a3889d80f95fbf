"""Stores in places that cannot be written, are full, or are shared with other machines."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from polaris_sqlite import SqliteStorage

from polaris_core import CreateNode, StoreFullError, StoreUnavailableError
from polaris_core.abc import Location, Session, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPRIVILEGED = """
import ctypes

def give_up_privileges():
    "As root, who may write everything, become somebody who may not."
    class Header(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]

    header, none = Header(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(ctypes.byref(header), none) == 0

async def attempt(**options):
    store = storage(**options)
    try:
        await store.open()
        print(await names(store))
        await store.close()
    except StoreUnavailableError as error:
        print(type(error).__name__, str(error).partition(path)[2])

asyncio.run(attempt())  # whatever is imported late is imported now
give_up_privileges()
"""


@pytest.fixture
def closed(path: Path, storage: Any, put: Any) -> Path:
    """A directory that nobody may write, with a closed store in it."""

    async def main() -> None:
        store = storage()
        await store.open()
        await put(store, CreateNode("a"))
        await store.backup(path.with_name("copy.db"))
        await store.close()

    asyncio.run(main())
    return path


@pytest.mark.parametrize(
    ("removed", "options", "says"),
    [
        (("-shm", "-wal"), "read_only=True", "StoreReadOnlyError  cannot be written to, nor can files beside it"),
        (("-shm",), "read_only=True", "StoreReadOnlyError  cannot be written to, nor can files beside it"),
        (("-shm", "-wal"), "", "StoreReadOnlyError  cannot be written to, nor can files beside it"),
    ],
)
def test_a_store_in_a_directory_that_cannot_be_written_says_what_can_be_done(
    closed: Path, processes: Any, removed: Any, options: str, says: str
) -> None:
    beside = [closed.with_name(f"{closed.name}{suffix}") for suffix in ("-shm", "-wal")]
    source = f"""
{UNPRIVILEGED}
for suffix in ("-shm", "-wal"):
    Path = __import__("pathlib").Path
    Path(path + suffix).unlink(missing_ok=True)
    if suffix not in {removed!r}:
        Path(path + suffix).touch()
for name in Path(path).parent.iterdir():
    name.chmod(0o444)
Path(path).parent.chmod(0o555)
try:
    asyncio.run(attempt({options}))
finally:
    Path(path).parent.chmod(0o755)
"""
    first, second = processes.run(source).splitlines()
    assert first == "['a']"
    assert second.startswith(says)
    assert "mode=ro reads it where its directory can be written, and a backup of it anywhere" in second
    assert beside


def test_a_file_that_may_only_be_read_says_so_and_is_written_again_once_it_may_be(closed: Path, processes: Any) -> None:
    source = f"""
{UNPRIVILEGED}
Path = __import__("pathlib").Path
for mode, options in ((0o444, {{}}), (0o444, {{"read_only": True}}), (0o644, {{}}), (0o000, {{}})):
    Path(path).chmod(mode)
    asyncio.run(attempt(**options))
"""
    first, refused, only_read, again, unreadable = processes.run(source).splitlines()
    assert (first, only_read, again) == ("['a']", "['a']", "['a']")
    assert refused == f"StoreReadOnlyError  may only be read: make {closed} writable, or open it with mode=ro"
    assert unreadable == "StoreUnavailableError  may not be read by this user"


def test_a_backup_is_read_where_nothing_can_be_written(closed: Path, processes: Any) -> None:
    source = f"""
{UNPRIVILEGED}
Path = __import__("pathlib").Path
Path(path).parent.chmod(0o555)
try:
    path = path.replace("graph.db", "copy.db")
    Path(path).chmod(0o444)
    asyncio.run(attempt(read_only=True))
finally:
    Path(path).parent.chmod(0o755)
"""
    assert processes.run(source).splitlines() == ["['a']", "['a']"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # a wal-index stays mapped until the next one is


def test_a_full_disk_refuses_what_does_not_fit_and_loses_nothing_that_was_acknowledged(small: Path, put: Any) -> None:
    def at(name: str) -> SqliteStorage:
        return SqliteStorage(Location(scheme="sqlite", path=str(small / name)), StorageOptions())

    async def main() -> None:
        store = at("graph.db")
        await store.open()
        stored = []
        with pytest.raises(StoreFullError, match="has no room left: free some and try again; nothing was stored"):
            for number in range(10_000):
                await put(store, CreateNode(f"n{number}", attributes={"k": "x" * 20_000}))
                stored.append(f"n{number}")
        assert await names_in(store) == sorted(stored)
        with pytest.raises(StoreFullError, match=r"copy\.db has no room left"):
            await store.backup(small / "copy.db")
        assert not [file for file in small.iterdir() if "copy" in file.name]
        (small / "ballast").unlink()
        await put(store, CreateNode("after"))
        assert (await store.verify()).findings == ()
        await store.close()

    (small / "ballast").write_bytes(bytes(400_000))
    asyncio.run(main())


async def names_in(store: SqliteStorage) -> list[str]:
    async def program(seen: Session) -> list[str]:
        return list(await seen.keys("node", "", 100_000))

    return await store.read(program)


def test_a_store_on_a_network_file_system_is_refused_unless_its_url_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "mountinfo"
    listed.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:30 / {tmp_path}/far rw - nfs4 server:/ rw\n")
    monkeypatch.setattr("polaris_core.abc.mounts.MOUNTS", listed)

    async def opened(url: str) -> None:
        store = SqliteStorage(Location.parse(url), StorageOptions())
        await store.open()
        await store.close()

    with pytest.raises(StoreUnavailableError, match=r"network file system \(nfs4\).*network=allow"):
        asyncio.run(opened(f"sqlite:///{tmp_path}/far/graph.db"))
    asyncio.run(opened(f"sqlite:///{tmp_path}/far/graph.db?network=allow"))
    asyncio.run(opened(f"sqlite:///{tmp_path}/near/graph.db"))
