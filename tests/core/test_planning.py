"""`plan` against a model as plain as can be: dictionaries, a whole copy for each batch, everything looked at.

The model is written from the design, not from the code. The laws hold for whatever groups of batches
a search comes up with.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from polaris_core.abc import ChangeRecord, CommitPlan, Head, Image, run_program
from polaris_core.codec import decode_edge, decode_node, to_json
from polaris_core.errors import (
    ConflictError,
    EdgeEndsError,
    EdgeExistsError,
    EdgeNotFoundError,
    IdempotencyKeyReusedError,
    InvalidSchemaError,
    InvalidValueError,
    LimitExceededError,
    NodeExistsError,
    NodeHasEdgesError,
    NodeNotFoundError,
    PolarisError,
    SchemaViolationError,
)
from polaris_core.limits import Limits
from polaris_core.model import Cursor, EdgeKey, Observation, Patch
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    DeleteSchema,
    Emit,
    ExpectLinks,
    ExpectRevision,
    ExpectUnchanged,
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    SetSchema,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.outcomes import Commit
from polaris_core.planning import Current, load, plan
from polaris_core.records import MetaRecord
from polaris_core.schema import checker_of

START = Head(store="5704e", epoch="e90c4", time=1)
NOW = 1_700_000_000_000_000
TIGHT = Limits(commit_records=3, observations=3, batch_mutations=4, schemas=2)


def moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def exactly(value: Any) -> str:
    """A text in which 1, 1.0, True, 0.0 and -0.0 all differ, and the order of keys does not count."""
    return json.dumps(value, sort_keys=True)


def is_schema(key: str) -> bool:
    return key.startswith("schema/")


def is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


SHAPES: list[tuple[dict[str, Any], Callable[[Any], bool]]] = [
    ({}, lambda value: True),
    ({"required": ["x"]}, lambda value: not isinstance(value, dict) or "x" in value),
    (
        {"properties": {"x": {"type": "integer"}}},
        lambda value: not isinstance(value, dict) or "x" not in value or is_whole(value["x"]),
    ),
    ({"maxProperties": 1}, lambda value: not isinstance(value, dict) or len(value) <= 1),
    (
        {"const": {"x": 1}},
        lambda value: (
            isinstance(value, dict) and value.keys() == {"x"} and value["x"] in (1, 1.0) and value["x"] is not True
        ),
    ),
]
"""Schemas, and what fits them."""


# --- the model --------------------------------------------------------------------------------------------------------


class Refused(Exception):  # noqa: N818 - it stands for every refusal
    def __init__(self, cls: type[PolarisError], **about: Any) -> None:
        super().__init__(cls, about)
        self.cls, self.about = cls, about


class Model:
    """What exists, as dictionaries; `log` holds (number, kind, id, source, target) of every change."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.nodes: dict[int, dict[str, Any]] = {}
        self.edges: dict[int, dict[str, Any]] = {}
        self.meta: dict[str, dict[str, Any]] = {}
        self.receipts: dict[str, tuple[str, Any]] = {}
        self.log: list[tuple[int, str, int, int, int]] = []
        self.next_id = 1
        self.now = 0

    @property
    def seq(self) -> int:
        return len(self.log)

    def node(self, name: str) -> dict[str, Any] | None:
        return next((node for node in self.nodes.values() if node["name"] == name), None)

    def edge(self, key: EdgeKey) -> dict[str, Any] | None:
        ends = [self.node(key.source), self.node(key.target)]
        if None in ends:
            return None
        triple = (ends[0]["id"], key.type, ends[1]["id"])
        return next((edge for edge in self.edges.values() if edge["triple"] == triple), None)

    # A batch happens on a copy, which is kept only if nothing was refused.

    def batch(self, batch: Batch, now: int) -> Any:
        before = copy.deepcopy(self.__dict__)
        self.now, self.author, self.written = max(now, self.now), batch.author, 0
        first = self.seq + 1
        request = exactly({**to_json(batch), "key": None})
        try:
            if len(batch.mutations) > self.limits.batch_mutations:
                raise Refused(LimitExceededError, limit="batch_mutations")
            if batch.key in self.receipts:
                asked, answer = self.receipts[batch.key]
                if asked != request:
                    raise Refused(IdempotencyKeyReusedError, key=batch.key)
                self.__dict__ = before
                return answer
            for expect in batch.expect:
                self.expect(expect)
            results = [self.mutate(mutation) for mutation in batch.mutations]
        except Refused as refused:
            self.__dict__ = before
            return refused
        answer = (first, self.seq, moment(self.now), results)
        if batch.key is not None:
            self.receipts[batch.key] = (request, answer)
        elif self.seq < first:
            self.now = before["now"]
        return answer

    def expect(self, expect: Any) -> None:
        if isinstance(expect, ExpectRevision):
            found = self.node(expect.key) if isinstance(expect.key, str) else self.edge(expect.key)
            actual = found["revision"] if found else 0
            if actual != expect.revision:
                raise Refused(ConflictError, key=expect.key, expected=expect.revision, actual=actual)
            return
        known = expect.since[:2] == START[:2] and 0 <= expect.since.seq <= self.seq
        later = self.log[expect.since.seq :] if known else []
        if isinstance(expect, ExpectUnchanged):
            if not known or later:
                raise Refused(ConflictError, key=None)
            return
        node = self.node(expect.name)
        if (
            not known
            or node is None
            or any(
                node["id"] in ends or (id == node["id"] and kind in ("node.created", "node.renamed"))
                for _, kind, id, *ends in later
            )
        ):
            raise Refused(ConflictError, key=expect.name)

    def change(self, kind: str, record: dict[str, Any] | None = None) -> int:
        ends = record["triple"][::2] if record and "triple" in record else (0, 0)
        self.log.append((self.seq + 1, kind, record["id"] if record else 0, *ends))
        return self.seq

    def write(self) -> None:
        self.written += 1
        if self.written > self.limits.commit_records:
            raise Refused(LimitExceededError, limit="commit_records")

    def mutate(self, mutation: Any) -> Any:
        return getattr(self, re.sub("(?<!^)([A-Z])", r"_\1", type(mutation).__name__).lower())(mutation)

    # Schemas.

    def hold(self, kind: str, type: str, value: Any, key: Any, *ends: str) -> None:
        schema = self.meta.get(f"schema/{kind}/{type}", {"value": None})["value"]
        if schema is None:
            return
        for place, end in zip(("sources", "targets"), ends, strict=False):
            if schema[place] is not None and end not in schema[place]:
                raise Refused(EdgeEndsError, key=key, expected=tuple(schema[place]))
        (fits,) = (fits for shape, fits in SHAPES if shape == schema["schema"])
        if not fits(value):
            raise Refused(SchemaViolationError, key=key)

    def hold_joined(self, node: dict[str, Any], type: str) -> None:
        triples = [edge["triple"] for edge in self.edges.values()]
        joined = {(triple[1], place) for triple in triples for place in (0, 2) if triple[place] == node["id"]}
        for edge_type, place in sorted(joined):
            schema = self.meta.get(f"schema/edge/{edge_type}", {"value": {"sources": None, "targets": None}})["value"]
            allowed = schema["targets" if place else "sources"]
            if allowed is not None and type not in allowed:
                raise Refused(EdgeEndsError, key=node["name"], path=("type",), expected=tuple(allowed))

    def set_schema(self, mutation: SetSchema) -> Any:
        kept = {
            "schema": mutation.schema, "sources": mutation.sources and sorted(set(mutation.sources)),
            "targets": mutation.targets and sorted(set(mutation.targets)),
        }  # fmt: skip
        key = f"schema/{mutation.kind}/{mutation.type}"
        before = self.meta.get(key, {"value": {"version": 0}})["value"]
        if not before["version"] and sum(map(is_schema, self.meta)) >= self.limits.schemas:
            raise Refused(LimitExceededError, limit="schemas")
        same = exactly(kept) == exactly({name: before.get(name) for name in kept})
        return self.keep_meta(key, {**kept, "version": max(1, before["version"] + (not same))})

    def delete_schema(self, mutation: DeleteSchema) -> Any:
        return self.delete_meta(DeleteMeta(f"schema/{mutation.kind}/{mutation.type}"))

    # Nodes.

    def store_node(self, status: str, node: dict[str, Any] | None, **fields: Any) -> Any:
        if node and status == "updated" and exactly(self.shown({**node, **fields})) == exactly(self.shown(node)):
            return "unchanged", node["name"], node["id"], node["revision"]
        told = {**(node or {}), **fields}
        if node is None or any(exactly(told[name]) != exactly(node[name]) for name in ("type", "attributes")):
            self.hold("node", told["type"], told["attributes"], told["name"])
        if node is not None and told["type"] != node["type"]:
            self.hold_joined(node, told["type"])
        self.write()
        if len(fields.get("observations", ())) > self.limits.observations or (
            node and "observations" not in fields and len(node["observations"]) > self.limits.observations
        ):
            raise Refused(LimitExceededError, limit="observations")
        if node is None:
            node = self.nodes[self.next_id] = {"id": self.next_id, "version": 0, "created": self.now}
            self.next_id += 1
        node.update(fields, version=node["version"] + 1, updated=self.now, author=self.author)
        node["revision"] = self.change(f"node.{status}", node)
        return status, node["name"], node["id"], node["revision"]

    @staticmethod
    def shown(record: dict[str, Any]) -> Any:
        return [record["name"], record["type"], record["attributes"], [repr(item) for item in record["observations"]]]

    def observed(self, before: list[Observation], new: Any) -> list[Observation]:
        known = [item.text for item in before]
        return before + [
            Observation(item.text, item.source, item.recorded_at or moment(self.now))
            for item in new
            if item.text not in known
        ]

    def create(self, mutation: Any, observations: Any) -> Any:
        return self.store_node(
            "created", None, name=mutation.name, type=mutation.type or "node",
            attributes=dict(mutation.attributes), observations=self.observed([], observations),
        )  # fmt: skip

    def create_node(self, mutation: CreateNode) -> Any:
        if self.node(mutation.name):
            raise Refused(NodeExistsError, key=mutation.name)
        return self.create(mutation, mutation.observations)

    def put_node(self, mutation: PutNode) -> Any:
        node = self.node(mutation.name)
        if node is None:
            return self.create(mutation, ())
        return self.store_node(
            "updated", node, type=mutation.type, attributes=dict(mutation.attributes),
            observations=node["observations"],
        )  # fmt: skip

    def upsert_node(self, mutation: UpsertNode) -> Any:
        node = self.node(mutation.name)
        if node is None:
            return self.create(mutation, mutation.observations)
        return self.store_node(
            "updated", node, type=mutation.type or node["type"],
            attributes={**node["attributes"], **mutation.attributes},
            observations=self.observed(node["observations"], mutation.observations),
        )  # fmt: skip

    def patch_node(self, mutation: PatchNode) -> Any:
        node, patch = self.node(mutation.name), mutation.patch
        if node is None:
            raise Refused(NodeNotFoundError, key=mutation.name)
        kept = [item for item in node["observations"] if item.text not in patch.forget]
        return self.store_node(
            "updated", node, type=patch.type or node["type"],
            attributes=self.patched(node["attributes"], patch), observations=self.observed(kept, patch.observe),
        )  # fmt: skip

    @staticmethod
    def patched(attributes: dict[str, Any], patch: Patch) -> dict[str, Any]:
        after = json.loads(json.dumps(attributes))
        for path in patch.unset:
            at = after
            for key in path[:-1]:
                at = at.get(key) if isinstance(at, dict) else None
            if isinstance(at, dict):
                at.pop(path[-1], None)
        for path, value in patch.set:
            at = after
            for key in path[:-1]:
                at = at.setdefault(key, {})
                if not isinstance(at, dict):
                    raise Refused(InvalidValueError, path=path)
            at[path[-1]] = json.loads(json.dumps(value))
        return after

    def rename_node(self, mutation: RenameNode) -> Any:
        node = self.node(mutation.name)
        if node is None:
            raise Refused(NodeNotFoundError, key=mutation.name)
        if mutation.name == mutation.to:
            return "unchanged", mutation.name, node["id"], node["revision"]
        if self.node(mutation.to):
            raise Refused(NodeExistsError, key=mutation.to)
        return self.store_node("renamed", node, name=mutation.to)

    def delete_node(self, mutation: DeleteNode) -> Any:
        node = self.node(mutation.name)
        if node is None:
            if mutation.missing_ok:
                return "absent", mutation.name, 0, 0
            raise Refused(NodeNotFoundError, key=mutation.name)
        mine = [edge for edge in self.edges.values() if node["id"] in edge["triple"][::2]]
        if mine and not mutation.detach:
            raise Refused(NodeHasEdgesError, key=mutation.name)
        for edge in sorted(mine, key=lambda edge: edge["id"]):
            self.drop_edge(edge)
        self.write()
        del self.nodes[node["id"]]
        return "deleted", mutation.name, node["id"], self.change("node.deleted", node)

    # Edges.

    def ends(self, key: EdgeKey) -> tuple[int, str, int]:
        for name in (key.source, key.target):
            if self.node(name) is None:
                raise Refused(NodeNotFoundError, key=name)
        return self.node(key.source)["id"], key.type, self.node(key.target)["id"]

    def store_edge(self, key: EdgeKey, attributes: dict[str, Any], edge: dict[str, Any] | None) -> Any:
        triple = self.ends(key)
        if edge and exactly(edge["attributes"]) == exactly(attributes):
            return "unchanged", key, edge["id"], edge["revision"]
        self.hold("edge", key.type, attributes, key, *(self.node(name)["type"] for name in (key.source, key.target)))
        self.write()
        status = "updated" if edge else "created"
        if edge is None:
            edge = {"id": self.next_id, "triple": triple, "version": 0, "created": self.now}
            self.edges[self.next_id] = edge
            self.next_id += 1
        edge.update(attributes=attributes, version=edge["version"] + 1, updated=self.now, author=self.author)
        edge["revision"] = self.change(f"edge.{status}", edge)
        return status, key, edge["id"], edge["revision"]

    def create_edge(self, mutation: CreateEdge) -> Any:
        self.ends(mutation.key)
        if self.edge(mutation.key):
            raise Refused(EdgeExistsError, key=mutation.key)
        return self.store_edge(mutation.key, dict(mutation.attributes), None)

    def put_edge(self, mutation: PutEdge) -> Any:
        return self.store_edge(mutation.key, dict(mutation.attributes), self.edge(mutation.key))

    def upsert_edge(self, mutation: UpsertEdge) -> Any:
        edge = self.edge(mutation.key)
        return self.store_edge(mutation.key, {**(edge["attributes"] if edge else {}), **mutation.attributes}, edge)

    def patch_edge(self, mutation: PatchEdge) -> Any:
        self.ends(mutation.key)
        edge = self.edge(mutation.key)
        if edge is None:
            raise Refused(EdgeNotFoundError, key=mutation.key)
        return self.store_edge(mutation.key, self.patched(edge["attributes"], mutation.patch), edge)

    def delete_edge(self, mutation: DeleteEdge) -> Any:
        edge = self.edge(mutation.key)
        if edge is None:
            if mutation.missing_ok:
                return "absent", mutation.key, 0, 0
            self.ends(mutation.key)
            raise Refused(EdgeNotFoundError, key=mutation.key)
        return "deleted", mutation.key, edge["id"], self.drop_edge(edge)

    def drop_edge(self, edge: dict[str, Any]) -> int:
        self.write()
        del self.edges[edge["id"]]
        return self.change("edge.deleted", edge)

    # The rest.

    def emit(self, mutation: Emit) -> Any:
        self.hold("event", mutation.type, mutation.data, mutation.type)
        return "emitted", mutation.subject, 0, self.change("event")

    def set_meta(self, mutation: SetMeta) -> Any:
        if not is_schema(mutation.key):
            return self.keep_meta(mutation.key, mutation.value)
        if not isinstance(mutation.value, dict) or "schema" not in mutation.value:
            raise Refused(InvalidSchemaError)
        return self.set_schema(SetSchema(*mutation.key.split("/")[1:], mutation.value["schema"]))

    def keep_meta(self, key: str, value: Any) -> Any:
        before = self.meta.get(key)
        if before and exactly(before["value"]) == exactly(value):
            return "unchanged", key, 0, before["revision"]
        self.write()
        self.meta[key] = {"value": value, "revision": self.change("meta.set")}
        return "updated" if before else "created", key, 0, self.seq

    def delete_meta(self, mutation: DeleteMeta) -> Any:
        if mutation.key not in self.meta:
            return "absent", mutation.key, 0, 0
        self.write()
        del self.meta[mutation.key]
        return "deleted", mutation.key, 0, self.change("meta.deleted")

    def state(self) -> Any:
        def provenance(record: dict[str, Any]) -> Any:
            created, updated = moment(record["created"]), moment(record["updated"])
            return record["version"], record["revision"], created, updated, record["author"]

        nodes = {
            id: (node["name"], node["type"], exactly(node["attributes"]), tuple(node["observations"]), provenance(node))
            for id, node in self.nodes.items()
        }
        edges = {id: (edge["triple"], exactly(edge["attributes"]), provenance(edge)) for id, edge in self.edges.items()}
        meta = {key: (exactly(record["value"]), record["revision"]) for key, record in self.meta.items()}
        return nodes, edges, meta, self.seq, self.next_id


