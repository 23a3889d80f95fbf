"""Walks without async: each answer waits for that of the walk of the same steps."""

from __future__ import annotations

from polaris_core.graph.arguments import Where
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.graph.walks import Depth, Walk
from polaris_core.model import Node

__all__ = ["BlockingWalk"]


class BlockingWalk:
    """A `Walk` whose `nodes`, `names` and `count` wait for their answers."""

    __slots__ = ("_thread", "_walk")

    def __init__(self, thread: LoopThread, walk: Walk) -> None:
        self._thread = thread
        self._walk = walk

    def __repr__(self) -> str:
        return repr(self._walk)

    def out(self, *types: str, depth: Depth = 1, edges: Where | None = None) -> BlockingWalk:
        """As `Walk.out`."""
        return BlockingWalk(self._thread, self._walk.out(*types, depth=depth, edges=edges))

    def in_(self, *types: str, depth: Depth = 1, edges: Where | None = None) -> BlockingWalk:
        """As `Walk.in_`."""
        return BlockingWalk(self._thread, self._walk.in_(*types, depth=depth, edges=edges))

    def both(self, *types: str, depth: Depth = 1, edges: Where | None = None) -> BlockingWalk:
        """As `Walk.both`."""
        return BlockingWalk(self._thread, self._walk.both(*types, depth=depth, edges=edges))

    def where(
        self, where: Where | None = None, *, type: str | None = None, prefix: str | None = None, text: str | None = None
    ) -> BlockingWalk:
        """As `Walk.where`."""
        return BlockingWalk(self._thread, self._walk.where(where, type=type, prefix=prefix, text=text))

    def limit(self, count: int) -> BlockingWalk:
        """As `Walk.limit`."""
        return BlockingWalk(self._thread, self._walk.limit(count))

    def nodes(self) -> tuple[Node, ...]:
        """As `Walk.nodes`."""
        return self._thread.call(self._walk.nodes())

    def names(self) -> tuple[str, ...]:
        """As `Walk.names`."""
        return self._thread.call(self._walk.names())

    def count(self) -> int:
        """As `Walk.count`."""
        return self._thread.call(self._walk.count())
