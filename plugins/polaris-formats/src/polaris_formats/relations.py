"""Relations between Debian packages: `libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0`, as Debian Policy 7.1 has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from polaris_core import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NAME", "relations"]

MAX_GROUP = 8_192  # characters; the longest in Debian 12 has 480
MAX_ALTERNATIVES = 100  # the most in Debian 12 are 20
MAX_RELATIONS = 20_000  # of one package; the most in Debian 12 are some 1,600

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._~-]{0,254}")
_RELATION = re.compile(rf"({NAME.pattern})(?::([a-z0-9][a-z0-9-]*))?\s*(?:\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s()]+)\s*\))?")


def relations(field: str) -> dict[str, dict[str, Any]]:
    """Return the attributes of an edge to each package that a field names, in the order of the field.

    `constraints`: all the demands on its version. `alternatives`: the groups it shares with others, as they are written, of
    which one package is enough. `architecture`: the qualifier after its name, such as `any`. Each is absent where empty.
    """
    found: dict[str, dict[str, Any]] = {}
    for count, (name, architecture, constraint, group) in enumerate(_relations(field)):
        if count == MAX_RELATIONS:
            raise ValidationError(f"more than {MAX_RELATIONS:,} relations of one package")
        attributes = found.setdefault(name, {})
        if constraint:
            _add(attributes, "constraints", constraint)
        if group:
            _add(attributes, "alternatives", group)
        if architecture:
            attributes.setdefault("architecture", architecture)
    return found


def _relations(field: str) -> Iterator[tuple[str, str | None, str, str]]:
    for written in field.split(","):
        group = written.strip()
        if not group:  # a comma at the end is common
            continue
        if len(group) > MAX_GROUP:
            raise ValidationError(f"alternatives longer than {MAX_GROUP:,} characters")
        alternatives = group.split("|")
        if len(alternatives) > MAX_ALTERNATIVES:
            raise ValidationError(f"more than {MAX_ALTERNATIVES} alternatives")
        shared = " ".join(group.split()) if len(alternatives) > 1 else ""
        for alternative in alternatives:
            match = _RELATION.fullmatch(alternative.strip())
            if match is None:
                raise ValidationError(f"not a relation to a package: {alternative.strip()[:80]!r}")
            yield match[1], match[2], f"{match[3]} {match[4]}" if match[3] else "", shared


def _add(attributes: dict[str, Any], key: str, value: str) -> None:
    values = attributes.setdefault(key, [])
    if value not in values:
        values.append(value)
