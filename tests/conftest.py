"""How properties are searched, and what an installation with strange plugins in it looks like.

Properties are searched without a time limit each, and on a build machine with the same examples every time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import invalidate_caches
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


class Site:
    """A directory of installed distributions, on sys.path here and in the processes it starts."""

    def __init__(self, path: Path, work: Path) -> None:
        self.path = path
        self.work = work
        self.modules: set[str] = set()

    def add(
        self,
        distribution: str,
        rows: Mapping[str, Mapping[str, str]],
        modules: Mapping[str, str] | None = None,
        *,
        requires: Sequence[str] = (),
        version: str = "1.0",
    ) -> None:
        """Install a distribution: its rows by kind, its modules by name."""
        folder = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        folder.mkdir(parents=True)
        metadata = ["Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {version}"]
        metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
        (folder / "METADATA").write_text("\n".join([*metadata, ""]), encoding="utf-8")
        lines = []
        for kind, named in rows.items():
            lines += [f"[polaris_core.{kind}]", *(f"{name} = {value}" for name, value in named.items()), ""]
        (folder / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        for name, source in (modules or {}).items():
            (self.path / f"{name}.py").write_text(source, encoding="utf-8")
            self.modules.add(name)
        invalidate_caches()

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run polaris-kg in a process of its own that sees this site, in an empty directory."""
        paths = [str(self.path), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("POLARIS_KG_")},
            "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in paths),
            **variables,
        }
        command = [sys.executable, "-P", "-m", "polaris_core", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.work, env=environment, timeout=60
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site, whose modules are forgotten afterwards."""
    path, work = tmp_path / "site", tmp_path / "work"
    path.mkdir()
    work.mkdir()
    monkeypatch.syspath_prepend(path)
    found = Site(path, work)
    yield found
    for name in found.modules:
        sys.modules.pop(name, None)
