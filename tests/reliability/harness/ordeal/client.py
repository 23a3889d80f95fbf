"""The program whose calls are recorded: it reads and writes a few keys of one store, beside others that do the same.

    python -m ordeal.client URL NAME CALLS [WEAKNESS]

It begins when it reads a line, and prints one call a line, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from random import Random
from typing import Any

from ordeal.linearizability import Call, Value
from polaris_core import Batch, ConflictError, ExpectRevision, Graph, Node, PutNode, open_graph
from polaris_core.storage import StorageService

KEYS = ("x", "y", "z")
LANES = 2


class Lane:
    """One of the tasks of a process: a call at a time."""

    def __init__(self, graph: Graph, name: str, first: int, calls: list[Call]) -> None:
        self._graph = graph
        self._name = name
        self._next = first
        self._calls = calls
        self._chance = Random(name)

    async def _read(self, key: str) -> tuple[Value, int]:
        found = (await self._graph.get_nodes([key])).get(key) if self._chance.random() < 0.3 else await self._get(key)
        if found is None or found.provenance is None:
            return None, 0
        return found.attributes["value"], found.provenance.revision

    async def _get(self, key: str) -> Node | None:
        return await self._graph.service.get_node(key)

    async def call(self) -> None:
        """Read a key; or write it; or write it if it is still what it was."""
        key, kind = self._chance.choice(KEYS), self._chance.random()
        began = time.monotonic_ns()
        if kind < 0.5:
            value, _ = await self._read(key)
            self._note(key, began, "read", value)
            return
        self._next += 1
        put = PutNode(key, "register", {"value": self._next})
        if kind < 0.7:
            await self._graph.commit(Batch(put))
            self._note(key, began, "write", self._next)
            return
        value, revision = await self._read(key)
        self._note(key, began, "read", value)
        began = time.monotonic_ns()
        try:
            await self._graph.commit(Batch(put, expect=[ExpectRevision(key, revision)]))
        except ConflictError:
            self._note(key, began, "swap", self._next, value, done=False)
        else:
            self._note(key, began, "swap", self._next, value)

    def _note(
        self, key: str, began: int, what: Any, value: Value, expected: Value = None, *, done: bool = True
    ) -> None:
        ended = time.monotonic_ns()
        self._calls.append(Call(self._name, key, began, ended, what, value, expected, done))


async def main(url: str, name: str, wanted: int) -> None:
    """Make the calls."""
    calls: list[Call] = []
    async with open_graph(url) as graph:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        number = int(name) * 1_000_000
        lanes = [Lane(graph, f"{name}.{lane}", number + lane * 100_000, calls) for lane in range(LANES)]

        async def run(lane: Lane) -> None:
            for _ in range(wanted // LANES):
                await lane.call()

        await asyncio.gather(*map(run, lanes))
    for call in calls:
        print(json.dumps(call))  # noqa: T201


# --- weaknesses ---------------------------------------------------------------------------------------------------------


def _serves_what_it_read_once() -> None:
    async def get_node(self: StorageService, name: str, *, fresh: bool = False) -> Node | None:
        found = self._cache_of_a_weak_store.get(name)  # type: ignore[attr-defined]
        if found is None or found[0] >= 5:
            node = await real(self, name, fresh=True)
            found = (0, node)
        self._cache_of_a_weak_store[name] = (found[0] + 1, found[1])  # type: ignore[attr-defined]
        return found[1]

    real = StorageService.get_node
    StorageService._cache_of_a_weak_store = {}  # type: ignore[attr-defined]
    StorageService.get_node = get_node  # type: ignore[assignment]


def _expects_what_it_last_saw() -> None:
    async def commit(self: Graph, batch: Any) -> Any:
        for expected in batch.expect:
            node = await self.service.look_up(expected.key)
            actual = node.provenance.revision if node and node.provenance else 0
            if actual != expected.revision:
                raise ConflictError("it changed", key=expected.key)
        return await real(self, Batch(batch.mutations))

    real: Any = Graph.commit
    Graph.commit = commit  # type: ignore[assignment]


WEAKNESSES: dict[str, Callable[[], None]] = {
    "serves what it read once": _serves_what_it_read_once,
    "looks first and writes then": _expects_what_it_last_saw,
}


if __name__ == "__main__":
    address, own_name, amount, *weak = sys.argv[1:]
    for weakness in weak:
        WEAKNESSES[weakness]()
    asyncio.run(main(address, own_name, int(amount)))
