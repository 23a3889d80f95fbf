"""Which file a URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_core import InvalidLocationError
from polaris_core.abc import NETWORK, allows_network

if TYPE_CHECKING:
    from polaris_core.abc import Location

__all__ = ["path_of"]


def path_of(location: Location) -> str:
    """Return the path of the file that a location names; whether there is a graph in it is the caller's question.

    Raises `InvalidLocationError` for a location with a host, without a path, or with options other than `network=allow`.
    """
    what = str(location)
    if location.host or location.port or location.username:
        raise InvalidLocationError(
            f"{what} names a host: write three slashes before a relative path, four before an absolute one",
            location=what,
        )
    if not location.path or location.path == ":memory:":
        raise InvalidLocationError(f"{what} names no file; what is kept in memory only is memory:", location=what)
    if unknown := location.options.keys() - {NETWORK}:
        raise InvalidLocationError(
            f"{what} has options that are unknown here: {', '.join(sorted(unknown))}", location=what
        )
    allows_network(location)  # or its refusal
    return location.path
