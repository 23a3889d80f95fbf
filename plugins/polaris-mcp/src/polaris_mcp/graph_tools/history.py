"""The tool that tells what happened to a node, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polaris_core.abc import Tool, ToolContext
from polaris_mcp.graph_tools.refusals import explained
from polaris_mcp.graph_tools.schemas import CURSOR, NAME, NEXT, answer, closed, limit
from polaris_mcp.graph_tools.showing import cut, fitting, listed, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polaris_core import Change, Page

__all__ = ["TOOLS"]

_PAGE = 20
_PART = 600  # bytes of what one change wrote of a kind


@explained(writes=False)
async def node_history(context: ToolContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell the changes of a node, the newest first."""

    async def fetch(most: int) -> Page[Change]:
        return await context.graph.history(arguments["name"], limit=most, cursor=arguments.get("cursor"))

    rows, following = await fitting(fetch, _row, arguments.get("limit", _PAGE), context.answer_bytes)
    return {"changes": rows, **({} if following is None else {"next": following})}


def _row(change: Change) -> dict[str, Any]:
    row: dict[str, Any] = {
        "change": change.cursor.seq,
        "time": change.time.isoformat(),
        "what": change.kind.rpartition(".")[2],
    }
    if isinstance(change.key, str):
        row["name"] = change.key
    if change.author is not None:
        row["author"] = cut(change.author)
    patch: Mapping[str, Any] = change.data.get("patch", {})
    if "name" in patch:
        row["before"] = change.data["undo"]["name"]
    if "type" in patch:
        row["type"] = patch["type"]
    written = {".".join(path): value for path, value in patch.get("set", ())}
    if written and size_of(written) <= _PART:
        row["set"] = written
    elif written:
        row["set_keys"] = listed(written, _PART)
    if removed := [".".join(path) for path in patch.get("unset", ())]:
        row["unset"] = listed(removed, _PART)
    observed, forgotten = [item["text"] for item in patch.get("observe", ())], patch.get("forget", ())
    if texts := _texts(observed, forgotten):
        row["observed"] = texts
    if texts := _texts(forgotten, observed):
        row["forgotten"] = texts
    return row


def _texts(texts: Sequence[str], moved: Sequence[str]) -> list[str]:
    """Return texts in short, without those that only moved."""
    return listed([cut(text) for text in texts if text not in moved], 2 * _PART)


TOOLS = (
    Tool(
        name="node_history",
        title="History of a node",
        description=(
            "See who created, changed, renamed or deleted a node, and when, the newest change first. A node that is gone "
            "is found by the name it had."
        ),
        input_schema=closed({"name": NAME, "limit": limit(_PAGE), "cursor": CURSOR}, ["name"]),
        output_schema=answer(
            {
                "changes": {"type": "array", "items": answer({}, ["change", "time", "what"])},
                "next": NEXT,
            },
            ["changes"],
        ),
        handler=node_history,
        read_only=True,
        scopes=("graph:read",),
    ),
)
