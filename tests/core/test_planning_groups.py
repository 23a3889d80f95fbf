"""How much one commit carries, and what it lets go of: limits of a group, forgotten receipts, trimmed changes."""

from polaris_core.abc import CommitPlan, Head, Image, run_program
from polaris_core.errors import NodeExistsError
from polaris_core.limits import Limits
from polaris_core.mutations import Batch, CreateNode
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
