"""The file backends as the ordeals know them: where their files are, and how small steps make them do everything."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BACKENDS", "VOLATILE", "boot_again", "in_small_steps", "store_url"]

BACKENDS = ("sqlite", "json")
VOLATILE = ("-shm",)
"""How the names of files end that hold nothing once every process is dead: SQLite makes its wal-index anew."""


def store_url(backend: str, folder: Path | str) -> str:
    """Return the URL of a backend's store in a folder of its own."""
    return f"{backend}:///{Path(folder) / ('kg.db' if backend == 'sqlite' else 'kg')}"


def in_small_steps() -> None:
    """Let this process's stores do after a few writes what they do after thousands: checkpoints, and new logs."""
    from polaris_json_fs import store
    from polaris_sqlite import database

    assert database.CHECKPOINT_PAGES
    assert database._RESTART_PAGES
    assert store._SMALL_JOURNAL
    database.CHECKPOINT_PAGES = 8
    database._RESTART_PAGES = 24
    database._RESTART_MILLISECONDS = 5
    store._SMALL_JOURNAL = 4_000


def boot_again(name: str) -> None:
    """Let this process believe that the machine was booted under this name."""
    from polaris_json_fs import counter
    from polaris_sqlite import power

    assert counter.boot_id()
    assert power.boot()
    counter.boot_id = name.encode
    power.boot = lambda: name
