"""The state as of any change: whatever was committed since, a session over the present answers as the store did then."""

import copy
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    LimitExceededError,
    Limits,
    Observation,
    Patch,
    PatchEdge,
    PatchNode,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    StorageOptions,
    StoreDamagedError,
    UpsertEdge,
    UpsertNode,
)
from polaris_core.abc import ChangeRecord, CommitPlan, Image, Session, run_program
from polaris_core.codec import change_body
from polaris_core.history import AsOf, Past, read_on
from polaris_core.planning import load, plan
from polaris_core.values import from_micros

NOW = 1_700_000_000_000_000
NAMES = "abcd"
names = st.sampled_from(NAMES)
types = st.sampled_from("tu")
values = st.sampled_from([None, 0, 1, 1.0, True, -0.0, "ü", [1, {}], {}, {"y": 1}, {"x": {"y": 2}}])
attributes = st.dictionaries(st.sampled_from("xy"), values, max_size=2)
paths = st.lists(st.sampled_from("xy"), min_size=1, max_size=3).map(tuple)
times = st.sampled_from([None, from_micros(5)])
observed = st.lists(st.builds(Observation, st.sampled_from("opqr"), st.sampled_from([None, "me"]), times), max_size=3)
texts = st.lists(st.sampled_from("opqr"), max_size=2)
sets = st.dictionaries(paths, values, max_size=2)
unsets = st.lists(paths, max_size=1)
triples = (names, types, names)
mutations = st.one_of(
    st.builds(CreateNode, names, types, attributes, observed),
    st.builds(PutNode, names, types, attributes),
    st.builds(UpsertNode, names, st.none() | types, attributes, observed),
    st.builds(PatchNode, names, st.builds(Patch, sets, unsets, observed, texts, st.none() | types)),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.just(True), missing_ok=st.just(True)),
    st.builds(UpsertEdge, *triples, attributes),
    st.builds(PutEdge, *triples, attributes),
    st.builds(PatchEdge, *triples, st.builds(Patch, sets, unsets)),
    st.builds(DeleteEdge, *triples, missing_ok=st.just(True)),
    st.builds(SetMeta, st.sampled_from("mn"), values),
    st.builds(DeleteMeta, st.sampled_from("mn")),
    st.builds(Emit, types, st.none() | names, values),
)
batches = st.builds(
    Batch,
    st.lists(mutations, min_size=1, max_size=4),
    key=st.sampled_from([None, None, "k", "l", "m"]),
    author=st.sampled_from([None, "ann", "bob"]),
)
START = [
    Batch([CreateNode(name, "t", {"x": 1, "y": {"x": 2}}, list("opq")) for name in "abc"]),
    Batch([CreateEdge(*triple, {"x": {"y": [1]}}) for triple in ("atb", "aub", "btc", "btb", "cta")]),
    Batch([SetMeta("m", 1.0)]),
]


EVENTFUL = [
    Batch(PatchNode("a", Patch(forget=["o"], observe=["r"])), author="ann"),
    Batch(PatchNode("a", Patch(forget=["p"], observe=["o"])), key="k"),
    Batch([RenameNode("a", "d"), RenameNode("b", "a"), RenameNode("d", "b")]),
    Batch(PatchNode("a", Patch({("y", "x"): 3, "z": {"y": 1}}, ["x"], type="u")), author="bob"),
    Batch([PatchEdge("b", "t", "a", Patch({("x", "y"): []})), SetMeta("m", 2), SetMeta("n", 0)]),
    Batch([DeleteMeta("m"), Emit("t", "a", 1)]),
    Batch(SetMeta("m", 1)),
    Batch(DeleteNode("a", detach=True)),
    Batch([CreateNode("a"), UpsertEdge("a", "t", "b"), RenameNode("c", "d")], key="l"),
    Batch([DeleteEdge("a", "t", "b"), DeleteNode("d", detach=True), UpsertNode("c", "t")]),
    Batch(RenameNode("b", "d")),
]


