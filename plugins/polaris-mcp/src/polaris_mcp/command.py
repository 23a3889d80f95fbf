"""`polaris-kg serve`: from settings to a running server, and in order to its end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from polaris_core import ConfigError, Location, open_graph
from polaris_mcp.guard import Wire, guarded
from polaris_mcp.host import Bounds, Host

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from polaris_core.abc import CommandContext

__all__ = ["serve"]

GRACE_SECONDS = 10.0  # for calls under way when the client hangs up
STOP_SECONDS = 5.0  # for telling a client, which may not listen, that the server stops

logger = logging.getLogger("polaris_mcp")


def serve(context: CommandContext, arguments: Namespace) -> int:
    """Serve until the client hangs up or a signal comes, or only look (`--check`); return the exit status."""
    with guarded() as wire:  # before anything of another plugin is loaded
        host = _host(context, arguments)
        if arguments.check:
            return asyncio.run(_check(host, wire, context, as_json=arguments.json))
        asyncio.run(_serve(host, wire))
    return 0


def _host(context: CommandContext, arguments: Namespace) -> Host:
    settings = context.settings
    if settings.store is None:
        raise ConfigError(
            "there is no store to serve: name one with --store sqlite:///kg.db, in POLARIS_KG_STORE, "
            "or as store in polaris.toml",
            setting="store",
        )
    if not arguments.deadline > 0:
        raise ConfigError(f"--deadline is a number of seconds above 0, not {arguments.deadline:g}", setting="deadline")
    location = Location.parse(settings.store)
    read_only = arguments.read_only or location.mode == "ro"
    # A look makes no file where a path is misspelt; serving does, since a client's first start is no place to be asked.
    looks_only = arguments.check and not arguments.create and location.path is not None
    graph = open_graph(
        settings.store,
        create=not (read_only or looks_only),
        read_only=read_only,
        durability=settings.durability,
        busy_seconds=settings.busy_seconds,
        limits=settings.limits,
        plugins=context.plugins,
    )
    return Host(graph, context.plugins, read_only=read_only, bounds=Bounds(deadline_seconds=arguments.deadline))


# --- serving ----------------------------------------------------------------------------------------------------------


async def _serve(host: Host, wire: Wire) -> None:
    from mcp.server.lowlevel import NotificationOptions

    from polaris_mcp.server import make_server
    from polaris_mcp.stdio import Input, Output, Pending

    stop = asyncio.Event()
    with _signals(stop):
        async with host.manage_resources():
            server = make_server(host)
            # The tools of a server are the same from its start to its end, so it promises no notice of a change.
            options = server.create_initialization_options(NotificationOptions(tools_changed=False))
            pending = Pending()
            output = Output(wire, pending, broken=stop.set)
            source = Input(wire, pending, output, grace=GRACE_SECONDS)
            running = asyncio.create_task(server.run(source, output, options))
            stopping = asyncio.create_task(stop.wait())
            logger.info("serving %d tools", len(host.catalog))
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            source.stop()
            ended, _ = await asyncio.wait((running,), timeout=STOP_SECONDS)
            if ended:
                running.result()
                return
            running.cancel()
            await asyncio.wait((running,))
            if (
                not running.cancelled()
            ):  # the SDK's streams may break while they are cancelled; the graph is closed anyway
                logger.debug("the server was cut off", exc_info=running.exception())


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask for an orderly end; a second one, while that lasts, ends the process at once."""
    loop = asyncio.get_running_loop()
    heard: list[signal.Signals] = []

    def ask() -> None:
        stop.set()
        while heard:
            loop.remove_signal_handler(heard.pop())

    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows has none, and only the main thread's loop may.
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, ask)
            heard.append(number)
    try:
        yield
    finally:
        while heard:
            loop.remove_signal_handler(heard.pop())


# --- checking ---------------------------------------------------------------------------------------------------------


async def _check(host: Host, wire: Wire, context: CommandContext, *, as_json: bool) -> int:
    async with host.manage_resources():
        from polaris_mcp.server import make_server

        make_server(host)
        tools = [
            {
                "name": entry.tool.name,
                "toolset": entry.toolset,
                "title": entry.tool.title,
                "access": _access(entry.tool.read_only, entry.tool.destructive),
            }
            for entry in host.catalog
        ]
        store = str(Location.parse(context.settings.store or ""))
        faults = [str(fault) for fault in host.faults]
    report = {"store": store, "tools": tools, "faults": faults}
    text = json.dumps(report, ensure_ascii=False, indent=2) if as_json else _table(report)
    with os.fdopen(os.dup(wire.output), "w", encoding="utf-8") as output:
        output.write(f"{text}\n")
    return 1 if faults else 0


def _access(read_only: bool, destructive: bool) -> str:
    return "reads" if read_only else "changes" if destructive else "adds"


def _table(report: dict[str, Any]) -> str:
    rows: Sequence[Sequence[str]] = [
        ("TOOL", "TOOLSET", "ACCESS", "TITLE"),
        *((tool["name"], tool["toolset"], tool["access"], tool["title"]) for tool in report["tools"]),
    ]
    rows = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    faults = [f"fault: {_printable(fault)}" for fault in report["faults"]]
    return "\n".join(
        [f"{report['store']} can be opened, and {len(report['tools'])} tools are served on it.", "", *lines, *faults]
    )


def _printable(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
