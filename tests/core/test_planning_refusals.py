"""Each refusal of planning by example: the right error, what it carries, and that it hurts nobody else.

Beside them the cases that a search finds too rarely to rely on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from polaris_core.abc import Head, Image, run_program
from polaris_core.codec import change_body, decode_change
from polaris_core.errors import (
    ConflictError,
    EdgeExistsError,
    EdgeNotFoundError,
    IdempotencyKeyReusedError,
    InvalidValueError,
    LimitExceededError,
    NodeExistsError,
    NodeHasEdgesError,
    NodeNotFoundError,
    PolarisError,
    RefusedError,
    StoreDamagedError,
)
from polaris_core.limits import Limits
from polaris_core.model import Cursor, EdgeKey, Node, Observation, Patch
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    ExpectLinks,
    ExpectRevision,
    ExpectUnchanged,
    Mutation,
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.outcomes import Commit
from polaris_core.planning import footprint, load, plan

START = Head(store="5704e", epoch="e90c4", time=1)
NOW = 1_700_000_000_000_000
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
UNLIMITED = Limits()


class Store:
    """A store in memory that says what became of each batch."""

    def __init__(self, *mutations: Mutation) -> None:
        self.image = Image(START)
        for mutation in mutations:
            self.commit(mutation)

    def apply(self, *batches: Batch, limits: Limits = UNLIMITED, now: int = NOW) -> list[Any]:
        async def program(session: Any) -> Any:
            return plan(batches, await load(session, batches, limits), now, limits)

        decided = run_program(program, self.image)
        if decided.writes:
            self.image.store(decided)
        return list(decided.outcomes)

    def commit(self, *mutations: Mutation, limits: Limits = UNLIMITED) -> Commit:
        (outcome,) = self.apply(Batch(mutations), limits=limits)
        if isinstance(outcome, PolarisError):
            raise outcome
        return outcome

    def names(self) -> list[str]:
        return self.image.keys("node", "", 100)

    def edges(self) -> int:
        return self.image.counts()[1]

    def since(self) -> Cursor:
        head = self.image.head()
        return Cursor(head.store, head.epoch, head.seq)

    def data(self, seq: int) -> Any:
        (row,) = self.image.changes(seq - 1, 1, None)
        return decode_change(row, self.image.head()).data


@pytest.fixture
def store() -> Store:
    return Store(CreateNode("a"), CreateNode("b"), CreateEdge("a", "t", "b"))


# --- what is refused, and with what -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mutation", "error", "key"),
    [
        (CreateNode("a"), NodeExistsError, "a"),
        (PatchNode("z", Patch()), NodeNotFoundError, "z"),
        (RenameNode("z", "y"), NodeNotFoundError, "z"),
        (RenameNode("a", "b"), NodeExistsError, "b"),
        (DeleteNode("z"), NodeNotFoundError, "z"),
        (DeleteNode("a"), NodeHasEdgesError, "a"),
        (DeleteNode("b"), NodeHasEdgesError, "b"),
        (CreateEdge("a", "t", "b"), EdgeExistsError, EdgeKey("a", "t", "b")),
        (CreateEdge("z", "t", "b"), NodeNotFoundError, "z"),
        (CreateEdge("a", "t", "z"), NodeNotFoundError, "z"),
        (PutEdge("a", "t", "z"), NodeNotFoundError, "z"),
        (UpsertEdge("z", "t", "z"), NodeNotFoundError, "z"),
        (PatchEdge("a", "u", "b", Patch()), EdgeNotFoundError, EdgeKey("a", "u", "b")),
        (PatchEdge("b", "t", "a", Patch()), EdgeNotFoundError, EdgeKey("b", "t", "a")),
        (DeleteEdge("a", "u", "b"), EdgeNotFoundError, EdgeKey("a", "u", "b")),
        (DeleteEdge("a", "t", "z"), NodeNotFoundError, "z"),
    ],
)
def test_a_refusal_names_what_it_is_about(store, mutation, error, key):
    before = store.image.head()
    with pytest.raises(error) as caught:
        store.commit(mutation)
    assert type(caught.value) is error
    assert caught.value.key == key
    assert isinstance(caught.value, RefusedError)
    assert store.image.head() == before


@pytest.mark.parametrize("attributes", [{"x": 1}, {"x": [1]}, {"x": None}, {"x": "text"}])
def test_a_path_through_what_is_no_object_is_refused_with_the_path(attributes):
    store = Store(CreateNode("a", attributes=attributes))
    with pytest.raises(InvalidValueError) as caught:
        store.commit(PatchNode("a", Patch(set={("x", "y", "z"): 1})))
    assert caught.value.path == ("x", "y", "z")


def test_unsetting_through_what_is_no_object_changes_nothing():
    store = Store(CreateNode("a", attributes={"x": 1}))
    (result,) = store.commit(PatchNode("a", Patch(unset=[("x", "y"), "z"]))).results
    assert result.status == "unchanged"


def test_a_refused_batch_leaves_nothing_and_its_neighbours_go_on(store):
    outcomes = store.apply(
        Batch(CreateNode("c")),
        Batch([CreateNode("d"), CreateEdge("c", "t", "d"), RenameNode("a", "z"), SetMeta("k", 1), CreateNode("b")]),
        Batch([CreateNode("d"), CreateEdge("d", "t", "c")]),
    )
    assert [type(outcome) for outcome in outcomes] == [Commit, NodeExistsError, Commit]
    assert store.names() == ["a", "b", "c", "d"]
    assert store.edges() == 2
    assert [row.seq for row in store.image.changes(0, 100, None)] == list(range(1, 7))


def test_a_batch_is_decided_on_top_of_the_accepted_ones_before_it():
    store = Store()
    outcomes = store.apply(
        Batch(CreateNode("a")), Batch(CreateNode("a")), Batch(RenameNode("a", "b")), Batch(CreateNode("a"))
    )
    assert [type(outcome) for outcome in outcomes] == [Commit, NodeExistsError, Commit, Commit]
    assert store.names() == ["a", "b"]


# --- preconditions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a", ("a", "t", "b"), "z", ("a", "t", "z")])
def test_an_expected_revision_holds_exactly_when_it_is_the_records(store, key):
    actual = {"a": 1, ("a", "t", "b"): 3}.get(key, 0)
    (right,) = store.apply(Batch([], expect=[ExpectRevision(key, actual)]))
    assert isinstance(right, Commit)
    (wrong,) = store.apply(Batch([CreateNode("new")], expect=[ExpectRevision(key, actual + 1)]))
    assert type(wrong) is ConflictError
    assert (wrong.key, wrong.expected, wrong.actual) == (ExpectRevision(key, 0).key, actual + 1, actual)
    assert "new" not in store.names()


def test_a_revision_never_repeats_through_deletion_and_a_new_beginning():
    store = Store(CreateNode("a"))
    store.commit(DeleteNode("a"), CreateNode("a"))
    (outcome,) = store.apply(Batch([], expect=[ExpectRevision("a", 1)]))
    assert type(outcome) is ConflictError


@pytest.mark.parametrize(
    "change",
    [
        [CreateEdge("b", "t", "a")],
        [PutEdge("a", "t", "b", {"x": 1})],
        [DeleteEdge("a", "t", "b")],
        [DeleteNode("b", detach=True)],
        [DeleteNode("a", detach=True), CreateNode("a")],
        [RenameNode("a", "c"), CreateNode("a")],
        [RenameNode("a", "c"), RenameNode("b", "a"), RenameNode("c", "b")],
        [DeleteNode("a", detach=True)],
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_expected_links_conflict_when_an_edge_changed_or_the_name_changed_hands(store, change, together):
    expecting = Batch([], expect=[ExpectLinks("a", store.since())])
    groups = [(Batch(change), expecting)] if together else [(Batch(change),), (expecting,)]
    *_, outcome = [outcome for group in groups for outcome in store.apply(*group)]
    assert type(outcome) is ConflictError
    assert outcome.key == "a"


@pytest.mark.parametrize(
    "change", [[PatchNode("a", Patch(set={"x": 1}))], [CreateNode("c")], [RenameNode("b", "c")], []]
)
@pytest.mark.parametrize("together", [True, False])
def test_expected_links_hold_while_no_edge_of_the_node_changes(store, change, together):
    expecting = Batch([], expect=[ExpectLinks("a", store.since())])
    groups = [(Batch(change), expecting)] if together else [(Batch(change),), (expecting,)]
    *_, outcome = [outcome for group in groups for outcome in store.apply(*group)]
    assert isinstance(outcome, Commit)


@pytest.mark.parametrize("together", [True, False])
def test_the_change_that_a_cursor_stands_after_is_no_later_change(store, together):
    since = store.since()._replace(seq=store.since().seq + 1)
    expecting = Batch([], expect=[ExpectLinks("a", since), ExpectUnchanged(since)])
    groups = (
        [(Batch(CreateEdge("b", "t", "a")), expecting)]
        if together
        else [(Batch(CreateEdge("b", "t", "a")),), (expecting,)]
    )
    *_, outcome = [outcome for group in groups for outcome in store.apply(*group)]
    assert isinstance(outcome, Commit)


@pytest.mark.parametrize("expect", [ExpectUnchanged, lambda since: ExpectLinks("a", since)])
@pytest.mark.parametrize("wrong", [{"store": "other"}, {"epoch": "other"}, {"seq": 99}])
def test_a_cursor_of_another_history_or_of_the_future_conflicts(store, expect, wrong):
    (outcome,) = store.apply(Batch([], expect=[expect(store.since()._replace(**wrong))]))
    assert type(outcome) is ConflictError


def test_any_change_at_all_breaks_the_expectation_that_nothing_changed(store):
    since = store.since()
    first, second = store.apply(Batch([Emit("seen")], [ExpectUnchanged(since)]), Batch([], [ExpectUnchanged(since)]))
    assert isinstance(first, Commit)
    assert type(second) is ConflictError
    assert (second.expected, second.actual) == (since, store.since())


# --- repeats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_a_repeat_with_the_same_key_answers_as_the_first_did_and_does_nothing(together):
    store, batch = Store(), Batch([CreateNode("a"), Emit("made", "a")], [ExpectRevision("a", 0)], key="k")
    first, again = (
        store.apply(batch, batch) if together else [store.apply(batch)[0], store.apply(batch, now=NOW + 9)[0]]
    )
    assert again == first
    assert store.image.head().seq == 2


def test_a_key_used_for_another_request_is_refused():
    store = Store()
    store.apply(Batch(CreateNode("a", attributes={"x": 1}), key="k"))
    (outcome,) = store.apply(Batch(CreateNode("a", attributes={"x": 1.0}), key="k"))
    assert type(outcome) is IdempotencyKeyReusedError
    assert outcome.key == "k"


def test_a_refused_batch_leaves_its_key_free():
    store = Store(CreateNode("a"))
    refused, accepted = store.apply(Batch(CreateNode("a"), key="k"), Batch(CreateNode("b"), key="k"))
    assert type(refused) is NodeExistsError
    assert isinstance(accepted, Commit)


def test_a_batch_that_changes_nothing_writes_nothing_but_its_receipt(store):
    before = store.image.head()
    (quiet,) = store.apply(Batch(UpsertNode("a")))
    assert (quiet.first, quiet.last, store.image.head()) == (before.seq + 1, before.seq, before)
    store.apply(Batch(UpsertNode("a"), key="k"))
    assert store.image.head().seq == before.seq
    assert store.image.receipts(["k"]) != [None]


# --- limits -----------------------------------------------------------------------------------------------------------


def refused(store: Store, limits: Limits, *mutations: Mutation) -> tuple[str, int, int]:
    with pytest.raises(LimitExceededError) as caught:
        store.commit(*mutations, limits=limits)
    return caught.value.limit, caught.value.size, caught.value.maximum


def test_a_record_is_bounded_by_its_bytes_in_utf_8():
    store, limits = Store(), Limits(record_bytes=300)
    store.commit(CreateNode("a", attributes={"x": "\u00e9" * 50}), limits=limits)
    limit, size, maximum = refused(store, limits, CreateNode("b", attributes={"x": "\u00e9" * 100}))
    assert (limit, maximum) == ("record_bytes", 300)
    assert 300 < size < 400
    for mutation in (
        UpsertNode("a", attributes={"y": "x" * 200}),
        PatchNode("a", Patch(observe=["x" * 200])),
        CreateEdge("a", "t", "a", {"x": "x" * 300}),
        SetMeta("k", "x" * 300),
        Emit("happened", data="x" * 300),
    ):
        assert refused(store, limits, mutation)[0] == "record_bytes"
    assert store.image.head().seq == 1


def test_observations_of_a_node_are_bounded():
    store, limits = Store(), Limits(observations=2)
    assert refused(store, limits, CreateNode("a", observations="x"), UpsertNode("a", observations=["y", "z"])) == (
        "observations", 3, 2,
    )  # fmt: skip


def test_mutations_of_a_batch_are_bounded():
    assert refused(Store(), Limits(batch_mutations=2), Emit("a"), Emit("b"), Emit("c")) == ("batch_mutations", 3, 2)


def test_records_of_a_batch_are_bounded_and_events_are_none():
    store, limits = Store(), Limits(commit_records=2)
    assert refused(store, limits, *map(CreateNode, "abc")) == ("commit_records", 3, 2)
    store.commit(*map(CreateNode, "ab"), *[Emit("e")] * 5, limits=limits)


def hub(spokes: int) -> Store:
    store = Store(CreateNode("hub"))
    for number in range(spokes):
        store.commit(CreateNode(f"n{number}"), CreateEdge("hub", "t", f"n{number}"))
    return store


@pytest.mark.parametrize("spokes", [3, 4, 10])
def test_detaching_more_than_a_commit_may_hold_is_refused(spokes):
    limit, size, maximum = refused(hub(spokes), Limits(commit_records=3), DeleteNode("hub", detach=True))
    assert (limit, maximum) == ("commit_records", 3)
    assert size > maximum


def test_detaching_as_much_as_a_commit_may_hold_is_done():
    store = hub(3)
    store.commit(DeleteNode("hub", detach=True), limits=Limits(commit_records=4))
    assert store.edges() == 0


# --- deletions in company ---------------------------------------------------------------------------------------------


def test_a_hub_is_not_detached_because_the_group_took_some_of_its_edges_first():
    store = hub(6)
    taken = [Batch(DeleteEdge("hub", "t", f"n{number}")) for number in (0, 1)]
    *_, outcome = store.apply(*taken, Batch(DeleteNode("hub", detach=True)), limits=Limits(commit_records=3))
    assert type(outcome) is LimitExceededError
    assert store.edges() == 4


def test_a_hub_is_detached_when_the_group_took_enough_of_its_edges_first():
    store = hub(6)
    taken = [Batch(DeleteEdge("hub", "t", f"n{number}")) for number in range(4)]
    *_, outcome = store.apply(*taken, Batch(DeleteNode("hub", detach=True)), limits=Limits(commit_records=3))
    assert isinstance(outcome, Commit)
    assert store.edges() == 0


@pytest.mark.parametrize("together", [True, False])
def test_a_node_is_not_free_because_the_neighbour_it_was_joined_to_first_is_detached(store, together):
    store.commit(CreateNode("c"), CreateEdge("a", "t", "c"))
    mutations = [DeleteNode("b", detach=True), DeleteNode("a")]
    outcomes = store.apply(Batch(mutations)) if together else store.apply(*map(Batch, mutations))
    assert type(outcomes[-1]) is NodeHasEdgesError
    assert "a" in store.names()


def test_a_node_is_free_when_all_its_neighbours_are_detached(store):
    store.commit(CreateEdge("b", "t", "a"))
    store.commit(DeleteNode("b", detach=True), DeleteNode("a"))
    assert store.names() == []


def test_a_self_loop_is_deleted_once():
    store = Store(CreateNode("a"), CreateEdge("a", "t", "a"))
    with pytest.raises(NodeHasEdgesError):
        store.commit(DeleteNode("a"))
    commit = store.commit(DeleteNode("a", detach=True))
    kinds = [row.kind for row in store.image.changes(commit.first - 1, 9, None)]
    assert kinds == ["edge.deleted", "node.deleted"]


def test_a_detached_nodes_edges_go_in_the_order_they_came_and_before_it():
    store = hub(4)
    commit = store.commit(DeleteNode("hub", detach=True))
    rows = store.image.changes(commit.first - 1, 9, None)
    assert [row.kind for row in rows] == ["edge.deleted"] * 4 + ["node.deleted"]
    assert [row.id for row in rows[:-1]] == sorted(row.id for row in rows[:-1])


# --- renames ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_two_nodes_swap_names_and_keep_ids_edges_and_observations(store, together):
    ids = dict(zip("ab", (record.id for record in store.image.nodes(["a", "b"])), strict=True))
    moves = [RenameNode("a", "tmp"), RenameNode("b", "a"), RenameNode("tmp", "b")]
    store.commit(*moves) if together else store.apply(*map(Batch, moves))
    assert [record.id for record in store.image.nodes(["a", "b"])] == [ids["b"], ids["a"]]
    (result,) = store.commit(DeleteEdge("b", "t", "a")).results
    assert result.status == "deleted"


def test_an_edge_is_found_by_names_its_ends_were_given_in_the_same_batch(store):
    results = store.commit(
        RenameNode("a", "x"),
        RenameNode("b", "a"),
        PatchEdge("x", "t", "a", Patch(set={"k": 1})),
        DeleteNode("x", detach=True),
    ).results
    assert [result.status for result in results] == ["renamed", "renamed", "updated", "deleted"]
    assert store.names() == ["a"]


def test_an_edge_is_found_after_a_rename_that_an_earlier_batch_may_or_may_not_have_made(store):
    outcomes = store.apply(
        Batch([RenameNode("a", "x"), CreateNode("b")]),  # refused
        Batch(UpsertEdge("a", "t", "b", {"k": 1})),
        Batch(RenameNode("a", "x")),
        Batch(UpsertEdge("x", "t", "b", {"k": 2})),
    )
    assert [type(outcome) for outcome in outcomes] == [NodeExistsError, Commit, Commit, Commit]
    assert outcomes[1].results[0].status == outcomes[3].results[0].status == "updated"
    assert store.edges() == 1


def test_what_is_looked_for_grows_with_the_batch_and_not_with_its_square():
    names = [f"n{number}" for number in range(50)]
    turn = [RenameNode(names[0], "tmp"), *map(RenameNode, names[1:], names), RenameNode("tmp", names[-1])]
    edges = [UpsertEdge(one, "t", other) for one, other in pairwise(names)]
    wanted = footprint([Batch([*turn, *edges])], UNLIMITED)
    assert len(wanted.edges) == len(edges)
    assert len(wanted.names) == len(names) + 1


# --- what the feed keeps ----------------------------------------------------------------------------------------------


def test_an_observation_that_was_forgotten_and_made_again_moves_to_the_end_in_the_feed_too():
    first, second = Observation("x", "me", NOON), Observation("y", "me", NOON)
    store = Store(CreateNode("a", observations=[first, second]))
    commit = store.commit(PatchNode("a", Patch(forget=["x"], observe=[first])))
    node = commit.results[0].value
    assert isinstance(node, Node)
    assert node.observations == (second, first)
    data = store.data(commit.last)
    assert (data["patch"]["forget"], data["patch"]["observe"][0]["at"]) == (["x"], 1)
    assert data["undo"] != data["patch"]


def test_a_meta_records_changes_keep_what_was_before():
    store = Store(SetMeta("k", {"x": 1}), SetMeta("k", [2]), DeleteMeta("k"))
    assert store.data(1)["record"] == {"x": 1}
    assert (store.data(2)["patch"], store.data(2)["undo"]) == ({"value": [2]}, {"value": {"x": 1}})
    assert store.data(3)["record"] == [2]


def test_an_event_is_in_the_feed_with_its_data_and_author():
    store = Store()
    store.apply(Batch(Emit("person.met", "a", {"where": None}), author="ann"))
    (row,) = store.image.changes(0, 9, None)
    change = decode_change(row, store.image.head())
    assert (change.kind, change.key, change.author) == ("event", "a", "ann")
    assert change.data == {"type": "person.met", "data": {"where": None}}


def test_many_paths_of_one_patch_copy_an_object_once():
    keys = [f"k{number}" for number in range(20_000)]  # with a copy for each path this takes minutes
    store = Store(CreateNode("a", attributes={"deep": dict.fromkeys(keys, 0)}))
    store.commit(PatchNode("a", Patch(set={("deep", key): 1 for key in keys}, unset=[("deep", "none")])))
    (record,) = store.image.nodes(["a"])
    assert json.loads(record.body)["attributes"] == {"deep": dict.fromkeys(keys, 1)}


def test_a_value_that_a_patch_set_is_not_changed_by_what_it_sets_next():
    inner = {"y": 1}
    patch = Patch(set=[("x", inner), (("x", "z"), 2), ("w", inner)])
    store = Store(CreateNode("a"), PatchNode("a", patch))
    (record,) = store.image.nodes(["a"])
    assert json.loads(record.body)["attributes"] == {"w": {"y": 1}, "x": {"y": 1, "z": 2}}
    assert patch.set[0][1] == {"y": 1}


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_damaged_record_refuses_the_batch_that_needs_it_and_no_other(store):
    (record,) = store.image.nodes(["a"])
    damaged = plan([], run_program(lambda session: load(session, [], UNLIMITED), store.image), NOW, UNLIMITED)
    store.image.store(damaged._replace(put_nodes=[record._replace(body="{}")]))
    outcomes = store.apply(Batch(PutNode("a", attributes={"x": 1})), Batch(CreateNode("c")))
    assert [type(outcome) for outcome in outcomes] == [StoreDamagedError, Commit]


def test_an_edge_without_an_end_is_reported_as_damage(store):
    empty = plan([], run_program(lambda session: load(session, [], UNLIMITED), store.image), NOW, UNLIMITED)
    (record,) = store.image.nodes(["b"])
    store.image.store(empty._replace(delete_nodes=[record.id]))
    outcomes = store.apply(Batch(DeleteNode("a", detach=True)), Batch(CreateNode("c")))
    assert [type(outcome) for outcome in outcomes] == [StoreDamagedError, Commit]


def test_a_changes_body_is_the_same_for_the_same_change():
    assert change_body("a", NOON, None, {"b": 1, "a": 2}) == change_body("a", NOON, None, {"a": 2, "b": 1})
