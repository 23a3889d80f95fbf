"""What a group of batches could touch, told from the mutations alone.

Renames inside the group join names: after `rename A to B`, an edge of `B` may be an edge of what is stored as `A`. Names that
a chain of renames joins are *aliases*, and an edge is looked for between all stored nodes that its ends could mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from polaris_core.limits import Limits
from polaris_core.model import EdgeKey, Key
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    ExpectLinks,
    ExpectRevision,
    ExpectUnchanged,
    PatchEdge,
    PutEdge,
    RenameNode,
    SetMeta,
    UpsertEdge,
)

__all__ = ["Footprint", "footprint"]

_EDGE_MUTATIONS = (CreateEdge, PutEdge, UpsertEdge, PatchEdge, DeleteEdge)


@attrs.frozen
class Footprint:
    """What to load: `deleted` maps a node's name to how many of its edges must be seen at most, `links` to change numbers."""

    names: tuple[str, ...]
    edges: tuple[EdgeKey, ...]
    deleted: dict[str, int]
    aliases: dict[str, tuple[str, ...]]
    meta: tuple[str, ...]
    receipts: tuple[str, ...]
    links: tuple[ExpectLinks, ...]

    def aliases_of(self, name: str) -> tuple[str, ...]:
        """Return every name that could mean the same node within the group."""
        return self.aliases.get(name, (name,))


def _joined(renames: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    classes: dict[str, set[str]] = {}
    for one, other in renames:
        merged = classes.get(one, {one}) | classes.get(other, {other})
        for name in merged:
            classes[name] = merged
    return {name: tuple(sorted(merged)) for name, merged in classes.items()}


def footprint(batches: Sequence[Batch], limits: Limits) -> Footprint:
    """Return what `plan` has to see of the store to decide on these batches."""
    names: dict[str, None] = {}
    edges: dict[EdgeKey, None] = {}
    meta: dict[str, None] = {}
    renames: list[tuple[str, str]] = []
    detached: set[str] = set()
    deleted: dict[str, int] = {}
    links: list[ExpectLinks] = []
    edge_deletes = 0

    def touch(key: Key) -> None:
        if isinstance(key, str):
            names[key] = None
        else:
            edges[key] = names[key.source] = names[key.target] = None

    for batch in batches:
        for expect in batch.expect:
            if isinstance(expect, ExpectRevision):
                touch(expect.key)
            elif isinstance(expect, ExpectLinks):
                names[expect.name] = None
                links.append(expect)
            else:
                assert isinstance(expect, ExpectUnchanged)  # noqa: S101 - told from the head alone
        for mutation in batch.mutations:
            if isinstance(mutation, _EDGE_MUTATIONS):
                touch(mutation.key)
                edge_deletes += isinstance(mutation, DeleteEdge)
            elif isinstance(mutation, (SetMeta, DeleteMeta)):
                meta[mutation.key] = None
            elif not isinstance(mutation, Emit):
                names[mutation.name] = None
                if isinstance(mutation, RenameNode):
                    names[mutation.to] = None
                    renames.append((mutation.name, mutation.to))
                elif isinstance(mutation, DeleteNode):
                    deleted[mutation.name] = 0
                    if mutation.detach:
                        detached.add(mutation.name)
    aliases = _joined(renames)
    for name in deleted:
        # Without detach one edge more than the group could delete by itself decides; with it, one more than may be deleted.
        deleted[name] = limits.commit_records + 1 if name in detached else edge_deletes + 1
    return Footprint(
        names=tuple(names),
        edges=tuple(edges),
        deleted=deleted,
        aliases=aliases,
        meta=tuple(meta),
        receipts=tuple(dict.fromkeys(batch.key for batch in batches if batch.key is not None)),
        links=tuple(links),
    )
