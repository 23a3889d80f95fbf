"""What is wrong with a stored record: nothing with one that was planned, something with one that never was."""

from __future__ import annotations

from typing import Any

import pytest

from polaris_core import Batch, CreateEdge, CreateNode, Emit, PatchNode, SetMeta
from polaris_core.abc import Head, Image, StorageOptions, flaws_of, run_program
from polaris_core.model import Patch
from polaris_core.testing import writing

HEAD = Head("s", "e")


def stored() -> tuple[Head, dict[str, Any]]:
    """A head, and a record of each kind that goes with it."""
    image = Image(HEAD)
    batch = Batch(
        (
            CreateNode("Ada", "person", {"born": 1815}, ("wrote",)),
            CreateNode("Zoë"),
            CreateEdge("Ada", "knows", "Zoë", {"since": 1.5}),
            PatchNode("Zoë", Patch(set={"a": None})),
            SetMeta("motto", {"text": "x"}),
            Emit("met", "Ada", [1]),
        ),
        key="k",
        author="me",
    )
    image.store(run_program(writing(batch, now=1_700_000_000_000_000), image))
    (node,) = image.nodes(["Ada"])
    (edge,) = image.edges([3])
    (meta,) = image.meta(["motto"])
    (receipt,) = image.receipts(["k"])
    first = image.changes(0, 1, None)[0]
    return image.head(), {"node": node, "edge": edge, "meta": meta, "receipt": receipt, "change": first}


def test_what_was_planned_has_no_flaw() -> None:
    head, records = stored()
    assert {kind: flaws_of(record, head) for kind, record in records.items()} == {kind: [] for kind in records}


@pytest.mark.parametrize(
    ("kind", "wrong", "says"),
    [
        ("node", {"id": 0}, "never given out"),
        ("node", {"id": 4}, "never given out"),
        ("node", {"revision": 0}, "the last change is 6"),
        ("node", {"revision": 7}, "the last change is 6"),
        ("node", {"name": ""}, "name is none"),
        ("node", {"name": "Zoe\u0308"}, "not normalised"),
        ("node", {"type": "a\nb"}, "type is none"),
        ("node", {"body": "{"}, "cannot be read"),
        ("node", {"body": "[]"}, "cannot be read"),
        ("node", {"body": "{}"}, "cannot be read"),
        ("edge", {"id": 9}, "never given out"),
        ("edge", {"type": ""}, "type is none"),
        ("edge", {"body": "1"}, "cannot be read"),
        ("meta", {"key": ""}, "key is none"),
        ("meta", {"revision": 70}, "the last change is 6"),
        ("meta", {"body": '{"text": "x"}'}, "not as Polaris writes"),
        ("change", {"seq": 7}, "1 to 6"),
        ("change", {"commit": 0}, "commit began"),
        ("change", {"id": 77}, "never given out"),
        ("change", {"target": -1}, "never given out"),
        ("change", {"kind": ""}, "kind is none"),
        ("change", {"body": "{}"}, "cannot be read"),
        ("receipt", {"key": "\x00"}, "key is none"),
        ("receipt", {"last": 99}, "the last change is 6"),
        ("receipt", {"body": "[[1]]"}, "cannot be read"),
    ],
)
def test_what_was_never_planned_has_a_flaw_that_is_named(kind: str, wrong: dict[str, Any], says: str) -> None:
    head, records = stored()
    (flaw,) = flaws_of(records[kind]._replace(**wrong), head)
    assert says in flaw


def test_a_restored_store_is_the_same_store_in_a_new_epoch_and_gives_no_number_out_again() -> None:
    options = StorageOptions(unique=lambda: "new")
    present = Head("mine", "old", seq=50, next_id=20, floor=7, time=9)
    assert options.restored_head(present, Head("theirs", "e", 10, 30, 2, 5)) == Head("mine", "new", 50, 30, 50, 9)
    assert options.restored_head(present, Head("theirs", "e", 60, 10, 2, 11)) == Head("mine", "new", 60, 20, 2, 11)
