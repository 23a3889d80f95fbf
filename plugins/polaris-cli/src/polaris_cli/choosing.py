"""Whom the demo asks about where nobody says: the packages that make its answers interesting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polaris_core import Edge

__all__ = ["Choice", "choose"]

MAX_STARTS = 200  # for the longest path; an environment has fewer packages that nobody requires

Links = dict[str, list[str]]


@attrs.frozen(kw_only=True)
class Choice:
    """The packages asked about: what needs `needs`, how `start` comes to need `end`, and what breaks `without`."""

    needs: str
    start: str
    end: str
    without: str


def choose(
    edges: Iterable[Edge],
    *,
    needs: str | None = None,
    start: str | None = None,
    end: str | None = None,
    without: str | None = None,
) -> Choice | None:
    """Return the packages to ask about: those given, and for the rest those that make the answers interesting.

    That is what most packages require, the two that are farthest apart, and what most would break without, by edges of the
    type `requires`. Returns None where something is to be chosen and there are none.
    """
    down: Links = {}
    up: Links = {}
    for edge in sorted(edges, key=lambda edge: edge.key):
        down.setdefault(edge.source, []).append(edge.target)
        up.setdefault(edge.target, []).append(edge.source)
    if not up and None in (needs, start, end, without):
        return None
    needs = needs or max(up, key=lambda name: len(up[name]))
    if without is None:  # another package than before, where there is another
        breaking = {name: len(_distances(up, name)) for name in up if len(up) == 1 or name != needs}
        without = max(breaking, key=breaking.__getitem__)
    if start is None or end is None:
        start, end = _farthest(down, up, start, end)
    return Choice(needs=needs, start=start, end=end, without=without)


def _farthest(down: Links, up: Links, start: str | None, end: str | None) -> tuple[str, str]:
    """Return two packages, of which one may be given, with the longest way from one to the other."""
    if start is not None:
        return start, _last(_distances(down, start))
    if end is not None:
        return _last(_distances(up, end)), end
    starts = [name for name in down if name not in up] or list(down)
    ways = {name: _distances(down, name) for name in starts[:MAX_STARTS]}
    longest = max(ways, key=lambda name: max(ways[name].values()))
    return longest, _last(ways[longest])


def _last(distances: Mapping[str, int]) -> str:
    return max(distances, key=distances.__getitem__)


def _distances(links: Links, start: str) -> dict[str, int]:
    """Return how far everything is that can be reached."""
    distances, frontier = {start: 0}, [start]
    while frontier:
        following = dict.fromkeys(end for name in frontier for end in links.get(name, ()) if end not in distances)
        distances |= dict.fromkeys(following, distances[frontier[0]] + 1)
        frontier = list(following)
    return distances
