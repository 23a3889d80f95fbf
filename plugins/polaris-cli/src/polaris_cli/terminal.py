"""What reaches the terminal: text that cannot forge lines or colours, tables without markup, and JSON."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["make_console", "plain", "printable", "show", "show_json"]


def printable(text: object) -> str:
    """Return a text on one line, with an escape for each control character, invisible character and direction mark."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in str(text)
    )


def plain(text: object, style: str = "") -> Text:
    """Return a stored text to put into a table or tree: its brackets are no markup, its escapes no colours."""
    return Text(printable(text), style=style, overflow="fold")


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that takes text as it is. Where it is no terminal it is 80 columns wide and has no colours."""
    stream = sys.stderr if stderr else sys.stdout
    _write_anything(stream)
    return Console(file=stream, markup=False, highlight=False, emoji=False)


def show(*renderables: RenderableType) -> None:
    """Print things below each other on standard output."""
    console = make_console()
    if console.is_terminal:
        for renderable in renderables:
            console.print(renderable)
        return
    with console.capture() as capture:  # tables are padded on the right, which nobody wants in a file
        for renderable in renderables:
            console.print(renderable)
    print("\n".join(line.rstrip() for line in capture.get().removesuffix("\n").split("\n")))


def show_json(value: Any, *, stderr: bool = False) -> None:
    """Print JSON on standard output: indented, its text readable, whatever a terminal could obey escaped."""
    stream = sys.stderr if stderr else sys.stdout
    readable = (stream.encoding or "").lower().replace("-", "").startswith("utf")
    text = json.dumps(value, ensure_ascii=not readable, indent=2)
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text), file=stream)


def _write_anything(stream: TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a name the terminal's encoding lacks is no reason to fail
