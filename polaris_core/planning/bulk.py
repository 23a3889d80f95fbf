"""What becomes of a load: one commit that holds what is new, and what meets records that were there before.

What is new, nodes and the edges between them, is told by one change, `graph.imported`. What meets the graph as it was, a
record that exists or an edge at a node that exists, goes through `plan` like any other write and has changes of its own, so
the history of what was there before has no gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar, cast

import attrs

from polaris_core.codec import change_body, decode_node, loads, seal
from polaris_core.errors import ConflictError, NodeExistsError, NodeNotFoundError, PolarisError
from polaris_core.model import Cursor, EdgeKey, Node, Observation, Patch
from polaris_core.model import Edge as EdgeModel
from polaris_core.mutations import Batch, CreateEdge, Mutation, PatchNode, PutEdge, UpsertEdge, UpsertNode
from polaris_core.outcomes import Loaded, Tally
from polaris_core.planning.delta import same
from polaris_core.planning.intake import Intake, OnExisting, ends_of
from polaris_core.planning.load import load
from polaris_core.planning.plan import plan
from polaris_core.records import (
    ChangeRecord,
    CommitPlan,
    EdgeRecord,
    EdgeRef,
    Head,
    LoadPlan,
    NodeRecord,
    NodeRef,
    Session,
    StagedEdge,
    StagedNode,
)
from polaris_core.schema import Work
from polaris_core.values import from_micros

__all__ = ["settle"]

T = TypeVar("T")

_CHUNK = 2_000
_UNBOUNDED = 1 << 62  # a load has limits of its own


class _Staged(Protocol):
    async def nodes(self, numbers: Sequence[int]) -> Sequence[StagedNode | None]: ...
    async def edges(self, numbers: Sequence[int]) -> Sequence[StagedEdge | None]: ...


async def settle(session: Session, staged: _Staged, intake: Intake, now: int) -> LoadPlan:
    """Decide, on one committed state, on everything that was staged.

    `now` is in microseconds since 1970 UTC. Raises `NodeExistsError`, `EdgeExistsError` or `NodeNotFoundError` where the load
    was told to refuse what exists or what is missing, `LimitExceededError` for a record that grew too large,
    `SchemaViolationError` for one that does not fit the schema of its type, and `ConflictError` where such a schema was
    changed since the records were taken in.
    """
    return await _Settlement(session, staged, intake, now, await session.head()).plan()


class _Settlement:
    """One load at one moment."""

    def __init__(self, session: Session, staged: _Staged, intake: Intake, now: int, head: Head) -> None:
        self.session = session
        self.staged = staged
        self.intake = intake
        self.head = head
        self.micros = max(now, head.time)
        self.left_out: set[int] = set()
        self.tallies: dict[_Kind, dict[str, int]] = {
            kind: dict.fromkeys(("created", "updated", "unchanged", "skipped"), 0) for kind in _KINDS
        }
        for (kind, status), count in intake.repeated.items():
            self.tallies[kind][status] += count
        self.put_nodes: list[NodeRecord] = []
        self.put_edges: list[EdgeRecord] = []
        self.changes: list[ChangeRecord] = []

    async def plan(self) -> LoadPlan:
        intake, base = self.intake, self.head.next_id
        known = await self._known()
        existing = sorted(number for number in intake.nodes if number in known)
        self.left_out.update(existing)
        missing = {name: number for name, number in intake.numbers.items() if number not in known}
        missing = {name: number for name, number in missing.items() if number not in intake.nodes}
        if missing and intake.on_dangling == "error":
            name = next(iter(missing))
            raise NodeNotFoundError(
                f"no node {name!r}, in the load or in the graph, for an edge that ends there", key=name
            )
        makes = intake.on_dangling == "create"
        meeting = self._edges_that_meet(known, () if makes else set(missing.values()))

        await self._hold(missing if makes else ())

        nodes = len(intake.nodes) - len(existing)
        edges = sum(map(len, intake.edges.values())) - (len(self.left_out) - len(existing))
        self.tallies[Node]["created"] += nodes
        self.tallies[EdgeModel]["created"] += edges
        if makes:
            nodes += len(missing)
        after = self._imported(nodes, edges) if nodes or edges else self.head
        revision = after.seq
        if makes:
            self.put_nodes += [
                NodeRecord(base + number, name, "node", revision, intake.bodies.bare_node)
                for name, number in missing.items()
            ]
        after = await self._meet(_Imported(self.session, after, base, known, intake), existing, meeting)
        if after != self.head:
            after = after._replace(time=self.micros)
        whole = CommitPlan(
            expected=self.head, head=after, put_nodes=self.put_nodes, put_edges=self.put_edges, changes=self.changes
        )
        return LoadPlan(whole, base, revision, self.left_out, self._loaded(after, len(missing)))

    def _loaded(self, after: Head, missing: int) -> Loaded:
        return Loaded(
            nodes=Tally(**self.tallies[Node]),
            edges=Tally(**self.tallies[EdgeModel]),
            missing=missing,
            first=self.head.seq + 1,
            last=after.seq,
            time=from_micros(self.micros),
            cursor=Cursor(after.store, after.epoch, after.seq),
        )

    # --- what is new ----------------------------------------------------------------------------------------------

    async def _known(self) -> dict[int, NodeRecord]:
        """Return what is stored under the names of the load, by number."""
        nodes, _ = await self.session.counts()
        known = {}
        for names in _chunks(self.intake.numbers if nodes else ()):
            for record in await self.session.nodes(names):
                if record is not None:
                    known[self.intake.numbers[record.name]] = record._replace(body="")
        return known

    def _edges_that_meet(self, known: Mapping[int, object], absent: Collection[int]) -> list[int]:
        """Leave out the edges with absent ends, and those with known ones, whose numbers are returned in order."""
        meeting = []
        for table in self.intake.edges.values() if known or absent else ():
            for pair, number in table.items():
                source, target = ends_of(pair)
                if source in absent or target in absent:
                    self.left_out.add(number)
                    self.tallies[EdgeModel]["skipped"] += 1
                elif source in known or target in known:
                    self.left_out.add(number)
                    meeting.append(number)
        return sorted(meeting)

    async def _hold(self, made: Collection[str]) -> None:
        """Refuse where something new, be it one of the bare nodes that are made, does not fit the schema of its type."""
        intake, work = self.intake, Work(self.intake.limits.schema_work)
        of_bare = intake.of_node("node") if made else None
        for keys in _chunks(intake.relied):
            for key, record in zip(keys, await self.session.meta(keys), strict=True):
                revision = record.revision if record else 0
                if revision != intake.relied[key]:
                    raise ConflictError(
                        f"{key!r} was changed while records were taken in that it is about; load them again",
                        key=key,
                        expected=intake.relied[key],
                        actual=revision,
                    )
        if of_bare is not None:
            of_bare.check({}, next(iter(made)), work)
        for number in sorted(intake.unfit - self.left_out)[:1]:
            await self._refuse_unfit(number, work)
        self._hold_ends()

    async def _refuse_unfit(self, number: int, work: Work) -> None:
        (node,), (edge,) = await self.staged.nodes((number,)), await self.staged.edges((number,))
        if node is not None and (checker := self.intake.of_nodes[node.type]):
            checker.check(loads(node.body)["attributes"], node.name, work)
        elif edge is not None and (checker := self.intake.of_edges[edge.type]):
            checker.check(loads(edge.body)["attributes"], self._key(edge.source, edge.type, edge.target), work)

    def _hold_ends(self) -> None:
        """Refuse where a new edge between new nodes joins what edges of its type may not join."""
        types = self.intake.types or {}
        for type_, checker in self.intake.of_edges.items():
            if checker is None or not checker.joins:
                continue
            for pair, number in self.intake.edges[type_].items():
                source, target = ends_of(pair)
                ends = types.get(source, "node"), types.get(target, "node")  # as is what was made for an edge's end
                if number not in self.left_out and not checker.allows(*ends):
                    checker.check_ends(self._key(source, type_, target), *ends)

    def _key(self, source: int, type: str, target: int) -> EdgeKey:
        names = {number: name for name, number in self.intake.numbers.items()}
        return EdgeKey(names[source], type, names[target])

    def _imported(self, nodes: int, edges: int) -> Head:
        """Append the change that tells of all that is new; return the head after it."""
        head, count = self.head, self.intake.count
        data = {"nodes": nodes, "edges": edges, "first_id": head.next_id, "last_id": head.next_id + count - 1}
        body = change_body(None, from_micros(self.micros), self.intake.author, data)
        self.changes.append(ChangeRecord(head.seq + 1, head.seq + 1, "graph.imported", 0, 0, 0, body))
        return head._replace(seq=head.seq + 1, next_id=head.next_id + count)

    # --- what meets the graph as it was ---------------------------------------------------------------------------

    async def _meet(self, imported: _Imported, nodes: Sequence[int], edges: Sequence[int]) -> Head:
        for numbers in _chunks(nodes):
            rows = cast("Sequence[StagedNode]", await self.staged.nodes(numbers))
            await self._write(imported, Node, await self._on_nodes(rows))
        for numbers in _chunks(edges):
            links = cast("Sequence[StagedEdge]", await self.staged.edges(numbers))
            await self._write(imported, EdgeModel, await self._on_edges(links, imported))
        return await imported.head()

    async def _on_nodes(self, rows: Sequence[StagedNode]) -> list[Mutation]:
        policy, untyped = self.intake.on_existing, self.intake.untyped
        if policy == "error":
            raise NodeExistsError(f"node {rows[0].name!r} exists", key=rows[0].name)
        if policy == "skip":
            self.tallies[Node]["skipped"] += len(rows)
            return []
        mutations: list[Mutation] = []
        stored = cast("Sequence[NodeRecord]", await self.session.nodes([row.name for row in rows]))
        for row, record in zip(rows, stored, strict=True):
            body = loads(row.body)
            type_ = None if row.number in untyped else row.type
            if type_ in (None, record.type) and _says_nothing_new(loads(record.body), body, policy):
                self.tallies[Node]["unchanged"] += 1
                continue
            attributes = seal(body["attributes"])
            observed = [Observation(**fields) for fields in map(_timed, body["observations"])]
            if policy == "merge":
                mutations.append(UpsertNode(row.name, type_, attributes, observed))
            else:
                mutations.append(PatchNode(row.name, _replacement(decode_node(record), type_, attributes, observed)))
        return mutations

    async def _on_edges(self, rows: Sequence[StagedEdge], imported: _Imported) -> list[Mutation]:
        policy = self.intake.on_existing
        if policy != "error":
            existing = await self.session.edges([imported.triple(row) for row in rows])
            new = []
            for row, record in zip(rows, existing, strict=True):
                if record is not None and policy == "skip":
                    self.tallies[EdgeModel]["skipped"] += 1
                elif record is not None and _says_nothing_new(loads(record.body), loads(row.body), policy):
                    self.tallies[EdgeModel]["unchanged"] += 1
                else:
                    new.append(row)
            rows = new
        make: Callable[[str, str, str, Any], Mutation] = CreateEdge
        if policy in ("merge", "replace"):
            make = UpsertEdge if policy == "merge" else PutEdge
        name = imported.names
        return [make(name[row.source], row.type, name[row.target], seal(loads(row.body)["attributes"])) for row in rows]

    async def _write(self, imported: _Imported, kind: _Kind, mutations: Sequence[Mutation]) -> None:
        if not mutations:
            return
        limits = attrs.evolve(
            self.intake.limits,
            commit_records=_UNBOUNDED,
            batch_mutations=_UNBOUNDED,
            commit_schema_work=_UNBOUNDED,
        )
        batch = Batch(mutations, author=self.intake.author)
        part = plan([batch], await load(cast("Session", imported), [batch], limits), self.micros, limits)
        (outcome,) = part.outcomes
        if isinstance(outcome, PolarisError):
            raise outcome
        for result in outcome.results:
            self.tallies[kind][result.status] += 1
        self.put_nodes += part.put_nodes
        self.put_edges += part.put_edges
        self.changes += [change._replace(commit=self.head.seq + 1) for change in part.changes]
        imported.at = part.head
        imported.written.update((record.id, record) for record in part.put_nodes)


_Kind = type[Node] | type[EdgeModel]
_KINDS: tuple[_Kind, _Kind] = (Node, EdgeModel)


class _Imported:
    """The state with all that is new in it, as far as the planning of what meets it asks."""

    def __init__(
        self, session: Session, head: Head, base: int, known: Mapping[int, NodeRecord], intake: Intake
    ) -> None:
        self.at = head
        self._session = session
        self._base = base
        self._known = known
        self._intake = intake
        self._names: dict[int, str] = {}
        self.written: dict[
            int, NodeRecord
        ] = {}  # nodes that were there, as this load leaves them: edges ask for their types

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    @property
    def names(self) -> Mapping[int, str]:
        """The names of all numbers."""
        if not self._names:
            self._names = {number: name for name, number in self._intake.numbers.items()}
        return self._names

    def triple(self, row: StagedEdge) -> EdgeRef:
        """Return an edge's triple of ids."""
        source, target = (self._id(number) for number in (row.source, row.target))
        return source, row.type, target

    def _id(self, number: int) -> int:
        record = self._known.get(number)
        return self._base + number if record is None else record.id

    async def head(self) -> Head:
        return self.at

    async def nodes(self, refs: Sequence[NodeRef]) -> list[NodeRecord | None]:
        found = await self._session.nodes(refs)
        return [
            self.written.get(record.id, record) if record else self._new(ref)
            for ref, record in zip(refs, found, strict=True)
        ]

    def _new(self, ref: NodeRef) -> NodeRecord | None:
        number = self._intake.numbers.get(ref) if isinstance(ref, str) else None
        if number is None:
            return None
        type_ = (self._intake.types or {}).get(number, "node")  # which counts only where edges may not join all
        return NodeRecord(self._base + number, cast("str", ref), type_, self.at.seq, self._intake.bodies.bare_node)


def _says_nothing_new(before: dict[str, Any], body: dict[str, Any], policy: OnExisting) -> bool:
    """Tell at little cost, where a load brings what is there already, that planning would find nothing to change."""
    old, new = before["attributes"], body["attributes"]
    known = {(item["text"], item["source"]) for item in before.get("observations", ())}
    said = {(item["text"], item["source"]) for item in body.get("observations", ())}
    if policy == "merge":
        told = {text for text, _ in known}
        return all(key in old and same(old[key], value) for key, value in new.items()) and all(
            t in told for t, _ in said
        )
    return same(old, new) and known == said


def _replacement(before: Node, type_: str | None, attributes: Any, observed: Sequence[Observation]) -> Patch:
    """Return what turns a node into what a load says; observations of the same text and source stay as they are."""
    kept = {(item.text, item.source) for item in observed}
    gone = [item.text for item in before.observations if (item.text, item.source) not in kept]
    return Patch(
        set=attributes,
        unset=[key for key in before.attributes if key not in attributes],
        observe=observed,
        forget=gone,
        type=type_,
    )


def _timed(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "recorded_at": datetime.fromisoformat(fields["recorded_at"])}


def _chunks(values: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
