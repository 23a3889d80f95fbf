"""Committed transactions are serializable: what one read is what it would have read, had it begun where it committed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from polaris_core import (
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Edge,
    Graph,
    Mutation,
    Node,
    NotFoundError,
    Page,
    Patch,
    PatchEdge,
    PatchNode,
    RefusedError,
    RenameNode,
    Subgraph,
    Transaction,
    open_graph,
)

names = st.sampled_from("abc")
types = st.sampled_from("xy")
patches = st.builds(lambda value: Patch(set={"k": value}), st.integers(0, 2))
mutations = st.one_of(
    st.builds(CreateNode, names),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.just(value=True)),
    st.builds(PatchNode, names, patches),
    st.builds(CreateEdge, names, types, names),
    st.builds(DeleteEdge, names, types, names),
    st.builds(PatchEdge, names, types, names, patches),
)
Read = Callable[[Transaction], Awaitable[object]]
READS: dict[str, Read] = {
    "a node": lambda tx: tx.get_node("a"),
    "nodes": lambda tx: tx.get_nodes("ab"),
    "an edge": lambda tx: tx.get_edge("a", "x", "b"),
    "neighbors": lambda tx: tx.neighbors("a"),
    "a degree": lambda tx: tx.degree("a"),
    "a subgraph": lambda tx: tx.subgraph("ab"),
    "hubs": lambda tx: tx.hubs(),
    "nodes by a filter": lambda tx: tx.find_nodes(where={"k": 1}),
    "names": lambda tx: tx.names(),
    "merged nodes": lambda tx: tx.merge_nodes("a", "b"),
}


def content(answer: object) -> object:
    """An answer without what tells when it was written, and in which order."""
    match answer:
        case Node() | Edge():
            return answer.key, sorted(answer.attributes.items())
        case Subgraph(nodes, edges):
            return content(nodes), content(edges)
        case dict():
            return sorted((str(key), content(value)) for key, value in answer.items())
        case Page() | tuple():
            return sorted((content(item) for item in answer), key=repr)
        case _ if hasattr(answer, "node"):
            return content(answer.node), content(getattr(answer, "edge", None)), getattr(answer, "degree", None)
        case _:
            return answer


async def asked(tx: Transaction, read: Read) -> object:
    try:
        return content(await read(tx))
    except NotFoundError as error:
        return str(error.key)


async def write(graph: Graph, written: Sequence[Mutation]) -> None:
    for mutation in written:
        try:
            await graph.commit(mutation)
        except RefusedError:
            event("a mutation was refused")


async def run(stored: Sequence[Mutation], own: Sequence[Mutation], read: Read, others: Sequence[Mutation]) -> None:
    async with open_graph("memory:") as graph, open_graph("memory:") as again:
        for opened in (graph, again):
            await write(opened, [*map(CreateNode, "abc"), *stored])
        await write(again, others)
        try:
            async with graph.transaction() as tx:
                tx.add(*own)
                answer = await asked(tx, read)
                await write(graph, others)
                tx.add(CreateNode("witness"))
        except RefusedError as error:
            event(type(error).__name__)
            return
        event("committed")
        async with again.transaction() as tx:
            tx.add(*own)
            assert await asked(tx, read) == answer


@settings(max_examples=300)
@given(
    st.lists(mutations, max_size=5),
    st.lists(mutations, max_size=3),
    st.sampled_from(list(READS)),
    st.lists(mutations, max_size=2),
)
@example([], [RenameNode("a", "z"), RenameNode("b", "a")], "neighbors", [CreateEdge("b", "x", "c")])
@example([], [CreateEdge("a", "x", "c")], "neighbors", [PatchNode("c", Patch(set={"k": 1}))])
def test_what_a_committed_transaction_read_holds_where_it_committed(
    stored: list[Any], own: list[Any], read: str, others: list[Any]
) -> None:
    asyncio.run(run(stored, own, READS[read], others))
