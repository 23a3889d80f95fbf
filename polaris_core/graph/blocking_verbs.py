"""The verbs that write, without async: each waits for what the verb of the same name does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from polaris_core.graph.blocking_reads import BlockingReads
from polaris_core.graph.writing import Assigned, Attributes, Observations, Verbs
from polaris_core.model import Edge, Node, Observation, Path
from polaris_core.schema import SchemaKind, TypeSchema
from polaris_core.values import EMPTY

__all__ = ["BlockingVerbs"]

V = TypeVar("V", bound=Verbs)


class BlockingVerbs(BlockingReads[V]):
    """The verbs of `Verbs`: what `BlockingGraph` and `BlockingTransaction` share."""

    def create_node(
        self, name: str, type: str = "node", attributes: Attributes = EMPTY, observations: Observations = ()
    ) -> Node:
        """As `Graph.create_node`."""
        return self._call(self._state.create_node(name, type, attributes, observations))

    def put_node(self, name: str, type: str = "node", attributes: Attributes = EMPTY) -> Node:
        """As `Graph.put_node`."""
        return self._call(self._state.put_node(name, type, attributes))

    def upsert_node(
        self, name: str, type: str | None = None, attributes: Attributes = EMPTY, observations: Observations = ()
    ) -> Node:
        """As `Graph.upsert_node`."""
        return self._call(self._state.upsert_node(name, type, attributes, observations))

    def patch_node(
        self,
        name: str,
        *,
        set: Assigned | None = None,
        unset: Iterable[str | Path] = (),
        observe: Observations = (),
        forget: Observations = (),
        type: str | None = None,
    ) -> Node:
        """As `Graph.patch_node`."""
        return self._call(self._state.patch_node(name, set=set, unset=unset, observe=observe, forget=forget, type=type))

    def observe(self, name: str, *observations: str | Observation) -> Node:
        """As `Graph.observe`."""
        return self._call(self._state.observe(name, *observations))

    def forget(self, name: str, *texts: str) -> Node:
        """As `Graph.forget`."""
        return self._call(self._state.forget(name, *texts))

    def rename_node(self, name: str, to: str) -> Node:
        """As `Graph.rename_node`."""
        return self._call(self._state.rename_node(name, to))

    def merge_nodes(self, name: str, into: str, *, keep_loops: bool = False) -> Node:
        """As `Graph.merge_nodes`."""
        return self._call(self._state.merge_nodes(name, into, keep_loops=keep_loops))

    def delete_node(self, name: str, *, detach: bool = False, missing_ok: bool = False) -> bool:
        """As `Graph.delete_node`."""
        return self._call(self._state.delete_node(name, detach=detach, missing_ok=missing_ok))

    def set_searched_attributes(self, *paths: str | Path) -> None:
        """As `Graph.set_searched_attributes`."""
        return self._call(self._state.set_searched_attributes(*paths))

    def create_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """As `Graph.create_edge`."""
        return self._call(self._state.create_edge(source, type, target, attributes))

    def put_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """As `Graph.put_edge`."""
        return self._call(self._state.put_edge(source, type, target, attributes))

    def upsert_edge(self, source: str, type: str, target: str, attributes: Attributes = EMPTY) -> Edge:
        """As `Graph.upsert_edge`."""
        return self._call(self._state.upsert_edge(source, type, target, attributes))

    def patch_edge(
        self, source: str, type: str, target: str, *, set: Assigned | None = None, unset: Iterable[str | Path] = ()
    ) -> Edge:
        """As `Graph.patch_edge`."""
        return self._call(self._state.patch_edge(source, type, target, set=set, unset=unset))

    def delete_edge(self, source: str, type: str, target: str, *, missing_ok: bool = False) -> bool:
        """As `Graph.delete_edge`."""
        return self._call(self._state.delete_edge(source, type, target, missing_ok=missing_ok))

    def set_schema(
        self,
        kind: SchemaKind,
        type: str,
        schema: Attributes = EMPTY,
        *,
        sources: Iterable[str] | None = None,
        targets: Iterable[str] | None = None,
    ) -> TypeSchema:
        """As `Graph.set_schema`."""
        return self._call(self._state.set_schema(kind, type, schema, sources=sources, targets=targets))

    def delete_schema(self, kind: SchemaKind, type: str) -> bool:
        """As `Graph.delete_schema`."""
        return self._call(self._state.delete_schema(kind, type))
