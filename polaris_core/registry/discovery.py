"""Which rows the installed distributions have, read from metadata alone: nothing of a plugin is imported."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import attrs

from polaris_core import __version__
from polaris_core.abc.plugins import Kind
from polaris_core.config import spelled
from polaris_core.registry.first_party import BUILT_IN, CORE
from polaris_core.registry.kinds import KINDS

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["Discovery", "Row", "copies", "installed"]

_GROUPS: Mapping[str, Kind] = {kind.group: name for name, kind in KINDS.items()}

logger: logging.Logger = logging.getLogger("polaris_core.registry")


def _no_requirements() -> Sequence[str]:
    return ()


@attrs.frozen(kw_only=True)
class Row:
    """One entry point: `name` is what a user types, `module` the plugin module, `requires` gives what pip was told."""

    kind: Kind
    name: str
    module: str
    distribution: str
    version: str
    requires: Callable[[], Sequence[str]] = attrs.field(default=_no_requirements, eq=False, repr=False)

    @property
    def built_in(self) -> bool:
        """Whether this is one of the core's own rows."""
        return self.distribution == CORE and BUILT_IN.get((self.kind, self.name)) == self.module

    @property
    def key(self) -> str:
        """The row's kind and name, as [plugins.prefer] in polaris.toml writes them."""
        return f"{KINDS[self.kind].noun}.{self.name}"


Discovery: TypeAlias = Callable[[], Sequence[Row]]

_OWN = tuple(
    Row(kind=kind, name=name, module=module, distribution=CORE, version=__version__)
    for (kind, name), module in BUILT_IN.items()
)


def installed() -> Sequence[Row]:
    """Return every row there is once: the core's own, then the others by kind, name and distribution.

    The order of the file system decides nothing, and a distribution whose metadata cannot be read hides no other one.
    Of a distribution that is on sys.path twice the first copy counts, as it does for imports.
    """
    from importlib.metadata import distribution

    found: set[Row] = set()
    for name in sorted({name for name, _ in copies()}):
        try:
            found.update(row for row in _rows(distribution(name)) if not row.built_in)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one distribution, the others are there
            logger.warning("the metadata of %s cannot be read, so its plugins are left out: %s", name, error)
    return (*_OWN, *sorted(found, key=lambda row: (row.kind, row.name, row.distribution, row.module)))


def copies() -> Iterator[tuple[str, Distribution]]:
    """Yield every copy on sys.path of every distribution that has rows of ours, by its name."""
    from importlib.metadata import distributions

    for found in distributions():
        try:
            if "polaris_core." in (found.read_text("entry_points.txt") or "") and (name := found.metadata["Name"]):
                yield spelled(name), found
        except Exception as error:  # noqa: BLE001 - as above
            logger.warning("a distribution in %s cannot be read: %s", found.locate_file(""), error)


def _rows(found: Distribution) -> Iterator[Row]:
    def requires() -> Sequence[str]:
        return found.requires or ()

    for entry in found.entry_points:
        if entry.group in _GROUPS:
            yield Row(
                kind=_GROUPS[entry.group],
                name=entry.name,
                module=entry.value,
                distribution=spelled(found.metadata["Name"]),
                version=found.version,
                requires=requires,
            )