# --- what a search draws from -----------------------------------------------------------------------------------------

names = st.sampled_from("abcd")
types = st.sampled_from(["t", "u"])
numbers = st.sampled_from([None, 0, 1, 1.0, True, 0.0, -0.0, "x", [], [1], {}, {"y": 1}, {"x": {"y": 2}}])
attributes = st.dictionaries(st.sampled_from("xy"), numbers, max_size=2)
times = st.sampled_from([None, moment(5), moment(7)])
observed = st.lists(
    st.builds(Observation, st.sampled_from("opq"), st.sampled_from([None, "me"]), times) | st.sampled_from("opq"),
    max_size=2,
)
paths = st.lists(st.sampled_from("xy"), min_size=1, max_size=3).map(tuple)
sets = st.dictionaries(paths, numbers, max_size=2)
unsets = st.lists(paths, max_size=2)
patches = st.builds(
    Patch, set=sets, unset=unsets, observe=observed, forget=st.lists(st.sampled_from("opq"), max_size=2),
    type=st.none() | types,
)  # fmt: skip
triples = (names, types, names)
shapes = st.sampled_from([shape for shape, _ in SHAPES])
ends = st.none() | st.lists(types | st.just("node"), min_size=1, max_size=2)
schemas = st.one_of(
    st.builds(SetSchema, st.just("node"), types | st.just("node"), shapes),
    st.builds(SetSchema, st.just("event"), types, shapes),
    st.builds(SetSchema, st.just("edge"), types, shapes, ends, ends),
    st.builds(DeleteSchema, st.sampled_from(["node", "edge", "event"]), types),
    st.builds(SetMeta, st.sampled_from(["schema/node/t", "schema/edge/u"]), st.builds(dict, schema=shapes) | numbers),
)
mutations = st.one_of(
    st.builds(CreateNode, names, types, attributes, observed),
    st.builds(PutNode, names, types, attributes),
    st.builds(UpsertNode, names, st.none() | types, attributes, observed),
    st.builds(PatchNode, names, patches),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.booleans(), missing_ok=st.booleans()),
    st.builds(CreateEdge, *triples, attributes),
    st.builds(PutEdge, *triples, attributes),
    st.builds(UpsertEdge, *triples, attributes),
    st.builds(PatchEdge, *triples, st.builds(Patch, set=sets, unset=unsets)),
    st.builds(DeleteEdge, *triples, missing_ok=st.booleans()),
    st.builds(Emit, types, st.none() | names, numbers),
    st.builds(SetMeta, st.sampled_from("mn"), numbers),
    st.builds(DeleteMeta, st.sampled_from("mn")),
    schemas,
    schemas,
)
counts = st.integers(0, 14)
cursors = st.builds(Cursor, st.just(START.store), st.sampled_from([START.epoch] * 7 + ["other"]), counts)
expectations = st.one_of(
    st.builds(ExpectRevision, names | st.tuples(*triples), counts),
    st.builds(ExpectLinks, names, cursors),
    st.builds(ExpectUnchanged, cursors),
)
structure = st.one_of(
    st.builds(DeleteNode, names, detach=st.booleans(), missing_ok=st.just(True)),
    st.builds(DeleteEdge, *triples, missing_ok=st.just(True)),
    st.builds(RenameNode, names, names),
    st.builds(UpsertNode, names),
    st.builds(UpsertEdge, *triples),
)
batches = st.builds(
    Batch,
    st.lists(mutations, max_size=5) | st.lists(structure, min_size=1, max_size=3),
    st.lists(expectations, max_size=1) | st.just([]),
    st.sampled_from([None, None, "k", "l"]),
    st.sampled_from([None, "ann"]),
)
FULL = [Batch(CreateNode(name, observations=["o", "p"])) for name in "abc"]
JOINED = [
    Batch(CreateEdge(*triple))
    for triple in ("atb", "aub", "btc", "buc", "bub", "atc", "cta")  # one letter each for source, type and target
]
UNLIMITED = Limits()


