"""A knowledge graph as a networkx graph, and back: what `graphml` and `node-link` have in common.

A network is a `MultiDiGraph`. Its nodes are the names, and data of nodes and edges are the attributes as they are, beside

- `type`: the type;
- `polaris:observations`, of nodes that have some, and `polaris:provenance`: what `to_json` says of them.

An attribute that is called like one of these, or like something that the formats and networkx need for themselves, has
`polaris:` in front. In networks from elsewhere a `type` that is no text is an attribute, and what has no type is a `node`, or
an `edge`. The provenance is for whoever reads the file and is left behind, as every import does.

networkx holds a whole graph in memory, some 20 bytes for each of a GraphML file, so both formats are bounded by `MAX_RECORDS` and
`MAX_BYTES`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from polaris_core import (
    Edge,
    EdgeKey,
    Observation,
    Provenance,
    UpsertEdge,
    UpsertNode,
    ValidationError,
    from_json,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    import networkx as nx

    from polaris_core import Node

__all__ = ["MAX_BYTES", "MAX_RECORDS", "Records", "at", "check_size", "name_of", "network", "whole"]

MAX_RECORDS = 500_000
MAX_BYTES = 128 << 20

_OURS = "polaris:"
_OBSERVATIONS = "polaris:observations"
_PROVENANCE = "polaris:provenance"
# What both formats use for themselves, and the arguments of `add_node` and `add_edge`, which take data by keyword.
_RESERVED = frozenset({"id", "type", "source", "target", "key", "self", "node_for_adding", "u_for_edge", "v_for_edge"})


def check_size(records: int, size: int) -> None:
    """Raise `ValidationError` for more than networkx should hold in memory at once."""
    if records > MAX_RECORDS:
        raise ValidationError(
            f"more than {MAX_RECORDS:,} nodes and edges, all of which networkx would hold in memory; "
            "jsonl takes any number"
        )
    if size > MAX_BYTES:
        raise ValidationError(
            f"more than {MAX_BYTES >> 20} MiB, all of which networkx would hold in memory; jsonl takes any size"
        )


@contextmanager
def at(place: str) -> Iterator[None]:
    """Say where in the file something was that is malformed."""
    try:
        yield
    except ValidationError as error:
        raise ValidationError(f"{place}: {error}") from error


def name_of(name: object) -> str:
    """Return a node's name; networks from elsewhere often number their nodes."""
    if isinstance(name, str) or type(name) is int:
        return str(name)
    raise ValidationError(f"the name of a node is a text or an integer, not {type(name).__name__}")


def whole(file: BinaryIO) -> bytes:
    """Return what a file holds; raises `ValidationError` for more than `MAX_BYTES`."""
    data = file.read(MAX_BYTES + 1)
    check_size(0, len(data))
    return data


async def network(
    records: AsyncIterator[Node | Edge],
    *,
    named: Callable[[str], str] = str,
    encoded: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> nx.MultiDiGraph[str]:
    """Return records as a network whose edges are numbered; `named` and `encoded` spell names and data as a format can hold them.

    Raises `ValidationError` for an edge that comes before its ends, and what `check_size` raises.
    """
    import networkx as nx

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    count = size = 0
    async for record in records:
        count += 1
        data = encoded(_data(record))
        size += len(orjson.dumps(data))
        check_size(count, size)
        if isinstance(record, Edge):
            source, target = named(record.source), named(record.target)
            if source not in graph or target not in graph:
                raise ValidationError(f"edge {record.key} comes before its ends")
            graph.add_edge(source, target, count)
            graph.get_edge_data(source, target, count).update(
                data
            )  # which, as arguments, would get in the way of others
        else:
            graph.add_nodes_from([(named(record.name), data)])
    return graph


def _data(record: Node | Edge) -> dict[str, Any]:
    data: dict[str, Any] = {"type": record.type}
    for key, value in record.attributes.items():
        data[_OURS + key if key in _RESERVED or key.startswith(_OURS) else key] = value
    if not isinstance(record, Edge) and record.observations:
        data[_OBSERVATIONS] = [to_json(observation) for observation in record.observations]
    if record.provenance is not None:
        data[_PROVENANCE] = to_json(record.provenance)
    return data


class Records:
    """What a network from a file stands for, record by record. Two records of one name, or of one key, are an error."""

    def __init__(self) -> None:
        self._names = set[str]()
        self._edges = set[EdgeKey]()

    def node(self, name: object, data: Mapping[str, Any]) -> UpsertNode:
        """Return a node; raises `ValidationError` for what is none."""
        type, attributes, observations = _parts(data, "node")
        node = UpsertNode(name_of(name), type, attributes, observations)
        if node.name in self._names:
            raise ValidationError(f"two nodes are called {node.name!r}")
        self._names.add(node.name)
        return node

    def edge(self, source: object, target: object, data: Mapping[str, Any], otherwise: str = "edge") -> UpsertEdge:
        """Return an edge, of the type `otherwise` where its data say none; raises `ValidationError` for what is none."""
        type, attributes, observations = _parts(data, otherwise)
        if observations:
            raise ValidationError("an edge has no observations")
        edge = UpsertEdge(name_of(source), type, name_of(target), attributes)
        key = EdgeKey(edge.source, edge.type, edge.target)
        if key in self._edges:
            raise ValidationError(f"two edges are {key}; a graph holds one of each type from a node to another")
        self._edges.add(key)
        return edge


def _parts(data: Mapping[str, Any], type: str) -> tuple[str, dict[str, Any], list[Observation]]:
    attributes: dict[str, Any] = {}
    observations: list[Observation] = []
    for key, value in data.items():
        meant = key.removeprefix(_OURS)
        if key == "type" and isinstance(value, str):
            type = value
        elif key == _OBSERVATIONS:
            if not isinstance(value, list):
                raise ValidationError(f"{_OBSERVATIONS!r} is a list")
            observations = [from_json(Observation, item) for item in value]
        elif key == _PROVENANCE:
            from_json(Provenance, value)
        elif meant in _RESERVED or meant.startswith(_OURS):
            attributes[meant] = value
        else:
            attributes[key] = value
    return type, attributes, observations
