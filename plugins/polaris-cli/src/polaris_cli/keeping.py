"""The commands that keep a store safe: `verify`, `backup`, `restore` and `repair`."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

from polaris_cli.progress import progress
from polaris_cli.stores import masked, open_store, store_url
from polaris_cli.terminal import plain, printable, show, show_json
from polaris_core import Location, StoreDamagedError, StoreNotFoundError, UnsupportedError, ValidationError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from polaris_core.abc import CommandContext, Finding

__all__ = ["DAMAGED", "backup", "repair", "restore", "verify"]

DAMAGED = 3
"""The exit status of a command that found damage."""

_LISTED = 20


def verify(context: CommandContext, options: Namespace) -> int:
    """Look for damage. As JSON: `store`, `looked_at`, `findings`, each with `where` and `what`, and `seconds`."""
    url, started = store_url(context, options.url), time.perf_counter()
    looked_at, findings = 0, list[tuple[str, str]]()
    try:
        with open_store(context, url, read_only=True) as graph, progress("verifying") as tell:
            looked_at, found = graph.verify(tell)
            findings += found
    except StoreDamagedError as error:  # so much that it cannot even be opened
        findings.append((error.where or masked(url), str(error)))
    report = {"store": masked(url), "looked_at": looked_at, "findings": _as_json(findings)}
    seconds = time.perf_counter() - started
    if options.json:
        show_json({**report, "seconds": round(seconds, 3)})
    else:
        _list(findings)
        verdict = f"{len(findings):,} findings" if findings else "no damage"
        show(plain(f"{verdict} in {looked_at:,} records, changes and receipts of {masked(url)}, {seconds:,.1f} s"))
    return DAMAGED if findings else 0


def backup(context: CommandContext, options: Namespace) -> int:
    """Copy a store. As JSON: `store`, `target`, the `cursor` of the state that was copied, and `seconds`."""
    url, started = store_url(context, options.url), time.perf_counter()
    with open_store(context, url, read_only=True) as graph, progress("copying") as tell:
        cursor = graph.backup(options.target, tell)
    seconds = time.perf_counter() - started
    if options.json:
        show_json({"store": masked(url), "target": options.target, "cursor": str(cursor), "seconds": round(seconds, 3)})
    else:
        show(plain(f"{masked(url)} as of change {cursor.seq:,} is in {options.target}, {seconds:,.1f} s"))
    return 0


def restore(context: CommandContext, options: Namespace) -> int:
    """Replace everything by a backup. As JSON: `store`, `source`, the `cursor` of the restored state, and `seconds`.

    It asks first, unless it is told `--yes`. A store that is not there is made.
    """
    url = store_url(context, options.url)
    if not options.yes:
        _ask(context, url, options.source)
    started = time.perf_counter()
    try:
        with open_store(context, url) as graph, progress("restoring") as tell:
            cursor = graph.restore(options.source, tell)
    except StoreDamagedError as error:
        print(f"polaris-kg: {printable(error)}", file=sys.stderr)
        return DAMAGED
    seconds = time.perf_counter() - started
    if options.json:
        show_json({"store": masked(url), "source": options.source, "cursor": str(cursor), "seconds": round(seconds, 3)})
    else:
        show(plain(f"{masked(url)} holds what {options.source} holds, {seconds:,.1f} s"))
    return 0


def _ask(context: CommandContext, url: str, source: str) -> None:
    try:
        with open_store(context, url, read_only=True) as graph:
            counted = graph.statistics()
            there = f"{counted.nodes:,} nodes and {counted.edges:,} edges"
    except StoreNotFoundError:
        there = ""
    question = f"Replace the {there} in {masked(url)}" if there else f"Make {masked(url)}, and fill it"
    try:
        if not sys.stdin.isatty():
            raise ValidationError("nobody is there to be asked whether everything is to be replaced: say --yes")
        print(f"{printable(question)} by what {printable(source)} holds? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise ValidationError("nothing was replaced")
    except ValueError as error:
        if isinstance(error, ValidationError):
            raise
        raise ValidationError("standard input is closed: say --yes") from error


def repair(context: CommandContext, options: Namespace) -> int:
    """Salvage a store into a new one.

    As JSON: `store`, `new`, how many `nodes`, `edges` and `changes` were copied, what was `lost`, each with `where` and
    `what`, and `seconds`.
    """
    url, started = store_url(context, options.url), time.perf_counter()
    old, new = Location.parse(url), Location.parse(options.new)
    spec = context.plugins.storage(old.scheme)
    if spec.salvage is None:
        raise UnsupportedError(
            f"nothing can be salvaged from {old}: the backend has no such thing", capability="salvage"
        )
    report = asyncio.run(_salvaged(spec.salvage(old, new)))
    seconds = time.perf_counter() - started
    counts = {"nodes": report.nodes, "edges": report.edges, "changes": report.changes}
    if options.json:
        stores = {"store": str(old), "new": str(new)}
        show_json({**stores, **counts, "lost": _as_json(report.lost), "seconds": round(seconds, 3)})
    else:
        _list(report.lost)
        copied = ", ".join(f"{count:,} {what}" for what, count in counts.items())
        lost = f"{len(report.lost):,} losses" if report.lost else "nothing was lost"
        show(plain(f"{copied} are in {new}; {lost}; {seconds:,.1f} s"))
    return DAMAGED if report.lost else 0


async def _salvaged(salvage: Any) -> Any:
    return await salvage


def _as_json(findings: Sequence[Finding | tuple[str, str]]) -> list[dict[str, str]]:
    return [{"where": where, "what": what} for where, what in findings]


def _list(findings: Sequence[Finding | tuple[str, str]]) -> None:
    for where, what in findings[:_LISTED]:
        show(plain(f"{where}: {what}"))
    if len(findings) > _LISTED:
        show(plain(f"and {len(findings) - _LISTED:,} more: --json lists them all", "dim"))