@st.composite
def histories(draw: Any) -> list[list[Batch]]:
    """Groups of batches; some batches come again, and most histories begin with a graph."""
    pool = draw(st.lists(batches, min_size=1, max_size=6))
    groups = draw(st.lists(st.lists(st.sampled_from(pool), min_size=1, max_size=5), min_size=1, max_size=3))
    if not draw(st.integers(0, 4)):
        return groups
    kept = draw(st.lists(schemas, max_size=4))
    return [FULL, JOINED, [Batch(schema) for schema in kept], *groups] if kept else [FULL, JOINED, *groups]


# --- driving ----------------------------------------------------------------------------------------------------------


def decide(image: Image, group: list[Batch], limits: Limits, now: int = NOW) -> CommitPlan:
    async def program(session: Any) -> CommitPlan:
        return plan(group, await load(session, group, limits), now, limits)

    return run_program(program, image)


def store(image: Image, group: list[Batch], limits: Limits = UNLIMITED, now: int = NOW) -> CommitPlan:
    decided = decide(image, group, limits, now)
    if decided.writes:
        image.store(decided)
    return decided


def everything(image: Image, group: list[Batch]) -> Current:
    nodes, edges = image.scan("node", 0, 1_000), image.scan("edge", 0, 1_000)
    meta = image.meta(image.keys("meta", "", 1_000))
    receipts = image.receipts(image.keys("receipt", "", 1_000))
    since = {expect.since.seq for batch in group for expect in batch.expect if isinstance(expect, ExpectLinks)}
    touched = {
        (node.id, number): any(
            node.id in (row.source, row.target) or (row.id == node.id and row.kind in ("node.created", "node.renamed"))
            for row in image.changes(number, 1_000, None)
        )
        for node in nodes
        for number in since
    }
    return Current(
        head=image.head(),
        nodes={record.name: record for record in nodes},
        edges={(record.source, record.type, record.target): record for record in edges},
        names={record.id: record.name for record in nodes},
        cut=frozenset(),
        meta={record.key: record for record in meta},
        receipts={receipt.key: receipt for receipt in receipts},
        touched=touched,
        schemas=sum(is_schema(record.key) for record in meta),
    )


