"""The graph: verbs, transactions, views of the past, and how one is opened."""

from polaris_core.graph.blocking import BlockingGraph, BlockingView, open_graph_blocking
from polaris_core.graph.finding import Row
from polaris_core.graph.graph import Graph
from polaris_core.graph.opening import Opening, open_graph
from polaris_core.graph.questions import Neighbor, Statistics
from polaris_core.graph.schemas import Violation
from polaris_core.graph.searching import Hit, Hits
from polaris_core.graph.transaction import Transaction
from polaris_core.graph.view import Moment, View

__all__ = [
    "BlockingGraph",
    "BlockingView",
    "Graph",
    "Hit",
    "Hits",
    "Moment",
    "Neighbor",
    "Opening",
    "Row",
    "Statistics",
    "Transaction",
    "View",
    "Violation",
    "open_graph",
    "open_graph_blocking",
]
