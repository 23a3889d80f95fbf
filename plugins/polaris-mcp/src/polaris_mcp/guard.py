"""Standard input and output put out of reach: only the protocol may use them, whatever a plugin prints or reads."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polaris_core import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Wire", "guarded"]


class Wire(NamedTuple):
    """The file descriptors of what were the process's input and output."""

    input: int
    output: int


def _aside(fd: int) -> int:
    """Return a duplicate that is none of the standard three and that no child inherits."""
    copies = [os.dup(fd)]
    try:
        while copies[-1] <= 2:
            copies.append(os.dup(fd))
        return copies.pop()
    finally:
        for copy in copies:
            os.close(copy)


def _divert(fd: int, to: int) -> None:
    os.dup2(to, fd, inheritable=True)


@contextmanager
def guarded() -> Iterator[Wire]:
    """Take file descriptors 0 and 1 away: what Python, C or a child prints goes to stderr, what they read is empty.

    The protocol's own transport does the same, but only once it runs, and a plugin that prints while it is imported has
    broken the first line by then. Both are given back at the end. Raises `ConfigError` where one of them is closed.
    """
    try:
        wire = Wire(_aside(0), _aside(1))
    except OSError as error:
        raise ConfigError(
            "standard input and standard output belong to the client, and one of them is closed: the client starts "
            "the server",
            setting="stdio",
        ) from error
    sys.stdout.flush()
    printed = sys.stdout
    with Path(os.devnull).open("r+", encoding="utf-8") as nothing:
        try:
            _divert(0, nothing.fileno())
            try:
                _divert(1, 2)
            except OSError:  # there is no stderr
                _divert(1, nothing.fileno())
            sys.stdout = sys.stderr or nothing
            yield wire
        finally:
            sys.stdout.flush()
            sys.stdout = printed
            _divert(0, wire.input)
            _divert(1, wire.output)
            # The duplicates stay open: a thread may still wait on one, and must not wake up to another file's bytes.