def about(outcome: Commit | PolarisError) -> Any:
    """An outcome as a comparable value; sizes beyond a limit are left out, because less may have been looked at."""
    if isinstance(outcome, Commit):
        return outcome, [result.value for result in outcome.results]
    told = {name: value for name, value in vars(outcome).items() if name not in ("message", "size", "edges")}
    return type(outcome), told


def decided_on(decided: CommitPlan) -> Any:
    return decided._replace(outcomes=()), [about(outcome) for outcome in decided.outcomes]


def rows(image: Image) -> Any:
    return (
        image.head(),
        image.scan("node", 0, 10_000),
        image.scan("edge", 0, 10_000),
        image.meta(image.keys("meta", "", 10_000)),
        image.receipts(image.keys("receipt", "", 10_000)),
        image.changes(0, 10_000, None),
    )


def state(image: Image) -> Any:
    """What an image holds, in the form of `Model.state`."""
    nodes, edges, stored = {}, {}, image.scan("node", 0, 1_000)
    called = {record.id: record.name for record in stored}
    for record in stored:
        node = decode_node(record)
        provenance = attrs.astuple(node.provenance)
        nodes[record.id] = (node.name, node.type, exactly(node.attributes), node.observations, provenance)
    for record in image.scan("edge", 0, 1_000):
        edge = decode_edge(record, called[record.source], called[record.target])
        triple = (record.source, record.type, record.target)
        edges[record.id] = (triple, exactly(edge.attributes), attrs.astuple(edge.provenance))
    meta = {
        record.key: (exactly(json.loads(record.body)), record.revision)
        for record in image.meta(image.keys("meta", "", 1_000))
    }
    return nodes, edges, meta, image.head().seq, image.head().next_id


