"""What the documentation shows happens: its Python runs, its commands run, and both print what stands below them.

The blocks of one document run in order, in one namespace and one empty working directory:

- ```` ```python ```` is executed; `await` may stand at its top level. A block that is not to run says
  ```` ```python no-run ````.
- ```` ```text output ```` is what the Python blocks since the last such block printed.
- ```` ```console ```` holds commands after `$ `, each followed by what it prints. `polaris-kg` and `python` are this
  environment's. A comment, `$ # ...`, is left out.
- ```` ```LANGUAGE file=NAME ```` is written to a file of that name.

In expected output `...` stands for anything. Blocks of any other kind are for the reader alone.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from polaris_core import BlockingGraph

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^\$ ((?:[^\\\n]|\\.|\\\n)*)\n?((?:(?!\$ ).*\n)*)", re.MULTILINE)
SECONDS = 60.0


class Block(NamedTuple):
    """A fenced block: its line in the document, the words after the fence, and what it holds."""

    line: int
    info: list[str]
    body: str

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""

    @property
    def file(self) -> str | None:
        return next((word.removeprefix("file=") for word in self.info if word.startswith("file=")), None)


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        body = re.sub(rf"^{found['indent']}", "", found["body"], flags=re.MULTILINE)
        yield Block(text.count("\n", 0, found.start()) + 1, found["info"].split(), body)


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with the output shown below it."""
    for command, output in COMMAND.findall(body):
        if not command.startswith("#"):
            yield command, output


def agrees(expected: str, actual: str) -> bool:
    """Whether an output is what was shown, `...` standing for anything and the space at line ends for nothing."""

    def lines(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    pattern = ".*?".join(re.escape(part) for part in lines(expected).split("..."))
    return re.fullmatch(pattern, lines(actual), re.DOTALL) is not None


class Reader:
    """Somebody who types in everything a document says."""

    def __init__(self, document: Path, folder: Path, environment: dict[str, str]) -> None:
        self.document = document
        self.folder = folder
        self.environment = environment
        self.names: dict[str, Any] = {"__name__": document.stem}

    def follow(self, runner: asyncio.Runner, printed: pytest.CaptureFixture[str]) -> None:
        for block in blocks(self.document):
            where = f"{self.document.relative_to(ROOT)}:{block.line}"
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.body, encoding="utf-8")
            elif block.info == ["python"]:
                self.execute(runner, block)
            elif block.info == ["text", "output"]:
                actual = printed.readouterr().out
                assert agrees(block.body, actual), f"{where}: this was printed:\n{actual}"
            elif block.language == "console":
                for command, expected in commands(block.body):
                    self.type(command, expected, where)

    def execute(self, runner: asyncio.Runner, block: Block) -> None:
        source = "\n" * block.line + block.body
        code = compile(source, str(self.document), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)

        async def body() -> None:
            result = eval(code, self.names)
            if inspect.isawaitable(result):
                await result

        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(body())
        else:
            exec(code, self.names)

    def type(self, command: str, expected: str, where: str) -> None:
        finished = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=SECONDS,
        )
        assert agrees(expected or "...", finished.stdout), f"{where}: `{command}` printed:\n{finished.stdout}"
        told = re.search(r"^polaris-kg: |\btroubles? found", expected, re.MULTILINE)
        assert finished.returncode == 0 or told, f"{where}: `{command}` ended with {finished.returncode}"


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `polaris-kg` and `python` as this environment has them."""
    folder = tmp_path_factory.mktemp("programs")
    beside = Path(sys.executable).parent / "polaris-kg"
    lines = {
        "python": f'exec "{sys.executable}" "$@"',
        "polaris-kg": f'exec "{beside}" "$@"' if beside.exists() else f'exec "{sys.executable}" -m polaris_core "$@"',
    }
    for name, line in lines.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        path.chmod(0o755)
    return folder


@pytest.fixture
def environment(programs: Path, tmp_path: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("POLARIS_KG_", "XDG_"))}
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    terminal = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    return {**kept, **homes, **terminal, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_docs_examples_do_what_they_show(
    document: Path,
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("POLARIS_KG_")]:
        monkeypatch.delenv(name)
    reader = Reader(document, folder, environment)
    with asyncio.Runner() as runner:
        try:
            reader.follow(runner, capsys)
        finally:  # what a failed example left open would warn about itself in another test
            for value in reader.names.values():
                if isinstance(value, BlockingGraph):
                    value.close()


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_docs_commands_stand_where_they_are_run(document: Path) -> None:
    """A command with its prompt in a block that is not run would be an example nobody checks."""
    unseen = [block for block in blocks(document) if block.language != "console"]
    assert [block.line for block in unseen if re.search(r"^\$ ", block.body, re.MULTILINE)] == []


def test_docs_python_that_does_not_run_is_rare() -> None:
    skipped = [(path.name, block.line) for path in DOCUMENTS for block in blocks(path) if "no-run" in block.info]
    assert len(skipped) <= 3, skipped


# --- the reader itself ------------------------------------------------------------------------------------------------

PAGE = """\
```python
import asyncio
await asyncio.sleep(0)
print("one", 2)
```
```text output
one ...
```
```toml file=sub/settings.toml
a = 1
```
```console
$ cat sub/settings.toml
a = 1
$ echo several \\
  words; echo lines
several words
li...s
```
```python no-run
raise SystemExit
```
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("", ""), ("one ...", "two ..."), ("a = 1\n$", "a = 2\n$"), ("li...s", "li...z"), ('print("one", 2)', "1 / 0")],
)
def test_docs_reader_sees_what_does_not_happen(
    old: str,
    new: str,
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace(old, new) if old else PAGE, encoding="utf-8")
    with asyncio.Runner() as runner:
        if not old:
            Reader(page, tmp_path, environment).follow(runner, capsys)
            return
        with pytest.raises((AssertionError, ZeroDivisionError)):
            Reader(page, tmp_path, environment).follow(runner, capsys)


def test_docs_programs_are_this_environment_s(environment: dict[str, str]) -> None:
    found = shutil.which("python", path=environment["PATH"])
    assert found is not None
    told = subprocess.run([found, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == sys.prefix
