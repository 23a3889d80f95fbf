"""A part of a graph: some nodes, and all edges between any two of them."""

from __future__ import annotations

import attrs

from polaris_core.codec import decode_edge, decode_node
from polaris_core.errors import LimitExceededError
from polaris_core.graph.questions import Question, existing
from polaris_core.model import Edge, Node
from polaris_core.records import Session

__all__ = ["Subgraph", "SubgraphOf"]

_PAGE = 10_000


@attrs.frozen
class Subgraph:
    """Nodes in the order they were named, and the edges that begin and end at them in the order they were created."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@attrs.frozen
class SubgraphOf(Question[Subgraph]):
    """The nodes of these names and the edges between them; looks at `scan` edges that leave them at most."""

    names: tuple[str, ...]
    types: tuple[str, ...] | None
    scan: int

    async def __call__(self, session: Session) -> Subgraph:
        """Return the part; raises `NodeNotFoundError` for a name that no node has, and `LimitExceededError`."""
        records = await existing(session, self.names)
        names = {record.id: record.name for record in records}
        edges: list[Edge] = []
        after = looked = 0
        while links := await session.links(tuple(names), "out", self.types, _PAGE, after):
            after, looked = links[-1].id, looked + len(links)
            if looked > self.scan:
                raise LimitExceededError(
                    f"scan is limited to {self.scan}; more edges leave these nodes: leave out the busiest, or ask for some types",
                    limit="scan",
                    size=looked,
                    maximum=self.scan,
                )
            inner = [link.id for link in links if link.target in names]
            found = await session.edges(inner) if inner else ()
            edges += [decode_edge(edge, names[edge.source], names[edge.target]) for edge in found if edge]
        return Subgraph(tuple(map(decode_node, records)), tuple(edges))
