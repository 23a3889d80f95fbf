"""What is remembered is never older than the last commit, whatever the schedule; caches that are wrong on purpose are found out."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Edge,
    EdgeKey,
    Limits,
    Node,
    PatchEdge,
    PatchNode,
    PolarisError,
    RenameNode,
    StoreDamagedError,
)
from polaris_core.abc import CacheOptions, Head, Image, Session, run_program
from polaris_core.cache import LRUCache
from polaris_core.codec import decode_edge, decode_node
from polaris_core.history import Touched, touched
from polaris_core.model import Patch
from polaris_core.mutations import Mutation, SetMeta
from polaris_core.records import ChangeRecord
from polaris_core.storage import coherence
from polaris_core.storage.adjacency import Adjacency
from polaris_core.storage.coherence import UNKNOWN, GraphCache, Seen
from polaris_core.storage.grounds import Found, Ground, SessionGround, Way
from polaris_core.storage.lookups import edge_records
from polaris_core.testing import writing

NAMES = ("a", "b", "c")
WAYS = (Way("out", None), Way("in", None), Way("both", ("t",)))
KEYS = tuple(EdgeKey(source, type, target) for source, type, target in product(NAMES, "tu", NAMES))


class Store:
    """A store in memory whose stamp moves with each commit, and where a read may take as long as a test likes."""

    def __init__(self) -> None:
        self.image = Image(Head("store", "first"))
        self.stamp = 1

    def commit(self, *mutations: Mutation) -> None:
        plan = run_program(writing(Batch(mutations)), self.image)
        self.image.store(plan)
        self.stamp += 1

    def replace(self) -> None:
        """Begin another history, as a restore does, which may hold fewer changes than the one before."""
        self.image = Image(Head("store", f"epoch-{self.stamp}"))
        self.stamp += 1

    def node(self, name: str) -> Node | None:
        (record,) = self.image.nodes((name,))
        return None if record is None else decode_node(record)

    def edge(self, key: EdgeKey) -> Edge | None:
        async def program(session: Session) -> Edge | None:
            (record,) = await edge_records(session, (key,))
            return None if record is None else decode_edge(record, key.source, key.target)

        return run_program(program, self.image)

    def around(self, name: str, way: Way) -> tuple[object, ...] | None:
        """Return the names of the neighbours, and the keys of the first edges to them; None where there is no such node."""

        async def program(session: Session) -> tuple[object, ...]:
            return await around(SessionGround(session, Limits()), name, way)

        return None if self.node(name) is None else run_program(program, self.image)


async def around(ground: Ground, name: str, way: Way) -> tuple[object, ...]:
    (node,) = await ground.find((name,))
    near = (await ground.neighbors((node,), way))[node]
    keys = [(await ground.keys((node, other), way))[0] for other in near]
    return await ground.names(near), tuple(keys)


class Reading:
    """A read that has seen a state, and has not come back yet: nodes and edges by their keys, and all that is around some nodes."""

    def __init__(self, store: Store, cache: GraphCache, names: tuple[str, ...]) -> None:
        self.stamp = store.stamp
        found = Found()
        found.nodes.update((name, store.node(name)) for name in names)
        found.edges.update((key, store.edge(key)) for key in KEYS if key.source in names)

        async def look(session: Session) -> Seen:
            for name, way in product(names, WAYS):
                if found.nodes[name] is not None:
                    ground = SessionGround(session, Limits())
                    await around(ground, name, way)
                    await ground.tell(found)
            return await cache.look(session, found, self.stamp)

        self.seen = run_program(look, store.image)

    def end(self, store: Store, cache: GraphCache) -> None:
        cache.take(self.seen, self.stamp if self.stamp == store.stamp else None)


NAMED = st.sampled_from(NAMES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMED),
        st.tuples(st.just("patch"), NAMED),
        st.tuples(st.just("delete"), NAMED),
        st.tuples(st.just("rename"), NAMED, NAMED),
        st.tuples(st.sampled_from(["join", "join", "part", "change"]), st.sampled_from(KEYS)),
        st.tuples(st.just("other")),
        st.tuples(st.just("begin"), st.sets(NAMED, min_size=1).map(tuple)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("get"), NAMED),
        st.tuples(st.just("replace")),
    ),
    min_size=10,
    max_size=40,
)
"""Of each step its word and what it is about. Most schedules begin with nothing; commits that are refused change nothing."""


MUTATIONS: dict[str, Callable[..., Mutation]] = {
    "create": lambda _, name: CreateNode(name),
    "patch": lambda number, name: PatchNode(name, Patch(set={"n": number})),
    "delete": lambda _, name: DeleteNode(name, detach=True),
    "rename": lambda _, name, to: RenameNode(name, to),
    "join": lambda _, key: CreateEdge(*key),
    "part": lambda _, key: DeleteEdge(*key),
    "change": lambda number, key: PatchEdge(*key, Patch(set={"n": number})),
    "other": lambda number: SetMeta("key", number),
}


def run(steps: list[tuple[Any, ...]], cache: GraphCache, *, begin_with: Sequence[Mutation] = ()) -> None:
    """Run a schedule, and look at all that is remembered after each step."""
    store, under_way = Store(), list[Reading]()
    if begin_with:
        store.commit(*begin_with)
    for number, (step, *arguments) in enumerate(steps):
        if step in MUTATIONS:
            store.commit(MUTATIONS[step](number, *arguments))
        elif step == "begin":
            under_way.append(Reading(store, cache, arguments[0]))
        elif step == "end" and under_way:
            under_way.pop(arguments[0] % len(under_way)).end(store, cache)
        elif step == "get":
            Reading(store, cache, (arguments[0],)).end(store, cache)
        elif step == "replace":
            store.replace()
        where = f"after step {number} of {steps}"
        for name in NAMES:
            found = cache.get(name, store.stamp)
            assert found is UNKNOWN or found == store.node(name), f"{name} is served as {found!r} {where}"
        for key in KEYS:
            found = cache.get(key, store.stamp)
            assert found is UNKNOWN or found == store.edge(key), f"{key} is served as {found!r} {where}"
        for name, way in product(NAMES, WAYS):
            seen: Any = cache.explore(lambda ground, name=name, way=way: around(ground, name, way), store.stamp)  # type: ignore[misc]
            assert seen is UNKNOWN or seen == store.around(name, way), (
                f"around {name}, {way} is served as {seen!r} {where}"
            )


def new(cls: type[GraphCache] = GraphCache) -> GraphCache:
    return cls(LRUCache(CacheOptions()), Adjacency(1 << 20))


@given(STEPS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_served_is_what_the_store_holds(steps: list[tuple[Any, ...]]) -> None:
    run(steps, new())


@given(STEPS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_served_is_what_the_store_holds_where_nodes_are_there_and_joined(steps: list[tuple[Any, ...]]) -> None:
    run(steps, new(), begin_with=JOINED)


JOINED: tuple[Mutation, ...] = (
    *map(CreateNode, NAMES),
    *(CreateEdge(*key) for key in (("a", "t", "b"), ("b", "u", "c"), ("c", "t", "a"), ("a", "u", "b"))),
)


# --- caches that are wrong on purpose -----------------------------------------------------------------------------------


class IgnoresTheStamp(GraphCache):
    """Misses what another process commits."""

    def get(self, key: str | EdgeKey, stamp: int | None) -> Any:
        return self._cache.get(key, UNKNOWN)


class KeepsWhatIsReadWhileTheStampMoves(GraphCache):
    """Takes a fill that started before a commit for one of the state after it."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        super().take(seen, self.now if stamp is None else stamp)

    now: int | None = None

    def get(self, key: str | EdgeKey, stamp: int | None) -> Any:
        self.now = stamp
        return super().get(key, stamp)