# --- the laws ---------------------------------------------------------------------------------------------------------

searched = settings(max_examples=80)


@given(histories(), st.sampled_from([UNLIMITED, TIGHT]))
@settings(max_examples=250)
def test_outcomes_and_state_are_those_of_the_naive_model(history, limits):
    image, model = Image(START), Model(limits)
    for at, group in enumerate(history):
        outcomes = store(image, group, limits, NOW + at).outcomes
        for batch, outcome in zip(group, outcomes, strict=True):
            expected = model.batch(batch, NOW + at)
            if isinstance(expected, Refused):
                event(expected.cls.__name__)
                assert type(outcome) is expected.cls
                assert {name: getattr(outcome, name) for name in expected.about} == expected.about
            else:
                assert isinstance(outcome, Commit), outcome
                results = [(result.status, result.key, result.id, result.revision) for result in outcome.results]
                assert (outcome.first, outcome.last, outcome.time, results) == expected
        assert state(image) == model.state()


@given(histories(), st.sampled_from([UNLIMITED, TIGHT]))
@searched
def test_the_result_does_not_depend_on_how_batches_are_grouped(history, limits):
    one, together, apart = [], Image(START), Image(START)
    flat = [batch for group in history for batch in group]
    one = [about(outcome) for outcome in store(together, flat, limits).outcomes]
    assert [about(store(apart, [batch], limits).outcomes[0]) for batch in flat] == one
    assert rows(apart) == rows(together)


