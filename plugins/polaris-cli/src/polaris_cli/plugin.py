"""What this distribution offers: fifteen commands. Nothing heavy is imported before one of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_cli import arguments
from polaris_core.abc import CommandSpec, hookimpl

if TYPE_CHECKING:
    from argparse import Namespace

    from polaris_core.abc import CommandContext


def _demo(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.demo import demo

    return demo(context, options)


def _get(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.asking import get

    return get(context, options)


def _find(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.finding import find

    return find(context, options)


def _neighbors(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.asking import neighbors

    return neighbors(context, options)


def _history(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.histories import history

    return history(context, options)


def _search(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.searching import search

    return search(context, options)


def _stats(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.asking import stats

    return stats(context, options)


def _index(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.indexing import index

    return index(context, options)


def _import(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.importing import import_file

    return import_file(context, options)


def _export(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.exporting import export_file

    return export_file(context, options)


def _verify(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.keeping import verify

    return verify(context, options)


def _backup(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.keeping import backup

    return backup(context, options)


def _restore(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.keeping import restore

    return restore(context, options)


def _repair(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.keeping import repair

    return repair(context, options)


def _migrate(context: CommandContext, options: Namespace) -> int:
    from polaris_cli.migrating import migrate

    return migrate(context, options)


@hookimpl
def polaris_commands() -> tuple[CommandSpec, ...]:
    """Offer the commands people use at a terminal."""
    return (
        CommandSpec(
            name="demo",
            sentence="Make a graph of the Python packages installed here, ask it questions, and show what to do next.",
            configure=arguments.demo,
            run=_demo,
            shows_data=True,
        ),
        CommandSpec(name="get", sentence="Show a node.", configure=arguments.get, run=_get, shows_data=True),
        CommandSpec(
            name="find",
            sentence="List the nodes or edges that match all that is given.",
            configure=arguments.find,
            run=_find,
            shows_data=True,
        ),
        CommandSpec(
            name="search",
            sentence="List the nodes that hold some words, the best first.",
            configure=arguments.search,
            run=_search,
            shows_data=True,
        ),
        CommandSpec(
            name="neighbors",
            sentence="List the edges of a node, each with the node at its other end.",
            configure=arguments.neighbors,
            run=_neighbors,
            shows_data=True,
        ),
        CommandSpec(
            name="history",
            sentence="List what happened to a node or edge.",
            configure=arguments.history,
            run=_history,
            shows_data=True,
        ),
        CommandSpec(
            name="stats",
            sentence="Count the nodes and edges, and how many there are of each type.",
            configure=arguments.stats,
            run=_stats,
            shows_data=True,
        ),
        CommandSpec(
            name="index",
            sentence="List, create or drop indexes on what stands at paths into the attributes.",
            configure=arguments.index,
            run=_index,
            shows_data=True,
        ),
        CommandSpec(
            name="import",
            sentence="Read a file into the graph; what is there already is merged, and nothing is deleted.",
            configure=arguments.import_file,
            run=_import,
            shows_data=True,
        ),
        CommandSpec(
            name="export",
            sentence="Write the graph into a file.",
            configure=arguments.export_file,
            run=_export,
            shows_data=True,
        ),
        CommandSpec(
            name="verify",
            sentence="Look for damage in everything that a store holds.",
            configure=arguments.verify,
            run=_verify,
            shows_data=True,
        ),
        CommandSpec(
            name="backup",
            sentence="Copy a store, with its history, while others read and write it.",
            configure=arguments.backup,
            run=_backup,
            shows_data=True,
        ),
        CommandSpec(
            name="restore",
            sentence="Replace everything in a store by what a backup holds.",
            configure=arguments.restore,
            run=_restore,
            shows_data=True,
        ),
        CommandSpec(
            name="repair",
            sentence="Copy what can still be read of a damaged store into a new one, and say what is lost.",
            configure=arguments.repair,
            run=_repair,
            shows_data=True,
        ),
        CommandSpec(
            name="migrate",
            sentence="Copy a graph with its history into a new store of any backend, and compare the two.",
            configure=arguments.migrate,
            run=_migrate,
            shows_data=True,
        ),
    )
