"""Say which Python versions a run of tox tested, which it skipped and why.

    python scripts/interpreters.py note FOLDER              in an environment whose tests are about to run
    python scripts/interpreters.py report FOLDER 3.11 ...   at the end

The report fails when a version was not tested although this machine has it: such a gap would look like a pass.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ASK = "import platform; print(platform.python_version())"
DEADLINE = 30  # seconds for an interpreter to say its version


def answer(command: Path | str) -> tuple[str | None, str]:
    """The version an interpreter reports, or None and its complaint."""
    try:
        finished = subprocess.run(
            [command, "-I", "-c", ASK], capture_output=True, text=True, timeout=DEADLINE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if finished.returncode == 0:
        return finished.stdout.strip(), ""
    complaint = " ".join(finished.stderr.split())
    return None, complaint or f"exit status {finished.returncode}"


def candidates(version: str) -> list[str]:
    """Where an interpreter of this version may be: on PATH, and in pyenv whether or not its shims answer."""
    own = Path(sys.executable).parent
    path = os.pathsep.join(entry for entry in os.get_exec_path() if Path(entry) != own)
    on_path = shutil.which(f"python{version}", path=path)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    kept = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    return ([on_path] if on_path else []) + [str(found) for found in kept]


def explain(version: str) -> tuple[bool, str]:
    """Whether skipping a version is honest, and the sentence for it."""
    complaints = []
    for command in candidates(version):
        found, complaint = answer(command)
        if found:
            advice = f"name {found} in .python-version, or run all of tox"
            return False, f"NOT TESTED although {command} is Python {found}; {advice}"
        complaints.append(f"{command} says: {complaint}")
    return True, "SKIPPED: " + ("; ".join(complaints) or f"no python{version} on PATH and none in pyenv")


def note(folder: Path) -> None:
    """Record that this interpreter is about to run the tests."""
    folder.mkdir(parents=True, exist_ok=True)
    version = ".".join(platform.python_version_tuple()[:2])
    text = f"{platform.python_implementation()} {platform.python_version()}"
    (folder / f"tested-{version}").write_text(text, encoding="utf-8")


def report(folder: Path, versions: list[str]) -> None:
    """Print one line a version."""
    honest = True
    for version in versions:
        record = folder / f"tested-{version}"
        if record.exists():
            line = f"tested with {record.read_text(encoding='utf-8')}"
        else:
            fair, line = explain(version)
            honest = honest and fair
        print(f"Python {version}: {line}")
    if not honest:
        sys.exit("interpreters: this machine has an interpreter that the run left out")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Say which Python versions were tested, which were skipped and why.")
    parser.add_argument("action", choices=["note", "report"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("versions", nargs="*")
    arguments = parser.parse_args()
    if arguments.action == "note":
        note(arguments.folder)
    else:
        report(arguments.folder, arguments.versions)


if __name__ == "__main__":
    main()