def store(image: Image, *group: Batch, limits: Limits = Limits(), now: int = NOW) -> CommitPlan:  # noqa: B008 - frozen
    async def program(session: Session) -> CommitPlan:
        return plan(group, await load(session, group, limits), now, limits)

    decided = run_program(program, image)
    if decided.writes:
        image.store(decided)
    return decided


def copied(image: Image) -> Image:
    return copy.deepcopy(image)


def as_of(image: Image, seq: int, ask: Any, past: Past | None = None, limits: Limits = Limits()) -> Any:  # noqa: B008
    """What `ask` answers on the session as of `seq`, and the past it was read through."""

    async def program(session: Session) -> Any:
        read = await read_on(session, past or Past(seq), limits)
        return await ask(AsOf(session, read)), read

    return run_program(program, image)


async def everything(session: Session) -> list[object]:
    """Every question a session can be asked, in small pages and large ones, except for the head's time."""
    head = await session.head()
    ids = range(20)
    told: list[object] = [head._replace(time=0), await session.counts()]
    told.append(list(await session.nodes([*NAMES, *ids])))
    told.append(list(await session.edges([*ids, *((a, kind, b) for a in ids for kind in "tu" for b in ids)])))
    told.append(list(await session.meta(["m", "n", "o"])))
    told.append(list(await session.receipts(["k", "l", "m", "n"])))
    for limit in (1, 2, 1_000):
        for after in range(0, 20, 3):
            told += [list(await session.scan(kind, after, limit)) for kind in ("node", "edge")]
            told += [list(await session.changes(after, limit, id)) for id in (None, 1, 4)]
            told += [
                list(await session.links(ends, direction, wanted, limit, after))
                for ends in ([1], [1, 2, 5])
                for direction in ("out", "in", "both")
                for wanted in (None, ["t"])
            ]
        for kind in ("node", "meta", "receipt"):
            told += [list(await session.keys(kind, after, limit)) for after in ("", "a", "bb", "l", "n")]
    return told


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(batches, min_size=1, max_size=7))
@example(True, EVENTFUL)
def test_at_every_change_number_everything_is_as_it_was_then(begun: bool, written: list[Batch]) -> None:
    image = Image(StorageOptions().new_head())
    then = {0: copied(image)}
    for batch in [*START, *written] if begun else written:
        store(image, batch)
        then[image.head().seq] = copied(image)
    event(f"{len(then)} states")
    for seq, state in then.items():
        assert as_of(image, seq, everything)[0] == run_program(everything, state), seq


@settings(max_examples=60, deadline=None)
@given(st.lists(batches, min_size=2, max_size=6), st.integers(0, 8))
def test_a_past_that_is_read_on_from_commit_to_commit_stays_the_same_past(written: list[Batch], start: int) -> None:
    image = Image(StorageOptions().new_head())
    past, expected = None, None
    for at, batch in enumerate([*START, *written]):
        store(image, batch)
        if at == start or (past is None and at >= len(written)):
            past, expected = Past(image.head().seq), run_program(everything, copied(image))
        if past is not None:
            before = dict(past.__dict__)
            answer, read = as_of(image, past.seq, everything, past)
            assert {name: past.__dict__[name] for name in before} == before, "what others hold has changed"
            if read.upto == read.seq:  # a receipt alone moves no number
                expected = run_program(everything, copied(image))
            assert answer == expected
            past = read


def test_a_past_that_is_read_a_little_at_a_time_is_the_same_past() -> None:
    image = Image(StorageOptions().new_head())
    for batch in [*START, Batch(RenameNode("a", "d")), Batch(DeleteNode("b", detach=True)), Batch(SetMeta("m", 2))]:
        store(image, batch)

    async def little_by_little(session: Session) -> tuple[Past, int]:
        past, hops = Past(3), 0
        while past.upto < (await session.head()).seq:
            past, hops = await read_on(session, past, Limits(), most=2), hops + 1
        return past, hops

    past, hops = run_program(little_by_little, image)
    assert hops > 1
    assert as_of(image, 3, everything, past)[0] == as_of(image, 3, everything)[0]