@given(histories(), st.sampled_from([UNLIMITED, TIGHT]))
@searched
def test_leaving_refused_batches_out_gives_the_same_plan(history, limits):
    image = Image(START)
    for group in history:
        decided = decide(image, group, limits)
        accepted = [
            batch for batch, outcome in zip(group, decided.outcomes, strict=True) if isinstance(outcome, Commit)
        ]
        again = decide(image, accepted, limits)
        assert again._replace(outcomes=()) == decided._replace(outcomes=())
        store(image, group, limits)


@given(histories(), st.sampled_from([UNLIMITED, TIGHT]))
@settings(max_examples=200)
def test_what_is_loaded_suffices_for_the_decision(history, limits):
    image = Image(START)
    for group in history:
        whole = plan(group, everything(image, group), NOW, limits)
        assert decided_on(decide(image, group, limits)) == decided_on(whole)
        store(image, group, limits)


class Counted(Image):
    """An image that counts how often it is asked for links."""

    asked = 0

    def links(self, *wanted: Any) -> Any:
        self.asked += 1
        return super().links(*wanted)


def test_another_type_of_a_node_costs_what_its_edges_cost_and_not_what_there_is_of_schemas():
    image = Counted(START)
    store(image, [Batch(SetSchema("edge", f"t{number}", sources=["node"])) for number in range(50)])
    store(image, [Batch([CreateNode("a"), CreateNode("b"), CreateEdge("a", "t7", "b")])])
    checker_of.cache_clear()
    image.asked = 0
    store(image, [Batch(PatchNode("b", Patch(type="t")))])
    (outcome,) = store(image, [Batch(PatchNode("a", Patch(type="t")))]).outcomes
    assert isinstance(outcome, EdgeEndsError)
    assert image.asked < 10
    assert checker_of.cache_info().misses == 1, "of the type that is joined"


