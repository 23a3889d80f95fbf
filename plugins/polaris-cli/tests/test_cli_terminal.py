"""What stored text can do to a terminal: nothing."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from polaris_cli.terminal import plain, printable, show, show_json

HOSTILE = {
    "an escape": "\x1b[31mred",
    "a bell": "\a",
    "a line feed": "one\ntwo",
    "a carriage return": "one\rtwo",
    "a C1 control": "\x9b31m",
    "a direction override": "\u202egnp.exe",
    "a zero-width space": "a\u200bb",
    "a line separator": "one\u2028two",
    "a byte order mark": "\ufeffa",
    "rich markup": "[bold red]a[/]",
    "markup that is never closed": "[/nothing] [link=https://example.org]",
    "an emoji code": ":skull:",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_text_is_shown_on_one_line_with_its_controls_escaped(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(plain(text))
    shown = capsys.readouterr().out
    assert shown == f"{printable(text)}\n"
    assert printable(text).isprintable()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_json_holds_the_text_and_obeys_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_json({text: [text, "é 中 👍"]})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {text: [text, "é 中 👍"]}
    assert "é 中 👍" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_what_the_encoding_of_the_terminal_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    show(plain("naïve → 中"))
    show_json(["naïve → 中"])
    sys.stdout.flush()
    lines = raw.getvalue().decode("ascii").split("\n")
    assert lines[0] == r"na\xefve \u2192 \u4e2d"
    assert json.loads("".join(lines[1:])) == ["naïve → 中"]


def test_hostile_names_reach_no_terminal_unescaped(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"kind": "node", "name": f"[red]node\u202e {key}", "attributes": {f"[b]{text}": text}, "observations": [text]}
        for key, text in HOSTILE.items()
    ]
    edges = [
        {"kind": "edge", "source": lines[0]["name"], "type": "[i]\u202e", "target": line["name"]} for line in lines
    ]
    data = "\n".join(json.dumps(line) for line in [*lines, *edges]).encode()
    store = ("--store", "sqlite:///kg.db")
    assert run("import", "jsonl", "-", *store, stdin=data).status == 0
    names = [str(line["name"]) for line in lines]
    asked = [["find"], ["neighbors", names[0]], ["stats"], ["get", "[red]nod"], *(["get", name] for name in names)]
    for line in asked:
        for form in ([], ["--json"]):
            outcome = run(*line, *store, *form)
            shown = outcome.out + outcome.err
            assert all(character.isprintable() or character == "\n" for character in shown), line
            assert "[red]" in shown or line == ["stats"]
