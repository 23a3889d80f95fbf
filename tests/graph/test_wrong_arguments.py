"""Whatever is handed to a verb, it answers or raises one of Polaris's own errors, with a sentence, and nothing is harmed."""

import asyncio
import inspect
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from polaris_core import (
    Batch,
    EdgeKey,
    Graph,
    InvalidValueError,
    Patch,
    PolarisError,
    UpsertNode,
    ValidationError,
    View,
    open_graph,
)

WRONG = [
    None, 5, -1, True, 1.5, b"x", b"", object(), "", "x" * 3_000, "\ud800", (), [None], [5], [b"x"], [[5]], ["a", "b"],
    {5: 6}, {None: 1}, {"x": object()}, [("a", "b")], range(2),
]  # fmt: skip
RIGHT = {
    "attributes": {}, "batch": UpsertNode("a"), "batches": [Batch(UpsertNode("a"))], "commit": 1, "file": io.BytesIO(),
    "format": "jsonl", "into": "b", "key": "a",
    "keys": [("a", "t", "b")], "kind": "node", "moment": 1, "name": "a", "names": ["a"],
    "path": "x", "paths": ["x"], "records": [UpsertNode("b")], "source": "a", "target": "b",
    "text": "a", "to": "c", "type": "t",
}  # fmt: skip
OF_FILES = {"backup", "restore", "verify"}
VERBS = [
    (cls, name)
    for cls in (Graph, View)
    for name, member in inspect.getmembers(cls, callable)
    if not name.startswith("_") and name not in {"close", "snapshot", "transaction", "transact", *OF_FILES}
]


def calls(verb: Any) -> Any:
    """Every call with one wrong argument and otherwise right ones."""
    parameters = inspect.signature(verb).parameters.values()
    for wrong in parameters:
        for value in WRONG:
            positional, named = [], {}
            for parameter in parameters:
                given = value if parameter is wrong else RIGHT.get(parameter.name, parameter.default)
                if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                    positional.append(value if parameter is wrong else "text")
                elif given is inspect.Parameter.empty:
                    pytest.fail(f"{parameter.name} of {verb.__name__} needs an example among RIGHT")
                else:
                    named[parameter.name] = given
            if positional:  # those before them cannot be given by name then
                positional[:0] = [named.pop(name) for name in tuple(named)]
            yield wrong.name, positional, named


@pytest.mark.parametrize(("cls", "name"), VERBS, ids=[f"{cls.__name__}.{name}" for cls, name in VERBS])
def test_a_wrong_argument_is_refused_in_words(cls: type, name: str) -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("a")
            await graph.create_node("b")
            await graph.create_edge("a", "t", "b")
            async with graph.snapshot() as view:
                verb = getattr(graph if cls is Graph else view, name)
                for about, positional, named in calls(verb):
                    try:
                        answer = verb(*positional, **named)
                        if isinstance(answer, AsyncIterator):
                            await anext(answer, None)
                        elif inspect.isawaitable(answer):
                            await answer
                    except PolarisError as error:
                        assert " " in str(error), (about, positional, named)  # noqa: PT017 - most calls are no errors
            await graph.upsert_node("a")

    asyncio.run(main())


@pytest.mark.parametrize("value", [None, 5, b"x", object()])
def test_batches_and_patches_refuse_what_is_no_list(value: Any) -> None:
    for make in (
        lambda: Batch(value),
        lambda: Batch((), expect=value),
        lambda: Patch(unset=value),
        lambda: Patch(set=value),
        lambda: Patch(observe=value),
        lambda: Patch(forget=value),
        lambda: Patch(unset=[value]),
        lambda: Patch(set={value: 1}),
    ):
        with pytest.raises(ValidationError):
            make()


def test_one_name_or_type_may_stand_for_a_list_of_one() -> None:
    async def main() -> None:
        async with open_graph("memory:") as graph:
            await graph.create_node("Ada")
            await graph.create_node("A")
            await graph.create_edge("Ada", "is", "A")
            assert list(await graph.get_nodes("Ada")) == ["Ada"]
            assert len(await graph.neighbors("Ada", types="is")) == 1
            with pytest.raises(InvalidValueError):
                await graph.get_edges(EdgeKey("Ada", "is", "A"))

    asyncio.run(main())


def test_what_a_callers_iterator_raises_is_the_callers() -> None:
    def broken() -> Any:
        yield "a"
        raise RuntimeError("mine")

    async def main() -> None:
        async with open_graph("memory:") as graph:
            with pytest.raises(RuntimeError, match="mine"):
                await graph.get_nodes(broken())

    asyncio.run(main())
