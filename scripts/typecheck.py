"""Run mypy and pyright over the core, every plugin, the scripts and all tests.

The tests of each plugin get a run of mypy of their own, because every one of them may have a module named `conftest`.
The last run looks at the installed core as a user's type checker does: everything public must have a complete type.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What pyproject.toml allows below tests/: the modules of a plugin's tests have no package by which it could name them.
AS_TESTS = (
    "--allow-untyped-defs",
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--no-warn-unused-ignores",
    "--disable-error-code=func-returns-value",
)


def commands() -> list[list[str]]:
    """What is run, in order."""
    folders = sorted(path for path in ROOT.glob("plugins/*/tests") if any(path.rglob("*.py")))
    return [
        ["mypy"],
        *(["mypy", *AS_TESTS, str(folder.relative_to(ROOT))] for folder in folders),
        ["pyright", "--warnings"],
        ["pyright", "--ignoreexternal", "--verifytypes", "polaris_core"],
    ]


def main() -> None:
    """Run every command, whatever the ones before it found."""
    # Pyright looks for installed packages beside the first python on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    failed = []
    for command in commands():
        print("$", *command, flush=True)
        finished = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, check=False)
        if finished.returncode:
            failed.append(" ".join(command))
    if failed:
        sys.exit(f"typecheck: {len(failed)} failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