class TakesTheSlowerRead(GraphCache):
    """Lets a read that saw less come after one that saw more."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        before = self._known.head
        if before is not None and before.seq > seen.head.seq and before[:2] == seen.head[:2]:
            for name, node in seen.found.nodes.items():
                self._cache.set(name, node)
            return
        super().take(seen, stamp)


class IgnoresTheEpoch(GraphCache):
    """Takes another history for the one it knows."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        before = self._known.head
        if before is not None and before[:2] != seen.head[:2]:
            self._known = self._known._replace(head=seen.head._replace(seq=0), stamp=None)
            seen = seen._replace(stale=coherence._NOTHING)
        super().take(seen, stamp)


class ForgetsNoAbsence(GraphCache):
    """Goes on saying that there is no node, or no edge, where one was made since."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        absent = [key for key in (*NAMES, *KEYS) if self._cache.get(key, UNKNOWN) is None]
        super().take(seen, stamp)
        for key in absent:
            if self._cache.get(key, UNKNOWN) is UNKNOWN:
                self._cache.set(key, None)


class KeepsNeighbours(GraphCache):
    """Forgets nodes and edges, and not who is next to whom."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        stale = seen.stale and seen.stale._replace(ends=frozenset())
        super().take(seen._replace(stale=stale), stamp)


