"""Paths into records, as text: `born`, `address.city`, `attributes."a.b"`, `provenance.created_at`.

A path starts at a record's JSON form. Keys are separated by dots; one that holds a dot or a quotation mark, is empty or
begins with `$` or `-` is written as a JSON string. A first key that no record has is a key of its attributes; for an attribute that
is called like a part of the record the path is written out: `attributes.name`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal, TypeAlias, cast

import attrs

from polaris_core.errors import InvalidValueError
from polaris_core.model import path_of
from polaris_core.values import MAX_DEPTH, freeze

__all__ = ["Field", "Kind", "Root", "field_of", "parse_path"]

Kind: TypeAlias = Literal["node", "edge"]
Root: TypeAlias = Literal[
    "name",
    "type",
    "source",
    "target",
    "attributes",
    "observations",
    "provenance.version",
    "provenance.revision",
    "provenance.created_at",
    "provenance.updated_at",
    "provenance.author",
]

MAX_PATH = 4_000
_PROVENANCE = ("version", "revision", "created_at", "updated_at", "author")
_PARTS = frozenset({"name", "type", "source", "target", "attributes", "observations", "provenance"})
_ABSENT: dict[Kind, frozenset[str]] = {
    "node": frozenset({"source", "target"}),
    "edge": frozenset({"name", "observations"}),
}
_SCANNER = json.JSONDecoder()


@attrs.frozen
class Field:
    """A place in a record: `root` is the part of it, and `keys` lead into its attributes, if that is the part.

    `observations` stands for the list of their texts.
    """

    root: Root
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: str | tuple[str, ...] | Field) -> Field:
        """Return the field of a path's text, or of a tuple of keys into the attributes; raises `InvalidValueError`."""
        return field_of(path)

    def __str__(self) -> str:
        if self.root != "attributes":
            return self.root
        keys = ".".join(map(_written, self.keys))
        return keys if self.keys and self.keys[0] not in _PARTS else f"attributes.{keys}" if keys else "attributes"

    @property
    def is_time(self) -> bool:
        """Whether what stands there is a time."""
        return self.root.endswith("_at")

    @property
    def is_name(self) -> bool:
        """Whether what stands there is a name or a type, which are in NFC."""
        return self.root in ("name", "type", "source", "target")

    def check(self, kind: Kind) -> None:
        """Raise `InvalidValueError` where records of a kind have no such part."""
        if self.root in _ABSENT[kind]:
            article = "a node" if kind == "node" else "an edge"
            raise InvalidValueError(f"{article} has no {self.root}; for the attribute write attributes.{self.root}")


def field_of(path: object) -> Field:
    """Return a field from its text; a tuple of keys leads into the attributes, as in a patch."""
    if isinstance(path, Field):
        return path
    if isinstance(path, str):
        return _read(path)
    if isinstance(path, tuple):
        return _leading_in(path_of(path))
    raise InvalidValueError(f"a path is a text or a tuple of keys, not {type(path).__name__}")


def _leading_in(keys: tuple[str, ...]) -> Field:
    """Return the field at keys of the attributes, if its text is a path, too."""
    field = Field("attributes", keys)
    if sum(map(len, keys)) > MAX_PATH or len(str(field)) > MAX_PATH:
        raise InvalidValueError(f"a path has at most {MAX_PATH} characters")
    return field


@lru_cache(1_024)
def _read(text: str) -> Field:
    return _field(parse_path(text))


def _field(keys: tuple[str, ...]) -> Field:
    part, rest = keys[0], keys[1:]
    if part not in _PARTS:
        return Field("attributes", keys)
    if part == "attributes":
        return Field("attributes", rest)
    if part == "provenance":
        if len(rest) != 1 or rest[0] not in _PROVENANCE:
            raise InvalidValueError(f"of the provenance one asks for one of {', '.join(_PROVENANCE)}")
        return Field(cast("Root", f"provenance.{rest[0]}"))
    if rest:
        raise InvalidValueError(f"nothing stands below {part}; for the attribute write attributes.{part}")
    return Field(cast("Any", part))


def parse_path(text: str) -> tuple[str, ...]:
    """Return the keys of a path's text; raise `InvalidValueError` for what is none."""
    if len(text) > MAX_PATH:
        raise InvalidValueError(f"a path has at most {MAX_PATH} characters")
    keys, at = list[str](), 0
    while True:
        key, at = _key(text, at)
        keys.append(cast("str", freeze(key)))
        if len(keys) > MAX_DEPTH + (keys[0] == "attributes"):
            raise InvalidValueError(f"a path has at most {MAX_DEPTH} keys")
        if at == len(text):
            return tuple(keys)
        if text[at] != ".":
            raise InvalidValueError(f"in the path {text[:80]!r} a dot has to follow a quoted key")
        at += 1


def _key(text: str, at: int) -> tuple[str, int]:
    if text.startswith('"', at):
        try:
            key, end = _SCANNER.raw_decode(text, at)
        except ValueError:
            raise InvalidValueError(f"in the path {text[:80]!r} a quoted key does not end") from None
        return cast("str", key), end
    end = text.find(".", at)
    key = text[at:] if end < 0 else text[at:end]
    if not key or '"' in key or key.startswith("$"):
        raise InvalidValueError(
            f"not a path: {text[:80]!r}; a key that is empty, begins with $ or holds a quotation mark is quoted"
        )
    return key, len(text) if end < 0 else end


def _written(key: str) -> str:
    if key and key[0] not in '$-"' and "." not in key and '"' not in key:
        return key
    return json.dumps(key, ensure_ascii=False)
