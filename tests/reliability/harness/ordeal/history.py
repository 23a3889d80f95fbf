"""The writes that a store is put through, and the states they lead to.

Every write is a batch of its own with a number. Time stands still and is handed in, so the state that some of them lead to is
the same on every backend: `state_after` asks the memory backend for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Edge,
    Emit,
    Graph,
    Node,
    Patch,
    PatchEdge,
    PatchNode,
    PutNode,
    RefusedError,
    RenameNode,
    SetMeta,
    UpsertNode,
    open_graph,
)
from polaris_core.abc import Session, StorageOptions

__all__ = [
    "AFTERWARDS",
    "LOADED",
    "STEPS",
    "ContradictionError",
    "State",
    "frozen_time",
    "observe",
    "state_after",
    "step",
]

_NOW = 1_700_000_000_000_000


def frozen_time(**options: Any) -> StorageOptions:
    """Return options under which equal writes lead to equal states."""
    return StorageOptions(now=lambda: _NOW, **options)


_FILLING = "what makes a body span more than one sector of a disk, and a page of a database now and then; " * 16

STEPS: Sequence[Batch] = (
    Batch(CreateNode("Ada", "person", {"born": 1815}, ["wrote the first program"]), key="request 0"),
    Batch((CreateNode("Charles", "person"), CreateEdge("Ada", "knows", "Charles", {"since": 1833}))),
    Batch(CreateNode("engine", "machine", {"parts": [1, 2, 3], "notes": _FILLING}), author="breaker"),
    Batch((CreateEdge("Charles", "built", "engine"), SetMeta("schema", {"person": ["born"]}))),
    Batch(PatchNode("Ada", Patch(set={"died": 1852}, observe=["a friend of the engine"]))),
    Batch((RenameNode("Ada", "Ada Lovelace"), Emit("renamed", "Ada Lovelace", {"why": "married"}))),
    Batch((RenameNode("Charles", "x"), RenameNode("engine", "Charles"), RenameNode("x", "engine")), key="request 6"),
    Batch(PatchEdge("Ada Lovelace", "knows", "engine", Patch(set={"since": None}))),
    Batch(tuple(CreateNode(f"part {number}", "part", {"text": _FILLING[number:]}) for number in range(8))),
    Batch(tuple(CreateEdge(f"part {number}", "of", "Charles") for number in range(8))),
    Batch((DeleteNode("part 3", detach=True), DeleteEdge("part 4", "of", "Charles"))),
    Batch(PutNode("part 5", "spare", {"text": _FILLING * 4})),
    Batch((UpsertNode("part 6", attributes={"text": None}), CreateNode("part 3", "part"))),
    Batch(DeleteNode("Charles", detach=True)),
    Batch((CreateNode("Charles"), CreateEdge("Charles", "knows", "Ada Lovelace"))),
    Batch(PatchNode("part 7", Patch(unset=["text"], observe=[f"observation {number}" for number in range(20)]))),
)
LOADED: Sequence[Node | Edge] = (
    *(Node(f"loaded {number}", "part", {"text": _FILLING[number:]}) for number in range(60)),
    Node("Ada Lovelace", "person", {"loaded": True}, ["is in the store already"]),
    *(Edge(f"loaded {number}", "of", "Ada Lovelace") for number in range(0, 60, 2)),
    Edge("loaded 1", "of", "somebody who is made for it"),
)
"""What a bulk load brings, to be merged with what is there."""
AFTERWARDS = len(STEPS)
"""The number of the write that shows a store to work again after whatever happened to it."""


class State(NamedTuple):
    """Everything a session says of a graph, but for what names one store and its history."""

    head: tuple[int, ...]
    nodes: tuple[Any, ...]
    edges: tuple[Any, ...]
    links: tuple[Any, ...]
    meta: tuple[Any, ...]
    receipts: tuple[Any, ...]
    changes: tuple[Any, ...]


def step(number: int) -> Batch:
    """Return a write by its number; those from `AFTERWARDS` on are one plain node each."""
    return STEPS[number] if number < AFTERWARDS else Batch(CreateNode(f"afterwards {number}", "survivor"))


class ContradictionError(Exception):
    """A store gives two answers to one question."""


_ALL = 100_000
_DIRECTIONS: tuple[Literal["out", "in"], ...] = ("out", "in")


def _agree(what: str, one: object, other: object) -> None:
    if one != other:
        raise ContradictionError(f"{what} are {one!r} and {other!r}")


async def _everything(session: Session) -> State:
    head = await session.head()
    nodes, edges = await session.scan("node", 0, _ALL), await session.scan("edge", 0, _ALL)
    names = await session.keys("node", "", _ALL)
    links = [await session.links((node.id,), direction, None, _ALL, 0) for node in nodes for direction in _DIRECTIONS]
    changes = await session.changes(head.floor, _ALL, None)
    _agree("the names", list(names), sorted(node.name for node in nodes))
    _agree("the nodes by name", set(await session.nodes(names)), set(nodes))
    keys = [(edge.source, edge.type, edge.target) for edge in edges]
    _agree("the edges by key", set(await session.edges(keys)), set(edges))
    _agree("the counts", tuple(await session.counts()), (len(nodes), len(edges)))
    _agree("the numbers of changes", [change.seq for change in changes], list(range(head.floor + 1, head.seq + 1)))
    return State(
        head=(head.seq, head.next_id, head.floor, head.time, head.format),
        nodes=tuple(nodes),
        edges=tuple(edges),
        links=tuple(map(tuple, links)),
        meta=tuple(await session.meta(await session.keys("meta", "", _ALL))),
        receipts=tuple(await session.receipts(await session.keys("receipt", "", _ALL))),
        changes=tuple(changes),
    )


async def observe(graph: Graph) -> State:
    """Return what a small graph holds; raises `ContradictionError` where its answers contradict each other."""
    state = await graph.service.read(_everything)
    await graph.get_nodes([node.name for node in state.nodes])  # each body can be read as a node
    return state


async def _state_after(numbers: Iterable[int]) -> State | None:
    async with open_graph("memory:", options=frozen_time()) as graph:
        for number in numbers:
            try:
                await graph.commit(step(number))
            except RefusedError:
                return None
        return await observe(graph)


@lru_cache(maxsize=4096)
def state_after(numbers: tuple[int, ...]) -> State | None:
    """Return the state that writes lead to, in this order; None where one of them would be refused."""
    from threading import Thread

    found: list[State | None] = []
    thread = Thread(target=lambda: found.append(asyncio.run(_state_after(numbers))))  # whatever loop runs here
    thread.start()
    thread.join()
    (state,) = found
    return state
