"""`polaris-kg plugins`: what is installed, whom it is from, and whether it works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs

from polaris_core.cli.output import printable, table
from polaris_core.registry import Registry
from polaris_core.registry.report import entries

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from polaris_core.abc.commands import CommandContext

__all__ = ["add_deadline", "configure", "run"]

_LONGEST = 86_400.0


def add_deadline(parser: ArgumentParser) -> None:
    """Add the option that says how long a plugin may take to load."""
    parser.add_argument(
        "--deadline", type=seconds, default=10.0, metavar="SECONDS", help="how long a plugin may take to load (10)"
    )


def seconds(text: str) -> float:
    """Return a number of seconds, a day at most; argparse tells whoever gave another."""
    number = float(text)
    if not 0 < number <= _LONGEST:
        raise ValueError(text)
    return number


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--check", action="store_true", help="load every plugin, each in a process of its own")
    add_deadline(parser)


def run(context: CommandContext, arguments: Namespace) -> int:
    """List the plugins."""
    found = entries(Registry(context.settings.plugins), check=arguments.check, seconds=arguments.deadline)
    if arguments.json:
        print(json.dumps([attrs.asdict(entry) for entry in found], indent=2))
    else:
        heading = ("KIND", "NAME", "DISTRIBUTION", "VERSION", "STATUS")
        rows = [(entry.kind, entry.name, entry.distribution, entry.version, entry.status) for entry in found]
        print(table([heading, *rows]))
        for entry in found:
            if entry.detail:
                print(f"\n{printable(f'{entry.kind} {entry.name}')}: {printable(entry.detail)}")
    return int(arguments.check and any(entry.trouble for entry in found))
