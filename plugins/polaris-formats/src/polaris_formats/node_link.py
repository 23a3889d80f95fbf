"""The format `node-link`: JSON with a list of nodes and one of edges, as networkx writes it and D3 draws it.

::

    {"directed": true, "multigraph": true, "graph": {},
     "nodes": [{"id": "Ada Lovelace", "type": "person", "born": 1815}, {"id": "Note G", "type": "text"}],
     "edges": [{"source": "Ada Lovelace", "target": "Note G", "key": 3, "type": "wrote"}]}

`networks` says what data mean. Everything that a graph holds is in the file. Of files from elsewhere:

- the list of edges is called `edges` or `links`;
- a `key` that is a text is the edge's type where it has no other, else an attribute; one that is a number only tells parallel
  edges apart;
- edges are directed unless the file says otherwise; those of an undirected network run as they are written, and get the
  attribute `directed`, which is false;
- `graph`, the attributes of the whole, is lost, and counted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from polaris_core import ValidationError, parse_json
from polaris_formats.networks import Records, at, check_size, name_of, network, whole

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from polaris_core import Edge, Node, UpsertEdge, UpsertNode
    from polaris_core.abc import Losses

__all__ = ["read", "write"]

_CHUNK_BYTES = 1 << 16
_KNOWN = frozenset({"directed", "multigraph", "graph", "nodes", "edges", "links"})


def read(file: BinaryIO, losses: Losses) -> Iterator[UpsertNode | UpsertEdge]:
    """Yield the nodes, then the edges. Raises `ValidationError` with the place in the file for what it cannot understand."""
    import networkx as nx

    data, name = _checked(parse_json(whole(file)))
    if data.get("graph") or not _KNOWN.issuperset(data):
        losses.add(None, "attributes")
    nodes, edges = data["nodes"], data[name]
    numbered = [{**edge, "key": number} for number, edge in enumerate(edges)]  # or equal keys would make one of two
    try:
        graph = nx.node_link_graph({**data, "directed": True, "multigraph": True, name: numbered}, edges=name)
    except (TypeError, nx.NetworkXError) as error:
        raise ValidationError(f"networkx cannot read it: {str(error)[:200]}") from error
    records = Records()
    for number, node in enumerate(nodes):
        with at(f"nodes[{number}]"):
            yield records.node(node["id"], graph.nodes[node["id"]])
    undirected = {} if data.get("directed", True) else {"directed": False}
    for number, edge in enumerate(edges):
        source, target = edge["source"], edge["target"]
        found, key = {**undirected, **graph.get_edge_data(source, target, number)}, edge.get("key")
        with at(f"{name}[{number}]"):
            if isinstance(key, str) and "type" not in found:
                found["type"] = key
            elif key is not None and type(key) is not int and key != found.get("type"):
                found["polaris:key"] = key
            yield records.edge(source, target, found)


def _checked(data: Any) -> tuple[dict[str, Any], str]:
    """Return the file's object and what its list of edges is called."""
    names = [name for name in ("edges", "links") if isinstance(data, dict) and name in data]
    if len(names) != 1 or not all(isinstance(data.get(name), list) for name in ("nodes", *names)):
        raise ValidationError("a node-link file is an object with a list of `nodes` and one of `edges` or `links`")
    (name,) = names
    check_size(len(data["nodes"]) + len(data[name]), 0)
    for kind, ends in (("nodes", ("id",)), (name, ("source", "target"))):
        for number, item in enumerate(data[kind]):
            if not isinstance(item, dict) or not all(end in item for end in ends):
                raise ValidationError(f"{kind}[{number}]: not an object with {' and '.join(ends)}")
            for end in ends:
                with at(f"{kind}[{number}]"):
                    name_of(item[end])
    if not isinstance(data.get("directed", True), bool):
        raise ValidationError("`directed` is true or false")
    return data, name


async def write(records: AsyncIterator[Node | Edge], _losses: Losses) -> AsyncIterator[bytes]:
    """Yield the file's bytes, when the last record has come. Nothing is lost."""
    import networkx as nx

    data = nx.node_link_data(await network(records), edges="edges")
    text = await asyncio.to_thread(orjson.dumps, data)
    check_size(0, len(text))
    for start in range(0, len(text), _CHUNK_BYTES):
        yield text[start : start + _CHUNK_BYTES]
    yield b"\n"
