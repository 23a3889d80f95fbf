"""The arguments of each command. `--store` and `--json` are the core's to add."""

from __future__ import annotations

from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = [
    "backup",
    "demo",
    "export_file",
    "find",
    "get",
    "history",
    "import_file",
    "index",
    "migrate",
    "neighbors",
    "repair",
    "restore",
    "search",
    "stats",
    "verify",
]

_STATUS = "The exit status is 3 where there is damage."


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def _filter(text: str) -> dict[str, object]:
    """Return the filter of a JSON object, of `PATH=TEXT` or of `PATH:=JSON`."""
    if text.lstrip().startswith("{"):
        return cast("dict[str, object]", _json(text))
    path, equals, value = text.partition("=")
    if not equals or path in ("", ":"):
        raise ArgumentTypeError(f"a JSON object, PATH=TEXT or PATH:=JSON, not {text!r}")
    if not path.endswith(":"):
        return {path: value}
    return {path[:-1]: {"$eq": _json(value)}}


def _json(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"not JSON: {text[:80]!r}") from error


def _moment(text: str) -> object:
    """Return a change number, a time, which is local unless it says otherwise, or a cursor."""
    from contextlib import suppress
    from datetime import datetime

    from polaris_core import Cursor, InvalidCursorError

    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    with suppress(ValueError):
        return datetime.fromisoformat(text).astimezone()
    with suppress(InvalidCursorError):
        return Cursor.parse(text)
    raise ArgumentTypeError(f"a change number, a time such as 2026-01-31T12:00, or a cursor, not {text[:80]!r}")


