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
from datetime import UTC, datetime
from random import Random
from typing import Any

from ordeal.linearizability import Call, Value
from polaris_core import (
    Batch,
    ConflictError,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    EdgeNotFoundError,
    ExpectRevision,
    Graph,
    Mutation,
    Node,
    NodeNotFoundError,
    NotFoundError,
    Provenance,
    PutEdge,
    PutNode,
    RenameNode,
    open_graph,
)
from polaris_core.storage.coherence import UNKNOWN, GraphCache

NODES = ("x", "y", "z")
"""Registers whose value stands in a node, which is not there at first, and is deleted now and then."""
EDGES = ("p", "q")
"""Registers whose value stands in an edge from a node to itself; only the node is there at first."""
LINKS = ("moved", "renamed")
"""Registers whose value is the name of the only node next to them: another one each time, or the same by another name."""
KEYS = (*NODES, *EDGES, *LINKS)
LANES = 2

BEGINNING: tuple[Mutation, ...] = (
    *map(CreateNode, (*EDGES, *LINKS, *(f"{key} 0" for key in LINKS))),
    *(CreateEdge(key, "is", f"{key} 0") for key in LINKS),
)
"""What is in the store before anybody reads or writes it."""


class Lane:
    """One of the tasks of a process: a call at a time."""

    def __init__(self, graph: Graph, name: str, first: int, calls: list[Call]) -> None:
        self._graph = graph
        self._name = name
        self._next = first
        self._calls = calls
        self._chance = Random(name)

    async def _read(self, key: str) -> tuple[Value, int]:
        """Return the value of a register, and the revision of what it stands in."""
        graph = self._graph
        if key in LINKS:
            (name,) = await graph.walk(key).out("is").names()
            return int(name.removeprefix(f"{key} ")) or None, 0
        try:
            if key in EDGES:
                record: Any = await graph.get_edge(key, "is", key)
            elif self._chance.random() < 0.3:
                record = (await graph.get_nodes([key]))[key]
            else:
                record = await graph.get_node(key)
        except (NodeNotFoundError, EdgeNotFoundError, KeyError):
            return None, 0
        return record.attributes["value"], record.provenance.revision

    async def call(self) -> None:
        """Read a key; or delete or write it; or write it if it is still what it was."""
        key, kind = self._chance.choice(KEYS), self._chance.random()
        began = time.monotonic_ns()
        if kind < 0.6:
            value, _ = await self._read(key)
            self._note(key, began, "read", value)
            return
        if kind < 0.65 and key in NODES:
            await self._graph.commit(DeleteNode(key, missing_ok=True))
            self._note(key, began, "write", None)
            return
        self._next += 1
        if kind < 0.75 and key not in LINKS:
            await self._graph.commit(self._write(key))
            self._note(key, began, "write", self._next)
            return
        value, revision = await self._read(key)
        self._note(key, began, "read", value)
        began = time.monotonic_ns()
        try:
            await self._graph.commit(self._swap(key, value, revision))
        except (ConflictError, NotFoundError):
            self._note(key, began, "swap", self._next, value, done=False)
        else:
            self._note(key, began, "swap", self._next, value)

    def _write(self, key: str) -> Mutation:
        value = {"value": self._next}
        return PutEdge(key, "is", key, value) if key in EDGES else PutNode(key, "register", value)

    def _swap(self, key: str, value: Value, revision: int) -> Batch:
        """Return the batch that is refused unless a register has a value still."""
        before, after = f"{key} {value or 0}", f"{key} {self._next}"
        if key == "renamed":
            return Batch(RenameNode(before, after))
        if key == "moved":
            return Batch([DeleteEdge(key, "is", before), CreateNode(after), CreateEdge(key, "is", after)])
        return Batch(self._write(key), expect=[ExpectRevision((key, "is", key) if key in EDGES else key, revision)])

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


def _around_commits(before: Callable[[Graph, Batch], None], after: Callable[[Graph], None]) -> None:
    async def commit(self: Graph, batch: Any) -> Any:
        before(self, batch if isinstance(batch, Batch) else Batch(batch))
        try:
            return await real(self, batch)
        finally:
            after(self)

    real: Any = Graph.commit
    Graph.commit = commit  # type: ignore[assignment]


def _nothing(*_: object) -> None: ...


def _cache(graph: Graph) -> GraphCache:
    assert graph.service._cache is not None
    return graph.service._cache


def _believes_the_stamp_it_finds(graph: Graph) -> None:
    cache = _cache(graph)
    cache._known = cache._known._replace(stamp=graph.service.storage.stamp())