def test_another_type_is_held_against_the_edges_of_accepted_batches_and_no_others():
    image, retyped = Image(START), PatchNode("a", Patch(type="t"))
    store(image, [Batch(SetSchema("edge", "u", targets=["node"])), Batch([CreateNode("a"), CreateNode("b")])])
    joins, parts = CreateEdge("b", "u", "a"), DeleteEdge("b", "u", "a")
    refused = CreateNode("b")
    group = [
        Batch([retyped, PatchNode("a", Patch(type="node"))]),  # from here on it is known what joins it
        Batch([joins, refused]),
        Batch([retyped, PatchNode("a", Patch(type="node"))]),
        Batch([joins, UpsertEdge("b", "u", "a", {"k": 1}), UpsertEdge("a", "u", "a")]),
        Batch([parts, refused]),
        Batch(retyped),
        Batch([parts, DeleteEdge("a", "u", "a"), retyped]),
    ]
    outcomes = store(image, group).outcomes
    expected = [Commit, NodeExistsError, Commit, Commit, NodeExistsError, EdgeEndsError, Commit]
    assert [type(outcome) for outcome in outcomes] == expected


@pytest.mark.parametrize("version", ['"x"', "null", "true", "1.5", "[]"])
def test_a_schema_is_set_where_a_damaged_one_is_stored(version):
    image, key = Image(START), "schema/node/t"
    body = f'{{"schema":{{}},"sources":null,"targets":null,"version":{version}}}'
    image.store(
        CommitPlan(expected=START, head=START._replace(seq=START.seq + 1), put_meta=[MetaRecord(key, START.seq, body)])
    )
    for schema in ({}, {"maxProperties": 0}):
        (outcome,) = decide(image, [Batch(SetSchema("node", "t", schema))], UNLIMITED).outcomes
        assert isinstance(outcome, Commit), outcome
        assert outcome.results[0].value.version == 1


@given(histories())
@searched
def test_planning_changes_nothing_it_was_given(history):
    image = Image(START)
    for group in history:
        current = everything(image, group)
        before = copy.deepcopy(current), copy.deepcopy(group)
        once, twice = (decided_on(plan(group, current, NOW, UNLIMITED)) for _ in range(2))
        assert once == twice
        assert (current, group) == before
        store(image, group)


@given(histories(), st.sampled_from([UNLIMITED, TIGHT]))
@searched
def test_changes_are_numbered_without_gaps_and_commits_partition_them(history, limits):
    image = Image(START)
    for group in history:
        before = image.head().seq
        decided = store(image, group, limits)
        assert [row.seq for row in decided.changes] == list(range(before + 1, decided.head.seq + 1))
        assert decided.head.seq == before + len(decided.changes)
        known = {row.seq: row.commit for row in image.changes(0, 10_000, None)}
        for outcome in decided.outcomes:
            if isinstance(outcome, Commit):
                assert all(known[seq] == outcome.first for seq in range(outcome.first, outcome.last + 1))


@given(histories())
@searched
def test_a_plan_holds_only_what_differs_and_no_row_twice(history):
    image = Image(START)
    for group in history:
        decided = decide(image, group, UNLIMITED)
        written = [*decided.put_nodes, *decided.put_edges]
        ids = [record.id for record in written] + [*decided.delete_nodes, *decided.delete_edges]
        assert len(ids) == len(set(ids))
        assert not {record.key for record in decided.put_meta} & set(decided.delete_meta)
        assert all(record.revision > decided.expected.seq for record in written)
        taken = (*decided.delete_nodes, *decided.delete_edges, *decided.renamed)
        assert max(taken, default=0) < decided.expected.next_id
        assert set(decided.renamed) <= {record.id for record in decided.put_nodes}
        if not decided.writes:
            assert not any(decided[2:-1])
        store(image, group)


@given(histories())
@searched
def test_an_edge_never_outlives_its_ends(history):
    image = Image(START)
    for group in history:
        store(image, group, TIGHT)
        nodes = {record.id for record in image.scan("node", 0, 1_000)}
        assert all({record.source, record.target} <= nodes for record in image.scan("edge", 0, 1_000))


removals = st.one_of(
    st.builds(DeleteNode, st.sampled_from("abc"), detach=st.booleans(), missing_ok=st.booleans()),
    st.builds(DeleteEdge, *triples, missing_ok=st.just(True)),
    st.builds(RenameNode, st.sampled_from("abc"), names),
)


