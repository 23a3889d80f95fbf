"""The format `debian`: a Packages file, such as `apt-cache dumpavail` prints, as a graph of packages.

A stanza becomes a node of type `package`, named as the package, with the attributes `version`, `architecture`, `section`,
`priority`, `installed_size` (KiB), `maintainer` and `homepage` as far as they are there, and the short description as an
observation. A package that stands in the file several times, in several versions, is the one that stands there first, and the
others are counted as lost. Other fields are left behind.

Its relations become edges of the types `depends`, `pre-depends`, `recommends` and `provides`, one to each package named, with the
attributes that `relations` describes. A package that is named and has no stanza is a node of type `virtual-package`.

All nodes come before all edges: relations wait in a temporary file, so memory holds the names of the packages and one stanza.
"""

from __future__ import annotations

import json
import re
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from polaris_core import Observation, UpsertEdge, UpsertNode, ValidationError
from polaris_formats.relations import NAME, relations
from polaris_formats.stanzas import Stanza, stanzas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polaris_core.abc import Losses

__all__ = ["read"]

MAX_NAMES = 1_000_000  # of packages, and of what they name; Debian 12 has 160,000
_IN_MEMORY_BYTES = 8 << 20

_ATTRIBUTES = {
    "version": "version",
    "architecture": "architecture",
    "section": "section",
    "priority": "priority",
    "maintainer": "maintainer",
    "homepage": "homepage",
}
_RELATIONS = ("pre-depends", "depends", "recommends", "provides")
_FIELDS = frozenset({"package", "description", "installed-size", *_ATTRIBUTES, *_RELATIONS})
_SIZE = re.compile(r"[0-9]{1,15}")


def read(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    """Yield the packages of a file, then the packages it only names, then the relations.

    Raises `ValidationError` with the line's number for what it cannot understand.
    """
    packages: set[str] = set()
    again: set[str] = set()
    named: dict[str, None] = {}
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as waiting:
        for stanza in stanzas(file, _FIELDS):
            try:
                node = _package(stanza)
                if node.name in packages:
                    if node.name not in again:
                        again.add(node.name)
                        losses.add(node.name, "other versions")
                    continue
                packages.add(node.name)
                for type_ in _RELATIONS:
                    if field := stanza.fields.get(type_):
                        targets = relations(field)
                        named.update(dict.fromkeys(targets))
                        waiting.write(json.dumps([node.name, type_, targets]).encode() + b"\n")
                if len(packages) + len(named) > MAX_NAMES:
                    raise ValidationError(f"more than {MAX_NAMES:,} names of packages")
            except ValidationError as error:
                raise ValidationError(f"line {stanza.line}: {error}") from error
            yield node
        for name in named:
            if name not in packages:
                yield UpsertNode(name, "virtual-package")
        waiting.seek(0)
        for line in waiting:
            source, type_, targets = json.loads(line)
            for target, attributes in targets.items():
                yield UpsertEdge(source, type_, target, attributes)


def _package(stanza: Stanza) -> UpsertNode:
    fields = stanza.fields
    name = fields.get("package", "")
    if not NAME.fullmatch(name):
        raise ValidationError(f"not the name of a package: {name[:80]!r}" if name else "a stanza without a package")
    attributes: dict[str, Any] = {key: fields[field] for field, key in _ATTRIBUTES.items() if fields.get(field)}
    if size := fields.get("installed-size"):
        if not _SIZE.fullmatch(size):
            raise ValidationError(f"not an installed size: {size[:80]!r}")
        attributes["installed_size"] = int(size)
    description = fields.get("description", "").partition("\n")[0].strip()
    observations = [Observation(description, "package description")] if description else []
    return UpsertNode(name, "package", attributes, observations)
