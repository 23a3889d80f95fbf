"""How much one commit carries, and what it lets go of: limits of a group, forgotten receipts, trimmed changes."""

import sys
from collections.abc import Iterator

import pytest

from polaris_core.abc import CommitPlan, Head, Image, run_program
from polaris_core.errors import LimitExceededError, NodeExistsError, SchemaViolationError
from polaris_core.limits import Limits
from polaris_core.mutations import Batch, CreateNode, SetSchema
from polaris_core.outcomes import Commit
from polaris_core.schema import checker_of
from polaris_core.testing import writing


def decided(store: Image, *batches: Batch, now: int = 0, limits: Limits | None = None) -> CommitPlan:
    """Plan batches on an image and store the plan there."""
    made = run_program(writing(*batches, now=now, limits=limits), store)
    store.store(made)
    return made


def test_batches_that_together_pass_the_bytes_of_a_group_belong_to_another_commit() -> None:
    batches = [Batch([CreateNode(f"n{number}", attributes={"text": "x" * 400})]) for number in range(5)]
    store = Image(Head("s", "e"))
    made = decided(Image(Head("s", "e")), batches[0])
    one = len(made.changes[0].body) + len(made.put_nodes[0].body)
    plans = []
    while batches:
        plans.append(decided(store, *batches, limits=Limits(group_bytes=one * 2)))
        del batches[: len(plans[-1].outcomes)]
    assert [len(made.outcomes) for made in plans] == [2, 2, 1]
    assert [change.seq for made in plans for change in made.changes] == [1, 2, 3, 4, 5]


def test_a_batch_larger_than_a_group_goes_alone() -> None:
    batches = [Batch([CreateNode(f"{place}-{number}") for number in range(size)]) for place, size in ((0, 9), (1, 1))]
    assert len(decided(Image(Head("s", "e")), *batches, limits=Limits(group_records=5)).outcomes) == 1


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Image]:
    """A graph with a schema, where jsonschema-rs is not installed: a node with n items takes n + 2."""
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    checker_of.cache_clear()
    store = Image(Head("s", "e"))
    decided(store, Batch([SetSchema("node", "t", {"properties": {"a": {"items": {"type": "integer"}}}})]))
    yield store
    checker_of.cache_clear()


def holding(*names: str, value: object = 1) -> Batch:
    return Batch([CreateNode(name, "t", {"a": [value] * 98}) for name in names])


def test_a_batch_whose_records_together_take_too_long_to_hold_against_schemas_is_refused(measured: Image) -> None:
    limits = Limits(commit_schema_work=250)
    outcomes = decided(measured, holding("a", "b", "c"), limits=limits).outcomes
    assert [type(outcome) for outcome in outcomes] == [LimitExceededError]
    assert (outcomes[0].limit, outcomes[0].size, outcomes[0].maximum) == ("commit_schema_work", 300, 250)
    assert measured.nodes(["a"]) == [None]
    assert isinstance(decided(measured, holding("a", "b"), limits=limits).outcomes[0], Commit)


def test_batches_that_together_take_too_long_to_hold_against_schemas_belong_to_another_commit(measured: Image) -> None:
    batches = [holding(name) for name in "abcde"]
    sizes = []
    while batches:
        sizes.append(len(decided(measured, *batches, limits=Limits(commit_schema_work=250)).outcomes))
        del batches[: sizes[-1]]
    assert sizes == [2, 2, 1]
    assert None not in measured.nodes(list("abcde"))


def test_what_was_refused_counts_into_the_work_of_a_commit(measured: Image) -> None:
    batches = [holding(name, value="x") for name in "abcde"]
    outcomes = decided(measured, *batches, limits=Limits(commit_schema_work=250)).outcomes
    assert [type(outcome) for outcome in outcomes] == [SchemaViolationError] * 2


def test_a_batch_that_needs_no_schema_travels_with_those_that_took_all_the_work(measured: Image) -> None:
    outcomes = decided(measured, holding("a"), Batch([CreateNode("b")]), limits=Limits(commit_schema_work=100)).outcomes
    assert [type(outcome) for outcome in outcomes] == [Commit] * 2


def test_a_batch_too_large_for_any_commit_is_refused_when_its_turn_comes(measured: Image) -> None:
    batches, limits = [holding("a"), holding("b", "c", "d")], Limits(commit_schema_work=250)
    assert len(decided(measured, *batches, limits=limits).outcomes) == 1
    assert isinstance(decided(measured, batches[1], limits=limits).outcomes[0], LimitExceededError)


def test_an_idempotency_key_is_forgotten_after_its_time_and_its_receipt_dropped() -> None:
    store, limits, week = Image(Head("s", "e")), Limits(), 7 * 24 * 3_600_000_000
    batch = Batch([CreateNode("Ada")], key="once")
    first = decided(store, batch, now=1_000).outcomes[0]
    assert decided(store, batch, now=1_000 + week, limits=limits).outcomes[0].last == first.last
    later = decided(store, batch, Batch([CreateNode("Bob")]), now=1_001 + week, limits=limits)
    assert isinstance(later.outcomes[0], NodeExistsError)
    assert store.receipts(["once"]) == [None]


def test_changes_at_or_below_a_risen_floor_are_dropped() -> None:
    store = Image(Head("s", "e"))
    decided(store, Batch([CreateNode(name) for name in "abcd"]))
    head = store.head()
    store.store(CommitPlan(expected=head, head=head._replace(floor=3)))
    assert [change.seq for change in store.changes(3, 10, None)] == [4]
