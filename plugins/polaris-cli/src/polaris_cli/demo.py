"""The command `demo`: a graph of the packages installed here, three questions, and what to do next."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from polaris_cli import questions
from polaris_cli.choosing import choose
from polaris_cli.environment import take_inventory
from polaris_cli.stores import demo_file, demo_url, masked, open_store
from polaris_cli.syncing import AUTHOR, difference
from polaris_cli.terminal import show_json
from polaris_core import Batch, PolarisError, StorageError, to_json

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_cli.choosing import Choice
    from polaris_cli.environment import Inventory
    from polaris_core import BlockingGraph
    from polaris_core.abc import CommandContext

__all__ = ["demo"]


def demo(context: CommandContext, options: Namespace) -> int:
    """Bring the demo's graph up to date and show it.

    As JSON: `environment`, `store`, `written` (how many records were `created`, `updated`, `deleted`), `holds` (as `stats`),
    `questions` (`needs`, `path` and `without`, each with its `answer`; null where nothing requires anything), `tree`,
    `client` (what goes into an AI client's configuration), `served` (whether the command it names is installed), `next` and
    `seconds`.
    """
    started = time.perf_counter()
    url = demo_url(context)
    if context.settings.store != url:
        _make_directory()
    inventory = take_inventory()
    with open_store(context, url) as graph:
        written = _write(graph, inventory)
        choice = _choice(inventory, options)
        report: dict[str, Any] = {
            "environment": sys.prefix,
            "store": masked(url),
            "written": written,
            "holds": to_json(statistics := graph.statistics()),
            "questions": None if choice is None else _answers(graph, choice),
            "tree": None if choice is None else questions.tree(graph, choice.start),
        }
    report["client"] = _client(url)
    report["served"] = "serve" in context.plugins.names("commands")
    report["next"] = _next_steps(choice)
    report["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        show_json(report)
    else:
        from polaris_cli.picture import show_demo

        show_demo(report, statistics)
    return 0


def _make_directory() -> None:
    directory = demo_file().parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{directory} cannot be made: {error.strerror}; name a place with --store") from error


def _write(graph: BlockingGraph, inventory: Inventory) -> dict[str, int]:
    """Bring the graph to the inventory, all at once, and return how many records were created, updated and deleted."""
    nodes = {node.name: node for node in graph.all_nodes()}
    edges = {edge.key: edge for edge in graph.all_edges()}
    statuses: Counter[str] = Counter()
    if mutations := list(difference(inventory, nodes, edges)):
        (outcome,) = graph.apply([Batch(mutations, author=AUTHOR)])
        if isinstance(outcome, PolarisError):
            raise outcome
        statuses.update(result.status for result in outcome.results)
    return {status: statuses[status] for status in ("created", "updated", "deleted")}


def _choice(inventory: Inventory, options: Namespace) -> Choice | None:
    given = {
        name: canonicalize_name(text)
        for name in ("needs", "start", "end", "without")
        if (text := getattr(options, name)) is not None
    }
    return choose((edge for edge in inventory.edges.values() if edge.type == questions.REQUIRES), **given)


def _answers(graph: BlockingGraph, choice: Choice) -> dict[str, Any]:
    return {
        "needs": {"package": choice.needs, "answer": questions.needed_by(graph, choice.needs)},
        "path": {
            "from": choice.start,
            "to": choice.end,
            "answer": questions.path(graph, choice.start, choice.end),
        },
        "without": {"package": choice.without, "answer": questions.dependents(graph, choice.without)},
    }


def _client(url: str) -> dict[str, Any]:
    arguments = ["-m", "polaris_core", "serve", "--store", url]
    return {"mcpServers": {"polaris-demo": {"command": sys.executable, "args": arguments}}}


def _next_steps(choice: Choice | None) -> list[str]:
    name = "pip" if choice is None else choice.needs
    return [
        f"polaris-kg get {name}",
        f"polaris-kg neighbors {name} --direction in",
        "polaris-kg find --type package --where requested:=true",
        "polaris-kg find --text http",
        "polaris-kg export jsonl packages.jsonl",
    ]
