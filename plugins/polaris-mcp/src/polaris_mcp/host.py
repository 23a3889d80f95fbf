"""The host: opens the graph and the installed toolsets, and runs their tools within bounds."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import attrs

from polaris_core import (
    Graph,
    PluginAmbiguousError,
    PluginError,
    PluginLoadError,
    PluginSpecificationError,
    PolarisError,
    ToolError,
)
from polaris_mcp.catalog import Catalog, Entry
from polaris_mcp.faults import sentence

if TYPE_CHECKING:
    from polaris_core.abc import Plugins, Tool

__all__ = ["Answer", "Bounds", "Host"]

logger = logging.getLogger("polaris_mcp")


@attrs.frozen(kw_only=True)
class Bounds:
    """What one call may cost.

    `deadline_seconds`: how long it may take. `answer_bytes`: what its answer should fit in, as JSON in UTF-8;
    `most_answer_bytes`: above this an answer is refused. `page`: tools in one page of the list.
    """

    deadline_seconds: float = 60.0
    answer_bytes: int = 32 << 10  # about 10,000 tokens, where clients begin to warn
    most_answer_bytes: int = 128 << 10
    page: int = 50


@attrs.frozen(kw_only=True)
class Answer:
    """What came of an operation: the JSON object a tool returned with its text, or the text of what went wrong."""

    text: str
    content: Mapping[str, Any] | None = None

    @property
    def is_error(self) -> bool:
        """Whether it went wrong."""
        return self.content is None


@attrs.frozen(kw_only=True)
class _Call:
    graph: Graph
    author: str | None
    answer_bytes: int


class Host:
    """Runs the tools of all installed toolsets on one graph.

    `async with host.manage_resources():` opens everything and closes it again, whatever happens between. A toolset
    that cannot be opened is left out and reported in `faults`; the others are served.
    """

    def __init__(
        self,
        graph: AbstractAsyncContextManager[Graph],
        plugins: Plugins,
        *,
        name: str = "polaris",
        read_only: bool = False,
        bounds: Bounds | None = None,
    ) -> None:
        self.name = name
        self.bounds = bounds or Bounds()
        self.catalog = Catalog(read_only=read_only)
        self.faults: tuple[PluginError, ...] = ()
        self.sentences: tuple[str, ...] = ()
        self._opening = graph
        self._plugins = plugins
        self._read_only = read_only
        self._graph: Graph | None = None

    # --- resources ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def manage_resources(self) -> AsyncIterator[Self]:
        """Open the graph and every toolset; close the toolsets, then the graph.

        Raises what opening the graph raises, and `PluginAmbiguousError` where two toolsets claim one tool's name.
        """
        async with AsyncExitStack() as stack:
            self._graph = await stack.enter_async_context(self._opening)
            try:
                self.catalog = Catalog(read_only=self._read_only)
                self.faults = self.sentences = ()
                for name in self._plugins.names("toolsets"):
                    await self._open_toolset(name, stack)
                yield self
            finally:
                self._graph = None

    async def _open_toolset(self, name: str, stack: AsyncExitStack) -> None:
        try:
            spec = self._plugins.toolset(name)
            self.catalog.add(name, await stack.enter_async_context(_contained(name, spec.open(self))))
        except PluginAmbiguousError:
            raise
        except PluginError as error:
            logger.error("toolset %s is left out: %s", name, error)  # noqa: TRY400 - the sentence says it, to a user
            self.faults += (error,)
        except (Exception, SystemExit) as error:
            logger.exception("toolset %s is left out", name)
            fault = PluginLoadError(f"toolset {name!r} cannot be opened: {error!r}", plugin=name)
            fault.__cause__ = error
            self.faults += (fault,)
        else:
            self.sentences += (spec.sentence,)

    # --- calls ----------------------------------------------------------------------------------------------------

    async def handle_operation(
        self, name: str, arguments: Mapping[str, Any] | None = None, *, author: str | None = None
    ) -> Answer:
        """Run a tool and return what to tell whoever asked: its answer, or what went wrong and what to do next.

        Raises nothing. A fault that nobody foresaw is logged under a number, and the answer tells only that number.
        """
        try:
            content, text = await self._execute(name, arguments or {}, author)
        except PolarisError as error:
            logger.info("%s: %s", name, error)
            return Answer(text=sentence(error))
        except (Exception, SystemExit):
            number = secrets.token_hex(4)
            logger.exception("fault %s in tool %s", number, name)
            return Answer(text=f"{name} failed for a reason of its own (fault {number}). The server's log says more.")
        return Answer(text=text, content=content)

    async def execute_tool(
        self, name: str, arguments: Mapping[str, Any] | None = None, *, author: str | None = None
    ) -> Mapping[str, Any]:
        """Run a tool and return its answer.

        Raises `ToolError` for a tool that is not there, arguments that its schema refuses, a call beyond the deadline
        and an answer beyond the bound; else whatever the tool raises.
        """
        return (await self._execute(name, arguments or {}, author))[0]

    async def _execute(
        self, name: str, arguments: Mapping[str, Any], author: str | None
    ) -> tuple[Mapping[str, Any], str]:
        entry = self.catalog.find(name)
        entry.check(arguments)
        if self._graph is None:
            raise ToolError("the server is not running.", hint="Start it and call again.")
        call = _Call(graph=self._graph, author=author, answer_bytes=self.bounds.answer_bytes)
        content = await self._in_time(entry, call, arguments)
        return content, self._text(entry.tool, content)

    async def _in_time(self, entry: Entry, call: _Call, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        seconds = self.bounds.deadline_seconds
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                return await entry.tool.handler(call, arguments)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            again = "Ask for less." if entry.tool.read_only else "It may have written: read before you repeat it."
            raise ToolError(f"{entry.tool.name} took longer than {seconds:g} seconds.", hint=again) from error

    def _text(self, tool: Tool, content: object) -> str:
        if not isinstance(content, Mapping):
            raise PluginSpecificationError(
                f"tool {tool.name!r} returned a {type(content).__name__} and not an object", plugin=tool.name
            )
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
        if size > self.bounds.most_answer_bytes:
            most, done = self.bounds.most_answer_bytes, "" if tool.read_only else " What it was asked to do is done."
            raise ToolError(
                f"the answer of {tool.name} has {size} bytes, and {most} are allowed.{done}",
                hint="Ask for less: a smaller limit, fewer names, or a narrower question.",
            )
        return text


@asynccontextmanager
async def _contained(name: str, toolset: AbstractAsyncContextManager[Sequence[Tool]]) -> AsyncIterator[Sequence[Tool]]:
    """Enter a toolset; what it raises on the way out is logged, so that the others and the graph are still closed."""
    tools = await toolset.__aenter__()
    try:
        yield tools
    except BaseException as error:
        await _leave(name, toolset, error)
        raise
    else:
        await _leave(name, toolset, None)


async def _leave(name: str, toolset: AbstractAsyncContextManager[Sequence[Tool]], error: BaseException | None) -> None:
    try:
        if error is None:
            await toolset.__aexit__(None, None, None)
        else:
            await toolset.__aexit__(type(error), error, error.__traceback__)
    except Exception as fault:
        if fault is not error:
            logger.exception("toolset %s failed while it was closed", name)
