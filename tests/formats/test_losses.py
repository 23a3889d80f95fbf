"""What a format or a graph cannot hold is counted, or refuses the whole; it is never dropped in silence."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core import EdgeKey, InvalidValueError, Loss, LossError
from polaris_core.abc import Losses

EDGE = EdgeKey("a", "to", "b")
keys = st.sampled_from(["a", "b", EDGE, None])


@given(st.lists(st.tuples(keys, st.sampled_from(["attributes", "provenance"]))))
def test_every_loss_is_counted_by_what_it_is_of(lost: list[tuple[Any, str]]) -> None:
    losses = Losses("the format 'x'")
    for key, what in lost:
        losses.add(key, what)
    of = {"a": "node", "b": "node", EDGE: "edge", None: "file"}
    kinds = [(of[key], what) for key, what in lost]
    assert [(loss.of, loss.what, loss.count) for loss in losses.counted()] == [
        (*kind, kinds.count(kind)) for kind in dict.fromkeys(kinds)
    ]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("Ada", "the format 'x' cannot hold the attributes of the node 'Ada'"),
        (EDGE, "the format 'x' cannot hold the attributes of the edge 'a' -[to]-> 'b'"),
        (None, "the format 'x' cannot hold the attributes of the file"),
    ],
)
def test_where_losses_are_errors_the_first_one_is_named(key: Any, message: str) -> None:
    with pytest.raises(LossError) as caught:
        Losses("the format 'x'", "error").add(key, "attributes")
    assert (str(caught.value), caught.value.key, caught.value.what) == (message, key, "attributes")


def test_a_loss_reads_as_a_phrase() -> None:
    assert str(Loss("node", "attributes", 1_412)) == "attributes of 1,412 nodes"
    assert str(Loss("file", "attributes", 1)) == "attributes of 1 file"


def test_another_policy_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="'skip' or 'error'"):
        Losses("a graph", cast("Any", "warn"))
