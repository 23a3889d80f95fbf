"""What a command plugin implements: a subcommand of `polaris-kg`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from polaris_core.abc.plugins import Plugins
    from polaris_core.config import Settings

__all__ = ["CommandContext", "CommandSpec"]


@attrs.frozen(kw_only=True)
class CommandContext:
    """What a command is given: the settings in force, with the command line's own on top, and the plugins there are."""

    settings: Settings
    plugins: Plugins


@attrs.frozen(kw_only=True)
class CommandSpec:
    """A subcommand. `configure` adds its arguments; `run` does it and returns the exit status.

    `shows_data` asks for `--json`, which lands in `arguments.json`. Every command has `--store URL`, which lands in
    `context.settings.store`. A `PolarisError` that leaves `run` is printed as one line, with exit status 1.
    """

    name: str
    sentence: str
    configure: Callable[[ArgumentParser], None]
    run: Callable[[CommandContext, Namespace], int]
    shows_data: bool = False
