"""How an answer is come by, whoever asks: from the store, in a transaction, in the past, or from what is remembered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any, TypeVar

from polaris_core.errors import InvalidValueError, LimitExceededError, NodeNotFoundError
from polaris_core.graph.questions import Edges, Explored, Nodes, Question
from polaris_core.limits import Limits
from polaris_core.model import Edge, EdgeKey, Node
from polaris_core.query import Filter, Kind, Query
from polaris_core.storage.coherence import UNKNOWN
from polaris_core.storage.grounds import Exploration

__all__ = ["Asking"]

T = TypeVar("T")


class Asking(ABC):
    """Something that answers questions from one committed state, a state for each."""

    limits: Limits

    @abstractmethod
    async def _ask(self, question: Question[T]) -> T:
        """Answer a question from one committed state."""

    def _remembered(self, key: str | EdgeKey) -> Any:  # noqa: ARG002 - here nothing is remembered
        """Return the node of a normalised name or the edge of a key, None where there is none, or `UNKNOWN`."""
        return UNKNOWN

    def _node(self, name: str) -> Awaitable[Node | None]:
        """Read a node by its normalised name."""
        return self._asked_node(name)

    async def _asked_node(self, name: str) -> Node | None:
        return (await self._ask(Nodes((name,)))).get(name)

    def _edge(self, key: EdgeKey) -> Awaitable[Edge | None]:
        """Read an edge by its normalised key."""
        return self._asked_edge(key)

    async def _asked_edge(self, key: EdgeKey) -> Edge | None:
        return (await self._ask(Edges((key,)))).get(key)

    async def _explore(self, exploration: Exploration[T]) -> T:
        """Return what an exploration finds in one committed state."""
        return await self._ask(Explored(exploration, self.limits))

    async def _explained(self, error: NodeNotFoundError) -> NodeNotFoundError:
        """Return the error with what helps whoever reads it."""
        return error

    def _page(self, limit: int) -> int:
        if type(limit) is not int or limit < 1:
            raise InvalidValueError("a limit is a positive integer")
        return min(limit, self.limits.page)

    def _at_most_a_page(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(names) > self.limits.page:
            raise LimitExceededError(
                f"page is limited to {self.limits.page}, these are {len(names)} names",
                limit="page",
                size=len(names),
                maximum=self.limits.page,
            )
        return names

    def _query(self, kind: Kind, filter: Filter, order: str | None = None, limit: int = 100) -> Query:
        return Query(kind=kind, filter=filter, order=order, limit=self._page(limit), scan=self.limits.scan)
