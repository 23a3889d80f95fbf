"""JSON values as Polaris accepts them: checked once at the door, then immutable.

What passes :func:`freeze` can be encoded, stored and read back equal by every backend; what cannot is refused here, before
anything is planned. Frozen objects and arrays are subclasses of `dict` and `list`, so they compare equal to what a caller
wrote and every JSON library encodes them, but their mutators raise.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeAlias, TypeVar

from polaris_core.errors import InvalidNameError, InvalidValueError

__all__ = [
    "EMPTY",
    "JSON",
    "MAX_DEPTH",
    "FrozenDict",
    "FrozenList",
    "each",
    "freeze",
    "freeze_object",
    "from_micros",
    "normalize_name",
    "normalize_text",
    "normalize_type",
    "thaw",
    "to_micros",
]

T = TypeVar("T")
JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

MAX_DEPTH = 64
MAX_NAME_BYTES = 1024
MAX_TYPE_BYTES = 256
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _refuse(self: object, *_args: object, **_kwargs: object) -> NoReturn:
    raise TypeError(
        f"{type(self).__name__} is immutable: copy it with dict(...), list(...) or thaw(...) and change the copy"
    )


class FrozenDict(dict[str, Any]):
    """A JSON object that cannot be changed; equal to the `dict` of the same items and hashable by nothing."""

    __slots__ = ()

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))


class FrozenList(list[Any]):
    """A JSON array that cannot be changed; equal to the `list` of the same items."""

    __slots__ = ()

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenList:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenList, (list(self),))


for _mutator in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(FrozenDict, _mutator, _refuse)
for _mutator in (
    *("__setitem__", "__delitem__", "__iadd__", "__imul__", "append", "extend", "insert", "remove", "pop"),
    *("clear", "sort", "reverse"),
):
    setattr(FrozenList, _mutator, _refuse)

EMPTY = FrozenDict()


def _check_string(value: str) -> str:
    if "\x00" in value:
        raise InvalidValueError("the character U+0000 cannot be stored")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValueError("a lone surrogate is not a character and cannot be stored") from None
    return value


def freeze(value: object, path: tuple[str | int, ...] = ()) -> Any:
    """Return `value` as a deeply immutable JSON value, or raise `InvalidValueError` naming the path of what is not one.

    Tuples are taken as arrays and any mapping with string keys as an object. `1`, `1.0`, `-0.0` and `True` stay what they are.
    `path` is where the value itself stands in what it belongs to.
    """
    try:
        return _freeze(value, len(path))
    except InvalidValueError as error:
        error.path = (*path, *error.path)
        if len(error.path) > MAX_DEPTH:  # the way down an endless hole tells nothing
            error.path = error.path[:3]
        raise


def _freeze(value: Any, depth: int) -> Any:  # noqa: C901, PLR0911 - one case a kind of JSON value
    kind = type(value)
    if kind is str:
        return value if value.isascii() and "\x00" not in value else _check_string(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        if not INT64_MIN <= value <= INT64_MAX:
            raise InvalidValueError("an integer must fit in 64 bits; write larger ones as strings")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise InvalidValueError("NaN and infinity are not JSON")
        return value
    if kind is FrozenDict or kind is FrozenList:
        if depth:  # its own depth is bounded already, but not the sum of both
            _check_depth(value, depth)
        return value
    if kind is dict:
        return _freeze_object(value, depth)
    if isinstance(value, (list, tuple)):
        return _freeze_array(value, depth)
    if isinstance(value, Mapping):  # last: it costs more to find out than all the others
        return _freeze_object(value, depth)
    # Enums and other subclasses are stored as what they derive from, whatever they say of themselves.
    if isinstance(value, str):
        return _freeze(str.__str__(value), depth)
    if isinstance(value, int):
        return _freeze(int.__int__(value), depth)
    if isinstance(value, float):
        return _freeze(float.__float__(value), depth)
    raise InvalidValueError(f"{kind.__name__} is not a JSON value")


def _freeze_object(value: Mapping[Any, Any], depth: int) -> FrozenDict:
    if depth >= MAX_DEPTH:
        raise InvalidValueError(f"nested deeper than {MAX_DEPTH} levels")
    items: dict[str, Any] = {}
    for key, item in value.items():
        if type(key) is not str:
            if not isinstance(key, str):
                raise InvalidValueError(f"an object's keys are strings, not {type(key).__name__}")
            key = str.__str__(key)  # noqa: PLW2901
        if not key.isascii() or "\x00" in key:
            _check_string(key)
        if (  # what most values are, without another call
            (type(item) is str and item.isascii() and "\x00" not in item)
            or (type(item) is int and INT64_MIN <= item <= INT64_MAX)
            or item is None
            or type(item) is bool
        ):
            items[key] = item
            continue
        try:
            items[key] = _freeze(item, depth + 1)
        except InvalidValueError as error:
            error.path = (key, *error.path)
            raise
    return FrozenDict(items)


def _freeze_array(value: list[Any] | tuple[Any, ...], depth: int) -> FrozenList:
    if depth >= MAX_DEPTH:
        raise InvalidValueError(f"nested deeper than {MAX_DEPTH} levels")
    items = []
    for index, item in enumerate(value):
        if type(item) is str and item.isascii() and "\x00" not in item:
            items.append(item)
            continue
        try:
            items.append(_freeze(item, depth + 1))
        except InvalidValueError as error:
            error.path = (index, *error.path)
            raise
    return FrozenList(items)


def _check_depth(value: object, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise InvalidValueError(f"nested deeper than {MAX_DEPTH} levels")
    children: Any = value.values() if isinstance(value, dict) else value
    for child in children:
        if isinstance(child, (dict, list)):
            _check_depth(child, depth + 1)


def freeze_object(value: Mapping[str, object] | None) -> FrozenDict:
    """Return a JSON object frozen by :func:`freeze`; `None` is the empty one."""
    if not value:
        if value is None or isinstance(value, Mapping):
            return EMPTY
        raise InvalidValueError(f"attributes are a mapping, not {type(value).__name__}")
    frozen = freeze(value)
    if type(frozen) is not FrozenDict:
        raise InvalidValueError(f"attributes are a mapping, not {type(value).__name__}")
    return frozen


def thaw(value: Any) -> Any:
    """Return a deep copy of a frozen value made of plain dicts and lists, for a caller who wants to change it."""
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    return value


def _normalize(value: object, what: str, limit: int) -> str:
    if type(value) is str and value.isascii() and value.isprintable() and 0 < len(value) <= limit:
        return value  # as most are
    if not isinstance(value, str):
        raise InvalidNameError(f"{what} is a string, not {type(value).__name__}", name=value)
    value = str.__str__(value)  # of an enum of strings the string, not the enum's own name
    if value.isascii():
        text = value
        size = len(text)
        printable = text.isprintable()
    else:
        if len(value) > limit:  # bounded before any work that grows with it
            raise InvalidNameError(f"{what} has at most {limit} bytes in UTF-8, this one more", name=value[:64])
        text = unicodedata.normalize("NFC", value)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise InvalidNameError(f"{what} has a lone surrogate", name=value) from None
        printable = not any(unicodedata.category(character) == "Cc" for character in text)
    if not printable:
        raise InvalidNameError(f"{what} has a control character", name=value[:64])
    if not size:
        raise InvalidNameError(f"{what} is empty", name=value)
    if size > limit:
        raise InvalidNameError(f"{what} has at most {limit} bytes in UTF-8, this one {size}", name=value[:64])
    return text


def normalize_name(value: object) -> str:
    """Return a node's name in NFC; raise `InvalidNameError` when it is empty, too long or has control characters."""
    return _normalize(value, "a name", MAX_NAME_BYTES)