class ReadsAheadOfTheCommit(GraphCache):
    """Takes what a read saw for one of a later state, as a cache does that is filled with what is not committed yet."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        super().take(seen, stamp)
        self._known = self._known._replace(stamp=self.later)

    later: int | None = None

    def get(self, key: str | EdgeKey, stamp: int | None) -> Any:
        self.later = None if stamp is None else stamp + 1
        return super().get(key, stamp)


WRONG: list[type[GraphCache]] = [
    IgnoresTheStamp,
    KeepsWhatIsReadWhileTheStampMoves,
    TakesTheSlowerRead,
    IgnoresTheEpoch,
    ForgetsNoAbsence,
    KeepsNeighbours,
    ReadsAheadOfTheCommit,
]


def found_out(wrong: type[GraphCache], schedules: st.SearchStrategy[list[tuple[Any, ...]]] = STEPS) -> None:
    """Look for a schedule that shows what is wrong, not for the shortest."""

    @given(schedules, st.booleans())
    @settings(
        max_examples=5_000,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def search(steps: list[tuple[Any, ...]], joined: bool) -> None:
        run(steps, new(wrong), begin_with=JOINED if joined else ())

    with pytest.raises((AssertionError, ExceptionGroup)) as caught:
        search()
    errors = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else [caught.value]
    assert all("is served as" in str(error) for error in errors)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_cache_that_is_wrong_is_found_out(wrong: type[GraphCache]) -> None:
    found_out(wrong)


KINDS = [
    *("node.created", "node.updated", "node.renamed", "node.deleted"),
    *("edge.created", "edge.updated", "edge.deleted"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_that_overlooks_a_kind_of_change_is_found_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def overlooking(changes: Iterable[ChangeRecord], most: int) -> Touched | None:
        return touched((change for change in changes if change.kind != kind), most)

    monkeypatch.setattr(coherence, "touched", overlooking)
    edges = st.tuples(st.sampled_from(["join", "part", "change"]), st.sampled_from(KEYS))
    of_edges = st.lists(st.one_of(st.tuples(st.just("get"), NAMED), edges), min_size=5, max_size=20)
    found_out(GraphCache, of_edges if kind.startswith("edge") else STEPS)


def test_a_cache_that_overlooks_what_a_renaming_means_for_neighbours_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def overlooking(changes: Iterable[ChangeRecord], most: int) -> Touched | None:
        found = touched(changes, most)
        return found and found._replace(renamed={})

    monkeypatch.setattr(coherence, "touched", overlooking)
    step = st.one_of(st.tuples(st.just("get"), NAMED), st.tuples(st.just("rename"), NAMED, st.just("d")))
    found_out(GraphCache, st.lists(step, min_size=3, max_size=10))


# --- what is kept, and what is not -----------------------------------------------------------------------------------


def read(store: Store, cache: GraphCache, *names: str) -> None:
    Reading(store, cache, names).end(store, cache)


def neighbours(store: Store, cache: GraphCache, name: str) -> object:
    answer: Any = cache.explore(lambda ground: around(ground, name, WAYS[0]), store.stamp)
    return answer


def test_a_commit_costs_those_entries_only_that_it_touched() -> None:
    store, cache = Store(), new()
    store.commit(*JOINED)
    read(store, cache, *NAMES)
    kept = cache.get("c", store.stamp)
    store.commit(PatchNode("a", Patch(set={"n": 1})))
    assert cache.get("c", store.stamp) is UNKNOWN
    read(store, cache, "b")
    assert cache.get("c", store.stamp) is kept
    assert cache.get("a", store.stamp) is UNKNOWN
    assert cache.get(EdgeKey("c", "t", "a"), store.stamp) == store.edge(EdgeKey("c", "t", "a"))


def commits_that_leave_neighbours() -> list[Callable[[], Mutation]]:
    return [
        lambda: PatchNode("a", Patch(set={"n": 1})),
        lambda: PatchEdge("a", "t", "b", Patch(set={"n": 1})),
        lambda: CreateEdge("b", "t", "c"),
        lambda: CreateNode("d"),
    ]


@pytest.mark.parametrize("commit", commits_that_leave_neighbours())
def test_who_is_next_to_a_node_is_remembered_over_commits_that_concern_other_links(
    commit: Callable[[], Mutation],
) -> None:
    store, cache = Store(), new()
    store.commit(*JOINED)
    read(store, cache, *NAMES)
    store.commit(commit())
    Reading(store, cache, ()).end(store, cache)
    read(store, cache, "c")
    assert neighbours(store, cache, "a") == store.around("a", WAYS[0])


def test_that_a_name_has_no_node_is_known_too() -> None:
    store, cache = Store(), new()
    read(store, cache, "a")
    assert cache.get("a", store.stamp) is None
    assert cache.get(EdgeKey("a", "t", "b"), store.stamp) is None


def test_more_changes_than_are_looked_through_cost_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coherence, "_FOLLOWED", 3)
    store, cache = Store(), new()
    store.commit(*map(CreateNode, NAMES))
    read(store, cache, *NAMES)
    store.commit(*(SetMeta(f"key-{number}", 1) for number in range(4)))
    read(store, cache, "a")
    assert cache.get("b", store.stamp) is UNKNOWN


def test_a_hub_that_is_renamed_costs_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    store, cache = Store(), new()
    store.commit(*JOINED)
    read(store, cache, *NAMES)
    monkeypatch.setattr(coherence, "_FOLLOWED", 2)
    store.commit(RenameNode("a", "d"))
    read(store, cache, "b")
    assert cache.get("c", store.stamp) is UNKNOWN


@pytest.mark.parametrize("joined", ["before", "after"])
def test_edges_between_nodes_that_are_renamed_over_and_over_cost_everything(joined: str) -> None:
    store, cache = Store(), new()
    edges = [CreateEdge("a0", f"t{number}", "b0") for number in range(30)]
    store.commit(*map(CreateNode, ("a0", "b0", *NAMES)), *(edges if joined == "before" else ()))
    read(store, cache, *NAMES)
    store.commit(
        *(edges if joined == "after" else ()),
        *(RenameNode(f"{one}{at}", f"{one}{at + 1}") for at in range(100) for one in "ab"),
    )
    tracemalloc.start()
    try:
        read(store, cache, "b")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert cache.get("c", store.stamp) is UNKNOWN


@pytest.mark.parametrize("failure", [StoreDamagedError("change 4 is damaged"), OSError("no such file")])
def test_a_feed_that_cannot_be_read_costs_the_entries_and_refuses_no_node(failure: Exception) -> None:
    store, cache = Store(), new()
    store.commit(*map(CreateNode, NAMES))
    read(store, cache, *NAMES)
    store.commit(PatchNode("a", Patch(set={"n": 1})))

    class Damaged(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[ChangeRecord]:
            raise failure

    store.image.__class__ = Damaged
    read(store, cache, "a")
    assert cache.get("a", store.stamp) == store.node("a")
    assert cache.get("b", store.stamp) is UNKNOWN


def test_without_a_stamp_nothing_is_served() -> None:
    store, cache = Store(), new()
    cache.take(Reading(store, cache, ("a",)).seen, None)
    assert cache.get("a", None) is UNKNOWN


def test_a_walk_in_another_thread_is_given_no_parts_of_two_states() -> None:
    store, cache = Store(), new()
    store.commit(*JOINED)
    read(store, cache, *NAMES)

    async def interrupted(ground: Ground) -> object:
        first = await around(ground, "a", WAYS[0])
        store.commit(DeleteEdge("b", "u", "c"))
        read(store, cache, *NAMES)
        return first, await around(ground, "b", WAYS[0])

    assert cache.explore(interrupted, store.stamp) is UNKNOWN


def test_what_was_read_while_the_stamp_moved_is_not_mixed_with_what_is_known() -> None:
    store, cache = Store(), new()
    store.commit(*JOINED)
    read(store, cache, *NAMES)
    stamp, before = store.stamp, store.node("a")
    reading = Reading(store, cache, ())
    store.commit(PatchNode("a", Patch(set={"n": 1})))
    reading.seen.found.nodes["a"] = store.node("a")  # the session began after the stamp was looked at
    reading.end(store, cache)
    assert cache.get("a", stamp) in (UNKNOWN, before)


def test_a_read_that_knows_what_to_forget_since_a_later_state_than_is_known_costs_everything() -> None:
    store, cache = Store(), new()
    store.commit(*map(CreateNode, NAMES))
    slow = Reading(store, cache, NAMES)
    store.commit(PatchNode("a", Patch(set={"n": 1})))
    read(store, cache, "a")
    store.commit(PatchNode("b", Patch(set={"n": 1})))
    late = Reading(store, cache, ("b",))
    cache.distrust()
    slow.end(store, cache)
    late.end(store, cache)
    assert cache.get("a", store.stamp) in (UNKNOWN, store.node("a"))


def test_what_a_walk_raises_is_raised() -> None:
    store, cache = Store(), new()
    read(store, cache, "a")

    async def failing(_ground: Ground) -> object:
        raise PolarisError("this way is closed")

    with pytest.raises(PolarisError, match="closed"):
        cache.explore(failing, store.stamp)
