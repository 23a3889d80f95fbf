"""The graph: verbs, transactions, and how one is opened."""

from polaris_core.graph.blocking import BlockingGraph, open_graph_blocking
from polaris_core.graph.graph import Graph
from polaris_core.graph.opening import Opening, open_graph
from polaris_core.graph.questions import Neighbor, Statistics
from polaris_core.graph.transaction import Transaction

__all__ = [
    "BlockingGraph",
    "Graph",
    "Neighbor",
    "Opening",
    "Statistics",
    "Transaction",
    "open_graph",
    "open_graph_blocking",
]
