"""What can be written to a graph, in and out of transactions: a verb becomes a mutation, or a question that answers with some."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from polaris_core.graph.merging import Merging
from polaris_core.graph.questions import Question
from polaris_core.graph.reading import Reading
from polaris_core.model import Edge, Node, Observation, Patch, Path, path_of
from polaris_core.mutations import (
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    DeleteSchema,
    Mutation,
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
from polaris_core.outcomes import Result
from polaris_core.schema import SchemaKind, TypeSchema
from polaris_core.search import SEARCHED
from polaris_core.values import EMPTY, normalize_name

__all__ = ["Assigned", "Attributes", "Observations", "Verbs"]

Assigned: TypeAlias = Mapping[str | Path, Any]
Attributes: TypeAlias = Mapping[str, Any]
Observations: TypeAlias = Iterable[str | Observation] | str


class Verbs(Reading):
    """The verbs that `Graph` and `Transaction` share: those of `Reading`, and these, which write."""

    @abstractmethod
    async def _write(self, mutation: Mutation) -> Result:
        """Carry a mutation out, or raise the error that refuses it."""

    @abstractmethod
    async def _write_answer(self, question: Question[tuple[Mutation, ...]]) -> Sequence[Result]:
        """Carry out together, or not at all, what a question answers with, where the answer still holds."""

    # --- nodes ----------------------------------------------------------------------------------------------------

    async def create_node(
        self,
        name: str,
        type: str = "node",
        attributes: Attributes = EMPTY,
        observations: Observations = (),
    ) -> Node:
        """Create a node and return it; raises `NodeExistsError` where one of this name exists."""
        return _node(await self._write(CreateNode(name, type, attributes, observations)))

    async def put_node(self, name: str, type: str = "node", attributes: Attributes = EMPTY) -> Node:
        """Replace a node's type and attributes, or create it; observations stay."""
        return _node(await self._write(PutNode(name, type, attributes)))

    async def upsert_node(
        self,
        name: str,
        type: str | None = None,
        attributes: Attributes = EMPTY,
        observations: Observations = (),
    ) -> Node:
        """Create a node, or merge top-level attributes and new observations into it; a type of None keeps its own."""
        return _node(await self._write(UpsertNode(name, type, attributes, observations)))

    async def patch_node(
        self,
        name: str,
        *,
        set: Assigned | None = None,
        unset: Iterable[str | Path] = (),
        observe: Observations = (),
        forget: Observations = (),
        type: str | None = None,
    ) -> Node:
        """Change part of a node, as `Patch` says; raises `NodeNotFoundError`."""
        return _node(await self._write(PatchNode(name, Patch(set or {}, unset, observe, forget, type))))

    async def observe(self, name: str, *observations: str | Observation) -> Node:
        """Add observations to a node; a text it has already is left as it is. Raises `NodeNotFoundError`."""
        return _node(await self._write(PatchNode(name, Patch(observe=observations))))

    async def forget(self, name: str, *texts: str) -> Node:
        """Remove observations from a node by their texts; raises `NodeNotFoundError`."""
        return _node(await self._write(PatchNode(name, Patch(forget=texts))))

    async def rename_node(self, name: str, to: str) -> Node:
        """Give a node another name; its edges and history stay. Raises `NodeNotFoundError` or `NodeExistsError`."""
        return _node(await self._write(RenameNode(name, to)))

    async def merge_nodes(self, name: str, into: str, *, keep_loops: bool = False) -> Node:
        """Move all that a node has to another one, delete it, and return the other one: two names of one thing become one.

        Every edge of `name` becomes one of `into`; where `into` has it already, it gets the attributes that it lacks. So
        does `into` itself, with the observations it lacks, which keep their source and time. What `into` has stays, its type
        too. An edge between the two would become a loop and is dropped, unless `keep_loops`. The history of what moves stays
        with `name`. Raises `NodeNotFoundError`, `InvalidValueError` for one node and itself, and `LimitExceededError`, before
        anything is written, where it takes more than a commit may hold. In a transaction it conflicts with every commit.
        """
        merging = Merging(normalize_name(name), normalize_name(into), keep_loops, self.limits.commit_records)
        return _node((await self._write_answer(merging))[-1])

    async def delete_node(self, name: str, *, detach: bool = False, missing_ok: bool = False) -> bool:
        """Delete a node, with `detach` its edges too; return whether it existed.

        Raises `NodeHasEdgesError` where it has edges and `detach` is False, `NodeNotFoundError` unless `missing_ok`.
        """
        return (await self._write(DeleteNode(name, detach=detach, missing_ok=missing_ok))).status == "deleted"

    async def set_searched_attributes(self, *paths: str | Path) -> None:
        """Choose the attributes whose strings, or arrays of strings, `search` looks at, too; those of before count no more.

        A path is a key or a tuple of keys into nested objects. No path at all leaves names and observations.
        """
        chosen = [list(path_of(path)) for path in paths]
        await self._write(SetMeta(SEARCHED, chosen) if chosen else DeleteMeta(SEARCHED))

    # --- edges ----------------------------------------------------------------------------------------------------

    async def create_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """Create an edge and return it; raises `EdgeExistsError`, or `NodeNotFoundError` for a missing end."""
        return _edge(await self._write(CreateEdge(source, type, target, attributes)))

    async def put_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """Replace an edge's attributes, or create it."""
        return _edge(await self._write(PutEdge(source, type, target, attributes)))

    async def upsert_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """Create an edge, or merge top-level attributes into it."""
        return _edge(await self._write(UpsertEdge(source, type, target, attributes)))

    async def patch_edge(
        self,
        source: str,
        type: str,
        target: str,
        *,
        set: Assigned | None = None,
        unset: Iterable[str | Path] = (),
    ) -> Edge:
        """Change part of an edge's attributes; raises `EdgeNotFoundError`."""
        return _edge(await self._write(PatchEdge(source, type, target, Patch(set or {}, unset))))

    async def delete_edge(self, source: str, type: str, target: str, *, missing_ok: bool = False) -> bool:
        """Delete an edge; return whether it existed. Raises `EdgeNotFoundError` unless `missing_ok`."""
        return (await self._write(DeleteEdge(source, type, target, missing_ok=missing_ok))).status == "deleted"

    # --- schemas --------------------------------------------------------------------------------------------------

    async def set_schema(
        self,
        kind: SchemaKind,
        type: str,
        schema: Attributes = EMPTY,
        *,
        sources: Iterable[str] | None = None,
        targets: Iterable[str] | None = None,
    ) -> TypeSchema:
        """Hold what is written from now on of a `node`, `edge` or `event` type against a JSON Schema; return what is kept.

        It is about the attributes of nodes and edges, and the data of events. `sources` and `targets` are the types of the nodes
        that edges of the type may leave and enter, None for any. What is stored already stays as it is: `violations` finds what
        does not fit. The same again changes nothing. Raises `InvalidSchemaError` for what is no schema or is not accepted, and
        `LimitExceededError` beyond `Limits.schemas`.
        """
        return cast("TypeSchema", (await self._write(SetSchema(kind, type, schema, sources, targets))).value)

    async def delete_schema(self, kind: SchemaKind, type: str) -> bool:
        """Hold a type against its schema no longer; return whether there was one."""
        return (await self._write(DeleteSchema(kind, type))).status == "deleted"


def _node(result: Result) -> Node:
    return cast("Node", result.value)


def _edge(result: Result) -> Edge:
    return cast("Edge", result.value)
