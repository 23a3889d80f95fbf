"""What a load takes in: records in any order, numbered and encoded before the store is asked about any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from polaris_core.codec import FreshBodies, decode_edge, decode_node
from polaris_core.errors import EdgeExistsError, InvalidValueError, LimitExceededError, NodeExistsError
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node
from polaris_core.mutations import UpsertEdge, UpsertNode
from polaris_core.records import EdgeRecord, MetaRecord, NodeRecord, StagedEdge, StagedNode
from polaris_core.schema import Checker, SchemaKind, checker_of, restricts_ends, schema_key
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

    `schemas` are those of the graph, by key, when the load began: what is taken in is held against them, and `unfit` has the
    numbers of what does not fit as it stands. Only what turns out to be new is refused for it. `relied` has the revisions of
    all schemas that were looked for, 0 where there was none; `types` the types of nodes, where a schema says what edges join.
    """

    def __init__(
        self,
        *,
        on_existing: OnExisting,
        on_dangling: OnDangling,
        author: str | None,
        micros: int,
        limits: Limits,
        schemas: Mapping[str, MetaRecord] | None = None,
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
        self._schemas = schemas or {}
        self.relied: dict[str, int] = {}
        self.unfit: set[int] = set()
        self.of_nodes: dict[str, Checker | None] = {}
        self.of_edges: dict[str, Checker | None] = {}
        self.types: dict[int, str] | None = (
            {} if any(restricts_ends(record.key, record.body) for record in self._schemas.values()) else None
        )

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
        else:  # it may take the place of one that was
            self.untyped.discard(number)
        if len(observed) > self.limits.observations:
            self._limit("observations", len(observed), self.limits.observations)
        body = self.bodies.bare_node
        if record.attributes or observed:
            body = self.bodies.node(record.attributes, observed)
            if len(body) > self._ample:
                self._limit("record_bytes", len(body.encode()), self.limits.record_bytes)
        type_ = record.type or "node"
        self._hold_node(number, type_, record.attributes)
        taken.nodes.append(_new(StagedNode, (number, name, type_, body)))

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
            self.of_edges[type_] = self._checker("edge", type_)
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
        self._hold(self.of_edges[type_], number, attributes)
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
        attributes = FrozenDict({**before.attributes, **record.attributes})
        body = self.bodies.node(attributes, observed)
        if record.type is not None:
            self.untyped.discard(staged.number)
        type_ = record.type or staged.type
        self._hold_node(staged.number, type_, attributes)
        return staged._replace(type=type_, body=self._bounded(body))

    def merged_edge(self, staged: StagedEdge, record: Edge | UpsertEdge) -> StagedEdge:
        """Return a staged edge with another record of its key merged into it, as `UpsertEdge` does."""
        before = decode_edge(EdgeRecord(0, 0, staged.type, 0, 0, staged.body), record.source, record.target)
        attributes = FrozenDict({**before.attributes, **record.attributes})
        self._hold(self.of_edges[staged.type], staged.number, attributes)
        return staged._replace(body=self._bounded(self.bodies.edge(attributes)))

    # --- schemas --------------------------------------------------------------------------------------------------

    def of_node(self, type: str) -> Checker | None:
        """Return what checks nodes of a type, and rely on it."""
        if type not in self.of_nodes:
            self.of_nodes[type] = self._checker("node", type)
        return self.of_nodes[type]

    def _checker(self, kind: SchemaKind, type: str) -> Checker | None:
        key = schema_key(kind, type)
        record = self._schemas.get(key)
        self.relied[key] = 0 if record is None else record.revision
        return None if record is None else checker_of(record.key, record.body)

    def _hold_node(self, number: int, type: str, attributes: Any) -> None:
        if self.types is not None:
            self.types[number] = type
        self._hold(self.of_node(type), number, attributes)

    def _hold(self, checker: Checker | None, number: int, attributes: Any) -> None:
        if checker is not None and not checker.fits(attributes, self.limits.schema_work):
            self.unfit.add(number)
        elif self.unfit:
            self.unfit.discard(number)

    def _bounded(self, body: str) -> str:
        if len(body) > self._ample:
            self._limit("record_bytes", len(body.encode()), self.limits.record_bytes)
        return body

    def _limit(self, limit: str, size: int, maximum: int) -> None:
        if size > maximum:
            raise LimitExceededError(
                f"{limit} is limited to {maximum}, this needs {size}", limit=limit, size=size, maximum=maximum
            )
