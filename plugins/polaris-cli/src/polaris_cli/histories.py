"""The command `history`: what happened to a node or edge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.text import Text

from polaris_cli.stores import open_state
from polaris_cli.tables import make_table, more
from polaris_cli.terminal import plain, printable, show, show_json
from polaris_core import InvalidValueError, to_json

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from rich.console import RenderableType

    from polaris_core import Change, Page
    from polaris_core.abc import CommandContext

__all__ = ["history"]


def history(context: CommandContext, options: Namespace) -> int:
    """List changes. As JSON they stand under `changes`, as `to_json` writes them; `next` is the cursor for more, or null."""
    with open_state(context, options) as graph:
        page = graph.history(
            _key(options.key), oldest_first=options.oldest_first, limit=options.limit, cursor=options.cursor
        )
    if options.json:
        show_json({"changes": [to_json(change) for change in page], "next": page.next})
    else:
        show(_table(page), *more(page, "changes"))
    return 0


def _key(words: list[str]) -> str | tuple[str, str, str]:
    if len(words) == 1:
        return words[0]
    if len(words) == 3:
        return (words[0], words[1], words[2])
    raise InvalidValueError("a history is of a node, by its name, or of an edge, by its source, type and target")


def _table(page: Page[Change]) -> RenderableType:
    table = make_table("change", "when (UTC)", "by", "what")
    for change in page:
        what = change.kind.rpartition(".")[2]
        table.add_row(
            str(change.cursor.seq),
            f"{change.time:%Y-%m-%d %H:%M:%S}",
            plain(change.author or ""),
            Text.assemble((what, "bold"), " ", (printable("; ".join(_told(change))), "dim")),
        )
    return table


def _told(change: Change) -> Iterator[str]:
    """Tell what a change did, as far as its kind does not."""
    if "patch" not in change.data:
        if change.kind.startswith("node."):
            yield f"{change.key}, {change.data['type']}"
        return
    patch: dict[str, Any] = change.data["patch"]
    if "name" in patch:
        yield f"{change.data['undo']['name']} is called {patch['name']}"
    if "type" in patch:
        yield f"type: {patch['type']}"
    yield from (
        f"{'.'.join(path)}: {json.dumps(to_json(value), ensure_ascii=False)}" for path, value in patch.get("set", ())
    )
    yield from (f"without {'.'.join(path)}" for path in patch.get("unset", ()))
    observed = {item["text"] for item in patch.get("observe", ())}
    yield from (f"+ {text}" for text in sorted(observed - set(patch.get("forget", ()))))
    yield from (f"- {text}" for text in patch.get("forget", ()) if text not in observed)
