"""What the changes after a number did, as far as it has to be taken back to tell the state before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TypeAlias

from polaris_core.errors import LimitExceededError
from polaris_core.history.undoing import deleted_edge, deleted_node, meta_before, name_before, reading
from polaris_core.limits import Limits
from polaris_core.records import ChangeRecord, EdgeRecord, Link, MetaRecord, NodeRecord

__all__ = ["Past"]

_Chain: TypeAlias = "tuple[ChangeRecord, _Chain | None]"
"""The updates of one record, the newest first; what is added leaves the chains that others hold as they are."""


class Past:
    """The state after change `seq`, as the difference to the state after change `upto`.

    Ids are given out in order and never again, so `next_id`, the first one given out after `seq`, tells what did not exist
    yet; None says that none was. Of everything older it holds what was deleted since, what was updated or renamed since, and
    the names that were given up.
    """

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.upto: int = seq
        self.next_id: int | None = None
        self.nodes: dict[int, NodeRecord] = {}  # deleted since, as they were at that moment
        self.edges: dict[int, EdgeRecord] = {}
        self.names: dict[int, str] = {}  # of nodes that were renamed or deleted since
        self.meta: dict[str, MetaRecord | None] = {}  # written or deleted since
        self.fewer_nodes: int = 0  # than there are after `upto`
        self.fewer_edges: int = 0
        self._updates: dict[int, _Chain] = {}
        self._bytes = 0

    def copy(self) -> Past:
        """Return an equal one to add to: what is shared already stays as it is."""
        later = Past(self.seq)
        later.upto, later.next_id, later._bytes = self.upto, self.next_id, self._bytes
        later.fewer_nodes, later.fewer_edges = self.fewer_nodes, self.fewer_edges
        later.nodes, later.edges, later.names = dict(self.nodes), dict(self.edges), dict(self.names)
        later.meta, later._updates = dict(self.meta), dict(self._updates)
        return later

    def add(self, changes: Iterable[ChangeRecord], limits: Limits) -> None:
        """Take in the changes that follow `upto`, in order.

        Raises `LimitExceededError` where more than `past_bytes` of changes would have to be kept.
        """
        for change in changes:
            self._add(change)
            if self._bytes > limits.past_bytes:
                raise LimitExceededError(
                    f"what has happened since change {self.seq} is too much to be taken back: past_bytes is limited to "
                    f"{limits.past_bytes}",
                    limit="past_bytes",
                    size=self._bytes,
                    maximum=limits.past_bytes,
                )

    def _add(self, change: ChangeRecord) -> None:
        self.upto = change.seq
        match change.kind:
            case "node.created":
                self.fewer_nodes += 1
                self._given_out(change.id)
            case "edge.created":
                self.fewer_edges += 1
                self._given_out(change.id)
            case "graph.imported":
                self._imported(change)
            case "node.deleted":
                self.fewer_nodes -= 1
                if self._existed(change):
                    node = self.nodes[change.id] = deleted_node(change)
                    self.names.setdefault(change.id, node.name)
            case "edge.deleted":
                self.fewer_edges -= 1
                if self._existed(change):
                    self.edges[change.id] = deleted_edge(change)
            case "node.updated" | "edge.updated" | "node.renamed":
                if self._existed(change):
                    self._updates[change.id] = (change, self._updates.get(change.id))
                    if change.kind == "node.renamed":
                        self.names.setdefault(change.id, name_before(change))
            case "meta.set" | "meta.deleted":
                self._bytes += len(change.body)
                key, record = meta_before(change)
                self.meta.setdefault(key, record)

    def _imported(self, change: ChangeRecord) -> None:
        with reading(change) as body:
            self.fewer_nodes += body["nodes"]
            self.fewer_edges += body["edges"]
            self._given_out(body["first_id"])

    def _given_out(self, id: int) -> None:
        if self.next_id is None:
            self.next_id = id

    def _existed(self, change: ChangeRecord) -> bool:
        """Return whether a record that was changed is one of the past; the change is then worth its memory."""
        if self.next_id is not None and change.id >= self.next_id:
            return False
        self._bytes += len(change.body)
        return True

    # --- what follows from it, worked out when first asked for --------------------------------------------------------

    def updates(self, id: int) -> Iterator[ChangeRecord]:
        """Yield the updates and renames of a record, the newest first."""
        chain = self._updates.get(id)
        while chain is not None:
            change, chain = chain
            yield change

    def updated(self, id: int) -> bool:
        """Return whether a record was updated or renamed since."""
        return id in self._updates

    @cached_property
    def ids(self) -> dict[str, int]:
        """The nodes whose names were given up since, by those names."""
        return {name: id for id, name in self.names.items()}

    @cached_property
    def triples(self) -> dict[tuple[int, str, int], int]:
        """The edges that were deleted since, by their triples."""
        return {(edge.source, edge.type, edge.target): edge.id for edge in self.edges.values()}

    @cached_property
    def links(self) -> dict[int, list[Link]]:
        """The edges that were deleted since, by each of their ends."""
        found: dict[int, list[Link]] = {}
        for id in self.order("edge"):
            edge = self.edges[id]
            for end in dict.fromkeys((edge.source, edge.target)):
                found.setdefault(end, []).append(Link(id, edge.source, edge.type, edge.target))
        return found

    def order(self, kind: str) -> list[int]:
        """Return the ids of the nodes or edges that were deleted since, in their order."""
        return self._node_order if kind == "node" else self._edge_order

    @cached_property
    def _node_order(self) -> list[int]:
        return sorted(self.nodes)

    @cached_property
    def _edge_order(self) -> list[int]:
        return sorted(self.edges)

    @cached_property
    def name_order(self) -> list[str]:
        """The names that were given up since, in code point order."""
        return sorted(self.ids)

    @cached_property
    def meta_order(self) -> list[str]:
        """The keys of what stood beside the graph and was written or deleted since, in code point order."""
        return sorted(key for key, record in self.meta.items() if record is not None)
