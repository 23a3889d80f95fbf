"""How far a long command has come, on standard error, for whoever watches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from polaris_cli.terminal import make_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polaris_core.abc import Progress

__all__ = ["progress"]


@contextmanager
def progress(what: str, unit: Literal["records", "bytes"] = "records") -> Iterator[Progress | None]:
    """Show a bar for work that says how much of how much is done; yield None where nobody watches."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
