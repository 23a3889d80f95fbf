"""Build every first-party wheel once, and install exactly those files.

    python scripts/wheels.py build FOLDER      needs hatchling in the environment that runs it
    python scripts/wheels.py install FOLDER    into the environment that runs it

FOLDER then holds the wheels and `first-party.txt`, which names each by address and digest. Read by pip with `-r` or
`-c` it keeps any distribution of the same name on an index out of the environment.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = "first-party.txt"
STAMP = "built.json"


def projects() -> list[Path]:
    """The folders of all first-party distributions, the core first."""
    return [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


def source_digest() -> str:
    """One digest over everything that a wheel is made of."""
    digest = hashlib.sha256()
    for project in projects():
        top = [project / name for name in ("pyproject.toml", "README.md", "LICENSE")]
        code = project / ("polaris_core" if project == ROOT else "src")
        for path in [*top, *sorted(code.rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run one command in this interpreter's environment; its failure ends the script."""
    finished = subprocess.run([sys.executable, "-m", *command], cwd=cwd, check=False)
    if finished.returncode:
        sys.exit(f"wheels: `{' '.join(map(str, command))}` failed with status {finished.returncode}")


def build(folder: Path) -> None:
    """Make a source archive of each project and a wheel of each archive, so that both are known to be complete."""
    digest = source_digest()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="polaris-sdists-") as scratch:
        for project in projects():
            run("hatchling", "build", "--target", "sdist", "--directory", scratch, cwd=project)
        archives = sorted(Path(scratch).glob("*.tar.gz"))
        run("pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, *archives)
    pins = []
    for project in projects():
        name = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        (wheel,) = folder.glob(f"{name.replace('-', '_')}-*.whl")
        pins.append(f"{name} @ {wheel.as_uri()}#sha256={file_digest(wheel)}\n")
    (folder / PINS).write_text("".join(pins), encoding="utf-8")
    (folder / STAMP).write_text(json.dumps({"source": digest, "run": os.getppid()}), encoding="utf-8")
    sys.stdout.write(f"wheels: {len(pins)} in {folder}\n")


def missing(pins: list[str]) -> list[str]:
    """The pins whose very file is not what this environment has installed."""
    found = []
    for pin in pins:
        name = pin.partition(" @ ")[0]
        digest = pin.rpartition("#sha256=")[2]
        try:
            origin = metadata.distribution(name).read_text("direct_url.json") or ""
        except metadata.PackageNotFoundError:
            origin = ""
        if digest not in origin:
            found.append(pin)
    return found


def install(folder: Path) -> None:
    """Install the wheels of a folder, and refuse those that are older than the source they stand for.

    Within one run of tox the wheels are the ones its first environment built, whatever was edited since.
    """
    remedy = f"build them: `tox -e wheels,{os.environ.get('TOX_ENV_NAME', 'py311')}`"
    if not (folder / STAMP).exists():
        sys.exit(f"wheels: none in {folder}; {remedy}")
    stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    if stamp["run"] != os.getppid() and stamp["source"] != source_digest():
        sys.exit(f"wheels: the source was edited after they were built; {remedy}")
    pins = (folder / PINS).read_text(encoding="utf-8").splitlines()
    if missing(pins):
        run("pip", "--quiet", "install", "--requirement", folder / PINS)
    for pin in missing(pins):  # pip keeps a wheel of the same version that is installed already
        run("pip", "--quiet", "install", "--no-deps", "--force-reinstall", pin)
    if left := missing(pins):
        sys.exit(f"wheels: pip did not install {', '.join(left)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Build every first-party wheel, or install exactly those files.")
    parser.add_argument("action", choices=["build", "install"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    {"build": build, "install": install}[arguments.action](arguments.folder.resolve())


if __name__ == "__main__":
    main()
