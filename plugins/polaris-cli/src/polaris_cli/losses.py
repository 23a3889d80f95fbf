"""What a file or a graph could not hold, told to whoever asked for an import or export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_cli.terminal import make_console, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core import Loss

__all__ = ["warn"]


def warn(place: str, losses: Sequence[Loss]) -> None:
    """Say on standard error what was left out because a place cannot hold it."""
    if losses:
        told = ", ".join(map(str, losses))
        make_console(stderr=True).print(
            plain(f"left out, because {place} cannot hold it: {told}", "yellow"), soft_wrap=True
        )
