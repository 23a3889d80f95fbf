"""The reference of the command line has every first-party command, with every argument."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path

import pytest

from polaris_core import Registry

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
REGISTRY = Registry()
COMMANDS = REGISTRY.names("commands")


def test_docs_command_line_has_a_section_for_every_command() -> None:
    assert set(SECTIONS) - {"Options of every command"} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_docs_command_line_names_every_argument(name: str) -> None:
    parser = ArgumentParser(add_help=False)
    REGISTRY.command(name).configure(parser)
    wanted = [word for action in parser._actions for word in action.option_strings or [str(action.metavar or "")]]
    assert [word for word in wanted if word not in SECTIONS[name]] == []
    told = set(re.findall(r"`(--[a-z-]+)", SECTIONS[name])) - {"--store"}
    assert told == {word for word in wanted if word.startswith("--")}
