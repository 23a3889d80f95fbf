"""Which row a name means, and whether it may be loaded: pure decisions over rows, settings and the core's version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polaris_core.errors import (
    PluginAmbiguousError,
    PluginBlockedError,
    PluginError,
    PluginIncompatibleError,
    PluginNotFoundError,
    PluginSpecificationError,
)
from polaris_core.registry.first_party import BUILT_IN, CORE, DISTRIBUTIONS, HOMES
from polaris_core.registry.kinds import KINDS, PluginKind, Specification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core.abc.plugins import Kind
    from polaris_core.config import PluginSettings
    from polaris_core.registry.discovery import Row

__all__ = ["NAME", "choose", "malformed", "names", "verdict"]

NAME = re.compile(r"[a-z][a-z0-9-]*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def names(kind: Kind, rows: Sequence[Row], settings: PluginSettings) -> tuple[str, ...]:
    """Return the names of a kind that are not refused and not blocked, sorted."""
    return tuple(
        sorted({row.name for row in rows if row.kind == kind and not malformed(row) and not _blocked(row, settings)})
    )


def choose(
    kind: PluginKind[Specification], name: str, rows: Sequence[Row], settings: PluginSettings, version: str
) -> Row:
    """Return the one row that a name means, and that may be loaded.

    Raises `PluginNotFoundError`, `PluginSpecificationError` for a row that breaks the rules, `PluginBlockedError`,
    `PluginAmbiguousError` or `PluginIncompatibleError`.
    """
    claims = [row for row in rows if row.kind == kind.kind and row.name == name]
    if not claims:
        raise _absent(kind, name, rows, settings)
    candidates = [row for row in claims if malformed(row) is None and _blocked(row, settings) is None]
    row = (candidates or claims)[0]
    if preferred := [row for row in candidates if row.distribution == settings.prefer.get(row.key)]:
        row = preferred[0]
    if error := verdict(row, rows, settings, version):
        raise error
    return row


def verdict(row: Row, rows: Sequence[Row], settings: PluginSettings, version: str) -> PluginError | None:
    """Return why a row cannot be loaded, as far as metadata and settings tell; None where it can."""
    return (
        malformed(row)
        or _blocked(row, settings)
        or _ambiguous(row, rows, settings)
        or (None if row.built_in else _incompatible(row, version))
    )


def malformed(row: Row) -> PluginError | None:
    """Return what is wrong with a row in itself."""
    what = f"the row {row.name!r} of {row.distribution} in {KINDS[row.kind].group}"
    if row.built_in:
        return None
    if (row.kind, row.name) in BUILT_IN:
        return PluginSpecificationError(f"{what} is ignored: the core has that name built in", plugin=row.distribution)
    if not NAME.fullmatch(row.name):
        return PluginSpecificationError(
            f"{what} is ignored: a name is made of a-z, 0-9 and -, and begins with a letter", plugin=row.distribution
        )
    if not _MODULE.fullmatch(row.module):
        return PluginSpecificationError(
            f"{what} is ignored: its value is the name of a module, not {row.module!r}", plugin=row.distribution
        )
    return None


def _blocked(row: Row, settings: PluginSettings) -> PluginError | None:
    if row.built_in:
        return None
    who = row.distribution
    if who in settings.block:
        why = "the setting plugins.block holds it"
    elif settings.allow is not None and who not in settings.allow:
        why = "the setting plugins.allow does not hold it"
    elif settings.safe_mode and who not in DISTRIBUTIONS:
        why = "the setting plugins.safe_mode allows first-party plugins only"
    else:
        return None
    return PluginBlockedError(f"{_titled(row)} is of {who}, which is not loaded: {why}", plugin=who)


def _ambiguous(row: Row, rows: Sequence[Row], settings: PluginSettings) -> PluginError | None:
    rivals = [
        rival
        for rival in rows
        if (rival.kind, rival.name) == (row.kind, row.name) and not malformed(rival) and not _blocked(rival, settings)
    ]
    claimants = tuple(sorted({rival.distribution for rival in rivals}))
    preferred = settings.prefer.get(row.key)
    own = {rival.module for rival in rivals if rival.distribution == row.distribution}
    if len(claimants) > 1 and preferred not in claimants:
        return PluginAmbiguousError(
            f"{_titled(row)} is claimed by {' and by '.join(claimants)}: "
            f'write in polaris.toml, under [plugins.prefer], "{row.key}" = "{claimants[0]}"',
            plugin=row.name,
            kind=row.kind,
            claimants=claimants,
        )
    if len(claimants) > 1 and preferred != row.distribution:
        return PluginBlockedError(
            f"{_titled(row)} is that of {preferred}, as plugins.prefer says, not that of {row.distribution}",
            plugin=row.distribution,
        )
    if len(own) > 1:
        return PluginSpecificationError(
            f"{row.distribution} has two rows for {_titled(row)}: {' and '.join(sorted(own))}", plugin=row.distribution
        )
    return None


def _incompatible(row: Row, version: str) -> PluginError | None:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for text in row.requires():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # pip refuses those; what they mean for the core cannot be told
        if canonicalize_name(requirement.name) != CORE or (
            requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
        ):
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wanted = f"{CORE}{requirement.specifier}"
            return PluginIncompatibleError(
                f"{_titled(row)} of {row.distribution} {row.version} needs {wanted}, and this is {version}: "
                f'pip install "{wanted}", or another release of {row.distribution}',
                plugin=row.distribution,
                requirement=wanted,
            )
    return None


def _absent(
    kind: PluginKind[Specification], name: str, rows: Sequence[Row], settings: PluginSettings
) -> PluginNotFoundError:
    from difflib import get_close_matches

    known = names(kind.kind, rows, settings)
    message = f"no {kind.label} {name!r} is installed{', only ' if known else ''}{', '.join(known)}"
    if home := HOMES.get((kind.kind, name)):
        message += f": pip install {home}"
    elif near := get_close_matches(name, [*known, *(there for of, there in HOMES if of == kind.kind)], n=1):
        home = None if near[0] in known else HOMES[kind.kind, near[0]]
        message += f"; did you mean {near[0]!r}{f' (pip install {home})' if home else ''}?"
    return PluginNotFoundError(message, plugin=name, kind=kind.kind, known=known)


def _titled(row: Row) -> str:
    return f"{KINDS[row.kind].label} {row.name!r}"
