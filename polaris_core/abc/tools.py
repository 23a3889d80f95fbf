"""What a tool plugin implements: tools for AI clients, each with a JSON Schema of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from polaris_core.errors import PluginSpecificationError
from polaris_core.values import freeze_object

if TYPE_CHECKING:
    # The one upward name: a handler's graph is the public Graph, for type checkers only.
    from polaris_core.graph import Graph

__all__ = ["Tool", "ToolContext", "ToolHost", "ToolsetSpec"]


class ToolContext(Protocol):
    """What a handler is given with each call."""

    @property
    def graph(self) -> Graph:
        """The graph this call works on."""
        ...

    @property
    def author(self) -> str | None:
        """Who asks, as the client calls itself; for `Batch(author=...)`."""
        ...

    @property
    def answer_bytes(self) -> int:
        """How many bytes of JSON an answer may fill; a tool that has more to say gives a cursor for the rest."""
        ...


class ToolHost(Protocol):
    """What a toolset is given when it is opened, once a server."""

    @property
    def name(self) -> str:
        """The server's name."""
        ...


def _closed(_tool: object, _field: object, schema: Mapping[str, Any]) -> None:
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        raise PluginSpecificationError(
            'a tool\'s input schema is of type object and says "additionalProperties": false', plugin="tool"
        )


@attrs.frozen(kw_only=True)
class Tool:
    """A tool. `handler(context, arguments)` is given arguments that satisfy `input_schema` and returns a JSON object.

    It raises `ToolError`, or any other `PolarisError`, to tell the model what went wrong. The hints are MCP's annotations;
    `scopes` are what a caller needs to be granted where the server authenticates.
    """

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any] = attrs.field(converter=freeze_object, validator=_closed)
    output_schema: Mapping[str, Any] | None = attrs.field(
        default=None, converter=attrs.converters.optional(freeze_object)
    )
    handler: Callable[[ToolContext, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    scopes: Sequence[str] = ()


@attrs.frozen(kw_only=True)
class ToolsetSpec:
    """A set of tools. `open` is entered once a server and left when it stops."""

    name: str
    sentence: str
    open: Callable[[ToolHost], AbstractAsyncContextManager[Sequence[Tool]]]
