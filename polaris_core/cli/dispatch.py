"""From a command line to the one command that it names."""

from __future__ import annotations

import logging
import os
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING

from polaris_core import __version__
from polaris_core.abc.commands import CommandContext, CommandSpec
from polaris_core.cli.logs import logging_to_stderr
from polaris_core.cli.output import printable, table
from polaris_core.config import PluginSettings, Settings
from polaris_core.errors import ConfigError, PluginLoadError, PluginNotFoundError, PolarisError
from polaris_core.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command_parser", "dispatch", "global_parser", "split"]

FAILED, MISUSED, INTERRUPTED, READER_GONE = 1, 2, 130, 141
_PREFIX = "settings."  # of the destinations of global options, where no option of a command can land
_WITH_VALUE = ("--store", "--log-level", "--log-format")

logger: logging.Logger = logging.getLogger("polaris_core.cli")


def dispatch(arguments: Sequence[str]) -> int:
    """Run a command line and return the exit status."""
    try:
        status = _run(arguments)
        if sys.stdout is not None:  # as it is when a shell closed it
            sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _run(arguments: Sequence[str]) -> int:
    before, command, rest = split(arguments)
    if command == "__complete":
        from polaris_core.cli.completion import complete

        return complete(rest)
    try:
        top = global_parser().parse_args(before)
        inner, _ = global_parser(with_help=False).parse_known_args(rest)
    except SystemExit as stop:
        return _status(stop)
    if top.help and command is not None:
        rest = ["--help", *rest]
    if top.version:
        print(f"polaris-kg {__version__}")
        return 0
    try:
        settings = _settings({**_overrides(top), **_overrides(inner)}, command)
    except ConfigError as error:
        return _complain(error)
    with logging_to_stderr(settings.log_level, settings.log_format):
        registry = Registry(settings.plugins)
        if command is None:
            print(_help(registry), file=sys.stdout if top.help else sys.stderr)
            return 0 if top.help else MISUSED
        try:
            return _command(command, rest, CommandContext(settings=settings, plugins=registry))
        except PolarisError as error:
            return _complain(error)


def split(arguments: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Return the options before the command, the command, and what follows it."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] in _WITH_VALUE else 1
    return list(arguments[:at]), arguments[at] if at < len(arguments) else None, list(arguments[at + 1 :])


def global_parser(*, with_help: bool = True) -> ArgumentParser:
    """Return the parser of the options that every command has."""
    parser = ArgumentParser(
        prog="polaris-kg", add_help=False, allow_abbrev=False, usage="polaris-kg [OPTIONS] COMMAND ..."
    )
    if with_help:
        parser.add_argument("-h", "--help", action="store_true", help="show this help, or that of a command after it")
        parser.add_argument("--version", action="store_true", help="show the version")
    _add_globals(parser)
    return parser


def _add_globals(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("options of every command")
    levels = ("debug", "info", "warning", "error", "critical")
    group.add_argument("--store", dest=f"{_PREFIX}store", metavar="URL", default=SUPPRESS, help="the graph's store")
    group.add_argument(
        "--log-level", dest=f"{_PREFIX}log_level", choices=levels, default=SUPPRESS, help="the least that is logged"
    )
    group.add_argument(
        "--log-format",
        dest=f"{_PREFIX}log_format",
        choices=("text", "json"),
        default=SUPPRESS,
        help="how it is logged, to standard error",
    )


def _overrides(options: Namespace) -> dict[str, object]:
    return {name.removeprefix(_PREFIX): value for name, value in vars(options).items() if name.startswith(_PREFIX)}


def _settings(overrides: dict[str, object], command: str | None) -> Settings:
    try:
        return Settings.load(overrides)
    except ConfigError:
        if command != "doctor":
            raise
        return Settings(plugins=PluginSettings(safe_mode=True))  # whom the settings block cannot be known


def _command(name: str, rest: Sequence[str], context: CommandContext) -> int:
    try:
        with redirect_stdout(sys.stderr):  # what a plugin prints while it loads is not the command's output
            spec = context.plugins.command(name)
            parser = command_parser(spec)
    except PluginNotFoundError as error:
        return _complain(error, status=MISUSED)
    try:
        options = parser.parse_args(rest)
    except SystemExit as stop:
        return _status(stop)
    for inner in [inner for inner in vars(options) if inner.startswith(_PREFIX)]:
        delattr(options, inner)
    try:
        return spec.run(context, options) or 0
    except (PolarisError, BrokenPipeError):
        raise
    except SystemExit as stop:
        return _status(stop)
    except Exception as error:
        logger.debug("%s failed", name, exc_info=True)
        hint = "" if context.settings.log_level == "debug" else "; --log-level debug shows where"
        return _complain(f"{name} failed: {type(error).__name__}: {error}{hint}")


def command_parser(spec: CommandSpec) -> ArgumentParser:
    """Return the parser of a command; raise `PluginLoadError` where the command's own part of it fails."""
    parser = ArgumentParser(prog=f"polaris-kg {spec.name}", description=spec.sentence, allow_abbrev=False)
    _add_globals(parser)
    if spec.shows_data:
        parser.add_argument("--json", action="store_true", help="write JSON to standard output")
    try:
        spec.configure(parser)
    except (Exception, SystemExit) as error:
        raise PluginLoadError(
            f"the command {spec.name!r} cannot be used: {type(error).__name__}: {error}", plugin=spec.name
        ) from error
    return parser


def _help(registry: Registry) -> str:
    origins = {row.name: row.distribution for row in registry.rows if row.kind == "commands"}
    rows = [(f"  {name}", origins[name]) for name in registry.names("commands")]
    return f"{global_parser().format_help()}\ncommands, and the distributions they are of:\n{table(rows)}"


def _complain(error: object, *, status: int = FAILED) -> int:
    print(f"polaris-kg: {printable(error)}", file=sys.stderr)
    return status


def _status(stop: SystemExit) -> int:
    if isinstance(stop.code, int) or stop.code is None:
        return stop.code or 0
    return _complain(stop.code)


def _reader_gone() -> int:
    # The interpreter flushes standard output once more at its end, and would complain there.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_GONE
