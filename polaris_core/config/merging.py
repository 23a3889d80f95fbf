"""Which value wins, and whether it may: pure functions over layers of dotted names such as `limits.page`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeAlias, get_args, get_origin

import attrs

from polaris_core.config.document import line_of
from polaris_core.errors import ConfigError

__all__ = ["LISTS", "PREFERENCE", "Layer", "Origin", "Types", "merge", "near", "parsed", "spelled"]

PREFERENCE = re.compile(r"plugins\.prefer\.((?:storage|cache|event_store|toolset|format|command)\.[a-z][a-z0-9-]*)")
LISTS = frozenset({"plugins.allow", "plugins.block"})
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

Types: TypeAlias = Mapping[str, Any]  # the type of each setting by its dotted name


@attrs.frozen(kw_only=True)
class Origin:
    """Where a value came from; as text `polaris.toml:3`, the name of a variable, or one of the other sources."""

    name: str
    setting: str = ""
    document: str | None = attrs.field(default=None, repr=False)

    def __str__(self) -> str:
        line = None if self.document is None else line_of(self.document, self.setting)
        return self.name if line is None else f"{self.name}:{line}"


Layer: TypeAlias = Mapping[str, tuple[Any, Origin]]


def merge(layers: Sequence[Layer], types: Types) -> dict[str, tuple[Any, Origin]]:
    """Return the checked value of every setting that a layer names; a later layer wins.

    Raises `ConfigError` for what no setting is called, and for a value that a setting cannot have, in any layer.
    """
    return {name: (_checked(name, *entry, types), entry[1]) for layer in layers for name, entry in layer.items()}


def parsed(name: str, value: object, types: Types) -> object:
    """Return the value that a text stands for; a text that stands for none is left for the check to refuse."""
    kind = types.get(name)
    if not isinstance(value, str):
        return value
    try:
        if kind in (int, float):
            return kind(value)
    except ValueError:
        return value
    if kind is bool:
        return _SWITCH.get(value.lower(), value)
    return [part.strip() for part in value.split(",") if part.strip()] if name in LISTS else value


def near(word: str, words: Sequence[str]) -> str:
    """Return the end of a sentence that asks whether another word was meant, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(word, words, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def spelled(name: str) -> str:
    """Return a distribution's name in the one spelling that compares equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _checked(name: str, value: Any, origin: Origin, types: Types) -> Any:
    kind = str if PREFERENCE.fullmatch(name) else types.get(name)
    if kind is None or name == "plugins.prefer":
        hint = near(name, list(types))
        if name.startswith("plugins.prefer"):
            hint = '; a line under [plugins.prefer] is like "storage.sqlite" = "polaris-kg-sqlite"'
        raise ConfigError(f"{origin}: there is no setting {name}{hint}", setting=name)
    converter = _converter()
    try:
        found = converter.structure(value, kind)
    except Exception as error:
        shown = "" if name in ("store", "events") else f", not {value!r}"  # which may hold a password
        raise ConfigError(f"{origin}: {name} is {_expectation(name, kind)}{shown}", setting=name) from error
    if name == "plugins.block" and "polaris-kg-core" in map(spelled, found):
        raise ConfigError(f"{origin}: plugins.block cannot hold the core itself", setting=name)
    return found


def _expectation(name: str, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    words = {int: "a whole number of at least 1", float: "a number of seconds, 0 or more", bool: "true or false"}
    return words.get(kind, "a list of names" if name in LISTS else "a text")


@cache
def _converter() -> Any:
    """Nothing is coerced: a number in quotes is a text."""
    import cattrs

    def only(holds: Callable[[Any], bool]) -> Callable[[Any, Any], Any]:
        def structure(value: Any, _: Any) -> Any:
            if not holds(value):
                raise ValueError(value)
            return value

        return structure

    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(str, only(lambda value: isinstance(value, str)))
    converter.register_structure_hook(bool, only(lambda value: isinstance(value, bool)))
    converter.register_structure_hook(int, only(lambda value: type(value) is int and value >= 1))
    converter.register_structure_hook(
        float, only(lambda value: type(value) in (int, float) and math.isfinite(value) and value >= 0)
    )
    names = converter.get_structure_hook(tuple[str, ...])
    listed = only(lambda value: isinstance(value, list | tuple))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[str, ...], lambda value, kind: names(listed(value, kind), kind)
    )
    return converter