def normalize_type(value: object) -> str:
    """Return a node's, an edge's or an event's type in NFC; raise `InvalidNameError` like :func:`normalize_name`."""
    return _normalize(value, "a type", MAX_TYPE_BYTES)


def normalize_text(value: object) -> str:
    """Return an observation's or author's text unchanged; raise `InvalidValueError` when it cannot be stored or is empty."""
    if not isinstance(value, str):
        raise InvalidValueError(f"a text is a string, not {type(value).__name__}")
    if not value:
        raise InvalidValueError("a text is not empty")
    if value.isascii() and "\x00" not in value and type(value) is str:
        return value
    return _check_string(str.__str__(value))


def each(values: Iterable[T], what: str) -> Iterator[T]:
    """Return an iterator over several values; raise `InvalidValueError`, which says what was wanted, where there is none."""
    if not isinstance(values, (bytes, bytearray)):  # its items are numbers, which nobody means
        try:
            return iter(values)
        except TypeError:
            pass
    raise InvalidValueError(
        f"{what} cannot be told from {type(values).__name__}: give a list or another iterable of them"
    )


def to_micros(time: datetime) -> int:
    """Return an aware time as microseconds since 1970-01-01 UTC; a naive one raises `InvalidValueError`."""
    if time.utcoffset() is None:
        raise InvalidValueError(f"a time needs a time zone: {time.isoformat()} has none")
    return (time - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return microseconds since 1970-01-01 UTC as an aware time in UTC."""
    return EPOCH + timedelta(microseconds=micros)