@given(
    st.lists(st.tuples(*[st.sampled_from("abc"), types, st.sampled_from("abc")]), max_size=9, unique=True),
    st.lists(st.builds(Batch, st.lists(removals, min_size=1, max_size=3)), min_size=1, max_size=3),
    st.sampled_from([UNLIMITED, TIGHT]),
)
@settings(max_examples=250)
def test_whatever_is_deleted_together_no_edge_is_overlooked(joined, group, limits):
    image, model = Image(START), Model(limits)
    for batch in [*FULL, *(Batch(CreateEdge(*triple)) for triple in joined)]:
        store(image, [batch])
        model.batch(batch, NOW)
    outcomes = store(image, group, limits).outcomes
    expected = [model.batch(batch, NOW) for batch in group]
    assert [isinstance(outcome, Commit) or type(outcome) for outcome in outcomes] == [
        not isinstance(answer, Refused) or answer.cls for answer in expected
    ]
    assert state(image) == model.state()


@given(histories(), st.lists(st.integers(-5, 5), min_size=5, max_size=5))
@searched
def test_time_never_goes_back_along_the_feed(history, drift):
    image, last = Image(START), 0
    for group, change in zip(history, drift, strict=False):
        store(image, group, UNLIMITED, NOW + change)
        assert image.head().time >= last
        last = image.head().time
    times = [datetime.fromisoformat(json.loads(row.body)["time"]) for row in image.changes(0, 10_000, None)]
    assert times == sorted(times)


# --- the feed tells the whole history ---------------------------------------------------------------------------------


class Replay:
    """The records as the feed alone tells them. Each change is also taken back, which has to give what was before."""

    def __init__(self) -> None:
        self.records: dict[Any, Any] = {}
        self.works: dict[int, Any] = {}

    def work(self, row: ChangeRecord, body: Any) -> None:
        """Whose work a record is follows from its changes, and each update says whose it was before."""
        now = {"version": body.get("version", 1), "author": body["author"], "updated_at": body["time"]}
        if "previous" in body:
            before = self.works[row.id]
            assert {**body["previous"], "version": now["version"] - 1} == before
        self.works[row.id] = {**now, "revision": row.seq}

    def read(self, row: ChangeRecord) -> None:
        body = json.loads(row.body)
        thing, _, what = row.kind.partition(".")
        key = body["key"] if thing == "meta" else row.id
        before = self.records.get((thing, key))
        if thing == "event":
            return
        if thing != "meta" and what != "deleted":
            self.work(row, body)
        if what in ("created", "set") and "record" in body:
            assert before is None
            self.records[thing, key] = self.made(thing, body)
        elif what == "deleted":
            assert before == self.made(thing, body)
            del self.records[thing, key]
        else:
            after = self.changed(before, body["patch"])
            assert self.changed(after, body["undo"]) == before
            assert exactly(after) != exactly(before)
            self.records[thing, key] = after

    @staticmethod
    def made(thing: str, body: Any) -> Any:
        record = body["record"]
        if thing == "meta":
            return {"value": record}
        made = {"attributes": record["attributes"], "observations": record.get("observations")}
        return made | ({"name": body["key"], "type": body["type"]} if thing == "node" else {})

    @staticmethod
    def changed(before: Any, delta: Any) -> Any:
        after = json.loads(json.dumps(before))
        for name in ("name", "type", "value"):
            if name in delta:
                after[name] = delta[name]
        for path in delta.get("unset", ()):
            at = after["attributes"]
            for key in path[:-1]:
                at = at[key]
            del at[path[-1]]
        for path, value in delta.get("set", ()):
            at = after["attributes"]
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
        if "observe" in delta or "forget" in delta:
            kept = [item for item in after["observations"] if item["text"] not in delta.get("forget", ())]
            for item in delta.get("observe", ()):
                kept.insert(item["at"], {name: item[name] for name in ("recorded_at", "source", "text")})
            after["observations"] = kept
        return after


@given(histories())
@settings(max_examples=200)
def test_the_feed_alone_tells_every_state_forwards_and_backwards(history):
    image, replay = Image(START), Replay()
    for group in history:
        for row in store(image, group).changes:
            replay.read(row)
        told = {}
        for record in (*image.scan("node", 0, 1_000), *image.scan("edge", 0, 1_000)):
            body = json.loads(record.body)
            work = {name: body[name] for name in ("version", "author", "updated_at")}
            assert replay.works[record.id] == {**work, "revision": record.revision}
        for record in image.scan("node", 0, 1_000):
            body = json.loads(record.body)
            told["node", record.id] = {
                "name": record.name, "type": record.type,
                "attributes": body["attributes"], "observations": body["observations"],
            }  # fmt: skip
        for record in image.scan("edge", 0, 1_000):
            told["edge", record.id] = {"attributes": json.loads(record.body)["attributes"], "observations": None}
        for record in image.meta(image.keys("meta", "", 1_000)):
            assert isinstance(record, MetaRecord)
            told["meta", record.key] = {"value": json.loads(record.body)}
        assert {key: exactly(value) for key, value in replay.records.items()} == {
            key: exactly(value) for key, value in told.items()
        }