def test_the_head_tells_the_time_of_the_change_it_stands_at() -> None:
    image = Image(StorageOptions().new_head())
    store(image, Batch(CreateNode("a")), now=NOW * 2)
    store(image, Batch(CreateNode("b")), now=NOW * 3)

    async def time(session: Session) -> int:
        return (await session.head()).time

    assert as_of(image, 1, time)[0] == NOW * 2
    assert as_of(image, 2, time)[0] == NOW * 3


def imported(image: Image, nodes: int) -> None:
    """Load nodes as one change, whatever else a bulk load does."""
    head = image.head()
    made = Image(head)
    for number in range(nodes):
        store(made, Batch(CreateNode(f"{number}")))
    seq = head.seq + 1
    records = [record._replace(revision=seq) for record in made.scan("node", 0, nodes)]
    first, last = head.next_id, head.next_id + nodes - 1
    body = change_body(None, from_micros(NOW), None, {"first_id": first, "last_id": last, "nodes": nodes, "edges": 0})
    change = ChangeRecord(seq, seq, "graph.imported", 0, 0, 0, body)
    after = head._replace(seq=seq, next_id=last + 1, time=NOW)
    image.store(CommitPlan(head, after, put_nodes=records, changes=[change]))


def test_what_a_bulk_load_brought_was_not_there_before_it_and_is_afterwards() -> None:
    image = Image(StorageOptions().new_head())
    store(image, Batch(CreateNode("a")))
    before = copied(image)
    imported(image, 3)
    loaded = copied(image)
    store(image, Batch([DeleteNode("1"), RenameNode("0", "1"), RenameNode("a", "0"), CreateEdge("0", "t", "1")]))
    assert as_of(image, 1, everything)[0] == run_program(everything, before)
    assert as_of(image, 2, everything)[0] == run_program(everything, loaded)


def test_more_changes_than_the_limit_are_refused() -> None:
    image = Image(StorageOptions().new_head())
    for name in "abc":
        store(image, Batch(CreateNode(name)))
    assert as_of(image, 1, everything, limits=Limits(past_changes=2))
    with pytest.raises(LimitExceededError) as refused:
        as_of(image, 0, everything, limits=Limits(past_changes=2))
    assert (refused.value.limit, refused.value.size, refused.value.maximum) == ("past_changes", 3, 2)


def test_what_was_created_since_takes_no_memory_and_what_was_changed_is_bounded() -> None:
    image = Image(StorageOptions().new_head())
    store(image, Batch(CreateNode("a")))
    for number in range(50):
        store(image, Batch([CreateNode(f"{number}", "t", {"text": "x" * 1_000}), DeleteNode(f"{number}")]))
    limits = Limits(past_bytes=4_000)
    assert as_of(image, 1, everything, limits=limits)
    for number in range(50):
        store(image, Batch(PatchNode("a", Patch(set={"text": f"{number}" * 100}))))
    with pytest.raises(LimitExceededError) as refused:
        as_of(image, 1, everything, limits=limits)
    assert refused.value.limit == "past_bytes"


@pytest.mark.parametrize("body", ["{}", "[]", '{"key":"a"}', "not JSON"])
def test_a_change_that_says_too_little_is_reported_as_damage(body: str) -> None:
    image = Image(StorageOptions().new_head())
    store(image, Batch(CreateNode("a")))
    store(image, Batch(PatchNode("a", Patch(set={"x": 1}))))
    image._changes[1] = image._changes[1]._replace(body=body)
    with pytest.raises(StoreDamagedError):
        as_of(image, 1, everything)