def demo(parser: ArgumentParser) -> None:
    """Add the arguments of `demo`."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = (
        "The graph is kept in the user's data directory, or in the store that --store names on this command line.\n"
        "Running it again brings the graph up to date. It deletes only what an earlier demo wrote and nobody changed."
    )
    parser.add_argument("--needs", metavar="PACKAGE", help="ask what needs this package")
    parser.add_argument("--from", dest="start", metavar="PACKAGE", help="ask for the path that starts at this package")
    parser.add_argument("--to", dest="end", metavar="PACKAGE", help="ask for the path that ends at this package")
    parser.add_argument("--without", metavar="PACKAGE", help="ask what breaks without this package")


def get(parser: ArgumentParser) -> None:
    """Add the arguments of `get`."""
    parser.add_argument("name", metavar="NAME", help="the node's name")
    _at(parser)


def find(parser: ArgumentParser) -> None:
    """Add the arguments of `find`."""
    parser.add_argument("--edges", action="store_true", help="list edges instead of nodes")
    parser.add_argument("--type", metavar="TYPE", help="those of this type")
    parser.add_argument("--prefix", metavar="TEXT", help="nodes whose name starts with this")
    parser.add_argument(
        "--where",
        metavar="FILTER",
        type=_filter,
        action="append",
        default=[],
        help='those that a filter admits: a JSON object such as \'{"born": {"$gt": 1800}}\', PATH=TEXT for what equals this '
        "text, or PATH:=JSON for what equals this value; may be given several times",
    )
    parser.add_argument("--text", metavar="TEXT", help="nodes with this in the name or an observation, in any case")
    parser.add_argument("--order", metavar="PATH", help="order by what stands there, instead of by creation")
    parser.add_argument("--descending", action="store_true", help="turn that order round")
    parser.add_argument(
        "--select",
        metavar="PATH",
        action="append",
        help="list what stands there instead of nodes or edges; may be given several times",
    )
    parser.add_argument("--count", action="store_true", help="count instead of listing")
    _at(parser)
    _paging(parser, 20)


def neighbors(parser: ArgumentParser) -> None:
    """Add the arguments of `neighbors`."""
    parser.add_argument("name", metavar="NAME", help="the node's name")
    parser.add_argument(
        "--direction",
        choices=("out", "in", "both"),
        default="both",
        help="edges that leave the node, that enter it, or both (the default)",
    )
    parser.add_argument(
        "--type",
        dest="types",
        metavar="TYPE",
        action="append",
        help="edges of this type; may be given several times",
    )
    _at(parser)
    _paging(parser, 50)


def history(parser: ArgumentParser) -> None:
    """Add the arguments of `history`."""
    parser.add_argument("key", metavar="NAME", nargs="+", help="a node's name, or an edge's source, type and target")
    parser.add_argument("--oldest-first", action="store_true", help="begin with the oldest change, not the newest")
    _at(parser)
    _paging(parser, 50)


def stats(parser: ArgumentParser) -> None:
    """Add the arguments of `stats`."""
    _at(parser)


def index(parser: ArgumentParser) -> None:
    """Add the arguments of `index`."""
    parser.add_argument("action", metavar="ACTION", choices=("list", "create", "drop"), help="list, create or drop")
    parser.add_argument("path", metavar="PATH", nargs="?", help="the path into the attributes, to create or drop")
    parser.add_argument("--edges", action="store_true", help="an index of edges instead of nodes")


def import_file(parser: ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.add_argument("format", metavar="FORMAT", help="the file's format, such as jsonl or debian")
    parser.add_argument("file", metavar="FILE", help="the file, unpacked if it ends in .gz or .xz; - is standard input")
    parser.add_argument(
        "--on-existing",
        choices=("merge", "replace", "skip", "error"),
        default="merge",
        help="what becomes of a record that exists: the file's is merged into it (the default), takes its place, is left out, "
        "or refuses the import",
    )
    parser.add_argument(
        "--on-dangling",
        choices=("error", "skip", "create"),
        default="error",
        help="what becomes of an edge whose end is no node: it refuses the import (the default), is left out, or the node is "
        "made",
    )
    _on_loss(parser, "a graph")


def export_file(parser: ArgumentParser) -> None:
    """Add the arguments of `export`."""
    parser.add_argument("format", metavar="FORMAT", help="the file's format, such as jsonl or graphml")
    parser.add_argument("file", metavar="FILE", help="the file, replaced once it is whole; - is standard output")
    _at(parser)
    _on_loss(parser, "the format")


def verify(parser: ArgumentParser) -> None:
    """Add the arguments of `verify`."""
    parser.epilog = _STATUS
    _url(parser)


def backup(parser: ArgumentParser) -> None:
    """Add the arguments of `backup`."""
    _url(parser)
    parser.add_argument("target", metavar="TARGET", help="where the copy goes, and nothing is yet")


def restore(parser: ArgumentParser) -> None:
    """Add the arguments of `restore`."""
    parser.epilog = _STATUS
    _url(parser)
    parser.add_argument("source", metavar="SOURCE", help="the backup, which stays as it is")
    parser.add_argument("--yes", action="store_true", help="do not ask whether everything is to be replaced")


def repair(parser: ArgumentParser) -> None:
    """Add the arguments of `repair`."""
    parser.epilog = f"The damaged store stays as it is. {_STATUS}"
    _url(parser)
    parser.add_argument("new", metavar="NEW_URL", help="the store to make, where there is none")
    parser.add_argument("--salvage", action="store_true", required=True, help="copy what can still be read")


def migrate(parser: ArgumentParser) -> None:
    """Add the arguments of `migrate`."""
    parser.epilog = "Run again after an interruption, it goes on where it was. The source is only read."
    parser.add_argument("source", metavar="SOURCE_URL", help="the store to copy, which stays as it is")
    parser.add_argument("target", metavar="TARGET_URL", help="the store to make, or to go on with")


def search(parser: ArgumentParser) -> None:
    """Add the arguments of `search`."""
    parser.add_argument(
        "words",
        metavar="WORD",
        nargs="+",
        help="what to look for: words, phrases in double quotes, and with * at the end beginnings of words",
    )
    parser.add_argument("--type", metavar="TYPE", help="nodes of this type")
    _at(parser)
    parser.add_argument("--limit", metavar="N", type=_count, default=20, help="the most to list (default: 20)")


def _on_loss(parser: ArgumentParser, place: str) -> None:
    parser.add_argument(
        "--on-loss",
        choices=("skip", "error"),
        default="skip",
        help=f"what becomes of what {place} cannot hold: it is left out and counted (the default), or refuses the whole",
    )


def _url(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", nargs="?", help="the store, in place of the one in the settings")


def _at(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--at",
        metavar="MOMENT",
        type=_moment,
        help="the graph as it was then: after a change, by its number or cursor, or at a time such as 2026-01-31T12:00, "
        "which is local unless it has an offset",
    )


def _paging(parser: ArgumentParser, limit: int) -> None:
    parser.add_argument("--limit", metavar="N", type=_count, default=limit, help=f"the most to list (default: {limit})")
    parser.add_argument("--cursor", metavar="CURSOR", help="go on where an earlier list ended")
