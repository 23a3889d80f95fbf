"""How a graph is brought to what an inventory says: the mutations that make the difference, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_cli.environment import ATTRIBUTES, SOURCE
from polaris_core import DeleteEdge, DeleteNode, Patch, PatchEdge, PatchNode, UpsertEdge, UpsertNode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polaris_cli.environment import Inventory
    from polaris_core import Edge, EdgeKey, Node

__all__ = ["AUTHOR", "difference"]

AUTHOR = "polaris-kg demo"


def difference(
    inventory: Inventory, nodes: Mapping[str, Node], edges: Mapping[EdgeKey, Edge]
) -> Iterator[UpsertNode | UpsertEdge | PatchNode | PatchEdge | DeleteNode | DeleteEdge]:
    """Yield what turns a graph into one that holds the inventory.

    Nodes and edges are deleted only where the demo wrote them last, attributes and observations only where they are of the
    demo's kinds; what somebody else wrote, or changed since, stays.
    """
    for edge_key, edge in edges.items():
        if edge_key not in inventory.edges and _ours(edge):
            yield DeleteEdge(*edge_key)
    for name, node in nodes.items():
        if name not in inventory.nodes and _ours(node):
            yield DeleteNode(name, detach=True)
    for name, node in inventory.nodes.items():
        if name not in nodes:
            yield UpsertNode(name, node.type, node.attributes, node.observations)
        elif (patch := _node_patch(node, nodes[name])) != Patch():
            yield PatchNode(name, patch)
    for edge_key, edge in inventory.edges.items():
        if edge_key not in edges:
            yield UpsertEdge(*edge_key, edge.attributes)
        elif (patch := _attribute_patch(edge, edges[edge_key])) != Patch():
            yield PatchEdge(*edge_key, patch)


def _ours(record: Node | Edge) -> bool:
    return record.provenance is not None and record.provenance.author == AUTHOR


def _attribute_patch(wanted: Node | Edge, stored: Node | Edge) -> Patch:
    return Patch(
        set={key: value for key, value in wanted.attributes.items() if _at(stored, key) != (value,)},
        unset=[key for key in stored.attributes if key in ATTRIBUTES and key not in wanted.attributes],
    )


def _at(record: Node | Edge, key: str) -> tuple[object, ...]:
    return (record.attributes[key],) if key in record.attributes else ()


def _node_patch(wanted: Node, stored: Node) -> Patch:
    attributes = _attribute_patch(wanted, stored)
    texts = {observation.text for observation in wanted.observations}
    known = {observation.text for observation in stored.observations}
    return Patch(
        set=dict(attributes.set),
        unset=attributes.unset,
        observe=[observation for observation in wanted.observations if observation.text not in known],
        forget=[item for item in stored.observations if item.source == SOURCE and item.text not in texts],
        type=wanted.type if wanted.type != stored.type else None,
    )
