"""Verification finds what nobody wrote, and reading hands none of it out."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import ANY

import pytest
from polaris_sqlite import SqliteStorage
from polaris_sqlite.integrity import checksum

from polaris_core import CreateEdge, CreateNode, DeleteNode, Emit, Patch, PatchNode, SetMeta, StorageError
from polaris_core.abc import Finding, Index, Location, Session, StorageOptions, VerifyReport

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from polaris_core.abc import CommitPlan

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"

FLIPS = int(os.environ.get("POLARIS_TEST_FLIPS", "150"))
"""How many bits are flipped, one at a time; 0 for every one there is."""


def at(path: Path, **options: Any) -> SqliteStorage:
    return SqliteStorage(Location(scheme="sqlite", path=str(path)), StorageOptions(**options))


async def everything(store: SqliteStorage) -> Any:
    """All records, each read by every way there is but those that read indexes alone."""

    async def program(seen: Session) -> Any:
        names = [f"n{number}" for number in range(12)]
        return (
            await seen.head(),
            list(await seen.scan("node", 0, 1000)),
            list(await seen.nodes(names)),
            list(await seen.nodes(list(range(20)))),
            list(await seen.scan("edge", 0, 1000)),
            list(await seen.edges(list(range(20)))),
            list(await seen.meta(["motto"])),
            list(await seen.changes(0, 1000, None)),
            list(await seen.changes(0, 1000, 1)),
            list(await seen.receipts(["first", "second"])),
        )

    return await store.read(program)


def verified(path: Path) -> VerifyReport:
    async def main() -> VerifyReport:
        store = at(path, read_only=True)
        await store.open()
        try:
            return await store.verify()
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.fixture
def filled(path: Path, storage: Make, put: Put) -> Path:
    """A closed store with records, changes and receipts of every kind."""

    async def main() -> None:
        store = storage()
        await store.open()
        nodes = [CreateNode(f"n{i}", "thing", {"text": "ä" * i, "number": i / 7}, ("seen",)) for i in range(10)]
        await put(store, *nodes, key="first", author="me")
        await put(store, *(CreateEdge(f"n{i}", "to", f"n{i + 1}", {"weight": i}) for i in range(6)), key="second")
        await put(store, PatchNode("n1", Patch(set={"more": True})), SetMeta("motto", {"a": 1}), Emit("met", "n1", [1]))
        await put(store, DeleteNode("n9"))
        await store.close()

    asyncio.run(main())
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def test_a_store_as_it_was_written_is_all_well(filled: Path) -> None:
    report = verified(filled)
    assert report.findings == ()
    assert report.looked_at == 9 + 6 + 1 + 20 + 2


def test_progress_is_told_up_to_the_end_and_the_total_is_known(filled: Path) -> None:
    told: list[tuple[int, int | None]] = []

    async def main() -> None:
        store = at(filled)
        await store.open()
        await store.verify(lambda done, of: told.append((done, of)))
        await store.close()

    asyncio.run(main())
    assert told == sorted(told)
    assert told[-1] == (38, 38)


def reseal(table: str, number: int, /, **columns: object) -> Callable[[Path], None]:
    """Returns what changes a row as a program would that knows how checksums are made."""

    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            key = {"changes": "seq", "head": "only"}.get(table, "rowid")
            database.row_factory = sqlite3.Row
            row = dict(database.execute(f"SELECT * FROM {table} WHERE {key} = ?", (number,)).fetchone()) | columns
            sealed = [column for column in row if column not in ("only", "unsynced", "checksum")]
            row["checksum"] = checksum(tuple(row[column] for column in sealed))
            named = ", ".join(f'"{column}" = :{column}' for column in row)
            database.execute(f"UPDATE {table} SET {named} WHERE {key} = :which", row | {"which": number})

    return damage


def statements(*all: str) -> Callable[[Path], None]:
    return lambda path: change(path, *all)


@pytest.mark.parametrize(
    ("damage", "where", "says"),
    [
        (statements("UPDATE nodes SET body = body || ' ' WHERE id = 3"), "node 3", "not what was written"),
        (statements("UPDATE edges SET type = 'other' WHERE id = 12"), "edge 12", "not what was written"),
        (statements("UPDATE meta SET revision = 2"), "meta 'motto'", "not what was written"),
        (statements("UPDATE receipts SET last = 3 WHERE key = 'first'"), "receipt 'first'", "not what was written"),
        (statements("UPDATE changes SET kind = 'x' WHERE seq = 19"), "change 19", "not what was written"),
        (statements("UPDATE head SET next_id = 999"), "the head of store", "damaged"),
        (statements("DELETE FROM head"), "the head of store", "damaged"),
        (statements("UPDATE head SET unsynced = 'never'"), "the head of store", "is none"),
        (statements("DELETE FROM nodes WHERE id = 4"), "edge 13", "no node where it ends"),
        (statements("DELETE FROM nodes WHERE id = 4"), "edge 14", "no node where it starts"),
        (statements("DELETE FROM nodes WHERE id = 4"), "change 4", "is not there"),
        (statements("DELETE FROM edges WHERE id = 12"), "change 12", "is not there"),
        (statements("DELETE FROM changes WHERE seq = 5"), "change 5", "is missing"),
        (statements("DELETE FROM changes WHERE seq = 5"), "node 5", "another revision"),
        (statements("DELETE FROM changes WHERE seq = 20"), "change 20", "is missing"),
        (statements("DELETE FROM changes WHERE seq = 20"), "the head of store", "the last one is 19"),
        (reseal("head", 1, seq=25), "the head of store", "stands at change 25"),
        (reseal("head", 1, next_id=16), "edge 16", "never given out"),
        (reseal("nodes", 2, revision=18), "node 2", "another revision"),
        (reseal("nodes", 2, name="n1\u0308".replace("1", "e")), "node 2", "not normalised"),
        (reseal("nodes", 3, body="{}"), "node 3", "cannot be read"),
        (reseal("changes", 20, kind="node.updated"), "change 10", "is not there"),
        (reseal("changes", 20, id=2), "node 2", "another revision"),
        (reseal("changes", 20, id=2), "change 20", "still there"),
    ],
)
def test_what_nobody_wrote_or_what_does_not_fit_is_found(filled: Path, damage: Any, where: str, says: str) -> None:
    if "head" in where and "damaged" in says:  # such a store does not open, so the damage is done to an open one
        report = verified_while_open(filled, damage)
    else:
        damage(filled)
        report = verified(filled)
    assert [finding for finding in report.findings if finding.where == where and says in finding.what]


def verified_while_open(path: Path, damage: Callable[[Path], None]) -> VerifyReport:
    async def main() -> VerifyReport:
        store = at(path, read_only=True)
        await store.open()
        damage(path)
        try:
            return await store.verify()
        finally:
            await store.close()

    return asyncio.run(main())


@pytest.mark.parametrize("index", ["edges_out", "edges_in"])
def test_an_index_that_differs_from_its_table_is_found(filled: Path, index: str) -> None:
    with closing(sqlite3.connect(filled)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(filled.read_bytes())
    content[content.rindex(b"to", 0, page * size)] ^= 1  # the type of an edge, as walks read it
    filled.write_bytes(content)
    assert any(f"missing from index {index}" in finding.what for finding in verified(filled).findings)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE indexed SET value = 0.5 WHERE id = 3", "node 3"),
        ("DELETE FROM indexed WHERE id = 4", "node 4"),
        ("DELETE FROM indexed WHERE id = 4", "the index on number"),
        ("INSERT INTO indexed VALUES (1, 3, 77, 777)", "the index on number"),
        ("INSERT INTO indexed VALUES (9, 3, 77, 777)", "the index on number 9"),
    ],
)
def test_an_index_on_attributes_that_differs_from_the_records_is_found(
    filled: Path, statement: str, where: str
) -> None:
    async def main() -> None:
        store = at(filled)
        await store.open()
        await store.create_index(Index("node", "number"))
        await store.close()

    asyncio.run(main())
    assert verified(filled).findings == ()
    change(filled, statement)
    assert where in {finding.where for finding in verified(filled).findings}


def bits_of_records(path: Path) -> list[tuple[str, int, int]]:
    """The table, offset and bit of every bit of every record: the cells of the leaf pages of all tables with checksums."""
    with closing(sqlite3.connect(path)) as database:
        tables = ("head", "nodes", "edges", "meta", "changes", "receipts")
        roots = dict(database.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = path.read_bytes()
    found = []
    for table in tables:
        for page in leaves(content, roots[table], size):
            start = (page - 1) * size
            cells = int.from_bytes(content[start + 3 : start + 5], "big")
            offsets = [int.from_bytes(content[start + 8 + 2 * i : start + 10 + 2 * i], "big") for i in range(cells)]
            for offset in offsets:
                length, used = varint(content, start + offset)
                _, more = varint(content, start + offset + used)
                end = offset + used + more + length
                assert end <= size, "the records of this test stay on their pages"
                found += [(table, start + byte, bit) for byte in range(offset, end) for bit in range(8)]
    return found


def leaves(content: bytes, page: int, size: int) -> list[int]:
    start = (page - 1) * size
    if content[start] == 0x0D:
        return [page]
    assert content[start] == 0x05
    cells = int.from_bytes(content[start + 3 : start + 5], "big")
    offsets = [int.from_bytes(content[start + 12 + 2 * i : start + 14 + 2 * i], "big") for i in range(cells)]
    children = [int.from_bytes(content[start + offset : start + offset + 4], "big") for offset in offsets]
    children.append(int.from_bytes(content[start + 8 : start + 12], "big"))
    return [leaf for child in children for leaf in leaves(content, child, size)]


def varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for used in range(8):
        value = value << 7 | content[at + used] & 0x7F
        if content[at + used] < 0x80:
            return value, used + 1
    return value << 8 | content[at + 8], 9


def test_every_flipped_bit_of_a_record_is_found_and_no_reader_is_handed_what_it_made(
    filled: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"

    async def main() -> None:
        store = at(filled, read_only=True)
        await store.open()
        written = await everything(store)
        await store.close()
        bits = bits_of_records(filled)
        assert len(bits) > 50_000
        chosen = random.Random(7).sample(bits, FLIPS) if FLIPS else bits
        missed, wrong = [], []
        for table, offset, bit in chosen:
            content = bytearray(filled.read_bytes())
            content[offset] ^= 1 << bit
            copy.write_bytes(content)
            found, read = await looked_at(copy)
            if not found:
                missed.append((table, offset, bit))
            if read is not None and read != written:
                wrong.append((table, offset, bit))
        assert (missed, wrong) == ([], [])

    asyncio.run(main())


async def looked_at(path: Path) -> tuple[bool, Any]:
    """Whether damage is found, by opening or by verifying, and what reading gives: None where it says no."""
    store = at(path, read_only=True)
    try:
        await store.open()
    except StorageError:
        return True, None
    try:
        found = bool((await store.verify()).findings)
        try:
            return found, await everything(store)
        except StorageError:
            return found, None
    finally:
        await store.close()


def test_rows_that_stand_out_of_order_do_not_keep_verification_from_its_end(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'receipts'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(filled.read_bytes())
    start = (page - 1) * size
    cell = start + int.from_bytes(content[start + 8 : start + 10], "big")
    _, used = varint(bytes(content), cell)
    content[cell + used] ^= 0x80  # the first of two rows has a number above the second's, and a header that is cut off
    filled.write_bytes(content)
    assert any("receipt" in finding.where for finding in verified(filled).findings)


@pytest.mark.parametrize("table", ["nodes", "edges", "meta", "changes", "receipts"])
@pytest.mark.parametrize("letter", [b"K", b"\xeb"])
def test_a_table_that_lost_a_column_does_not_keep_verification_from_its_end(
    filled: Path, table: str, letter: bytes
) -> None:
    content = bytearray(filled.read_bytes())
    column = content.index(b"checksum", content.index(b"CREATE TABLE %s (" % table.encode()))
    content[column + 3 : column + 4] = letter
    filled.write_bytes(content)
    assert Finding(f"table {table}", ANY) in verified(filled).findings


def test_a_damaged_page_is_reported_with_its_rows_and_the_rest_is_looked_at(
    path: Path, storage: Make, put: Put
) -> None:
    async def fill() -> None:
        store = storage()
        await store.open()
        await put(store, *(CreateNode(f"n{i}", attributes={"k": "x" * 900}) for i in range(400)))
        await store.close()

    asyncio.run(fill())
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'nodes'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    page = leaves(path.read_bytes(), root, size)[40]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    report = verified(path)
    (lost,) = [finding.what for finding in report.findings if "rows" in finding.what]
    first, last = (int(word.strip(",")) for word in lost.split() if word.strip(",").isdigit())
    assert 1 < first <= last < first + 6
    assert report.looked_at == 800 - (last - first + 1)


def test_verification_goes_on_beside_commits_and_finds_nothing_wrong_with_them(
    path: Path, storage: Make, put: Put
) -> None:
    async def main() -> None:
        store = storage()
        await store.open()
        await put(store, *(CreateNode(f"n{i}") for i in range(6_000)))

        async def write() -> None:
            for number in range(60):
                await put(store, CreateNode(f"new{number}"), CreateEdge(f"new{number}", "to", f"n{number}"))
                await put(store, DeleteNode(f"n{5_999 - number}"), PatchNode(f"n{number}", Patch(set={"a": number})))

        writing = asyncio.ensure_future(write())
        while not writing.done():
            assert (await store.verify()).findings == ()
        await writing
        await store.close()

    asyncio.run(main())


def test_verification_that_is_cancelled_ends_and_leaves_the_store_usable(filled: Path) -> None:
    async def main() -> None:
        store = at(filled)
        await store.open()
        for turns in range(12):
            task = asyncio.ensure_future(store.verify())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await store.verify()).findings == ()
        await store.close()

    asyncio.run(main())
