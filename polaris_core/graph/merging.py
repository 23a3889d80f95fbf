"""One node made of two: which mutations move the edges and observations of the one to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from polaris_core.codec import decode_edge, decode_node
from polaris_core.errors import InvalidValueError, LimitExceededError
from polaris_core.graph.questions import Edges, Question, existing
from polaris_core.model import Edge, EdgeKey, Node, Patch, Path
from polaris_core.mutations import CreateEdge, DeleteEdge, DeleteNode, Mutation, PatchEdge, PatchNode
from polaris_core.records import Link, Session

__all__ = ["Merging"]

_PAGE = 1_000


@attrs.frozen
class Merging(Question[tuple[Mutation, ...]]):
    """What merges the node `name` into the node `into`; the last mutation is of `into`.

    `most` is how many records a commit may hold. Asked in a transaction, it expects that nothing at all was changed.
    """

    name: str
    into: str
    keep_loops: bool
    most: int

    def __attrs_post_init__(self) -> None:
        """Refuse one node for both."""
        if self.name == self.into:
            raise InvalidValueError(f"node {self.name!r} cannot be merged into itself")

    async def __call__(self, session: Session) -> tuple[Mutation, ...]:
        """Return mutations; raises `NodeNotFoundError`, and `LimitExceededError` where one commit cannot hold them."""
        record, into = await existing(session, (self.name, self.into))
        gone, kept = decode_node(record), decode_node(into)
        edges = await self._edges(session, record.id)
        arriving = self._arriving(edges)
        there = await Edges(tuple(arriving))(session)
        return (
            *(
                DeleteEdge(*edge.key) for edge in edges
            ),  # each by its name: one that came meanwhile keeps the node from going
            *(
                mutation
                for key, attributes in arriving.items()
                if (mutation := _arrival(key, attributes, there.get(key))) is not None
            ),
            DeleteNode(gone.name),
            _completed(kept, gone),
        )

    async def _edges(self, session: Session, id: int) -> list[Edge]:
        """Return all edges of a node, in the order they were created."""
        links: list[Link] = []
        while page := await session.links((id,), "both", None, _PAGE, links[-1].id if links else 0):
            links += page
            if len(links) >= self.most:  # each is deleted, and the node too
                raise LimitExceededError(
                    f"commit_records is limited to {self.most}; merging node {self.name!r} takes more, to move its edges",
                    limit="commit_records",
                    size=len(links) + 1,
                    maximum=self.most,
                )
        ends = tuple({end for link in links for end in (link.source, link.target)})
        names = {record.id: record.name for record in await session.nodes(ends) if record} if ends else {}
        records = await session.edges([link.id for link in links]) if links else ()
        return [decode_edge(record, names[record.source], names[record.target]) for record in records if record]

    def _arriving(self, edges: Sequence[Edge]) -> dict[EdgeKey, dict[str, Any]]:
        """Return the edges there are to be at `into`, with their attributes: of two that become one the older one's count."""
        arriving: dict[EdgeKey, dict[str, Any]] = {}
        for edge in edges:
            if self.into not in edge.key[::2] or self.keep_loops:
                key = EdgeKey(self._moved(edge.source), edge.type, self._moved(edge.target))
                arriving[key] = {**edge.attributes, **arriving.get(key, {})}
        return arriving

    def _moved(self, end: str) -> str:
        return self.into if end == self.name else end


def _arrival(key: EdgeKey, attributes: Mapping[str, Any], there: Edge | None) -> Mutation | None:
    if there is None:
        return CreateEdge(*key, attributes)
    missing = _missing(attributes, there.attributes)
    return PatchEdge(*key, Patch(set=missing)) if missing else None


def _completed(kept: Node, gone: Node) -> Mutation:
    return PatchNode(kept.name, Patch(set=_missing(gone.attributes, kept.attributes), observe=gone.observations))


def _missing(attributes: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str | Path, Any]:
    return {(key,): value for key, value in attributes.items() if key not in there}
