"""Which file a URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_core import InvalidLocationError

if TYPE_CHECKING:
    from polaris_core.abc import Location

__all__ = ["allows_network", "path_of"]

_NETWORK = "network"


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
    if unknown := location.options.keys() - {_NETWORK}:
        raise InvalidLocationError(
            f"{what} has options that are unknown here: {', '.join(sorted(unknown))}", location=what
        )
    if location.options.get(_NETWORK, "allow") != "allow":
        raise InvalidLocationError(f"{what}: the option {_NETWORK} is {_NETWORK}=allow or absent", location=what)
    return location.path


def allows_network(location: Location) -> bool:
    """Return whether a location asks to be opened on a network file system all the same."""
    return _NETWORK in location.options
