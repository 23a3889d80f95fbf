"""Where settings are written: polaris.toml, variables, a store's URL. Each becomes a layer of dotted names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from polaris_core.config.document import flat
from polaris_core.config.merging import Layer, Origin, Types, near, parsed
from polaris_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PREFIX", "URL_SETTINGS", "environment_layer", "file_layer", "find", "mask_url", "read", "url_layer"]

FILE_NAME = "polaris.toml"
PREFIX = "POLARIS_KG_"
URL_SETTINGS = frozenset({"busy_seconds", "durability"})  # what a store's URL may say itself
_RELATIVE_PATH = re.compile(r"([a-z][a-z0-9+.-]*:///)(?=[^/?])")


def mask_url(url: str) -> str:
    """Return the text of a URL that may be shown: without what could be a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://***@{rest.rpartition('@')[2]}" if separator and "@" in rest else url


def find(start: Path) -> Path | None:
    """Return the polaris.toml of a directory, or of the nearest one above it."""
    return next((path for folder in (start, *start.absolute().parents) if (path := folder / FILE_NAME).is_file()), None)


def read(path: Path) -> str:
    """Return the text of a settings file; raise `ConfigError` where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: the settings cannot be read: {reason}", setting=str(path)) from error


def file_layer(path: Path, document: str) -> Layer:
    """Return what a settings file says; a relative path in a URL starts from the file's directory."""
    import tomllib

    try:
        table = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", setting=str(path)) from error
    layer = {name: (value, Origin(name=str(path), setting=name, document=document)) for name, value in flat(table)}
    for name in ("store", "events"):
        if name in layer and isinstance(layer[name][0], str):
            layer[name] = (_anchored(layer[name][0], path.parent), layer[name][1])
    return layer


def _anchored(url: str, directory: Path) -> str:
    # Otherwise a command run in a subdirectory would open another store, and create it there.
    return _RELATIVE_PATH.sub(lambda match: f"{match[1]}{quote(directory.absolute().as_posix())}/", url, count=1)


def environment_layer(variables: Mapping[str, str], types: Types) -> Layer:
    """Return what the variables say: POLARIS_KG_LIMITS_PAGE is `limits.page`.

    A list has commas between its names, and POLARIS_KG_PLUGINS_PREFER between pairs `KIND.NAME=DISTRIBUTION`.
    """
    names = {f"{PREFIX}{name.replace('.', '_').upper()}": name for name in types}
    layer: dict[str, tuple[Any, Origin]] = {}
    for variable, text in variables.items():
        origin = Origin(name=variable)
        if not variable.startswith(PREFIX) or variable == f"{PREFIX}CONFIG":
            continue
        if variable not in names:
            raise ConfigError(f"{variable}: there is no such setting{near(variable, list(names))}", setting=variable)
        if names[variable] == "plugins.prefer":
            pairs = (part.partition("=") for part in text.split(","))
            layer |= {f"plugins.prefer.{key.strip()}": (value.strip(), origin) for key, _, value in pairs}
        else:
            layer[names[variable]] = (parsed(names[variable], text, types), origin)
    return layer


def url_layer(url: str, types: Types) -> Layer:
    """Return what a store's URL says about how it is opened."""
    try:
        query = parse_qsl(urlsplit(url).query)
    except ValueError:
        return {}  # whoever opens the store says what is wrong with its URL
    origin = Origin(name="the store's URL")
    return {name: (parsed(name, text, types), origin) for name, text in query if name in URL_SETTINGS}
