"""Debian control data (deb822, as deb822(5) describes it): stanzas of `Field: value` lines, read one at a time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from polaris_core import ValidationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Stanza", "stanzas"]

# The longest line in Debian 12 has 76 kB, and its stanza hardly more.
MAX_LINE_BYTES = 1 << 19
MAX_STANZA_BYTES = 1 << 20

_FIELD = re.compile(rb"([!\"$-,.-9;-~][!-9;-~]*):[ \t]*(.*)", re.DOTALL)


class Stanza(NamedTuple):
    """A stanza: the number of its first line, and the fields asked for, by name in lower case; lines are joined by U+000A."""

    line: int
    fields: dict[str, str]


def stanzas(file: BinaryIO, wanted: Collection[str]) -> Iterator[Stanza]:
    """Yield the stanzas of a file, with those of their fields whose names, in lower case, are wanted.

    Raises `ValidationError` with the line's number for what is no field, a field that stands twice in a stanza, text that is
    not UTF-8, and a line or stanza that is too long.
    """
    number = 0
    stanza = _Building(1, wanted)
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise ValidationError(f"line {number}: longer than {MAX_LINE_BYTES:,} bytes")
        if line.isspace():
            if stanza.names:
                yield stanza.built()
                stanza = _Building(number + 1, wanted)
            else:
                stanza.line = number + 1
            continue
        try:
            stanza.add(line.rstrip())
        except ValidationError as error:
            raise ValidationError(f"line {number}: {error}") from error
    if stanza.names:
        yield stanza.built()


class _Building:
    """A stanza that is being read."""

    def __init__(self, line: int, wanted: Collection[str]) -> None:
        self.line = line
        self.names = set[bytes]()
        self._wanted = wanted
        self._size = 0
        self._lines: list[str] | None = None  # of the field that is being read, if it is wanted
        self._fields = dict[str, list[str]]()

    def add(self, line: bytes) -> None:
        self._size += len(line)
        if self._size > MAX_STANZA_BYTES:
            raise ValidationError(f"a stanza longer than {MAX_STANZA_BYTES:,} bytes")
        if line[:1] in (b" ", b"\t"):
            if not self.names:
                raise ValidationError("a continuation of no field")
            if self._lines is not None:
                self._lines.append(_text(line.strip()))
            return
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValidationError("neither a field, such as `Package: name`, nor a continuation")
        name = match[1].lower()
        if name in self.names:
            raise ValidationError(f"the field {_text(match[1])!r} stands twice in one stanza")
        self.names.add(name)
        key = name.decode("ascii")
        self._lines = self._fields.setdefault(key, [_text(match[2])]) if key in self._wanted else None

    def built(self) -> Stanza:
        return Stanza(self.line, {key: "\n".join(lines) for key, lines in self._fields.items()})


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValidationError("not UTF-8") from None
