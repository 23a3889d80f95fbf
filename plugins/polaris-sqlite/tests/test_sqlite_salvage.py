"""What is salvaged from a damaged file: every row that can be read, and the name of everything else."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from polaris_sqlite import SqliteStorage
from polaris_sqlite.plugin import polaris_storages

from polaris_core import (
    CreateEdge,
    CreateNode,
    DeleteNode,
    InvalidLocationError,
    Patch,
    PatchNode,
    SetMeta,
    StoreFormatError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from polaris_core.abc import Index, Location, SalvageReport, Session, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from polaris_core.abc import CommitPlan

Make: TypeAlias = "Callable[..., SqliteStorage]"
Put: TypeAlias = "Callable[..., Coroutine[Any, Any, CommitPlan]]"

FIRST = Path(__file__).with_name("layout_1.sql").read_text(encoding="utf-8")
(SPEC,) = polaris_storages()


def salvaged(path: Path, new: Path, scheme: str = "sqlite") -> SalvageReport:
    async def main() -> SalvageReport:
        assert SPEC.salvage is not None
        return await SPEC.salvage(Location(scheme="sqlite", path=str(path)), Location(scheme=scheme, path=str(new)))

    before = path.read_bytes() if path.is_file() else None
    report = asyncio.run(main())
    assert path.read_bytes() == before
    return report


def within(path: Path, function: Any) -> Any:
    async def main() -> Any:
        store = SqliteStorage(Location(scheme="sqlite", path=str(path)), StorageOptions())
        await store.open()
        try:
            return await function(store)
        finally:
            await store.close()

    return asyncio.run(main())


async def everything(store: SqliteStorage) -> Any:
    async def program(seen: Session) -> Any:
        return (
            await seen.head(),
            list(await seen.scan("node", 0, 100_000)),
            list(await seen.scan("edge", 0, 100_000)),
            list(await seen.meta(["motto", "other"])),
            list(await seen.changes(0, 100_000, None)),
            list(await seen.receipts(["first", "second"])),
        )

    return await store.read(program)


def look(path: Path) -> Any:
    """All that a sound store holds."""
    assert within(path, lambda store: store.verify()).findings == ()
    return within(path, everything)


@pytest.fixture
def filled(path: Path, storage: Make, put: Put) -> Path:
    """A closed store of some hundred pages, whose larger rows go on in pages of their own."""

    async def main() -> None:
        store = storage()
        await store.open()
        nodes = [CreateNode(f"n{i}", "thing", {"text": "ä" * (i % 40 * 60)}, ("seen",)) for i in range(300)]
        await put(store, *nodes, key="first")
        await put(store, *(CreateEdge(f"n{i}", "to", f"n{i + 1}") for i in range(250)), key="second")
        await put(store, *(PatchNode(f"n{i}", Patch(set={"more": i})) for i in range(0, 300, 10)))
        await put(store, SetMeta("motto", {"a": 1}), SetMeta("other", [1]))
        await put(store, SetMeta("motto", {"a": 2}), *(DeleteNode(f"n{i}", detach=True) for i in range(5, 300, 50)))
        await store.close()

    asyncio.run(main())
    return path


def page_size(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:18], "big")


def pages_of(path: Path, table: str) -> list[int]:
    """The leaves of a table."""

    def leaves(page: int) -> list[int]:
        start = (page - 1) * size + (100 if page == 1 else 0)
        if content[start] == 0x0D:
            return [page]
        count = int.from_bytes(content[start + 3 : start + 5], "big")
        base = (page - 1) * size
        cells = [base + int.from_bytes(content[start + 12 + 2 * i : start + 14 + 2 * i], "big") for i in range(count)]
        children = [int.from_bytes(content[at : at + 4], "big") for at in cells]
        children.append(int.from_bytes(content[start + 8 : start + 12], "big"))
        return [leaf for child in children for leaf in leaves(child)]

    content, size = path.read_bytes(), page_size(path)
    return leaves(root_of(path, table))


def root_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()
        return int(root)


def overwrite(path: Path, page: int, data: bytes | None = None, at: int = 0) -> None:
    size = page_size(path)
    with path.open("r+b") as file:
        file.seek((page - 1) * size + at)
        file.write(bytes(size) if data is None else data)


def same_but_for_its_epoch(new: Any, old: Any) -> bool:
    renewed = new[0].epoch != old[0].epoch
    return renewed and (new[0]._replace(epoch=""), *new[1:]) == (old[0]._replace(epoch=""), *old[1:])


def test_nothing_is_lost_of_a_store_that_is_sound(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    report = salvaged(filled, tmp_path / "new.db")
    assert (report.lost, report.nodes, report.edges, report.changes) == ((), 294, len(written[2]), len(written[4]))
    assert same_but_for_its_epoch(look(tmp_path / "new.db"), written)


def test_what_only_the_log_holds_yet_is_salvaged(filled: Path, processes: Any, tmp_path: Path) -> None:
    process = processes.start(
        """
        async def main():
            store = storage()
            await store.open()
            await put(store, CreateNode("late"), CreateNode("later"))
            print("stored", flush=True)
            sys.stdin.read()

        asyncio.run(main())
        """
    )
    assert process.stdout.readline() == "stored\n"
    process.kill()
    process.wait(60)
    assert filled.with_name("graph.db-wal").stat().st_size
    report = salvaged(filled, tmp_path / "new.db")
    assert report.lost == ()
    assert {node.name for node in look(tmp_path / "new.db")[1]} >= {"late", "later"}


@pytest.mark.parametrize("name", ["edges_out", "sqlite_autoindex_nodes_1", "changes_id"])
def test_a_damaged_index_costs_nothing(filled: Path, tmp_path: Path, name: str) -> None:
    written = look(filled)
    overwrite(filled, root_of(filled, name))
    report = salvaged(filled, tmp_path / "new.db")
    assert report.lost == ()
    assert same_but_for_its_epoch(look(tmp_path / "new.db"), written)


def test_a_lost_record_that_was_only_ever_created_is_made_again_from_the_feed(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    overwrite(filled, pages_of(filled, "edges")[1])
    report = salvaged(filled, tmp_path / "new.db")
    assert report.lost == ()
    assert same_but_for_its_epoch(look(tmp_path / "new.db"), written)


def test_what_stands_beside_the_graph_is_made_again_from_the_feed(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    for page in pages_of(filled, "meta"):
        overwrite(filled, page)
    assert salvaged(filled, tmp_path / "new.db").lost == ()
    assert same_but_for_its_epoch(look(tmp_path / "new.db"), written)


def test_lost_records_are_named_and_the_feed_begins_after_what_tells_of_them(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    for page in pages_of(filled, "nodes")[10:30]:
        overwrite(filled, page)
    report = salvaged(filled, tmp_path / "new.db")
    head, nodes, edges, meta, changes, receipts = look(tmp_path / "new.db")
    gone = {node.id: node for node in written[1]}.keys() - {node.id for node in nodes}
    assert gone
    assert all(node.revision > 550 for node in written[1] if node.id in gone)
    named = {finding.where for finding in report.lost}
    assert named >= {f"node {id}" for id in gone}
    dropped = {edge.id for edge in written[2]} - {edge.id for edge in edges}
    assert dropped == {edge.id for edge in written[2] if {edge.source, edge.target} & gone}
    assert named >= {f"edge {id}" for id in dropped}
    assert nodes == [node for node in written[1] if node.id not in gone]
    assert (meta, receipts) == (written[3], written[5])
    assert head.floor == max(node.revision for node in written[1] if node.id in gone)
    assert changes == [change for change in written[4] if change.seq > head.floor]
    assert any("are left out" in finding.what for finding in report.lost)


def test_lost_changes_are_named_and_the_feed_begins_after_them(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    pages = pages_of(filled, "changes")
    overwrite(filled, pages[len(pages) // 2])
    report = salvaged(filled, tmp_path / "new.db")
    new = look(tmp_path / "new.db")
    assert new[1:4] == written[1:4]
    assert new[0].floor > 0
    assert new[4] == [change for change in written[4] if change.seq > new[0].floor]
    assert report.lost[0].where.startswith("change")


def test_a_store_without_a_head_becomes_one_with_an_identity_of_its_own(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    overwrite(filled, root_of(filled, "head"))
    report = salvaged(filled, tmp_path / "new.db")
    assert [finding.where for finding in report.lost] == ["the head of the store"]
    new = look(tmp_path / "new.db")
    assert new[1:] == written[1:]
    assert new[0].store != written[0].store
    assert (new[0].seq, new[0].next_id) == (written[0].seq, written[0].next_id)


def test_a_file_that_lost_its_first_page_gives_every_row_it_has(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    overwrite(filled, 1)
    salvaged(filled, tmp_path / "new.db")
    assert look(tmp_path / "new.db")[1:4] == written[1:4]


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_truncated_file_gives_the_rows_that_are_left(filled: Path, tmp_path: Path, part: float) -> None:
    written = look(filled)
    with filled.open("r+b") as file:
        file.truncate(int(filled.stat().st_size * part))
    report = salvaged(filled, tmp_path / "new.db")
    _, nodes, edges, _, _, _ = look(tmp_path / "new.db")
    assert report.lost
    doubtful = {finding.where for finding in report.lost if "may have written it again" in finding.what}
    assert {node for node in nodes if f"node {node.id}" not in doubtful} <= set(written[1])
    assert {edge for edge in edges if f"edge {edge.id}" not in doubtful} <= set(written[2])


@pytest.mark.parametrize("seed", range(12))
def test_what_is_damaged_at_random_is_salvaged_or_named_and_never_falsified(
    filled: Path, tmp_path: Path, seed: int
) -> None:
    written = look(filled)
    chance = random.Random(seed)
    content = bytearray(filled.read_bytes())
    size = page_size(filled)
    for _ in range(chance.choice([1, 3, 30])):
        at = chance.randrange(len(content))
        match seed % 4:
            case 0:
                content[at] ^= 1 << chance.randrange(8)
            case 1:
                content[at : at + 1] = chance.randbytes(1)
            case 2:
                content[at // size * size : at // size * size + size] = bytes(size)
            case 3:
                content[at // 512 * 512 : at // 512 * 512 + 512] = chance.randbytes(512)
    filled.write_bytes(content)
    report = salvaged(filled, tmp_path / "new.db")
    new = look(tmp_path / "new.db")
    doubtful = {finding.where for finding in report.lost if "may have written it again" in finding.what}
    for kept, before, kind in ((new[1], written[1], "node"), (new[2], written[2], "edge")):
        assert {record for record in kept if f"{kind} {record.id}" not in doubtful} <= set(before)
        missing = {record.id for record in before} - {record.id for record in kept}
        assert not missing or report.lost, kind
    assert set(new[3]) - {None} <= set(written[3])
    assert set(new[4]) <= set(written[4])
    assert set(new[5]) - {None} <= set(written[5])


def test_every_flipped_bit_of_a_page_of_nodes_costs_at_most_its_row(filled: Path, tmp_path: Path) -> None:
    written = look(filled)
    size = page_size(filled)
    page = pages_of(filled, "nodes")[2]
    sound = filled.read_bytes()
    chance = random.Random(3)
    for turn in range(25):
        content = bytearray(sound)
        content[(page - 1) * size + chance.randrange(size)] ^= 1 << chance.randrange(8)
        filled.write_bytes(content)
        new = tmp_path / f"new{turn}.db"
        salvaged(filled, new)
        kept = look(new)[1]
        assert set(kept) <= set(written[1])
        assert len(kept) >= len(written[1]) - 5


def test_rows_of_pages_that_are_in_use_no_more_do_not_come_back(filled: Path, put: Put, tmp_path: Path) -> None:
    size = page_size(filled)
    old = [filled.read_bytes()[(page - 1) * size : page * size] for page in pages_of(filled, "nodes")]

    async def main(store: SqliteStorage) -> None:
        await put(store, *(DeleteNode(f"n{i}", detach=True) for i in range(0, 300, 2)))
        await put(store, *(PatchNode(f"n{i}", Patch(set={"less": i})) for i in range(1, 300, 2) if i % 50 != 5))

    within(filled, main)
    written = look(filled)
    content = bytearray(filled.read_bytes()) + b"".join(old)
    content[28:32] = (len(content) // size).to_bytes(4, "big")
    filled.write_bytes(content)
    overwrite(filled, root_of(filled, "edges_out"))  # or it is known which pages are in use
    report = salvaged(filled, tmp_path / "new.db")
    assert all("may be lost" in finding.what for finding in report.lost)  # those pages could have been anything
    assert same_but_for_its_epoch(look(tmp_path / "new.db"), written)


def schema(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as database:
        return {" ".join(sql.split()) for (sql,) in database.execute("SELECT sql FROM sqlite_schema") if sql}


def test_a_store_of_the_first_layout_is_salvaged_into_one_of_the_last(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.executescript(FIRST)
    assert salvaged(tmp_path / "old.db", tmp_path / "new.db") == SalvageReport(4, 2, 12, ())
    look(tmp_path / "new.db")
    within(tmp_path / "fresh.db", everything)
    assert schema(tmp_path / "new.db") == schema(tmp_path / "fresh.db")


def test_indexes_on_attributes_are_made_anew(filled: Path, tmp_path: Path) -> None:
    async def main(store: SqliteStorage) -> None:
        await store.create_index(Index("node", "more"))
        await store.create_index(Index("edge", "weight"))

    within(filled, main)
    overwrite(filled, root_of(filled, "indexed_id"))
    assert salvaged(filled, tmp_path / "new.db").lost == ()
    look(tmp_path / "new.db")
    assert within(tmp_path / "new.db", lambda store: store.indexes()) == [
        Index("node", "more"),
        Index("edge", "weight"),
    ]


def test_what_cannot_be_salvaged_is_said_and_nothing_is_made(filled: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.db"
    with pytest.raises(StoreNotFoundError):
        salvaged(tmp_path / "missing.db", new)
    (tmp_path / "text.db").write_text("nothing of a database " * 1000)
    with pytest.raises(StoreFormatError, match="nothing in"):
        salvaged(tmp_path / "text.db", new)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreFormatError, match="nothing in"):
        salvaged(tmp_path / "empty.db", new)
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as database, database:
        database.execute("CREATE TABLE nodes (a, b)")
        database.execute("INSERT INTO nodes VALUES (1, 2)")
    with pytest.raises(StoreFormatError, match="nothing in"):
        salvaged(tmp_path / "theirs.db", new)
    with pytest.raises(InvalidLocationError):
        salvaged(filled, new, "json")
    assert not new.exists()
    new.touch()
    with pytest.raises(StoreUnavailableError, match="something at"):
        salvaged(filled, new)


def test_a_store_that_is_open_here_is_not_salvaged_since_that_would_drop_its_locks(
    filled: Path, tmp_path: Path
) -> None:
    async def main(store: SqliteStorage) -> None:
        assert SPEC.salvage is not None
        with pytest.raises(StoreUnavailableError, match="close it first"):
            await SPEC.salvage(
                Location(scheme="sqlite", path=str(filled)), Location(scheme="sqlite", path=str(tmp_path / "new.db"))
            )

    within(filled, main)
