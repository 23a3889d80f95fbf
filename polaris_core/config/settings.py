"""The settings: the store's URL > command line > environment POLARIS_KG_* > polaris.toml > default."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, get_type_hints

import attrs

from polaris_core.config.merging import PREFERENCE, Layer, Origin, Types, merge, parsed, spelled
from polaris_core.config.sources import PREFIX, environment_layer, file_layer, find, mask_url, read, url_layer
from polaris_core.limits import Limits

__all__ = ["Explanation", "PluginSettings", "Settings"]


def _spelled_all(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(spelled(name) for name in names)


def _spelled_values(table: Mapping[str, str]) -> Mapping[str, str]:
    return {key: spelled(name) for key, name in table.items()}


def _shown(url: str | None) -> str:
    return repr(url and mask_url(url))


@attrs.frozen(kw_only=True)
class PluginSettings:
    """Which plugins may be loaded, by the names of their distributions.

    `allow`: only these, None for all. `block`: not these. `safe_mode`: first-party ones only. `prefer`: which
    distribution is meant where two claim a name, by kind and name: `{"storage.sqlite": "polaris-kg-sqlite"}`.
    """

    allow: tuple[str, ...] | None = attrs.field(default=None, converter=attrs.converters.optional(_spelled_all))
    block: tuple[str, ...] = attrs.field(default=(), converter=_spelled_all)
    safe_mode: bool = False
    prefer: Mapping[str, str] = attrs.field(factory=dict, converter=_spelled_values)


@attrs.frozen(kw_only=True)
class Explanation:
    """A setting, its value as it may be shown, and where that came from."""

    setting: str
    value: Any
    origin: str


@attrs.frozen(kw_only=True)
class Settings:
    """What a process was told.

    `store` and `events` are URLs. `durability` is what an acknowledged write survives: power loss, or the death of the
    process. `busy_seconds` is how long to wait for another process. `origins` says where each value came from that is
    no default.
    """

    store: str | None = attrs.field(default=None, repr=_shown)
    events: str | None = attrs.field(default=None, repr=_shown)
    durability: Literal["power", "process"] = "power"
    busy_seconds: float = 10.0
    limits: Limits = attrs.Factory(Limits)
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "warning"
    log_format: Literal["text", "json"] = "text"
    plugins: PluginSettings = attrs.Factory(PluginSettings)
    origins: Mapping[str, Origin] = attrs.field(factory=dict, eq=False, repr=False)

    @classmethod
    def load(
        cls,
        overrides: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        start_directory: Path | None = None,
    ) -> Self:
        """Return the settings in force.

        `overrides` is the command line: dotted names with values, or with their texts. `environ` and `start_directory`,
        from where polaris.toml is looked for upwards, are the process's own unless given; POLARIS_KG_CONFIG names
        another file. A variable set to nothing counts as unset. Raises `ConfigError` that names the file and line, the
        variable or the source at fault.
        """
        variables = {name: text for name, text in (os.environ if environ is None else environ).items() if text}
        named = variables.get(f"{PREFIX}CONFIG")
        path = find(start_directory or Path.cwd()) if named is None else Path(named)
        types = _types()
        line = Origin(name="the command line")
        layers: list[Layer] = [
            {} if path is None else file_layer(path, read(path)),
            environment_layer(variables, types),
            {name: (parsed(name, value, types), line) for name, value in (overrides or {}).items()},
        ]
        return cls._of(merge(layers, types))

    @classmethod
    def _of(cls, values: Layer) -> Self:
        if store := values.get("store", (None,))[0]:
            values = {**values, **merge([url_layer(store, _types())], _types())}
        plain: dict[str, Any] = {}
        limits: dict[str, Any] = {}
        plugins: dict[str, Any] = {"prefer": {}}
        for name, (value, _) in values.items():
            table, _, last = name.rpartition(".")
            if preferred := PREFERENCE.fullmatch(name):
                plugins["prefer"][preferred[1]] = value
            else:
                {"": plain, "limits": limits, "plugins": plugins}[table][last] = value
        origins = {name: origin for name, (_, origin) in values.items()}
        return cls(**plain, limits=Limits(**limits), plugins=PluginSettings(**plugins), origins=origins)

    def for_url(self, url: str) -> Self:
        """Return the settings for one store: its URL, and what the URL says itself on top of everything.

        Raises `ConfigError` where the URL gives a setting a value that it cannot have.
        """
        values = {"store": (url, Origin(name="the call")), **merge([url_layer(url, _types())], _types())}
        changed: dict[str, Any] = {name: value for name, (value, _) in values.items()}
        origins = {**self.origins, **{name: origin for name, (_, origin) in values.items()}}
        return attrs.evolve(self, **changed, origins=origins)

    def explain(self) -> tuple[Explanation, ...]:
        """Return every setting with its value and where that came from; what could be a password is masked."""
        tables = {"": self, "limits": self.limits, "plugins": self.plugins}
        values = {name: getattr(tables[name.rpartition(".")[0]], name.rpartition(".")[2]) for name in _types()}
        for name in ("store", "events"):
            values[name] = values[name] and mask_url(values[name])
        for key, distribution in values.pop("plugins.prefer").items():
            values[f"plugins.prefer.{key}"] = distribution
        return tuple(
            Explanation(setting=name, value=value, origin=str(self.origins.get(name, "default")))
            for name, value in values.items()
        )


@cache
def _types() -> Types:
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(Settings).items():
        if name in ("limits", "plugins"):
            found |= {f"{name}.{inner}": hint for inner, hint in get_type_hints(kind).items()}
        elif name != "origins":
            found[name] = kind
    return found
