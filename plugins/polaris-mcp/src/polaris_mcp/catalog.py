"""The tools a server offers: each name once, with the toolset it comes from and its input schema compiled."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import attrs

from polaris_core import PluginAmbiguousError, PluginSpecificationError, Schema, SchemaViolationError, ToolError
from polaris_core.abc import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Catalog", "Entry"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what every client and model provider accepts


@attrs.frozen
class Entry:
    """A tool, the name of its toolset, and its compiled input schema."""

    tool: Tool
    toolset: str
    schema: Schema

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `ToolError` for arguments that the input schema refuses."""
        try:
            self.schema.check(arguments)
        except SchemaViolationError as error:
            known = ", ".join(self.tool.input_schema.get("properties", ())) or "none"
            raise ToolError(
                f"{self.tool.name} cannot take these arguments: {error}.",
                hint=f"Its arguments are: {known}. Correct them and call it again.",
            ) from error


class Catalog:
    """Tools by name, in the order they were added."""

    def __init__(self, *, read_only: bool = False) -> None:
        """Hide tools that write, if `read_only`."""
        self._entries: dict[str, Entry] = {}
        self._hidden: dict[str, Entry] = {}
        self._read_only = read_only

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def add(self, toolset: str, tools: Sequence[Tool]) -> None:
        """Add the tools of a toolset, all or none.

        Raises `PluginAmbiguousError` where another toolset has a tool of the same name, `PluginSpecificationError` for
        what is no tool or has no usable name.
        """
        taken = {**self._hidden, **self._entries}
        fresh: dict[str, Entry] = {}
        for tool in tools:
            if not isinstance(tool, Tool):
                raise PluginSpecificationError(
                    f"toolset {toolset!r} hands out a {type(tool).__name__} where a Tool belongs", plugin=toolset
                )
            if not _NAME.fullmatch(tool.name):
                raise PluginSpecificationError(
                    f"toolset {toolset!r} has a tool {tool.name!r}: a tool's name is 1 to 64 letters, digits, _ and -",
                    plugin=toolset,
                )
            if tool.name in fresh:
                raise PluginSpecificationError(f"toolset {toolset!r} has two tools {tool.name!r}", plugin=toolset)
            if tool.name in taken:
                other = taken[tool.name].toolset
                raise PluginAmbiguousError(
                    f"two tools are called {tool.name!r}, one of toolset {other!r} and one of toolset {toolset!r}, "
                    "and a client could not tell them apart; name the distribution of one of them under block in the "
                    "[plugins] of polaris.toml",
                    plugin=toolset,
                    kind="tool",
                    claimants=(other, toolset),
                )
            fresh[tool.name] = Entry(tool, toolset, Schema(tool.input_schema))
        for name, entry in fresh.items():
            (self._hidden if self._read_only and not entry.tool.read_only else self._entries)[name] = entry

    def find(self, name: str) -> Entry:
        """Return a tool; raises `ToolError` that names what looks like it, or says why it is not offered."""
        if name in self._entries:
            return self._entries[name]
        if name in self._hidden:
            raise ToolError(
                f"{name} writes, and this server is read-only.",
                hint="Only reading tools are offered; to write, the server has to be started without --read-only.",
            )
        near = difflib.get_close_matches(name[:64], self._entries, 3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(self._entries)}."
        raise ToolError(f"there is no tool {name[:64]!r}.", hint=hint)

    def page(self, after: int, size: int) -> tuple[Sequence[Entry], int | None]:
        """Return a page of the tools and where the next one starts, None after the last."""
        entries = list(self._entries.values())
        return entries[after : after + size], after + size if after + size < len(entries) else None
