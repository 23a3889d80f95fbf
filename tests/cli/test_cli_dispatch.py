"""What every command line has in common: options, errors, exit statuses, and what is not loaded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from polaris_core import __version__
from polaris_core.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Site

HEAVY = ["asyncio", "attr", "attrs", "cattrs", "jsonschema", "orjson", "pluggy", "packaging", "rich", "mcp", "argparse"]
PLUGIN = """
import logging, sys
from polaris_core import InvalidNameError
from polaris_core.abc import CommandSpec, hookimpl

def nothing(parser):
    pass

def clash(parser):
    parser.add_argument("--store")

def show(context, arguments):
    print(context.settings.store, context.settings.log_level, sorted(vars(arguments)))
    return 3

def refuse(context, arguments):
    raise InvalidNameError("no name:\\n\\x1b[2J", name="")

def fail(context, arguments):
    raise KeyError("deep inside")

def interrupt(context, arguments):
    raise KeyboardInterrupt

def leave(context, arguments):
    sys.exit("because")

def log(context, arguments):
    logging.getLogger("odd").warning("first\\nsecond \\x1b[2J", extra={"graph": "x"})
    logging.getLogger("odd").info("not shown")
    return 0

def flood(context, arguments):
    while True:
        print("a line that is read by nobody " * 100)

def pipe(context, arguments):
    raise BrokenPipeError("another pipe")

RUNS = (show, refuse, fail, interrupt, leave, log, flood, pipe)

@hookimpl
def polaris_commands():
    specs = [CommandSpec(name=run.__name__, sentence="Try.", configure=nothing, run=run) for run in RUNS]
    return [*specs, CommandSpec(name="clash", sentence="Clash.", configure=clash, run=show)]
"""
NAMES = ("show", "refuse", "fail", "interrupt", "leave", "log", "flood", "pipe", "clash")


@pytest.fixture
def commands(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with commands that end in every way, and this process in its empty directory."""
    site.add("trying", {"commands": dict.fromkeys(NAMES, "trying_plugin")}, {"trying_plugin": PLUGIN})
    monkeypatch.chdir(site.work)
    for name in [name for name in os.environ if name.startswith("POLARIS_KG_")]:
        monkeypatch.delenv(name)
    return site


def test_the_version_is_told_without_loading_anything() -> None:
    code = (
        "import sys; from polaris_core.cli import main; status = main(['--version']); "
        f"print(status, [name for name in {HEAVY} if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout == f"polaris-kg {__version__}\n0 []\n"


def test_the_version_is_told_beside_other_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--log-level", "debug", "--version"]) == 0
    assert capsys.readouterr().out == f"polaris-kg {__version__}\n"


def test_listing_plugins_loads_no_plugin_and_nothing_it_does_not_need(site: Site) -> None:
    (site.path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        f"atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr))\n",
        encoding="utf-8",
    )
    loaded = site.run("plugins", "--json").stderr
    assert not {"asyncio", "cattrs", "jsonschema", "rich", "mcp"} & set(json.loads(loaded.replace("'", '"')))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_help_lists_the_commands_with_their_distributions(
    commands: Site, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["doctor", "polaris-kg-core"] in lines
    assert ["show", "trying"] in lines
    assert "trying_plugin" not in sys.modules


def test_no_command_is_answered_with_help_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "doctor" in err


@pytest.mark.parametrize("arguments", [["show", "--help"], ["--help", "show"]])
def test_help_of_a_command_has_its_sentence(
    commands: Site, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: polaris-kg show")
    assert "Try." in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--store", "memory:", "--log-level=info", "show"],
        ["show", "--store=memory:", "--log-level", "info"],
        ["--store", "x:", "--log-level=error", "show", "--store", "memory:", "--log-level=info"],
    ],
)
def test_global_options_may_stand_on_both_sides_and_the_nearer_one_wins(
    commands: Site, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 3
    assert capsys.readouterr().out == "memory: info []\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plugins", "--deadline", "nan"],
        ["doctor", "--deadline", "0"],
        ["--nonsense"],
        ["show", "--nonsense"],
        ["show", "--sto", "x"],
        ["--log-level", "loud", "show"],
    ],
)
def test_an_option_that_makes_no_sense_is_status_2(
    commands: Site, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().out == ""


def test_an_unknown_command_is_answered_with_near_names_and_status_2(
    commands: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["shew"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("polaris-kg: no command 'shew' is installed, only ")
    assert "doctor" in err
    assert err.endswith("did you mean 'show'?\n")


def test_a_polaris_error_is_one_line_that_cannot_move_the_cursor(
    commands: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refuse"]) == 1
    assert capsys.readouterr() == ("", "polaris-kg: no name:\\n\\x1b[2J\n")


def test_any_other_error_is_one_line_and_where_it_was_is_shown_on_demand(
    commands: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fail"]) == 1
    assert capsys.readouterr().err == (
        "polaris-kg: fail failed: KeyError: 'deep inside'; --log-level debug shows where\n"
    )
    assert main(["fail", "--log-level", "debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("interrupt", 130, ""),
        ("leave", 1, "polaris-kg: because\n"),
        ("clash", 1, "polaris-kg: the command 'clash' cannot be used: ArgumentError: argument --store: conflicting"),
    ],
)
def test_how_a_command_ends(
    commands: Site, command: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command]) == status
    assert capsys.readouterr().err.startswith(said)


def test_a_reader_that_goes_away_is_no_complaint(commands: Site) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(commands.path), *absolute_path()])}
    command = [sys.executable, "-P", "-m", "polaris_core", "flood"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


def absolute_path() -> list[str]:
    return [str(entry) for entry in sys.path if entry]


def test_settings_that_make_no_sense_are_one_line(commands: Site, capsys: pytest.CaptureFixture[str]) -> None:
    (commands.work / "polaris.toml").write_text("stor = 3", encoding="utf-8")
    assert main(["show"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"polaris-kg: {commands.work / 'polaris.toml'}:1: there is no setting stor; did you mean store?\n"


def test_a_log_line_in_text_is_one_line(commands: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log"]) == 0
    assert capsys.readouterr() == ("", "WARNING odd: first\\nsecond \\x1b[2J\n")


def test_a_log_line_in_json_is_one_line(commands: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "--log-format", "json"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "\x1b" not in err
    record = json.loads(err)
    assert record.pop("time").endswith("+00:00")
    assert record == {"level": "warning", "logger": "odd", "message": "first\nsecond \x1b[2J", "graph": "x"}


def test_logging_is_as_before_when_a_command_has_ended(commands: Site, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    main(["log", "--log-level", "debug"])
    assert (root.handlers, root.level) == before


def test_a_warning_about_a_row_is_no_output(site: Site) -> None:
    site.add("odd", {"commands": {"Odd": "odd"}})
    finished = site.run("plugins", "--json")
    json.loads(finished.stdout)
    assert "a name is made of a-z, 0-9 and -" in site.run("--help").stderr


def test_a_list_cannot_be_forged_by_a_name(site: Site) -> None:
    site.add("odd", {"caches": {"a\x1b[2Jb": "odd"}})
    finished = site.run("plugins")
    assert "\x1b" not in finished.stdout
    assert "a\\x1b[2Jb" in finished.stdout


def test_the_module_and_the_script_are_one(site: Site, tmp_path: Path) -> None:
    finished = site.run("--version")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, f"polaris-kg {__version__}\n", "")
