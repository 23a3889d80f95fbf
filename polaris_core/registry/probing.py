"""Loading plugins in a process of their own, so that what they do there, ending it included, hurts nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from polaris_core.errors import PluginError
from polaris_core.registry.discovery import Row
from polaris_core.registry.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["answer", "probe"]

# The child looks for modules where its parent does, and never in its working directory.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from polaris_core.registry.probing import answer; answer(sys.argv[2])"
)
_TAIL_BYTES = 4_096


def probe(rows: Iterable[Row], everything: Sequence[Row], *, seconds: float) -> Mapping[Row, str | None]:
    """Return for each row what is wrong with it once its module is imported and asked; None where nothing is.

    There is one process a module, which is given `seconds`, and as many at a time as there are processors. `everything`
    are all the rows there are: a specification has to have its own among them.
    """

    def home(row: Row) -> tuple[str, str]:
        return row.distribution, row.module

    groups = [list(group) for _, group in groupby(sorted(rows, key=home), key=home)]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        answers = pool.map(lambda group: _probe_module(group, everything, seconds), groups)
        return {row: trouble for answer in answers for row, trouble in answer.items()}


def _probe_module(rows: Sequence[Row], everything: Sequence[Row], seconds: float) -> Mapping[Row, str | None]:
    siblings = [row for row in everything if row.distribution == rows[0].distribution]
    question = json.dumps({"rows": [_plain(row) for row in rows], "siblings": [_plain(row) for row in siblings]})
    command = [sys.executable, "-P", "-c", _START, json.dumps(sys.path), question]
    # Files instead of pipes: a process that the plugin leaves behind cannot keep anybody waiting for their end.
    with TemporaryFile() as output, TemporaryFile() as errors:
        child = subprocess.Popen(  # noqa: S603 - this interpreter, with the rows of what is installed
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            return dict.fromkeys(rows, f"it was not done after {seconds:g} seconds")
        finally:
            _end(child)
        output.seek(0)
        try:
            return dict(zip(rows, json.loads(output.read()), strict=True))
        except ValueError:
            return dict.fromkeys(rows, _ending(status, errors))


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process that is still there, with all it started."""
    if child.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                child.kill()
            else:
                os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _ending(status: int, errors: IO[bytes]) -> str:
    """Return how a process ended that never answered, and the last that it said."""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - _TAIL_BYTES))
    lines = errors.read().decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    how = f"status {status}"
    if status < 0:
        with suppress(ValueError):
            how = signal.Signals(-status).name
    return f"it ended the process with {how}{f': {said}' if said else ''}"


def _plain(row: Row) -> Mapping[str, Any]:
    names = ("kind", "name", "module", "distribution", "version")
    return {name: getattr(row, name) for name in names}


def answer(question: str) -> None:
    """Check rows in this process and write what is wrong with each to standard output, which no plugin reaches."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        asked = json.loads(question)
        siblings = [Row(**fields) for fields in asked["siblings"]]
        registry = Registry(discovery=lambda: siblings)
        answers: list[str | None] = []
        for fields in asked["rows"]:
            try:
                registry.check(Row(**fields))
                answers.append(None)
            except PluginError as error:
                answers.append(str(error))
        json.dump(answers, output)
