"""What there is to say about every plugin that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from polaris_core.errors import PluginAmbiguousError, PluginBlockedError, PluginError, PluginIncompatibleError
from polaris_core.registry.probing import probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polaris_core.registry.discovery import Row
    from polaris_core.registry.registry import Registry

__all__ = ["Entry", "Status", "entries"]

Status: TypeAlias = Literal["available", "ok", "failed", "blocked", "ambiguous", "incompatible", "refused"]


@attrs.frozen(kw_only=True)
class Entry:
    """A row of the list of plugins.

    `available` says that nothing stands against loading it, `ok` that this was tried, `failed` that it was tried in
    vain; the others say why it was not tried. `detail` says more.
    """

    kind: str
    name: str
    distribution: str
    version: str
    module: str
    status: Status
    detail: str = ""

    @property
    def trouble(self) -> bool:
        """Whether somebody has to do something about it; what is blocked is so on purpose."""
        return self.status not in ("available", "ok", "blocked")


def entries(registry: Registry, *, check: bool = False, seconds: float = 10.0) -> Sequence[Entry]:
    """Return an entry a row, by kind and name.

    With `check` every module that may be loaded is loaded, each in a process that is given `seconds`; without it only
    metadata is read.
    """
    rows = registry.rows
    against = {row: registry.verdict(row) for row in rows}
    checked = probe((row for row in rows if against[row] is None), rows, seconds=seconds) if check else {}
    return tuple(
        sorted((_entry(row, against[row], checked) for row in rows), key=lambda entry: (entry.kind, entry.name))
    )


def _entry(row: Row, error: PluginError | None, checked: Mapping[Row, str | None]) -> Entry:
    detail = str(error or checked.get(row) or "")
    if error is not None:
        status = _status(error)
    elif row in checked:
        status = "failed" if detail else "ok"
    else:
        status = "available"
    return Entry(
        kind=row.kind,
        name=row.name,
        distribution=row.distribution,
        version=row.version,
        module=row.module,
        status=status,
        detail=detail,
    )


def _status(error: PluginError) -> Status:
    if isinstance(error, PluginBlockedError):
        return "blocked"
    if isinstance(error, PluginAmbiguousError):
        return "ambiguous"
    return "incompatible" if isinstance(error, PluginIncompatibleError) else "refused"
