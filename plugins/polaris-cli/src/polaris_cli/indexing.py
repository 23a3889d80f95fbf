"""The command `index`: which paths a store has indexes on, and making and dropping one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_cli.stores import open_store, store_url
from polaris_cli.terminal import plain, show, show_json
from polaris_core import InvalidValueError

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Literal

    from polaris_core.abc import CommandContext

__all__ = ["index"]


def index(context: CommandContext, options: Namespace) -> int:
    """List, create or drop. As JSON the indexes that are there then stand under `indexes`, with `kind` and `path`."""
    listing = options.action == "list"
    if listing == (options.path is not None):
        raise InvalidValueError("index list takes no path" if listing else f"index {options.action} takes a path")
    kind: Literal["node", "edge"] = "edge" if options.edges else "node"
    with open_store(context, store_url(context), read_only=listing) as graph:
        changed = True
        if options.action == "create":
            changed = graph.create_index(kind, options.path)
        elif options.action == "drop":
            changed = graph.drop_index(kind, options.path)
        indexes = graph.indexes()
    if options.json:
        show_json({"indexes": [index._asdict() for index in indexes]})
        return 0
    if not changed:
        show(plain(f"there is {'one already' if options.action == 'create' else 'none'} on {options.path}", "dim"))
    from polaris_cli.tables import index_table

    show(index_table(indexes))
    return 0
