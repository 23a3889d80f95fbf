"""The report on Python versions never lets a version that this machine has pass as absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "interpreters.py"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine whose PATH and pyenv hold nothing."""
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def report(machine: Path) -> tuple[int, str]:
    environment = {"PATH": str(machine / "bin"), "PYENV_ROOT": str(machine / "pyenv")}
    command = [sys.executable, str(SCRIPT), "report", str(machine / "notes"), "3.99"]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return finished.returncode, finished.stdout


def test_a_version_that_ran_is_named_with_its_patch_release(machine: Path) -> None:
    (machine / "notes").mkdir()
    (machine / "notes" / "tested-3.99").write_text("CPython 3.99.1", encoding="utf-8")
    assert report(machine) == (0, "Python 3.99: tested with CPython 3.99.1\n")


def test_an_absent_version_is_skipped_and_the_reason_given(machine: Path) -> None:
    assert report(machine) == (0, "Python 3.99: SKIPPED: no python3.99 on PATH and none in pyenv\n")


def test_a_shim_that_answers_nothing_is_quoted(machine: Path) -> None:
    shim = machine / "bin" / "python3.99"
    program(shim, "echo 'pyenv: python3.99: command not found' >&2; exit 127")
    assert report(machine) == (0, f"Python 3.99: SKIPPED: {shim} says: pyenv: python3.99: command not found\n")


@pytest.mark.parametrize("place", ["bin/python3.99", "pyenv/versions/3.99.4/bin/python3.99"])
def test_a_version_that_was_there_and_did_not_run_is_a_failure(machine: Path, place: str) -> None:
    program(machine / place, "echo 3.99.4")
    status, output = report(machine)
    assert status == 1
    assert f"NOT TESTED although {machine / place} is Python 3.99.4" in output
