"""`polaris-kg completion`: a script for a shell, which asks `polaris-kg __complete` for what can follow."""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

from polaris_core.cli.dispatch import command_parser, global_parser, split
from polaris_core.config import Settings
from polaris_core.registry import Registry

if TYPE_CHECKING:
    from argparse import Action, ArgumentParser, Namespace
    from collections.abc import Iterable, Sequence

    from polaris_core.abc.commands import CommandContext

__all__ = ["SCRIPTS", "complete", "configure", "run"]

SCRIPTS = {
    "bash": """\
# Put into ~/.bashrc: eval "$(polaris-kg completion bash)"
_polaris_kg() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(polaris-kg __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _polaris_kg polaris-kg
""",
    "zsh": """\
# Put into ~/.zshrc, after compinit: eval "$(polaris-kg completion zsh)"
_polaris_kg() {
    local -a candidates
    candidates=("${(@f)$(polaris-kg __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${candidates[1]}" ]]; then
        compadd -- "${candidates[@]}"
    else
        _files
    fi
}
compdef _polaris_kg polaris-kg
""",
    "fish": """\
# Put into ~/.config/fish/config.fish: polaris-kg completion fish | source
complete -c polaris-kg -a '(polaris-kg __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
}


def configure(parser: ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=sorted(SCRIPTS), help="the shell to write a script for")


def run(_context: CommandContext, arguments: Namespace) -> int:
    """Print the script of a shell."""
    print(SCRIPTS[arguments.shell], end="")
    return 0


def complete(words: Sequence[str]) -> int:
    """Print what the last of the words, which may be empty, could become; nothing where anything goes wrong."""
    logging.disable(logging.CRITICAL)
    candidates: Iterable[str] = ()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            candidates = _candidates(list(words) or [""])
    except (Exception, SystemExit):  # noqa: BLE001 - a message in the middle of somebody's typing helps nobody
        candidates = ()
    finally:
        logging.disable(logging.NOTSET)
    for candidate in candidates:
        sys.stdout.write(f"{candidate}\n")
    return 0


def _candidates(words: Sequence[str]) -> Sequence[str]:
    *before, current = words
    registry = Registry(Settings.load().plugins)
    _, command, _ = split(before)
    if command is None:
        names = () if current.startswith("-") else registry.names("commands")
        return _fitting(global_parser(), before, current, names)
    return _fitting(command_parser(registry.command(command)), before, current, ())


def _fitting(parser: ArgumentParser, before: Sequence[str], current: str, words: Sequence[str]) -> Sequence[str]:
    actions: list[Action] = parser._actions  # noqa: SLF001 - argparse has no public way to list its options
    options = {option: action for action in actions for option in action.option_strings}
    last = options.get(before[-1]) if before else None
    if last is not None and last.nargs != 0:
        found: Iterable[object] = last.choices or ()
    elif current.startswith("-"):
        found = options
    else:
        found = [
            *words,
            *(choice for action in actions if not action.option_strings for choice in action.choices or ()),
        ]
    return sorted(text for each in found if (text := str(each)).startswith(current))
