"""What `polaris-kg doctor` finds out about an installation."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from polaris_core import __version__
from polaris_core.config import spelled
from polaris_core.registry.discovery import copies
from polaris_core.registry.first_party import CORE
from polaris_core.registry.report import entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polaris_core.config import Settings
    from polaris_core.errors import ConfigError
    from polaris_core.registry.registry import Registry

__all__ = ["Finding", "diagnose"]


@attrs.frozen(kw_only=True)
class Finding:
    """One thing found; `trouble` says that somebody has to do something about it."""

    subject: str
    text: str
    trouble: bool = False


def diagnose(registry: Registry, settings: Settings | ConfigError, *, seconds: float = 10.0) -> Sequence[Finding]:
    """Return what is found, in an order to read it in. Every plugin is loaded in a process that is given `seconds`."""
    return (
        *_interpreter(),
        *_core(),
        *_duplicates(),
        *_settings(settings),
        *_plugins(registry, seconds),
    )


def _interpreter() -> Iterator[Finding]:
    version = f"{platform.python_implementation()} {platform.python_version()}"
    yield Finding(subject="python", text=f"{version} at {sys.executable}, {platform.platform()}")
    try:
        import sqlite3
    except ImportError as error:
        yield Finding(subject="sqlite", text=f"this Python was built without it: {error}", trouble=True)
    else:
        yield Finding(subject="sqlite", text=sqlite3.sqlite_version)


def _core() -> Iterator[Finding]:
    from importlib.metadata import packages_distributions

    place = Path(__file__).resolve().parents[1]
    yield Finding(subject="core", text=f"{CORE} {__version__} in {place}")
    try:
        owners = sorted({spelled(name) for name in packages_distributions().get("polaris_core", ()) if name})
    except Exception as error:  # noqa: BLE001 - metadata of any distribution may be broken in any way
        yield Finding(subject="core", text=f"the metadata of a distribution cannot be read: {error}", trouble=True)
        return
    if strangers := [name for name in owners if name != CORE]:
        yield Finding(
            subject="core",
            text=f"the package polaris_core belongs to {' and '.join(owners)}: pip uninstall {' '.join(strangers)}, "
            f"then pip install --force-reinstall {CORE}",
            trouble=True,
        )


def _duplicates() -> Iterator[Finding]:
    places: dict[str, list[Path]] = {}
    for name, copy in copies():
        place = Path(str(copy.locate_file(""))).resolve()
        if place not in places.setdefault(name, []):
            places[name].append(place)
    packages: list[Path] = []
    for entry in sys.path:
        package = (Path(entry) / "polaris_core").resolve()
        if (package / "__init__.py").is_file() and package not in packages:
            packages.append(package)
    for name, found in [*sorted(places.items()), ("the package polaris_core", packages)]:
        if len(found) > 1:
            first, *rest = found
            text = f"{name} is on sys.path {len(found)} times; {first} is used, {_listed(rest)} is not"
            yield Finding(subject="duplicate", text=text, trouble=True)


def _settings(settings: Settings | ConfigError) -> Iterator[Finding]:
    from polaris_core.config import Settings

    if not isinstance(settings, Settings):
        yield Finding(subject="settings", text=str(settings), trouble=True)
        return
    told = [found for found in settings.explain() if found.origin != "default"]
    for found in told:
        yield Finding(subject="settings", text=f"{found.setting} = {found.value} (from {found.origin})")
    if not told:
        yield Finding(subject="settings", text="all as by default")


def _plugins(registry: Registry, seconds: float) -> Iterator[Finding]:
    for entry in entries(registry, check=True, seconds=seconds):
        title = f"{entry.kind} {entry.name} of {entry.distribution} {entry.version}: {entry.status}"
        yield Finding(
            subject="plugin", text=f"{title}{f', {entry.detail}' if entry.detail else ''}", trouble=entry.trouble
        )


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))
