"""The program that is broken: it opens a store, writes, and says of each write what became of it.

It is a server: each task is done by a fork of its own, which has everything imported, so that a run takes milliseconds.
Tasks come as lines of JSON, and the line that goes back is the exit status. A task's notes go to a file, one write a
line, so that they stay when the process is killed; and into the recording, among the calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import attrs

from ordeal.backends import boot_again, in_small_steps
from ordeal.history import AFTERWARDS, LOADED, frozen_time, observe, step
from ordeal.interposer import Action, Fault, Interposer, Kind, MissingError
from ordeal.weaknesses import WEAKNESSES
from polaris_core import Graph, OutcomeUnknownError, PolarisError, RefusedError, open_graph

RESTORE, BACKUP, LOAD = 1_000, 1_001, 1_002
_SECONDS = 30  # until a task is taken for hanging


@attrs.frozen(kw_only=True)
class Task:
    """What to do to the store at `url`, all of whose files are below `directory`.

    `moves` are lists of the numbers of steps: those of one list are written together. With `abandon` the process ends
    without closing the store. With `recover` the store is opened again, in the same process and without faults, and
    written once more. `patient` stores make no checkpoints before they are closed. After the moves the store is restored from
    the backup at `restore`, backed up to `backup`, and with `load` loaded with `LOADED`; notes call these steps `RESTORE`,
    `BACKUP` and `LOAD`.
    """

    url: str
    directory: str
    notes: str
    moves: tuple[tuple[int, ...], ...] = ()
    fault: Fault = attrs.Factory(Fault)
    recording: str = ""
    durability: str = "power"
    boot: str = ""
    weakness: str = ""
    abandon: bool = False
    recover: bool = False
    patient: bool = False
    restore: str = ""
    backup: str = ""
    load: bool = False

    def encode(self) -> str:
        """Return the task as a line."""
        fields = attrs.asdict(self)
        fields["fault"]["kinds"] = sorted(self.fault.kinds)
        return json.dumps(fields)

    @classmethod
    def decode(cls, line: str) -> Task:
        """Return the task of a line."""
        fields = json.loads(line)
        fault = fields.pop("fault")
        kinds = frozenset(map(Kind, fault.pop("kinds")))
        moves = tuple(map(tuple, fields.pop("moves")))
        return cls(moves=moves, fault=Fault(action=Action(fault.pop("action")), kinds=kinds, **fault), **fields)


class Performance:
    """One task as it is done."""

    def __init__(self, task: Task, interposer: Interposer | None) -> None:
        self._task = task
        self._interposer = interposer
        self._notes = os.open(task.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, *words: object) -> None:
        text = " ".join(map(str, words))
        if self._interposer:
            self._interposer.note(text)
        os.write(self._notes, f"{text}\n".encode())

    async def _open(self) -> Graph | None:
        options = frozen_time(durability=self._task.durability, busy_seconds=2.0)
        try:
            graph = await open_graph(self._task.url, options=options, cache=None)
        except PolarisError as error:
            self.note("closed", type(error).__name__, repr(str(error)))
            return None
        except Exception as error:  # noqa: BLE001 - whoever reads the notes calls it a fault
            self.note("foreign", "open", repr(error))
            return None
        try:
            self.note("opened", (await graph.cursor()).epoch)
        except PolarisError:
            self.note("opened")
        return graph

    async def _write(self, graph: Graph, number: int) -> None:
        await self._do(number, lambda: graph.commit(step(number)))

    async def _do(self, number: int, action: Callable[[], Awaitable[object]]) -> None:
        self.note("start", number)
        try:
            await action()
        except OutcomeUnknownError as error:
            self.note("unknown", number, repr(str(error)))
        except RefusedError as error:
            self.note("refused", number, type(error).__name__)
        except PolarisError as error:
            self.note("failed", number, type(error).__name__, repr(str(error)))
        except Exception as error:  # noqa: BLE001 - as above
            self.note("foreign", number, repr(error))
        else:
            self.note("done", number)

    async def _close(self, graph: Graph) -> None:
        try:
            await graph.close()
        except PolarisError as error:
            self.note("unclosed", type(error).__name__, repr(str(error)))
        except Exception as error:  # noqa: BLE001 - as above
            self.note("foreign", "close", repr(error))

    async def play(self) -> None:
        """Do the task."""
        graph = await self._open()
        for numbers in self._task.moves if graph else ():
            await asyncio.gather(*(self._write(graph, number) for number in numbers))
        if graph and self._task.restore:
            await self._do(RESTORE, lambda: graph.restore(self._task.restore))
        if graph and self._task.backup:
            await self._do(BACKUP, lambda: graph.backup(self._task.backup))
        if graph and self._task.load:
            await self._do(LOAD, lambda: graph.load(LOADED, on_existing="merge", on_dangling="create"))
        if self._task.abandon:
            self.finish()
        if graph:
            await self._close(graph)
        if self._task.recover:
            if self._interposer:
                self.note("points", self._interposer.points, self._interposer.felt)
                self._interposer.relent()
            graph = await self._open()
            assert graph is not None, "it does not open any more"
            await self._write(graph, AFTERWARDS)
            await self._close(graph)

    def finish(self) -> None:
        """End the process, as the one that was forked."""
        if self._interposer and not self._task.recover:
            self.note("points", self._interposer.points, self._interposer.felt)
        self.note("end")
        os._exit(0)


def _perform(task: Task, interposer: Interposer | None) -> None:
    signal.alarm(_SECONDS)
    if not task.patient:
        in_small_steps()
    if task.boot:
        boot_again(task.boot)
    if task.weakness:
        WEAKNESSES[task.weakness].weaken()
    if interposer:
        interposer.watch(task.directory, task.fault, task.recording)
    performance = Performance(task, interposer)
    asyncio.run(performance.play())
    performance.finish()


def _fork(task: Task, perform: Callable[[Task, Any], None], interposer: Interposer | None) -> int:
    pid = os.fork()
    if not pid:
        try:
            perform(task, interposer)
        except BaseException:  # noqa: BLE001 - a fork must never go on with its parent's loop
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def _serve() -> None:
    try:
        interposer: Interposer | None = Interposer()
    except MissingError:
        interposer = None
    asyncio.run(_warm("memory:"))
    print("ready", interposer is not None, flush=True)  # noqa: T201
    for line in sys.stdin:
        status = os.waitstatus_to_exitcode(_fork(Task.decode(line), _perform, interposer))
        print(status, flush=True)  # noqa: T201


async def _warm(url: str) -> None:
    for module in ("polaris_json_fs.storage", "polaris_sqlite.storage"):  # so that no fork has to
        import_module(module)
    async with open_graph(url, options=frozen_time()) as graph:
        await graph.commit(step(0))
        await observe(graph)


if __name__ == "__main__":
    _serve()
