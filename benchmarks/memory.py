"""How much memory a process takes that has a graph open, and what is left of it after some use.

    python benchmarks/memory.py [--packages FILE] [--nodes 72000] [--backend sqlite json] [--json]

The graph is that of a Debian `Packages` file (`apt-cache dumpavail` prints one), or made up in the same shape; a process of its
own loads it. Then, for each backend, a fresh process says how much of its memory is resident (`VmRSS` of /proc/self/status, in
MiB): after the imports, after opening, and after a thousand nodes were read, the neighbours of three hundred listed and three
searches answered. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from polaris_core import Graph, open_graph

FILES = {"sqlite": "graph.db", "json": "graph"}
READ = 1_000
LISTED = 300
WORDS = ("library", "python", "server tools")


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def build(url: str, source: Path | None, count: int) -> None:
    """Load the graph."""
    from load import made_up, packages

    async with open_graph(url) as graph:
        await graph.load(packages(source, "") if source else made_up(count, ""))


async def use(graph: Graph) -> None:
    """Read, walk and search a little."""
    names = [node.name for node in (await graph.find_nodes(limit=READ)).items]
    for name in names:
        await graph.get_node(name)
    for name in names[:LISTED]:
        await graph.neighbors(name)
    for words in WORDS:
        await graph.search(words)


async def measure(url: str) -> dict[str, float]:
    """Return what this process takes after each step."""
    figures = {"imported": resident()}
    async with open_graph(url) as graph:
        figures["opened"] = resident()
        await use(graph)
        figures["used"] = resident()
    return figures


def apart(*arguments: str) -> str:
    """Run this program in a process of its own, and return what it prints."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="a Debian Packages file")
    parser.add_argument("--nodes", type=int, default=72_000, help="how many packages to make up (72000)")
    parser.add_argument("--backend", nargs="+", choices=sorted(FILES), default=list(FILES), help="what to open")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument("--build", help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        asyncio.run(build(options.build, options.packages, options.nodes))
        return
    if options.measure:
        json.dump(asyncio.run(measure(options.measure)), sys.stdout)
        return
    source = ["--packages", str(options.packages.resolve())] if options.packages else ["--nodes", str(options.nodes)]
    rows = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for backend in options.backend:
            url = f"{backend}:///{folder}/{FILES[backend]}"
            apart("--build", url, *source)
            rows[backend] = json.loads(apart("--measure", url))
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(f"{'MiB':10}" + "".join(f"{step:>12}" for step in next(iter(rows.values()))))
    for backend, figures in rows.items():
        print(f"{backend:10}" + "".join(f"{figure:12.0f}" for figure in figures.values()))


if __name__ == "__main__":
    main()
