"""The commands of the core, as a plugin like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_core.abc import CommandSpec, hookimpl

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from polaris_core.abc import CommandContext


def _configure_completion(parser: ArgumentParser) -> None:
    from polaris_core.cli import completion

    completion.configure(parser)


def _run_completion(context: CommandContext, arguments: Namespace) -> int:
    from polaris_core.cli import completion

    return completion.run(context, arguments)


def _configure_doctor(parser: ArgumentParser) -> None:
    from polaris_core.cli import doctor

    doctor.configure(parser)


def _run_doctor(context: CommandContext, arguments: Namespace) -> int:
    from polaris_core.cli import doctor

    return doctor.run(context, arguments)


def _configure_plugins(parser: ArgumentParser) -> None:
    from polaris_core.cli import listing

    listing.configure(parser)


def _run_plugins(context: CommandContext, arguments: Namespace) -> int:
    from polaris_core.cli import listing

    return listing.run(context, arguments)


@hookimpl
def polaris_commands() -> tuple[CommandSpec, ...]:
    """Offer `plugins`, `doctor` and `completion`."""
    return (
        CommandSpec(
            name="plugins",
            sentence="List the plugins that are installed, whom they are from and whether they work.",
            configure=_configure_plugins,
            run=_run_plugins,
            shows_data=True,
        ),
        CommandSpec(
            name="doctor",
            sentence="Find out what is wrong with this installation.",
            configure=_configure_doctor,
            run=_run_doctor,
            shows_data=True,
        ),
        CommandSpec(
            name="completion",
            sentence="Write the script that lets a shell complete commands and options.",
            configure=_configure_completion,
            run=_run_completion,
        ),
    )
