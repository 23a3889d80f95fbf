"""A shell can complete commands, options and the values that an option may have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from polaris_core.cli import main
from polaris_core.cli.completion import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plug"], ["plugins"]),
        (["--log-f"], ["--log-format"]),
        (["--log-format", ""], ["json", "text"]),
        (["--log-format", "t"], ["text"]),
        (["--store", ""], []),
        (["--log-level", "info", "doct"], ["doctor"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["completion", "z"], ["zsh"]),
        (["plugins", "--c"], ["--check"]),
        (["plugins", "--check", "--js"], ["--json"]),
        (["plugins", "--deadline", ""], []),
        (["plugins", "--log-level", "d"], ["debug"]),
        (["no-such-command", "-"], []),
    ],
)
def test_what_can_follow(words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["__complete", *words]) == 0
    out, err = capsys.readouterr()
    assert out.split() == expected
    assert err == ""


def test_the_first_word_can_be_any_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["__complete"])
    assert {"completion", "doctor", "plugins"} <= set(capsys.readouterr().out.split())


def test_a_broken_command_completes_to_nothing(site: Site) -> None:
    site.add("broken", {"commands": {"broken": "broken_plugin"}}, {"broken_plugin": "print('x')\n1 / 0\n"})
    finished = site.run("__complete", "broken", "-")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert site.run("__complete", "brok").stdout == "broken\n"


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_asks_the_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert out == SCRIPTS[shell]
    assert "polaris-kg __complete" in out


def bash(site: Site, tmp_path: Path, *words: str) -> list[str]:
    """What bash would offer after these words."""
    program = tmp_path / "bin" / "polaris-kg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m polaris_core "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    listed = " ".join(f"'{word}'" for word in ("polaris-kg", *words))
    script = (
        f'eval "$(polaris-kg completion bash)"; COMP_WORDS=({listed}); COMP_CWORD={len(words)}; '
        '_polaris_kg; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
    }
    finished = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env=environment, cwd=site.work
    )
    return finished.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "expected"), [(["doc"], ["doctor"]), (["completion", ""], ["bash", "fish", "zsh"]), (["zzz"], [])]
)
def test_bash_completes(site: Site, tmp_path: Path, words: list[str], expected: list[str]) -> None:
    assert bash(site, tmp_path, *words) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_script_is_one_that_its_shell_understands(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell}")
    script = tmp_path / "script"
    script.write_text(SCRIPTS[shell], encoding="utf-8")
    subprocess.run([program, "-n", str(script)], check=True, capture_output=True)
