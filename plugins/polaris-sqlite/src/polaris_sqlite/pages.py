"""A database file page by page, without SQLite, which gives up where a page leads nowhere.

The format is https://www.sqlite.org/fileformat2.html: trees of pages, whose leaves hold rows, with the pages of the
write-ahead log in place of older ones. Nothing here raises for what it finds; what makes no sense is None.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mmap import mmap

__all__ = ["Cell", "Pages", "Row"]

Bytes: TypeAlias = "bytes | mmap"
Row: TypeAlias = tuple[Any, ...]

_MAGIC = b"SQLite format 3\x00"
_TABLE_INTERIOR, _TABLE_LEAF, _INDEX_INTERIOR, _INDEX_LEAF = 0x05, 0x0D, 0x02, 0x0A
_DEFAULT_SIZE = 4096
_LOCK_BYTE = 1 << 30
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FRAME_HEADER = struct.Struct(">IIIIII")
_LOG_HEADER = 32
_ORDERS = {0x377F0682: "<", 0x377F0683: ">"}
_ORDER_HERE = "<" if sys.byteorder == "little" else ">"


class Cell(NamedTuple):
    """A row of a table: its number, None where that cannot be read, and its columns, None where they cannot."""

    number: int | None
    row: Row | None


class Pages:
    """The pages of a file and of the log beside it."""

    def __init__(self, file: Bytes, log: Bytes = b"") -> None:
        self._file = file
        self._log = log
        self.size = self._page_size()
        self._usable = self.size - self._reserved()
        self._logged, self.log_is_damaged = self._read_log()
        self.overflow: set[int] = set()
        """Pages that rows which were read go on in."""

    def _page_size(self) -> int:
        size = int.from_bytes(self._file[16:18], "big")
        size = 65_536 if size == 1 else size
        if self._file[:16] == _MAGIC and size >= 512 and size & (size - 1) == 0:
            return size
        return _DEFAULT_SIZE

    def _reserved(self) -> int:
        return self._file[20] if self._file[:16] == _MAGIC and self._file[20] <= 32 else 0

    # --- the log --------------------------------------------------------------------------------------------------

    def _read_log(self) -> tuple[dict[int, int], bool]:
        """Return where in the log the pages of its commits are, and whether a part of it that may count makes no sense."""
        log = self._log
        if len(log) < _LOG_HEADER + _FRAME_HEADER.size or not any(log[:_LOG_HEADER]):
            return {}, False
        order, salts, sums = self._read_log_header()
        whole = sums is not None
        committed: dict[int, int] = {}
        pending: dict[int, int] = {}
        step = 24 + self.size
        broken = False
        for start in range(_LOG_HEADER, len(log) - step + 1, step):
            number, pages, _, _, *told = _FRAME_HEADER.unpack_from(log, start)
            # One from before the log began anew has neither half of the salts.
            ours = log[start + 8 : start + 12] == salts[:4] or log[start + 12 : start + 16] == salts[4:]
            if not broken:
                if sums is None:
                    sums = told[0], told[1]
                else:
                    sums = _sums(log[start + 24 : start + step], order, _sums(log[start : start + 8], order, sums))
                broken = not ours or sums != tuple(told)
            if broken:
                if ours and pages:  # a commit behind what cannot be trusted
                    return committed, True
                continue
            pending[number] = start + 24
            if pages:
                committed |= pending
                pending = {}
        return committed, not whole

    def _read_log_header(self) -> tuple[str, bytes, tuple[int, int] | None]:
        """Return the byte order of the log's checksums, its salts, and the checksums that the first frame continues.

        Where the header is damaged there are none: the first frame is believed, and those that continue it. Each row has a
        checksum of its own.
        """
        log = self._log
        order = _ORDERS.get(int.from_bytes(log[:4], "big"))
        if order is not None and int.from_bytes(log[8:12], "big") == self.size:
            sums = _sums(log[:24], order, (0, 0))
            if sums == struct.unpack(">II", log[24:32]):
                return order, log[16:24], sums
        return order or _ORDER_HERE, log[_LOG_HEADER + 8 : _LOG_HEADER + 16], None

    # --- pages ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many pages there should be: as the file says, or as it or its log has."""
        first = self.page(1) or b""
        told = int.from_bytes(first[28:32], "big") if first[:16] == _MAGIC else 0
        there = max([-(-len(self._file) // self.size), *self._logged])
        return told if there <= told < 2 * there + 1000 else there

    def page(self, number: int) -> bytes | None:
        """Return a page, None for one that is not there."""
        if number in self._logged:
            start = self._logged[number]
            return self._log[start : start + self.size]
        start = (number - 1) * self.size
        found = self._file[start : start + self.size] if number > 0 else b""
        return found.ljust(self.size, b"\x00") if found else None

    def free(self) -> set[int]:
        """Return the pages that hold nothing any more, as far as their list can be followed."""
        first = self.page(1) or b""
        found: set[int] = set()
        trunk = int.from_bytes(first[32:36], "big") if first[:16] == _MAGIC else 0
        while trunk and trunk not in found and (page := self.page(trunk)) is not None:
            found.add(trunk)
            count = int.from_bytes(page[4:8], "big")
            if count > self._usable // 4 - 2:
                break
            found.update(struct.unpack_from(f">{count}I", page, 8))
            trunk = int.from_bytes(page[:4], "big")
        return found

    def kind(self, number: int) -> int | None:
        """Return the type byte of a page of a tree, None for any other page."""
        page = self.page(number)
        start = 100 if number == 1 else 0
        if page is None or page[start] not in (_TABLE_INTERIOR, _TABLE_LEAF, _INDEX_INTERIOR, _INDEX_LEAF):
            return None
        return page[start]

    def is_lock(self, number: int) -> bool:
        """Return whether a page is the one that holds nothing, because locks are taken on its bytes."""
        return (number - 1) * self.size <= _LOCK_BYTE < number * self.size

    def is_leaf_of_table(self, number: int) -> bool:
        """Return whether a page holds rows of a table."""
        return self.kind(number) == _TABLE_LEAF

    def tree(self, root: int) -> Iterator[int]:
        """Yield every page of a tree, as far as it can be followed."""
        seen: set[int] = set()
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number in seen or not 0 < number <= len(self):
                continue
            seen.add(number)
            yield number
            if self.kind(number) in (_TABLE_INTERIOR, _INDEX_INTERIOR):
                waiting += self._children(number)

    def _children(self, number: int) -> Iterator[int]:
        page = self.page(number) or b""
        start = 100 if number == 1 else 0
        yield int.from_bytes(page[start + 8 : start + 12], "big")
        for at in self._pointers(page, start, 12):
            yield int.from_bytes(page[at : at + 4], "big")

    def _pointers(self, page: bytes, start: int, header: int) -> Iterator[int]:
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        for index in range(min(count, self._usable // 4)):
            at = int.from_bytes(page[start + header + 2 * index : start + header + 2 * index + 2], "big")
            yield at if start + header <= at < self._usable else self._usable

    # --- rows -----------------------------------------------------------------------------------------------------

    def cells(self, number: int) -> list[Cell]:
        """Return the rows on a leaf of a table."""
        page = self.page(number) or b""
        start = 100 if number == 1 else 0
        return [self._cell(page, at) for at in self._pointers(page, start, 8)]

    def _cell(self, page: bytes, at: int) -> Cell:
        number = None
        try:
            length, at = _varint(page, at)
            number, at = _varint(page, at)
            payload, overflow = self._payload(page, at, length)
            row = _columns(payload)
        except (IndexError, ValueError, struct.error):
            return Cell(number, None)
        self.overflow.update(overflow)
        return Cell(number, row)

    def _payload(self, page: bytes, at: int, length: int) -> tuple[bytes, list[int]]:
        usable = self._usable
        most = usable - 35
        local = length
        if length > most:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (usable - 4)
            local = local if local <= most else least
        payload = page[at : at + local]
        if at + local > usable:
            raise ValueError("a row that goes beyond its page")
        if local == length:
            return payload, []
        parts, chain = [payload], list[int]()
        left, following = length - local, int.from_bytes(page[at + local : at + local + 4], "big")
        while left > 0:
            more = self.page(following)
            if more is None or len(chain) > len(self):
                raise ValueError("a row whose rest is not there")
            chain.append(following)
            parts.append(more[4 : 4 + min(left, usable - 4)])
            left -= usable - 4
            following = int.from_bytes(more[:4], "big")
        return b"".join(parts), chain


def _sums(data: bytes, order: str, before: tuple[int, int]) -> tuple[int, int]:
    """Continue the checksum of a log (https://www.sqlite.org/fileformat2.html, section 4.2)."""
    first, second = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    value = value << 8 | data[at + 8]
    return value - (1 << 64) if value >> 63 else value, at + 9


def _columns(payload: bytes) -> Row:
    header, at = _varint(payload, 0)
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        value, at = _value(kind, payload, at)
        values.append(value)
    if at != len(payload):
        raise ValueError("a row that is shorter or longer than its columns")
    return tuple(values)


def _value(kind: int, payload: bytes, at: int) -> tuple[Any, int]:
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], at
    if kind in _INTEGER_BYTES:
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind < 12:
        raise ValueError("a column of a kind that there is not")
    end = at + (kind - 12) // 2
    if end > len(payload):
        raise ValueError("a column that goes beyond its row")
    return (payload[at:end].decode() if kind % 2 else payload[at:end]), end
