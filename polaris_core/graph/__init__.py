"""The graph: verbs, transactions, views of the past, and how one is opened."""

from polaris_core.graph.blocking import BlockingGraph, BlockingView, open_graph_blocking
from polaris_core.graph.blocking_transaction import BlockingTransaction
from polaris_core.graph.blocking_walk import BlockingWalk
from polaris_core.graph.copying import Copied
from polaris_core.graph.degrees import Hub
from polaris_core.graph.files import Exported, Imported
from polaris_core.graph.finding import Row
from polaris_core.graph.graph import Graph
from polaris_core.graph.migration import Migration, migrate
from polaris_core.graph.opening import Opening, open_graph
from polaris_core.graph.questions import Neighbor, Statistics
from polaris_core.graph.routes import Route
from polaris_core.graph.schemas import Violation
from polaris_core.graph.searching import Hit, Hits
from polaris_core.graph.subgraphs import Subgraph
from polaris_core.graph.transaction import Transaction
from polaris_core.graph.traversal import Reached, Traversal
from polaris_core.graph.view import Moment, View
from polaris_core.graph.walks import Walk

__all__ = [
    "BlockingGraph",
    "BlockingTransaction",
    "BlockingView",
    "BlockingWalk",
    "Copied",
    "Exported",
    "Graph",
    "Hit",
    "Hits",
    "Hub",
    "Imported",
    "Migration",
    "Moment",
    "Neighbor",
    "Opening",
    "Reached",
    "Route",
    "Row",
    "Statistics",
    "Subgraph",
    "Transaction",
    "Traversal",
    "View",
    "Violation",
    "Walk",
    "migrate",
    "open_graph",
    "open_graph_blocking",
]
