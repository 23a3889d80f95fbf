"""The arguments of each command. `--store` and `--json` are the core's to add."""

from __future__ import annotations

from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["demo", "export_file", "find", "get", "import_file", "neighbors", "stats"]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def _condition(text: str) -> tuple[str, object]:
    """Return the attribute and the value of `KEY=TEXT` or `KEY:=JSON`."""
    key, equals, value = text.partition("=")
    if not equals or key in ("", ":"):
        raise ArgumentTypeError(f"KEY=TEXT or KEY:=JSON, not {text!r}")
    if not key.endswith(":"):
        return key, value
    import json

    try:
        return key[:-1], json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"what follows := is JSON, not {value[:80]!r}") from error


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


def find(parser: ArgumentParser) -> None:
    """Add the arguments of `find`."""
    parser.add_argument("--type", metavar="TYPE", help="nodes of this type")
    parser.add_argument("--prefix", metavar="TEXT", help="nodes whose name starts with this")
    parser.add_argument(
        "--where",
        metavar="KEY=TEXT",
        type=_condition,
        action="append",
        default=[],
        help="nodes whose attribute equals this text, or with KEY:=JSON this JSON value; may be given several times",
    )
    parser.add_argument("--text", metavar="TEXT", help="nodes with this in the name or an observation, in any case")
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
    _paging(parser, 50)


def stats(parser: ArgumentParser) -> None:
    """Add the arguments of `stats`: none."""


def import_file(parser: ArgumentParser) -> None:
    """Add the arguments of `import`."""
    parser.add_argument("format", metavar="FORMAT", help="the file's format, such as jsonl or debian")
    parser.add_argument("file", metavar="FILE", help="the file, unpacked if it ends in .gz or .xz; - is standard input")


def export_file(parser: ArgumentParser) -> None:
    """Add the arguments of `export`."""
    parser.add_argument("format", metavar="FORMAT", help="the file's format, such as jsonl")
    parser.add_argument("file", metavar="FILE", help="the file, replaced once it is whole; - is standard output")


def _paging(parser: ArgumentParser, limit: int) -> None:
    parser.add_argument("--limit", metavar="N", type=_count, default=limit, help=f"the most to list (default: {limit})")
    parser.add_argument("--cursor", metavar="CURSOR", help="go on where an earlier list ended")
