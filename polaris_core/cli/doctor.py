"""`polaris-kg doctor`: what is wrong with this installation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from polaris_core.cli.listing import add_deadline
from polaris_core.cli.output import table
from polaris_core.config import Settings
from polaris_core.errors import ConfigError
from polaris_core.registry import Registry
from polaris_core.registry.diagnosis import diagnose

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from polaris_core.abc.commands import CommandContext

__all__ = ["configure", "run"]


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    add_deadline(parser)


def run(context: CommandContext, arguments: Namespace) -> int:
    """Print what is found; fail where something has to be done."""
    found = diagnose(Registry(context.settings.plugins), _settings(context), seconds=arguments.deadline)
    troubles = sum(finding.trouble for finding in found)
    if arguments.json:
        print(json.dumps([attrs.asdict(finding) for finding in found], indent=2))
    else:
        print(table([("trouble" if each.trouble else "ok", each.subject, each.text) for each in found]))
        print(f"\n{troubles or 'no'} trouble{'' if troubles == 1 else 's'} found")
    return int(troubles > 0)


def _settings(context: CommandContext) -> Settings | ConfigError:
    try:
        Settings.load()
    except ConfigError as error:
        return error
    return context.settings
