"""The command `polaris-kg`, in the standard library alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, this process's own unless given, and return the exit status.

    0 is success, 1 failure, 2 a command line that makes no sense, 130 an interruption, 141 a reader that went away.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        from polaris_core import __version__

        print(f"polaris-kg {__version__}")
        return 0
    from polaris_core.cli.dispatch import dispatch

    return dispatch(arguments)
