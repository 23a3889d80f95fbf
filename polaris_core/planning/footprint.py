"""What a group of batches could touch, told from the mutations alone.

Renames inside the group move names: after `rename A to B`, an edge of `B` is an edge of what is stored as `A`, if that batch is
accepted. So each name is followed through the group together with the stored names it could stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from polaris_core.limits import Limits
from polaris_core.model import EdgeKey
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    DeleteSchema,
    Emit,
    Expect,
    ExpectLinks,
    ExpectRevision,
    Mutation,
    PatchEdge,
    PatchNode,
    PutEdge,
    RenameNode,
    SetMeta,
    SetSchema,
    UpsertEdge,
)
from polaris_core.schema import SCHEMAS, schema_key

__all__ = ["Footprint", "footprint"]

_EDGE_MUTATIONS = (CreateEdge, PutEdge, UpsertEdge, PatchEdge, DeleteEdge)


class Footprint(NamedTuple):
    """What to load, by the names that are stored: `links` pairs a name with the change number that `ExpectLinks` names.

    `deleted` maps the names of nodes that could be deleted to how many edges decide what becomes of that, not counting those
    to other nodes of `detached`, which the group could take away first. `most` bounds how many it could take away that way.
    `schemas` holds the keys of the schemas that the mutations name themselves; with `rewrites` those of the stored types of
    `names` count too, and with `defines` how many schemas there are. `retyped` maps the names of stored nodes to the types that
    mutations give them, `edge_deletes` is how many edges the group could delete one by one.
    """

    names: tuple[str, ...]
    edges: tuple[EdgeKey, ...]
    deleted: dict[str, int]
    detached: frozenset[str]
    most: int
    meta: tuple[str, ...]
    receipts: tuple[str, ...]
    links: tuple[tuple[str, ExpectLinks], ...]
    schemas: tuple[str, ...]
    rewrites: bool
    defines: bool
    retyped: dict[str, set[str]]
    edge_deletes: int


class _Tracer:
    """Follows names through a group: `_meanings` maps a name to the stored names it could stand for, itself at first."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.edges: dict[EdgeKey, None] = {}
        self.meta: dict[str, None] = {}
        self.deleted: dict[str, None] = {}
        self.detached: dict[str, None] = {}
        self.links: dict[tuple[str, ExpectLinks], None] = {}
        self.node_types: dict[str, None] = {}
        self.edge_types: dict[str, None] = {}
        self.event_types: dict[str, None] = {}
        self.rewrites = False
        self.defines = False
        self.retyped: dict[str, set[str]] = {}
        self.edge_deletes = 0
        self.detaches = 0
        self._meanings: dict[str, frozenset[str]] = {}

    def batch(self, batch: Batch) -> None:
        """Follow one batch: within it every rename before a mutation has happened, after it all of them have or none."""
        moved: dict[str, frozenset[str]] = {}
        for expect in batch.expect:
            self._expect(expect, moved)
        for mutation in batch.mutations:
            self._mutation(mutation, moved)
        for name, meanings in moved.items():
            self._meanings[name] = self._stored(name, {}) | meanings

    def _stored(self, name: str, moved: dict[str, frozenset[str]]) -> frozenset[str]:
        meanings = moved.get(name)
        if meanings is None:
            meanings = self._meanings.get(name)
        return frozenset((name,)) if meanings is None else meanings

    def _expect(self, expect: Expect, moved: dict[str, frozenset[str]]) -> None:
        if isinstance(expect, ExpectRevision):
            if isinstance(expect.key, EdgeKey):
                self._edge(expect.key, moved)
            else:
                self.names[expect.key] = None
        elif isinstance(expect, ExpectLinks):
            self.names[expect.name] = None
            self.links.update(((stored, expect), None) for stored in self._stored(expect.name, moved))

    def _edge(self, key: EdgeKey, moved: dict[str, frozenset[str]]) -> None:
        self.names[key.source] = self.names[key.target] = None
        targets = self._stored(key.target, moved)
        for source in self._stored(key.source, moved):
            self.edges.update((EdgeKey(source, key.type, target), None) for target in targets)

    def _mutation(self, mutation: Mutation, moved: dict[str, frozenset[str]]) -> None:
        if isinstance(mutation, CreateNode):  # as most often
            self.names[mutation.name] = None
            self.node_types[mutation.type] = None
        elif isinstance(mutation, _EDGE_MUTATIONS):
            self._edge(mutation.key, moved)
            if isinstance(mutation, DeleteEdge):
                self.edge_deletes += 1
            else:
                self.edge_types[mutation.type] = None
        elif isinstance(mutation, (SetMeta, DeleteMeta, SetSchema, DeleteSchema)):
            self.meta[mutation.key] = None
            self.defines = self.defines or mutation.key.startswith(SCHEMAS)
        elif isinstance(mutation, Emit):
            self.event_types[mutation.type] = None
        else:
            self.names[mutation.name] = None
            if isinstance(mutation, RenameNode):
                self._rename(mutation, moved)
            elif isinstance(mutation, DeleteNode):
                stored = dict.fromkeys(self._stored(mutation.name, moved))
                self.deleted.update(stored)
                if mutation.detach:
                    self.detached.update(stored)
                    self.detaches += 1
            elif isinstance(mutation, PatchNode):
                self._rewrite(mutation.name, mutation.patch.type, moved)
            else:
                self.node_types[mutation.type or "node"] = None
                self._rewrite(mutation.name, mutation.type, moved)

    def schemas(self) -> tuple[str, ...]:
        """Return the keys of the schemas of all types that were named."""
        return (
            *(schema_key("node", type) for type in self.node_types),
            *(schema_key("edge", type) for type in self.edge_types),
            *(schema_key("event", type) for type in self.event_types),
        )

    def _rewrite(self, name: str, type: str | None, moved: dict[str, frozenset[str]]) -> None:
        self.rewrites = True
        if type is not None:
            self.node_types[type] = None
            for stored in self._stored(name, moved):
                self.retyped.setdefault(stored, set()).add(type)

    def _rename(self, mutation: RenameNode, moved: dict[str, frozenset[str]]) -> None:
        self.names[mutation.to] = None
        if mutation.to != mutation.name:
            moved[mutation.to] = self._stored(mutation.name, moved)
            moved[mutation.name] = frozenset()


def footprint(batches: Iterable[Batch], limits: Limits) -> Footprint:
    """Return what `plan` has to see of the store to decide on these batches."""
    batches = tuple(batches)
    traced = _Tracer()
    for batch in batches:
        traced.batch(batch)
    # One edge more than the group could delete by itself decides on a plain deletion; on detaching, one more than that and
    # what one commit may hold.
    return Footprint(
        names=tuple(traced.names),
        edges=tuple(traced.edges),
        deleted={
            name: traced.edge_deletes + 1 + (limits.commit_records if name in traced.detached else 0)
            for name in traced.deleted
        },
        detached=frozenset(traced.detached),
        most=traced.detaches * limits.commit_records,
        meta=tuple(traced.meta),
        receipts=_receipts(batches),
        links=tuple(traced.links),
        schemas=traced.schemas(),
        rewrites=traced.rewrites,
        defines=traced.defines,
        retyped=traced.retyped,
        edge_deletes=traced.edge_deletes,
    )


def _receipts(batches: Sequence[Batch]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(batch.key for batch in batches if batch.key is not None))
