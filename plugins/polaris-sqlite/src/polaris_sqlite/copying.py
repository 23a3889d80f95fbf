"""Whole copies of a database that is in use: out of it, and back into it.

Both ways go through SQLite's backup API, page by page, over a draft that nobody sees. A backup is one committed state,
because the copy is made inside one read transaction. A restore is one commit of the living file, so every process sees the
old state or the new one, and so does whoever opens it after a crash.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import attrs

from polaris_core import StoreBusyError, StoreDamagedError, StoreNotFoundError
from polaris_sqlite import power, schema
from polaris_sqlite.database_file import DatabaseFile
from polaris_sqlite.draft import Draft
from polaris_sqlite.failures import failures_of
from polaris_sqlite.verification import Examination

if TYPE_CHECKING:
    from polaris_core.abc import Head, Progress
    from polaris_sqlite.database import Database

__all__ = ["backup", "restore"]

_PAGES_AT_ONCE = 1_000


class _Stopped(Exception):  # noqa: N818 - nobody's error: whoever asked was cancelled
    """Nobody waits for the copy any more."""


class _Teller:
    """Turns what `sqlite3.Connection.backup` tells into progress: `share` is how many times over a database is passed."""

    def __init__(self, progress: Progress | None, busy_seconds: float, location: str, share: int = 1) -> None:
        self.stop = Event()
        self._progress = progress
        self._busy_seconds = busy_seconds
        self._location = location
        self._share = share
        self._before = 0
        self._pages = 0
        self._moved = time.monotonic()

    def pages(self, status: int, remaining: int, total: int) -> None:
        """Is told after some pages, or that the database is busy."""
        if self.stop.is_set():
            raise _Stopped
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() - self._moved > self._busy_seconds:
                raise StoreBusyError(
                    f"{self._location} is held by a program that is not Polaris, or by one that stopped",
                    location=self._location,
                    seconds=self._busy_seconds,
                )
            return
        self._moved = time.monotonic()
        self._pages = total
        self._tell(total - remaining)

    def rows(self, done: int, total: int | None) -> None:
        """Is told between two copies how far the search for damage has come."""
        if self.stop.is_set():
            raise _Stopped
        self._tell(self._pages * done // total if total else 0)

    def next(self) -> None:
        """Begin the next pass."""
        self._before += self._pages

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(self._before + done, self._share * self._pages)


async def backup(file: Database, target: Path, progress: Progress | None) -> Head:
    """Copy one committed state to `target`, where nothing may be, and return its head; the copy is durable."""
    teller = _Teller(progress, file.options.busy_seconds, file.location)

    def work(source: sqlite3.Connection) -> Head:
        with file.snapshot(source):
            head = schema.read_head(source)
            with failures_of(str(target)), _draft(file, target.absolute()) as draft:
                draft.check_free()
                with closing(_connect(draft.path)) as copy:
                    source.backup(copy, pages=_PAGES_AT_ONCE, progress=teller.pages)
                    copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # it can be read where nobody may write
                    power.clear(copy)
                draft.publish()
        return head

    async with file.aside() as connection:
        try:
            return await connection.run(work)
        except asyncio.CancelledError:
            teller.stop.set()
            raise


async def restore(file: Database, source: Path, progress: Progress | None) -> Head:
    """Replace everything by what a backup holds, if it is without damage, and return the new head."""
    await file.run(lambda: None, write=True)  # where nothing may be written, nothing is prepared
    teller = _Teller(progress, file.options.busy_seconds, file.location, share=3)
    async with file.aside() as connection:
        draft = _draft(file, Path(file.path))
        try:
            await connection.run(partial(_begin, draft, file.location))
            await connection.run(partial(_prepare, file, source, draft.path, teller))
            return await file.run(partial(_replace, file, draft.path, teller), write=True)
        except asyncio.CancelledError:
            teller.stop.set()
            raise
        finally:
            await connection.run(lambda _: draft.__exit__(None, None, None))


def _begin(draft: Draft, location: str, _: sqlite3.Connection) -> None:
    with failures_of(location):
        draft.__enter__()


def _prepare(file: Database, source: Path, draft: Path, teller: _Teller, live: sqlite3.Connection) -> None:
    """Make a copy of the backup that could stand in the place of the living file, and look for damage in it."""
    location = str(source)
    options = attrs.evolve(file.options, create=False, read_only=True)
    origin = DatabaseFile(os.path.realpath(source), location, file.layout, options)
    with failures_of(location):
        origin.check()
        with closing(origin.connect(write=False)) as stored:
            if file.layout.is_blank(stored):
                raise StoreNotFoundError(f"{location} is an empty file", location=location)
            file.layout.version_of(stored, location)
            with closing(_connect(draft)) as copy:
                stored.backup(copy, pages=_PAGES_AT_ONCE, progress=teller.pages)
                copy.execute("PRAGMA journal_mode = MEMORY").fetchall()
                copy.execute("BEGIN")
                file.layout.bring_forward(copy)
                copy.execute("COMMIT")
                _fit_pages(copy, live)
    with failures_of(location), closing(_connect(draft)) as copy:
        teller.next()
        examination = Examination(file.layout, location)
        while examination.step(copy):
            teller.rows(examination.rows, examination.total)
        if findings := examination.report().findings:
            where, what = findings[0]
            raise StoreDamagedError(
                f"{location} is damaged, so nothing was replaced: {where}: {what}"
                + (f"; {len(findings) - 1} findings more" if len(findings) > 1 else ""),
                location=location,
                where=where,
            )
        teller.next()


def _replace(file: Database, draft: Path, teller: _Teller) -> Head:
    with failures_of(file.location), closing(_connect(draft)) as copy:

        def seal(live: sqlite3.Connection) -> Head:
            """Give the copy the head it is to have. What is there now cannot move meanwhile."""
            copied = schema.read_head(copy)
            head = file.options.restored_head(schema.read_head(live), copied)
            copy.execute("BEGIN")
            if head.floor > copied.floor:
                copy.execute("DELETE FROM changes")
            schema.write_head(copy, head)
            copy.execute("COMMIT")
            return head

        return file.replace(copy, seal, teller.pages)


def _connect(draft: Path) -> sqlite3.Connection:
    """Open a draft, which is nobody else's and is forgotten after a crash."""
    database = sqlite3.connect(draft, isolation_level=None)
    database.execute("PRAGMA synchronous = OFF").fetchall()
    database.execute("PRAGMA journal_mode = MEMORY").fetchall()
    return database


def _fit_pages(copy: sqlite3.Connection, live: sqlite3.Connection) -> None:
    """Give the copy pages of the size that the living file has, which cannot change."""
    (size,) = live.execute("PRAGMA page_size").fetchone()
    if copy.execute("PRAGMA page_size").fetchone() != (size,):
        copy.execute(f"PRAGMA page_size = {size:d}")
        copy.execute("VACUUM")


def _draft(file: Database, place: Path) -> Draft:
    return Draft(place, file.options.unique(), mode=Path(file.path).stat().st_mode & 0o777)
