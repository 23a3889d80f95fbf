"""What the tests of the commands share: a home of their own, the project's plugins, and command lines run in this process."""

from __future__ import annotations

import io
import json
import random
import sys
from argparse import ArgumentParser
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from polaris_cli.plugin import polaris_commands

from polaris_core import PluginNotFoundError, PolarisError, Registry, Settings
from polaris_core.abc import CommandContext

if TYPE_CHECKING:
    from pathlib import Path

    from polaris_core.abc import FormatSpec, StorageSpec

FIRST_PARTY = {"json": "polaris_json_fs.plugin", "sqlite": "polaris_sqlite.plugin"}
FORMATS = "polaris_formats.plugin"


class Plugins(Registry):
    """The plugins of the project, found on the path where they are not installed, and the formats of a test."""

    def __init__(self) -> None:
        super().__init__()
        self.formats = {spec.name: spec for spec in import_module(FORMATS).polaris_formats()}

    def storage(self, scheme: str) -> StorageSpec:
        try:
            return super().storage(scheme)
        except PluginNotFoundError:
            if scheme not in FIRST_PARTY:
                raise
            (spec,) = import_module(FIRST_PARTY[scheme]).polaris_storages()
            return spec  # type: ignore[no-any-return]

    def format(self, name: str) -> FormatSpec:
        return self.formats[name] if name in self.formats else super().format(name)


class Terminal(io.TextIOWrapper):
    """Standard input where somebody sits."""

    def isatty(self) -> bool:
        return True


@attrs.frozen
class Outcome:
    """What a command did: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def plugins() -> Plugins:
    return Plugins()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and a directory to work in; nothing of the person who runs the tests is read or written."""
    for variable in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def run(plugins: Plugins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command line in this process, as the core does it."""

    def run(*line: str, stdin: bytes = b"", terminal: bool = False) -> Outcome:
        spec = {spec.name: spec for spec in polaris_commands()}[line[0]]
        parser = ArgumentParser()
        parser.add_argument("--store")
        parser.add_argument("--json", action="store_true")
        spec.configure(parser)
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", (Terminal if terminal else io.TextIOWrapper)(io.BytesIO(stdin)))
        try:
            options = parser.parse_args(line[1:])
            context = CommandContext(
                settings=Settings.load({} if options.store is None else {"store": options.store}, environ={}),
                plugins=plugins,
            )
            status = spec.run(context, options)
        except SystemExit as stop:
            status = int(stop.code or 0)
        except PolarisError as error:
            sys.stderr.write(f"{error}\n")
            status = 1
        printed = capsys.readouterr()
        return Outcome(status, printed.out, printed.err)

    return run


@pytest.fixture
def make_packages() -> Any:
    """Make a Packages file of so many packages, with relations of every kind, the same one each time."""

    def make(count: int) -> bytes:
        chance = random.Random(1)
        names = [f"package-{number}" for number in range(count)]
        stanzas = []
        for number, name in enumerate(names):
            depends = [f"{chance.choice(names)} (>= {chance.randrange(9)})" for _ in range(chance.randrange(5))]
            depends += [f"{chance.choice(names)} | {chance.choice(names)}:any | virtual-{chance.randrange(50)}"]
            lines = [
                f"Package: {name}",
                f"Version: 1.{number}-1",
                f"Installed-Size: {number}",
                "Architecture: all",
                f"Section: {chance.choice(['libs', 'games', 'net'])}",
                "Maintainer: Ada <ada@example.org>",
                f"Depends: {', '.join(depends)}",
                *([f"Pre-Depends: {chance.choice(names)}"] if chance.random() < 0.1 else []),
                *([f"Recommends: {chance.choice(names)}"] if chance.random() < 0.3 else []),
                *([f"Provides: virtual-{chance.randrange(50)} (= 1)"] if chance.random() < 0.2 else []),
                f"Description: the package of number {number}",
                " and more of it",
                "Tag: role::data,",
                " use::testing",
            ]
            stanzas.append("\n".join(lines))
        return ("\n\n".join(stanzas) + "\n").encode()

    return make
