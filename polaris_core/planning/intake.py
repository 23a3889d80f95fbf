"""What a load takes in: records in any order, numbered and encoded before the store is asked about any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, cast

from polaris_core.codec import FreshBodies, decode_edge, decode_node
from polaris_core.errors import EdgeExistsError, InvalidValueError, LimitExceededError, NodeExistsError
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node
from polaris_core.mutations import UpsertEdge, UpsertNode
from polaris_core.records import EdgeRecord, NodeRecord, StagedEdge, StagedNode
from polaris_core.values import FrozenDict, from_micros

__all__ = ["Intake", "Loadable", "OnDangling", "OnExisting", "Taken", "ends_of"]

Loadable: TypeAlias = Node | Edge | UpsertNode | UpsertEdge
"""What a load takes; an upsert stands for its record, and one whose type is None keeps the type that is there."""
OnExisting: TypeAlias = Literal["error", "skip", "replace", "merge"]
OnDangling: TypeAlias = Literal["error", "skip", "create"]

_SHIFT = 32  # a pair of numbers as one integer takes half the memory of a tuple
_MASK = (1 << _SHIFT) - 1
_new = tuple.__new__  # a named tuple at half the price


def ends_of(pair: int) -> tuple[int, int]:
    """Return the numbers of the source and the target of an edge that `Intake.edges` holds."""
    return pair >> _SHIFT, pair & _MASK


class Taken(NamedTuple):
    """Records as they are staged, and those to merge, in order, into what is staged under a number already."""

    nodes: list[StagedNode]
    edges: list[StagedEdge]
    again: list[tuple[int, Loadable]]


class Intake:
    """All names and keys of one load, by number, in some 200 bytes a record.

    `numbers` holds that of every name, be it a node's or an edge's end; `nodes` those whose record came; `edges`, by type,
    those of edges under their ends. `count` is the next number. Nodes and edges share one sequence, in the order in which
    they are first met.
    """

    def __init__(
        self, *, on_existing: OnExisting, on_dangling: OnDangling, author: str | None, micros: int, limits: Limits
    ) -> None:
        self.on_existing: OnExisting = on_existing
        self.on_dangling: OnDangling = on_dangling
        self.author = author
        self.limits = limits
        self.bodies: FreshBodies = FreshBodies(from_micros(micros), author)
        self._ample = limits.record_bytes // 4  # characters; a body that has no more of them is within the limit
        self.count: int = 0
        self.taken: int = 0
        self.numbers: dict[str, int] = {}
        self.nodes: set[int] = set()
        self.untyped: set[int] = set()
        self.edges: dict[str, dict[int, int]] = {}
        self.repeated: Counter[tuple[type[Node | Edge], str]] = Counter()

    def take(self, records: Sequence[Loadable]) -> Taken:
        """Return some more records as they are staged.

        Raises `InvalidValueError` for what is no record, `LimitExceededError`, and `NodeExistsError` or `EdgeExistsError` for
        one that comes twice where `on_existing` is `error`.
        """
        self.taken += len(records)
        self._limit("load_records", self.taken, self.limits.load_records)
        taken = Taken([], [], [])
        for record in records:
            if isinstance(record, (Edge, UpsertEdge)):
                self._take_edge(record, taken)
            elif isinstance(cast("object", record), (Node, UpsertNode)):
                self._take_node(record, taken)
            else:
                raise InvalidValueError(f"a load takes nodes and edges, not {type(record).__name__}")
        return taken

    def _take_node(self, record: Node | UpsertNode, taken: Taken) -> None:
        name, observed = record.name, record.observations
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = self.count
            self.count += 1
        elif number in self.nodes:
            if self.on_existing == "error":
                raise NodeExistsError(f"node {name!r} comes twice in one load", key=name)
            if self._is_settled(Node, number, record, taken):
                return
        self.nodes.add(number)
        if record.type is None:
            self.untyped.add(number)
        if len(observed) > self.limits.observations:
            self._limit("observations", len(observed), self.limits.observations)
        body = self.bodies.bare_node
        if record.attributes or observed:
            body = self.bodies.node(record.attributes, observed)
            if len(body) > self._ample:
                self._limit("record_bytes", len(body.encode()), self.limits.record_bytes)
        taken.nodes.append(_new(StagedNode, (number, name, record.type or "node", body)))

    def _take_edge(self, record: Edge | UpsertEdge, taken: Taken) -> None:
        numbers, name, type_, attributes = self.numbers, record.source, record.type, record.attributes
        source = numbers.get(name)
        if source is None:
            source = numbers[name] = self.count
            self.count += 1
        name = record.target
        target = numbers.get(name)
        if target is None:
            target = numbers[name] = self.count
            self.count += 1
        table = self.edges.get(type_)
        if table is None:
            table = self.edges[type_] = {}
        pair = source << _SHIFT | target
        number = table.setdefault(pair, self.count)
        if number == self.count:
            self.count += 1
        elif self.on_existing == "error":
            key = EdgeKey(record.source, type_, name)
            raise EdgeExistsError(f"edge {key!s} comes twice in one load", key=key)
        elif self._is_settled(Edge, number, record, taken):
            return
        body = self.bodies.bare_edge
        if attributes:
            body = self.bodies.edge(attributes)
            if len(body) > self._ample:
                self._limit("record_bytes", len(body.encode()), self.limits.record_bytes)
        taken.edges.append(_new(StagedEdge, (number, source, type_, target, body)))

    def _is_settled(self, kind: type[Node | Edge], number: int, record: Loadable, taken: Taken) -> bool:
        """Say what becomes of a record that came before; False means that this one takes its place."""
        self.repeated[kind, "skipped" if self.on_existing == "skip" else "updated"] += 1
        if self.on_existing == "merge":
            taken.again.append((number, record))
        return self.on_existing != "replace"

    def merged_node(self, staged: StagedNode, record: Node | UpsertNode) -> StagedNode:
        """Return a staged node with another record of its name merged into it, as `UpsertNode` does."""
        before = decode_node(NodeRecord(0, staged.name, staged.type, 0, staged.body))
        known = {observation.text for observation in before.observations}
        observed = (*before.observations, *(item for item in record.observations if item.text not in known))
        self._limit("observations", len(observed), self.limits.observations)
        body = self.bodies.node(FrozenDict({**before.attributes, **record.attributes}), observed)
        if record.type is not None:
            self.untyped.discard(staged.number)
        return staged._replace(type=record.type or staged.type, body=self._bounded(body))

    def merged_edge(self, staged: StagedEdge, record: Edge | UpsertEdge) -> StagedEdge:
        """Return a staged edge with another record of its key merged into it, as `UpsertEdge` does."""
        before = decode_edge(EdgeRecord(0, 0, staged.type, 0, 0, staged.body), record.source, record.target)
        body = self.bodies.edge(FrozenDict({**before.attributes, **record.attributes}))
        return staged._replace(body=self._bounded(body))

    def _bounded(self, body: str) -> str:
        if len(body) > self._ample:
            self._limit("record_bytes", len(body.encode()), self.limits.record_bytes)
        return body

    def _limit(self, limit: str, size: int, maximum: int) -> None:
        if size > maximum:
            raise LimitExceededError(
                f"{limit} is limited to {maximum}, this needs {size}", limit=limit, size=size, maximum=maximum
            )
