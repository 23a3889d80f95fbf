"""What may be asked of a graph: filters as values that any backend can interpret, and the pages they answer in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import attrs
import orjson

from polaris_core.errors import InvalidCursorError, InvalidValueError
from polaris_core.model import Edge, Node, Path, path_of
from polaris_core.values import freeze, normalize_type

__all__ = ["EdgeFilter", "NodeFilter", "Page", "cursor_after", "cursor_text"]

MAX_TEXT = 1_000
_MISSING = object()

T = TypeVar("T")


def _where(value: Mapping[str | Path, object] | None) -> tuple[tuple[Path, Any], ...]:
    if value is not None and not isinstance(value, Mapping):
        raise InvalidValueError(f"where maps paths to values; it is no {type(value).__name__}")
    return tuple((path_of(path), freeze(wanted)) for path, wanted in (value or {}).items())


def _prefix(text: str | None) -> str | None:
    if text is not None and not isinstance(cast("object", text), str):
        raise InvalidValueError(f"a prefix is a text, not {type(text).__name__}")
    return text


def _folded(text: str | None) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise InvalidValueError(f"a text to look for has 1 to {MAX_TEXT} characters")
    return text.casefold()


def _holds(attributes: Mapping[str, Any], where: Sequence[tuple[Path, Any]]) -> bool:
    return all(_equal(_at(attributes, path), wanted) for path, wanted in where)


def _at(value: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _equal(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: `1` and `1.0` are, `true` and `1` are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


@attrs.frozen(kw_only=True)
class NodeFilter:
    """Nodes that satisfy everything given.

    `type` is theirs, `prefix` begins their names, `where` maps paths to the values that their attributes have there, `text` is
    found in the name or an observation without regard to case.
    """

    type: str | None = attrs.field(default=None, converter=attrs.converters.optional(normalize_type))
    prefix: str | None = attrs.field(default=None, converter=_prefix)
    where: tuple[tuple[Path, Any], ...] = attrs.field(default=(), converter=_where)
    text: str | None = attrs.field(default=None, converter=_folded)

    @property
    def needs_body(self) -> bool:
        """Whether more than a record's name and type decides."""
        return bool(self.where) or self.text is not None

    def admits(self, name: str, type: str) -> bool:
        """Return whether a name and type may belong to a match."""
        return (self.type is None or type == self.type) and (self.prefix is None or name.startswith(self.prefix))

    def matches(self, node: Node) -> bool:
        """Return whether a node matches."""
        return (
            self.admits(node.name, node.type)
            and _holds(node.attributes, self.where)
            and (
                self.text is None
                or self.text in node.name.casefold()
                or any(self.text in observation.text.casefold() for observation in node.observations)
            )
        )


@attrs.frozen(kw_only=True)
class EdgeFilter:
    """Edges that satisfy everything given: `type`, and `where`, values that attributes at paths are equal to."""

    type: str | None = attrs.field(default=None, converter=attrs.converters.optional(normalize_type))
    where: tuple[tuple[Path, Any], ...] = attrs.field(default=(), converter=_where)

    def matches(self, edge: Edge) -> bool:
        """Return whether an edge matches."""
        return (self.type is None or edge.type == self.type) and _holds(edge.attributes, self.where)


@attrs.frozen
class Page(Generic[T]):
    """Some of the answers, and the cursor that asks for more; None when these were the last.

    A page may hold fewer items than asked for, even none, and still have a next one: what a call looks at is bounded.
    """

    items: tuple[T, ...]
    next: str | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def _digest(asked: object) -> str:
    return hashlib.sha256(orjson.dumps(repr(asked))).hexdigest()[:12]


def cursor_text(asked: object, after: int) -> str:
    """Return the cursor that continues a question after an id."""
    return f"{_digest(asked)}.{after}"


def cursor_after(asked: object, cursor: str | None) -> int:
    """Return the id a cursor stands after, 0 for none; one of another question raises `InvalidCursorError`."""
    if cursor is None:
        return 0
    digest, _, after = cursor[:64].partition(".")
    if digest != _digest(asked) or not (after.isascii() and after.isdecimal() and len(after) <= 19):
        raise InvalidCursorError(
            "this cursor belongs to another question; ask again from the first page", cursor=cursor[:64]
        )
    return int(after)
