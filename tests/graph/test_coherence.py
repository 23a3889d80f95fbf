"""No entry of the cache is older than the last commit, whatever the schedule; caches that are wrong on purpose are found out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from polaris_core import Batch, CreateNode, DeleteNode, Node, PatchNode, RenameNode, StoreDamagedError
from polaris_core.abc import CacheOptions, Head, Image, Session, run_program
from polaris_core.cache import LRUCache
from polaris_core.codec import decode_node
from polaris_core.history import nodes_touched
from polaris_core.model import Patch
from polaris_core.mutations import Mutation, SetMeta
from polaris_core.records import ChangeRecord
from polaris_core.storage import coherence
from polaris_core.storage.coherence import UNKNOWN, NodeCache, Seen
from polaris_core.testing import writing

NAMES = ("a", "b", "c")


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


class Reading:
    """A read that has seen a state, and has not come back yet."""

    def __init__(self, store: Store, cache: NodeCache, names: tuple[str, ...]) -> None:
        self.stamp = store.stamp
        nodes = {name: store.node(name) for name in names}

        async def look(session: Session) -> Seen:
            return await cache.look(session, nodes, self.stamp)

        self.seen = run_program(look, store.image)

    def end(self, store: Store, cache: NodeCache) -> None:
        cache.take(self.seen, self.stamp if self.stamp == store.stamp else None)


NAMED = st.sampled_from(NAMES)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMED),
        st.tuples(st.just("patch"), NAMED),
        st.tuples(st.just("delete"), NAMED),
        st.tuples(st.just("rename"), NAMED, NAMED),
        st.tuples(st.just("other")),
        st.tuples(st.just("begin"), st.sets(NAMED, min_size=1).map(tuple)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("get"), NAMED),
        st.tuples(st.just("replace")),
    ),
    max_size=40,
)


def mutation_of(step: str, arguments: Sequence[str], number: int) -> Mutation | None:
    """Return what a step commits; None where it is no commit."""
    match step:
        case "create":
            return CreateNode(arguments[0])
        case "patch":
            return PatchNode(arguments[0], Patch(set={"n": number}))
        case "delete":
            return DeleteNode(arguments[0])
        case "rename":
            return RenameNode(*arguments)
        case "other":
            return SetMeta("key", number)
    return None


def run(steps: list[tuple[Any, ...]], cache: NodeCache) -> None:
    """Run a schedule, and look at every entry after each step."""
    store, under_way = Store(), list[Reading]()
    for number, (step, *arguments) in enumerate(steps):
        if mutation := mutation_of(step, arguments, number):
            store.commit(mutation)
        elif step == "begin":
            under_way.append(Reading(store, cache, arguments[0]))
        elif step == "end" and under_way:
            under_way.pop(arguments[0] % len(under_way)).end(store, cache)
        elif step == "get":
            Reading(store, cache, (arguments[0],)).end(store, cache)
        elif step == "replace":
            store.replace()
        for name in NAMES:
            found = cache.get(name, store.stamp)
            assert found is UNKNOWN or found == store.node(name), (
                f"{name} is served as {found!r} after step {number} of {steps}"
            )


def new() -> NodeCache:
    return NodeCache(LRUCache(CacheOptions()))


@given(STEPS)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_served_is_what_the_store_holds(steps: list[tuple[Any, ...]]) -> None:
    run(steps, new())


# --- caches that are wrong on purpose -----------------------------------------------------------------------------------


class IgnoresTheStamp(NodeCache):
    """Misses what another process commits."""

    def get(self, name: str, stamp: int | None) -> Any:
        return self._cache.get(name, UNKNOWN)


class KeepsWhatIsReadWhileTheStampMoves(NodeCache):
    """Takes a fill that started before a commit for one of the state after it."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        super().take(seen, self.now if stamp is None else stamp)

    now: int | None = None

    def get(self, name: str, stamp: int | None) -> Any:
        self.now = stamp
        return super().get(name, stamp)


class TakesTheSlowerRead(NodeCache):
    """Lets a read that saw less come after one that saw more."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        before = self._known.head
        if before is not None and before.seq > seen.head.seq and before[:2] == seen.head[:2]:
            for name, node in seen.nodes.items():
                self._cache.set(name, node)
            return
        super().take(seen, stamp)


class IgnoresTheEpoch(NodeCache):
    """Takes another history for the one it knows."""

    def take(self, seen: Seen, stamp: int | None) -> None:
        before = self._known.head
        if before is not None and before[:2] != seen.head[:2]:
            self._known = self._known._replace(head=seen.head._replace(seq=0), stamp=None)
            seen = seen._replace(stale=frozenset())
        super().take(seen, stamp)


WRONG = [IgnoresTheStamp, KeepsWhatIsReadWhileTheStampMoves, TakesTheSlowerRead, IgnoresTheEpoch]


def found_out(wrong: type[NodeCache]) -> None:
    """Look for a schedule that shows what is wrong, not for the shortest."""

    @given(STEPS)
    @settings(
        max_examples=5_000,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def search(steps: list[tuple[Any, ...]]) -> None:
        run(steps, wrong(LRUCache(CacheOptions())))

    with pytest.raises((AssertionError, ExceptionGroup)) as caught:
        search()
    errors = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else [caught.value]
    assert all("is served as" in str(error) for error in errors)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_cache_that_is_wrong_is_found_out(wrong: type[NodeCache]) -> None:
    found_out(wrong)


@pytest.mark.parametrize("kind", ["node.created", "node.updated", "node.renamed", "node.deleted"])
def test_a_cache_that_overlooks_a_kind_of_change_is_found_out(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def overlooking(changes: Iterable[ChangeRecord]) -> frozenset[str] | None:
        return nodes_touched(change for change in changes if change.kind != kind)

    monkeypatch.setattr(coherence, "nodes_touched", overlooking)
    found_out(NodeCache)


# --- what is kept, and what is not -----------------------------------------------------------------------------------


def read(store: Store, cache: NodeCache, *names: str) -> None:
    Reading(store, cache, names).end(store, cache)


def test_a_commit_costs_those_entries_only_that_it_touched() -> None:
    store, cache = Store(), new()
    store.commit(*map(CreateNode, NAMES))
    read(store, cache, *NAMES)
    kept = cache.get("c", store.stamp)
    store.commit(PatchNode("a", Patch(set={"n": 1})))
    assert cache.get("c", store.stamp) is UNKNOWN
    read(store, cache, "b")
    assert cache.get("c", store.stamp) is kept
    assert cache.get("a", store.stamp) is UNKNOWN


def test_that_a_name_has_no_node_is_known_too() -> None:
    store, cache = Store(), new()
    read(store, cache, "a")
    assert cache.get("a", store.stamp) is None


def test_more_changes_than_are_looked_through_cost_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coherence, "_FOLLOWED", 3)
    store, cache = Store(), new()
    store.commit(*map(CreateNode, NAMES))
    read(store, cache, *NAMES)
    store.commit(*(SetMeta(f"key-{number}", 1) for number in range(4)))
    read(store, cache, "a")
    assert cache.get("b", store.stamp) is UNKNOWN


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
