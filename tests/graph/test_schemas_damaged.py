"""A record that is kept as a schema and is none: whoever needs it is told that the store is damaged, and where."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from polaris_core import Graph, Node, StoreDamagedError, open_graph
from polaris_core.records import CommitPlan, MetaRecord, Session

KEY = "schema/edge/t"
DAMAGED = {
    "no object": "3",
    "no schema": '{"version": 1}',
    "no version": '{"schema": {}, "sources": null, "targets": null}',
    "a schema that is none": json.dumps({"schema": {"type": "wrong"}, "version": 1}),
    "ends that are none": json.dumps({"schema": {}, "sources": [7], "version": 1}),
    "no JSON": "{",
}
READERS: dict[str, Callable[[Graph], Awaitable[Any]]] = {
    "schemas": lambda graph: graph.schemas(),
    "get_schema": lambda graph: graph.get_schema("edge", "t"),
    "violations": lambda graph: anext(graph.violations("edge", "t")),
    "export_file": lambda graph: graph.export_file(io.BytesIO(), "jsonl"),
    "create_edge": lambda graph: graph.create_edge("a", "t", "b"),
}
LOOKING_AT_ALL: dict[str, Callable[[Graph], Awaitable[Any]]] = {
    "patch_node": lambda graph: graph.patch_node("a", type="other"),
    "load": lambda graph: graph.load([Node("c")]),
}


async def damage(graph: Graph, body: str) -> None:
    async def program(session: Session) -> CommitPlan:
        head = await session.head()
        return CommitPlan(expected=head, head=head, put_meta=[MetaRecord(KEY, head.seq, body)])

    await graph.service.commit_alone(program)


def check_told(read: Callable[[Graph], Awaitable[Any]], body: str) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.load([Node("a"), Node("b")])
            await damage(graph, body)
            with pytest.raises(StoreDamagedError, match="is no schema") as caught:
                await read(graph)
            assert caught.value.where == KEY

    asyncio.run(main())


@pytest.mark.parametrize("body", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_whoever_needs_it_is_told_where(read: Callable[[Graph], Awaitable[Any]], body: str) -> None:
    check_told(read, body)


@pytest.mark.parametrize("read", LOOKING_AT_ALL.values(), ids=LOOKING_AT_ALL)
def test_who_looks_for_what_edges_join_is_told_where_there_is_no_json(read: Callable[[Graph], Awaitable[Any]]) -> None:
    check_told(read, "{")


@pytest.mark.parametrize("body", [body for body in DAMAGED.values() if body != "{"])
def test_it_is_set_again_or_deleted(body: str) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await damage(graph, body)
            assert (await graph.set_schema("edge", "t", {})).schema == {}
            await damage(graph, body)
            await graph.delete_schema("edge", "t")
            assert await graph.schemas() == ()

    asyncio.run(main())
