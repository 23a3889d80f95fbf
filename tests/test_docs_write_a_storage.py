"""The backend that `docs/write-a-storage.md` builds is a real one: built, installed, used, killed and read again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polaris_core import open_graph_blocking

PAGE = Path(__file__).resolve().parents[1] / "docs" / "write-a-storage.md"
FILE = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

WRITE_FOR_EVER = """
import sys
from polaris_core import open_graph_blocking

with open_graph_blocking(sys.argv[1]) as graph:
    number = len(graph.names(limit=1000))
    while True:
        graph.create_node(f"node {number:06d}", "written", {"number": number}, ["acknowledged once it is printed"])
        print(f"node {number:06d}", flush=True)
        number += 1
"""
READ = """
import sys
from polaris_core import open_graph_blocking

with open_graph_blocking(sys.argv[1]) as graph:
    after = ""
    while page := graph.names(after, limit=1000):
        print("\\n".join(page))
        after = page[-1]
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the document."""
    folder = tmp_path_factory.mktemp("write-a-storage")
    for name, content in FILE.findall(PAGE.read_text(encoding="utf-8")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def environment(work: Path) -> dict[str, str]:
    """Variables under which the distribution is installed, built by its own build backend and without an index."""
    pytest.importorskip("hatchling", reason="the distribution is built offline, so hatchling has to be there")
    site = work / "site"
    options = ["--quiet", "--no-index", "--no-build-isolation", "--no-deps", "--target", str(site)]
    built = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(work / "polaris-kg-pocket")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert built.returncode == 0, built.stdout + built.stderr
    before = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *map(os.path.abspath, before)])}


def run(work: Path, environment: dict[str, str], *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_docs_write_a_storage_example_prints_what_it_shows(work: Path, environment: dict[str, str]) -> None:
    assert run(work, environment, "try_it.py") == (work / "expected.txt").read_text(encoding="utf-8")


def test_docs_write_a_storage_is_listed_and_healthy(work: Path, environment: dict[str, str]) -> None:
    listed = subprocess.run(  # its status is about all plugins there are
        [sys.executable, "-m", "polaris_core", "plugins", "--check", "--json", "--deadline", "60"],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = {(row["kind"], row["name"]): row for row in json.loads(listed.stdout)}
    assert rows["storages", "pocket"]["distribution"] == "polaris-kg-pocket"
    assert rows["storages", "pocket"]["status"] == "ok"


def test_docs_write_a_storage_keeps_acknowledged_writes_through_kills(
    work: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    url = f"pocket:///{tmp_path / 'killed.pocket'}"
    acknowledged: list[str] = []
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, url],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        acknowledged += [writer.stdout.readline().strip() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]  # `communicate` would pass by what is buffered here
        _, error = writer.communicate(timeout=60)
        assert writer.returncode == -signal.SIGKILL, error
    kept = run(work, environment, "-c", READ, url).splitlines()
    assert [name for name in acknowledged if name not in kept] == []
    assert len(kept) - len(acknowledged) <= 3  # each kill may have met one write that nobody heard of


def test_docs_write_a_storage_cuts_off_a_torn_line_and_reports_damage(
    work: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "torn.pocket"
    url = f"pocket:///{path}"
    create = (
        "import sys; from polaris_core import open_graph_blocking as o\n"
        "with o(sys.argv[1]) as graph: graph.create_node(sys.argv[2])"
    )
    for name in "ab":
        run(work, environment, "-c", create, url, name)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert run(work, environment, "-c", READ, url).split() == ["a"]
    path.write_bytes(whole.replace(b'"a"', b'"c"'))
    refused = subprocess.run(
        [sys.executable, "-c", READ, url], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert "StoreDamagedError" in refused.stderr
    assert f"{path}:2" in refused.stderr


def test_docs_write_a_storage_is_for_one_process_at_a_time(
    work: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    both = (
        "import sys; from polaris_core import open_graph_blocking as o, StoreBusyError\n"
        "with o(sys.argv[1]):\n"
        "    try: o(sys.argv[1], busy_seconds=0.05)\n"
        "    except StoreBusyError as error: print(error.pid)\n"
    )
    assert int(run(work, environment, "-c", both, f"pocket:///{tmp_path / 'busy.pocket'}")) > 0


def test_docs_write_a_storage_is_certified(work: Path, environment: dict[str, str]) -> None:
    folder = str(work / "polaris-kg-pocket" / "tests")
    printed = run(work, environment, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--rootdir", folder, folder)
    reasons = {line.split(": ", 1)[1] for line in printed.splitlines() if line.startswith("SKIPPED")}
    claims = {reason for reason in reasons if reason.endswith("is not among the capabilities")}
    assert reasons - claims == {"shared = False: a store is open once at a time"}


def test_docs_write_a_storage_is_not_installed_here(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        open_graph_blocking(f"pocket:///{tmp_path / 'x.pocket'}")