def _forgets_before_the_commit() -> None:
    _around_commits(lambda graph, _: _cache(graph).clear(), _believes_the_stamp_it_finds)


def _serves_what_is_not_committed() -> None:
    pending: dict[str, Node] = {}

    def before(_: Graph, batch: Batch) -> None:
        now = datetime.now(UTC)
        for mutation in batch.mutations:
            if isinstance(mutation, PutNode):
                pending[mutation.name] = Node(
                    mutation.name, mutation.type, mutation.attributes, (), Provenance(1, 1, now, now)
                )

    def get(self: GraphCache, key: Any, stamp: int | None) -> Any:
        return pending.get(key) or real(self, key, stamp)

    real: Any = GraphCache.get
    GraphCache.get = get  # type: ignore[method-assign]
    _around_commits(before, lambda _: pending.clear())


def _forgets_no_absence() -> None:
    def take(self: GraphCache, seen: Any, stamp: int | None) -> None:
        absent = [
            key for key in (*NODES, *((key, "is", key) for key in EDGES)) if self._cache.get(key, UNKNOWN) is None
        ]
        real(self, seen, stamp)
        for key in absent:
            if self._cache.get(key, UNKNOWN) is UNKNOWN:
                self._cache.set(key, None)

    real: Any = GraphCache.take
    GraphCache.take = take  # type: ignore[method-assign]


def _misses_other_processes() -> None:
    def own_commits(self: Graph) -> None:
        self.service.storage.commits_of_this_process += 1  # type: ignore[attr-defined]

    def stamp(self: Any) -> int:
        return int(self.commits_of_this_process)

    from polaris_sqlite.storage import SqliteStorage

    SqliteStorage.commits_of_this_process = 0  # type: ignore[attr-defined]
    SqliteStorage.stamp = stamp  # type: ignore[method-assign]
    _around_commits(_nothing, own_commits)


def _takes_a_slow_fill_for_a_new_one() -> None:
    async def look(self: GraphCache, session: Any, found: Any, stamp: int | None) -> Any:
        seen = await real(self, session, found, stamp)
        time.sleep(0.002)
        return seen

    def take(self: GraphCache, seen: Any, stamp: int | None) -> None:
        taken(self, seen, stamp if stamp is not None else self.newest())  # type: ignore[attr-defined]

    def newest(self: Any) -> Any:
        return self._stamp_of_its_store()

    async def opened(self: Any) -> Any:
        self._cache._stamp_of_its_store = self.storage.stamp
        return await initialize(self)

    from polaris_core.storage import StorageService

    real, taken, initialize = GraphCache.look, GraphCache.take, StorageService.initialize
    GraphCache.look, GraphCache.take = look, take  # type: ignore[method-assign]
    GraphCache.newest = newest  # type: ignore[attr-defined]
    StorageService.initialize = opened  # type: ignore[method-assign]


def _keeps_neighbours() -> None:
    def take(self: GraphCache, seen: Any, stamp: int | None) -> None:
        real(self, seen._replace(stale=seen.stale and seen.stale._replace(ends=frozenset())), stamp)

    real: Any = GraphCache.take
    GraphCache.take = take  # type: ignore[method-assign]


def _expects_what_it_last_saw() -> None:
    async def commit(self: Graph, batch: Any) -> Any:
        if not isinstance(batch, Batch) or not batch.expect:
            return await real(self, batch)
        for expected in batch.expect:
            found: Any = await self.service.look_up(expected.key)  # type: ignore[union-attr]
            if (found.provenance.revision if found else 0) != expected.revision:  # type: ignore[union-attr]
                raise ConflictError("it changed", key=None)
        return await real(self, Batch(batch.mutations))

    real: Any = Graph.commit
    Graph.commit = commit  # type: ignore[assignment]


WEAKNESSES: dict[str, Callable[[], None]] = {
    "forgets before the commit": _forgets_before_the_commit,
    "serves what is not committed": _serves_what_is_not_committed,
    "forgets no absence": _forgets_no_absence,
    "misses other processes": _misses_other_processes,
    "takes a slow fill for a new one": _takes_a_slow_fill_for_a_new_one,
    "keeps neighbours": _keeps_neighbours,
    "looks first and writes then": _expects_what_it_last_saw,
}


if __name__ == "__main__":
    address, own_name, amount, *weak = sys.argv[1:]
    for weakness in weak:
        WEAKNESSES[weakness]()
    asyncio.run(main(address, own_name, int(amount)))
