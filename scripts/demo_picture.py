"""Draw what `polaris-kg demo` prints, for the README.

    python scripts/demo_picture.py

Runs the command of the environment that runs this script, with a data directory that is thrown away, and writes
docs/images/demo.svg. Make the environment with the README's line, so that the picture shows what a newcomer sees. The
paths of this machine are replaced, and the picture ends with the last paragraph that fits.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "demo.svg"
COMMAND = "polaris-kg demo"
WIDTH = 90
LINES = 36
HOME = "/home/you"
FONT = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)  # fetched from elsewhere, which a picture in a page may not do


def printed() -> str:
    """What the command prints to a terminal, with its colours."""
    with tempfile.TemporaryDirectory(prefix="polaris-picture-") as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("POLARIS_KG_", "XDG_"))}
        homes = {f"XDG_{kind}_HOME": f"{home}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
        terminal = {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        finished = subprocess.run(
            [sys.executable, "-m", "polaris_core", *COMMAND.split()[1:]],
            cwd=home,
            env={**kept, **homes, **terminal},
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if finished.returncode:
            sys.exit(f"demo_picture: `{COMMAND}` ended with status {finished.returncode}")
        return finished.stdout.replace(f"{home}/data", f"{HOME}/.local/share").replace(
            sys.prefix, f"{HOME}/polaris/.venv"
        )


def beginning(output: str) -> str:
    """The first paragraphs of an output, as many as fit."""
    lines = output.rstrip().splitlines()
    if len(lines) > LINES:
        end = max(number for number in range(LINES) if not lines[number].strip())
        lines = [*lines[:end], "", "..."]
    return "\n".join(lines)


def main() -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(beginning(printed())))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(PICTURE), title=COMMAND, code_format=FONT.sub("", CONSOLE_SVG_FORMAT), unique_id="demo")
    print(f"demo_picture: {PICTURE}")


if __name__ == "__main__":
    main()
