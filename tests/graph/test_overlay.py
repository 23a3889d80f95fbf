"""A transaction's view: whatever is asked of a plan laid over a state is answered as if the plan were stored."""

from hypothesis import given, settings
from hypothesis import strategies as st

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Patch,
    PatchNode,
    RenameNode,
    SetMeta,
    StorageOptions,
)
from polaris_core.abc import Image, Session, run_program
from polaris_core.graph.overlay import Overlay
from polaris_core.testing import writing

names = st.sampled_from(["a", "b", "c", "d", "e"])
types = st.sampled_from(["x", "y"])
mutations = st.one_of(
    st.builds(CreateNode, names),
    st.builds(RenameNode, names, names),
    st.builds(DeleteNode, names, detach=st.booleans()),
    st.builds(PatchNode, names, st.builds(lambda value: Patch(set={"k": value}), st.integers(0, 3))),
    st.builds(CreateEdge, names, types, names),
    st.builds(DeleteEdge, names, types, names),
    st.builds(SetMeta, names, st.integers(0, 3)),
    st.builds(DeleteMeta, names),
)


async def answers(session: Session) -> list[object]:
    """Everything a session can be asked about nodes and edges, with small pages."""
    nodes = list(await session.nodes([*"abcde", *range(1, 30)]))
    triples = [(source, kind, target) for source in range(1, 12) for kind in "xy" for target in range(1, 12)]
    pages: list[object] = []
    for limit in (1, 2, 100):
        for after in range(0, 20, 3):
            pages += [list(await session.scan(kind, after, limit)) for kind in ("node", "edge")]
            pages += [
                list(await session.links([1, 2, 3, 7], direction, wanted, limit, after))
                for direction in ("out", "in", "both")
                for wanted in (None, ["x"])
            ]
        pages += [
            list(await session.keys(kind, after, limit)) for after in ("", "a", "bb", "d") for kind in ("node", "meta")
        ]
    return [nodes, list(await session.edges([*triples, *range(1, 30)])), pages, await session.counts()]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(mutations, max_size=4), max_size=12), st.lists(mutations, max_size=6))
def test_an_overlay_answers_as_the_stored_plan_will(stored: list[list[object]], written: list[object]) -> None:
    image = Image(StorageOptions().new_head())
    for batch in stored:
        image.store(run_program(writing(Batch(batch)), image))  # type: ignore[arg-type]
    plan = run_program(writing(*(Batch([mutation]) for mutation in written)), image)  # type: ignore[list-item]

    async def over(session: Session) -> list[object]:
        return await answers(Overlay(session, plan))

    before = run_program(over, image)
    image.store(plan)
    assert before == run_program(answers, image)


def test_an_overlay_has_no_history_of_its_own() -> None:
    image = Image(StorageOptions().new_head())
    plan = run_program(writing(Batch([CreateNode("a")])), image)

    async def over(session: Session) -> object:
        return await Overlay(session, plan).head(), list(await Overlay(session, plan).changes(0, 10, None))

    assert run_program(over, image) == (image.head(), [])
