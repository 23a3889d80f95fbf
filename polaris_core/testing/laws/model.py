"""The law that holds the others together: any series of writes leaves what the core's own model of a store holds."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from polaris_core.abc.image import Image
from polaris_core.abc.storage import Storage, run_program
from polaris_core.model import Patch
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    Mutation,
    PatchNode,
    PutEdge,
    RenameNode,
    SetMeta,
    UpsertNode,
)
from polaris_core.records import CommitPlan, Session
from polaris_core.testing.laws.subject import Place, Subject
from polaris_core.testing.programs import everything, writing

__all__ = ["ModelLaws"]

_names = st.sampled_from(["a", "b", "c", "B", "\U0001f600", "\uffff"])
_types = st.sampled_from(["t", "u"])
_values = st.sampled_from([0, 1, 1.0, True, None, "\u2028", 2**63 - 1, [1], {"a": -0.0}])
_attributes = st.dictionaries(st.sampled_from("kl"), _values, max_size=2)
_mutations: st.SearchStrategy[Mutation] = st.one_of(
    st.builds(CreateNode, _names, _types, _attributes),
    st.builds(UpsertNode, _names, _types, _attributes),
    st.builds(lambda name, values: PatchNode(name, Patch(set=values, observe=["seen"])), _names, _attributes),
    st.builds(RenameNode, _names, _names),
    st.builds(DeleteNode, _names, detach=st.booleans(), missing_ok=st.just(True)),
    st.builds(CreateEdge, _names, _types, _names, _attributes),
    st.builds(PutEdge, _names, _types, _names, _attributes),
    st.builds(DeleteEdge, _names, _types, _names, missing_ok=st.just(True)),
    st.builds(SetMeta, _names, _values),
    st.builds(DeleteMeta, _names),
    st.builds(Emit, _types, _names, _values),
)
_keys = st.none() | st.sampled_from(["k", "l", "m"])
_batches = st.builds(
    lambda mutations, key: Batch(mutations, key=key), st.lists(_mutations, min_size=1, max_size=5), _keys
)


class Write(NamedTuple):
    """A group of batches; how far history is trimmed with it, in parts of four; whether receipts are forgotten."""

    batches: list[Batch]
    trimmed: int
    forgets: bool


_groups = st.lists(_batches, min_size=1, max_size=3)
_keeping = st.one_of(st.builds(Write, _groups, st.just(0), st.just(False)), st.just("reopen"))
_dropping = st.builds(Write, _groups, st.integers(0, 4), st.booleans()) | _keeping
_questions = st.one_of(
    st.tuples(
        st.just("links"),
        st.lists(st.integers(1, 12), max_size=4),
        st.sampled_from(["out", "in", "both"]),
        st.none() | st.lists(_types, max_size=2),
        st.integers(1, 4),
        st.integers(0, 12),
    ),
    st.tuples(st.just("changes"), st.integers(0, 30), st.integers(1, 9), st.none() | st.integers(1, 12)),
    st.tuples(st.just("scan"), st.sampled_from(["node", "edge"]), st.integers(0, 12), st.integers(1, 4)),
    st.tuples(st.just("keys"), st.sampled_from(["node", "meta", "receipt"]), st.just("") | _names, st.integers(1, 3)),
    st.tuples(st.just("nodes"), st.lists(st.integers(1, 12) | _names, max_size=5)),
    st.tuples(
        st.just("edges"),
        st.lists(st.integers(1, 12) | st.tuples(st.integers(1, 6), _types, st.integers(1, 6)), max_size=5),
    ),
)


def _program(write: Write, now: int) -> Any:
    apply = writing(*write.batches, now=now)

    async def program(session: Session) -> CommitPlan:
        plan = await apply(session)
        head, before = plan.head, plan.expected
        floor = before.floor + (head.seq - before.floor) * write.trimmed // 4
        return plan._replace(head=head._replace(floor=floor), forget_receipts=now - 1 if write.forgets else 0)

    return program


class ModelLaws(Subject):
    """A store and `polaris_core.abc.Image` that took the same plans give the same answers."""

    def test_any_series_of_writes_leaves_what_the_model_holds(self) -> None:
        self._compare(_keeping)

    def test_any_series_of_writes_that_trim_and_forget_leaves_what_the_model_holds(self) -> None:
        self._compare(_dropping)

    def _compare(self, steps_of: st.SearchStrategy[Any]) -> None:
        @self.searching()
        @given(st.lists(steps_of, max_size=6), st.lists(_questions, max_size=12))
        def law(steps: list[Any], questions: list[Any]) -> None:
            asyncio.run(self._follow(self.place(), steps, questions))

        law()

    async def _follow(self, place: Place, steps: list[Any], questions: list[Any]) -> None:
        async with AsyncExitStack() as stack:
            storage: Storage = await stack.enter_async_context(place.opened())
            model = Image(await storage.read(lambda session: session.head()))
            start = model.head().time
            for number, step in enumerate(steps):
                if isinstance(step, Write):
                    program = _program(step, start + number)
                    plan = await storage.commit(program)
                    expected = run_program(program, model)
                    assert plan._replace(outcomes=()) == expected._replace(outcomes=())
                    assert list(map(repr, plan.outcomes)) == list(map(repr, expected.outcomes))
                    if plan.writes:
                        model.store(plan)
                elif self.persistent:
                    await stack.aclose()
                    storage = await stack.enter_async_context(place.opened())
                assert await storage.read(everything) == run_program(everything, model)

            async def answers(session: Any) -> list[list[Any]]:
                return [list(await getattr(session, method)(*arguments)) for method, *arguments in questions]

            assert await storage.read(answers) == run_program(answers, model)
