"""Laws of keys: the names of nodes, and the keys of meta records and receipts, in code point order."""

from __future__ import annotations

from typing import Literal

from polaris_core.abc.storage import Storage
from polaris_core.mutations import CreateNode, DeleteNode, RenameNode, SetMeta
from polaris_core.records import Session
from polaris_core.testing.laws.subject import Subject, ask, put
from polaris_core.testing.programs import pages

__all__ = ["KeyLaws"]

MIXED = (
    "b",
    "B",
    "a",
    "A",
    "aa",
    "a b",
    "a-b",
    "a_b",
    "Z",
    "10",
    "9",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e",
    "f",
    "\N{LATIN CAPITAL LETTER A WITH DIAERESIS}",
    "\N{GREEK SMALL LETTER ALPHA}",
    "\ud7ff",
    "\ue000",
    "\uffee",
    "\uffff",
    "\U00010000",
    "\U0001f600",
    "\U0010ffff",
    "\u2028",
    "'",
    '"',
    "~",
)
"""Keys that no locale, no UTF-16 code unit and no collation that ignores case puts into the order of their code points."""


async def _paged(storage: Storage, kind: Literal["node", "meta", "receipt"], size: int) -> list[str]:
    async def program(session: Session) -> list[str]:
        return await pages(lambda after: session.keys(kind, after, size), size, str, "")

    return await storage.read(program)


class KeyLaws(Subject):
    """Keys have one order, the same on every backend."""

    def test_names_come_in_the_order_of_their_code_points(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, MIXED))
            for size in (1, 4, 99):
                assert await _paged(storage, "node", size) == sorted(MIXED), f"{size} a page"

        self.on_a_store(law)

    def test_keys_of_meta_records_and_receipts_come_in_the_order_of_their_code_points(self) -> None:
        async def law(storage: Storage) -> None:
            for key in MIXED:
                await put(storage, SetMeta(key, key), key=key)
            for size in (1, 4, 99):
                assert await _paged(storage, "meta", size) == sorted(MIXED)
                assert await _paged(storage, "receipt", size) == sorted(MIXED)

        self.on_a_store(law)

    def test_keys_follow_the_text_they_are_asked_to_follow_whether_it_is_a_key_or_not(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, MIXED), *(SetMeta(key, 1) for key in MIXED))
            ordered = sorted(MIXED)
            for after in (*MIXED, "0", "a\x00", "aaa", "M", "\u0100", "\U000fffff", "z" * 5_000):
                expected = [key for key in ordered if key > after][:3]
                for kind in ("node", "meta"):
                    assert list(await ask(storage, "keys", kind, after, 3)) == expected, f"after {after[:9]!r}"

        self.on_a_store(law)

    def test_names_follow_what_is_created_renamed_and_deleted(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "dbc"))
            assert await _paged(storage, "node", 2) == ["b", "c", "d"]
            await put(storage, DeleteNode("b"), RenameNode("c", "z"), CreateNode("a"))
            assert await _paged(storage, "node", 2) == ["a", "d", "z"]

        self.on_a_store(law)
