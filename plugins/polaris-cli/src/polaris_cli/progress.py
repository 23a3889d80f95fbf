"""How far a long command has come, on standard error, for whoever watches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from polaris_cli.terminal import make_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import ProgressColumn

    from polaris_core.abc import Progress as Parts

__all__ = ["Progress", "parts", "progress"]


class Progress(Protocol):
    """Takes how much is done."""

    def __call__(self, records: int, position: int | None = None, /) -> None:
        """Show so many records, and so many bytes of the file."""


def _nobody(_records: int, _position: int | None = None) -> None:
    """Tell nobody."""


@contextmanager
def progress(what: str, size: int | None = None) -> Iterator[Progress]:
    """Show a bar for a file of `size` bytes, or a count where the size is not known; where no terminal is, nothing."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield _nobody
        return
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    if size is not None:
        columns += [BarColumn(bar_width=24), DownloadColumn()]
    columns += [TextColumn("{task.fields[records]:,} records"), TimeElapsedColumn()]
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=size, records=0)

        def tell(records: int, position: int | None = None, /) -> None:
            bar.update(task, completed=position, records=records)

        yield tell


@contextmanager
def parts(what: str) -> Iterator[Parts | None]:
    """Show a bar for work that says how much of how much is done; yield None where nobody watches."""
    console = make_console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
