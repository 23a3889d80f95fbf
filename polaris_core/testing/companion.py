"""Another process that opens the same store, and does what it is told over a pipe: one line of JSON each way.

It is started as `python -m polaris_core.testing.companion` with what to open as its argument, and needs neither pytest nor
hypothesis.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polaris_core.abc.location import Location
from polaris_core.abc.storage import Storage, StorageOptions
from polaris_core.errors import ForkedError, PolarisError
from polaris_core.graph import Graph
from polaris_core.mutations import Batch, CreateNode, UpsertNode
from polaris_core.registry import default
from polaris_core.storage import StorageService
from polaris_core.testing.programs import everything

__all__ = ["Companion", "companion", "open_place"]

_FORKED = 17
_PATIENCE = 60.0


def open_place(url: str | None, opener: str | None, folder: Path, options: StorageOptions) -> Storage:
    """Return a storage, not open yet, from a URL with `{folder}` in it or from an opener `module:function`."""
    from importlib import import_module
    from operator import attrgetter
    from urllib.parse import quote

    if opener is not None:
        module, _, function = opener.partition(":")
        storage: Storage = attrgetter(function)(import_module(module))(folder, options)
        return storage
    if url is None:
        raise TypeError("say how a store is opened: a `url` with {folder} in it, an `opener`, or a method `open`")
    location = Location.parse(url.replace("{folder}", quote(str(folder))))
    return default().storage(location.scheme).factory(location, options)


class Companion:
    """A process that has a store open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def tell(self, what: str, *arguments: Any) -> None:
        """Tell it to do something, without waiting for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([what, *arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        """Return what the oldest thing it was told to do came to."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, complaints = self.process.communicate(timeout=_PATIENCE)
            raise AssertionError(f"the other process ended with {self.process.returncode}: {complaints}")
        answer = json.loads(line)
        if "failed" in answer:
            raise AssertionError(f"the other process failed: {answer['failed']}")
        return answer["answer"]

    def ask(self, what: str, *arguments: Any) -> Any:
        """Tell it to do something, and return what it came to."""
        self.tell(what, *arguments)
        return self.answer()

    def close(self) -> None:
        """Let it close the store and end."""
        self.tell("close")
        _, complaints = self.process.communicate(timeout=_PATIENCE)
        assert self.process.returncode == 0, complaints

    def kill(self) -> None:
        """Kill it where it stands."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def companion(url: str | None, opener: str | None, folder: Path) -> Iterator[Companion]:
    """Start a process that opens the store in a folder; it is killed at the end of the block if it still runs."""
    what = json.dumps({"url": url, "opener": opener, "folder": str(folder)})
    paths = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    process = subprocess.Popen(  # noqa: S603 - this interpreter and this module
        [sys.executable, "-m", "polaris_core.testing.companion", what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    try:
        yield Companion(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


class _Served:
    """What a companion can be told."""

    def __init__(self, service: StorageService) -> None:
        self.service = service

    async def create(self, *names: str) -> list[int]:
        """Commit a node each, and return the numbers of the changes."""
        return [(await self.service.commit(Batch(CreateNode(name)))).first for name in names]

    async def set(self, name: str, value: int) -> int:
        """Give a node a value, and return its revision."""
        return (await self.service.commit(Batch(UpsertNode(name, attributes={"value": value})))).last

    async def get(self, name: str) -> Any:
        """Return a node's value, as a graph with a cache reads it."""
        node = await self.service.get_node(name)
        return None if node is None else node.attributes["value"]

    async def stamp(self) -> int | None:
        """Return the stamp."""
        return self.service.storage.stamp()

    async def names(self) -> list[str]:
        """Return the names of all nodes."""
        return list((await self.service.read(everything)).names)

    async def fork(self) -> str:
        """Fork, use the graph in the child, and return how that went."""
        child = os.fork()
        if not child:
            os._exit(_use_in_child(self.service))
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        code = os.waitstatus_to_exitcode(status)
        return "refused" if code == _FORKED else f"the child ended with {code}"


def _use_in_child(service: StorageService) -> int:
    graph = Graph(service)
    for call in (graph.create_node("in the child"), graph.get_node("parent"), service.commit(Batch(CreateNode("x")))):
        try:
            call.send(None)
        except ForkedError:
            call.close()
        except BaseException:  # noqa: BLE001 - the parent's pipe is no place for a traceback
            return 1
        else:
            return 2
    return _FORKED


async def _serve(url: str | None, opener: str | None, folder: str) -> None:
    from polaris_core.abc.cache import CacheOptions

    storage = open_place(url, opener, Path(folder), StorageOptions())
    service = StorageService(storage=storage, cache=default().cache("lru").factory(CacheOptions()))
    await service.initialize()
    served = _Served(service)
    _say(answer="open")
    try:
        for line in sys.stdin:
            what, *arguments = json.loads(line)
            if what == "close":
                break
            try:
                _say(answer=await getattr(served, what)(*arguments))
            except PolarisError as error:
                _say(failed=repr(error))
    finally:
        await service.close()


def _say(**answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(**json.loads(sys.argv[1])))
