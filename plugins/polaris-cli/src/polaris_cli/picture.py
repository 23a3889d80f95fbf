"""The demo as people read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from polaris_cli.tables import make_table, statistics_table
from polaris_cli.terminal import plain, printable, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from polaris_core import Statistics

__all__ = ["show_demo"]

ROWS = 8
NAMES = 30


def show_demo(report: dict[str, Any], statistics: Statistics) -> None:
    """Print what the demo did and found, and what to do with it."""
    show(*_graph(report, statistics), *_answers(report["questions"]), *_picture(report["tree"]), *_client(report))
    # What is to be pasted is printed as it is: a terminal may break its lines, but nothing here does.
    print("\n".join(f"  {line}" for line in json.dumps(report["client"], indent=2).split("\n")))
    show(*_next(report))


def _graph(report: dict[str, Any], statistics: Statistics) -> Iterator[RenderableType]:
    changes = ", ".join(f"{count:,} {status}" for status, count in report["written"].items() if count)
    yield plain("A graph of the Python packages installed here", "bold")
    yield plain(f"read from {report['environment']}", "dim")
    yield plain(f"kept in {report['store']} ({changes or 'up to date'})", "dim")
    yield Text()
    yield Padding.indent(statistics_table(statistics), 2)


def _answers(answers: dict[str, Any] | None) -> Iterator[RenderableType]:
    yield Text()
    if answers is None:
        yield "No package here requires another, so there is nothing to ask about."
        return
    needs, way, without = answers["needs"], answers["path"], answers["without"]
    yield plain(f"What needs {needs['package']}?", "bold")
    yield Padding.indent(_needs(needs["answer"]), 2)
    yield Text()
    yield plain(f"Why is {way['to']} here, as seen from {way['from']}?", "bold")
    yield Padding.indent(plain(" → ".join(way["answer"]) if way["answer"] else "It does not need it."), 2)
    yield Text()
    yield plain(f"What breaks without {without['package']}?", "bold")
    yield Padding.indent(_listed(without["answer"]), 2)


def _needs(packages: Sequence[dict[str, Any]]) -> RenderableType:
    if not packages:
        return "nothing"
    table = make_table("package", "which versions it takes")
    for package in packages[:ROWS]:
        table.add_row(plain(package["name"], "cyan"), plain(package["versions"] or "any"))
    if len(packages) > ROWS:
        table.add_row(f"and {len(packages) - ROWS:,} more", "", style="dim")
    return table


def _listed(names: Sequence[str]) -> Text:
    if not names:
        return Text("nothing")
    rest = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
    return plain(f"{len(names):,} of the packages: {', '.join(names[:NAMES])}{rest}")


def _picture(root: dict[str, Any] | None) -> Iterator[RenderableType]:
    if root is None:
        return
    yield Text()
    yield plain(f"What {root['name']} stands on", "bold")
    yield Padding.indent(_branches(root, Tree(plain(root["name"], "cyan"), guide_style="dim")), 2)


def _branches(place: dict[str, Any], tree: Tree) -> Tree:
    for child in place["requires"]:
        _branches(child, tree.add(plain(child["name"])))
    if place["left_out"]:
        tree.add(plain(f"and {place['left_out']:,} more", "dim"))
    return tree


def _client(report: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text()
    yield plain("Give it to an AI client: put this into its configuration", "bold")
    if not report["served"]:
        yield plain("The command `serve` is of the distribution polaris-kg-mcp, which is not installed here.", "dim")


def _next(report: dict[str, Any]) -> Iterator[RenderableType]:
    yield Text()
    yield plain("What to try next", "bold")
    for line in (f"export POLARIS_KG_STORE='{report['store']}'", *report["next"]):
        yield Text(f"  {printable(line)}", no_wrap=True, overflow="ignore")
