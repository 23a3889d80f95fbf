"""The blocking API is the asynchronous one without async: the same names, parameters and types, and every argument arrives."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import pytest

from polaris_core import (
    BlockingGraph,
    BlockingTransaction,
    BlockingView,
    BlockingWalk,
    Graph,
    Transaction,
    View,
    Walk,
    open_graph,
    open_graph_blocking,
)
from polaris_core.graph.loop_thread import LoopThread
from polaris_core.graph.opening import Opening

TWINS: dict[type, type] = {
    Graph: BlockingGraph,
    View: BlockingView,
    Transaction: BlockingTransaction,
    Walk: BlockingWalk,
}
PAIRS = list(TWINS.items())
ASYNC_ONLY = {
    (Graph, "service"): "lives on an event loop, and each of its methods is to be awaited there",
}
NO_FORWARDS = {
    (Graph, "acting_as"): "awaits nothing, and its answer is wrapped",
    (Graph, "at"): "awaits nothing, and its answer is wrapped",
    (Graph, "close"): "ends the thread, too",
    (Graph, "import_file"): "reads the file in the calling thread",
    (Graph, "load"): "reads a plain iterable in the calling thread",
    (Graph, "snapshot"): "is a block",
    (Graph, "transact"): "runs its function in the calling thread",
    (Graph, "transaction"): "is a block",
    **{(cls, "walk"): "awaits nothing, and its answer is wrapped" for cls in (Graph, Transaction, View)},
    **{(Walk, step): "makes a longer walk, which is wrapped" for step in ("out", "in_", "both", "where", "limit")},
    (Transaction, "abandon"): "sets a flag, even where the loop is gone",
}
IN_THE_WORDS_OF_THREADS: dict[Any, Any] = {
    AbstractAsyncContextManager: AbstractContextManager,
    AsyncIterator: Iterator,
    Opening: BlockingGraph,
    **TWINS,
}


def public(cls: type, stored: object) -> set[str]:
    """The public names of a class, and of what its instances are given."""
    return {name for name in (*dir(cls), *vars(stored)) if not name.startswith("_")}


def verbs(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_") and inspect.isfunction(getattr(cls, name))}


def spoken(hint: Any) -> Any:
    """A type as a caller in a thread meets it: nothing is awaited, and blocking things come back."""
    if isinstance(hint, TypeVar):
        return hint.__name__  # each module has its own
    if isinstance(hint, list):
        return [spoken(part) for part in hint]
    origin = get_origin(hint)
    if origin is None:
        return IN_THE_WORDS_OF_THREADS.get(hint, hint)
    if origin in (Awaitable, Coroutine):
        return spoken(get_args(hint)[-1])
    return IN_THE_WORDS_OF_THREADS.get(origin, origin), tuple(map(spoken, get_args(hint)))


def contract(function: Callable[..., Any]) -> tuple[list[object], dict[str, Any]]:
    """The parameters of a function, by name, kind and default, and all its types in the words of threads."""
    parameters = inspect.signature(function).parameters.values()
    hints = {name: spoken(hint) for name, hint in get_type_hints(function).items()}
    return [(one.name, one.kind, one.default) for one in parameters], hints


def each_verb(*, forwards: bool = False) -> list[Any]:
    left_out = NO_FORWARDS if forwards else {}
    return [
        pytest.param(asynchronous, blocking, name, id=f"{blocking.__name__}.{name}")
        for asynchronous, blocking in PAIRS
        for name in sorted(verbs(asynchronous))
        if (asynchronous, name) not in left_out
    ]


def test_every_public_name_is_there_and_no_other() -> None:
    async def instances() -> list[object]:
        async with open_graph("memory:") as graph, graph.transaction() as transaction, graph.snapshot() as view:
            transaction.abandon()
            return [graph, view, transaction]

    with open_graph_blocking("memory:") as graph, graph.transaction() as transaction, graph.snapshot() as view:
        for theirs, mine in zip(asyncio.run(instances()), (graph, view, transaction), strict=True):
            left_out = {name for cls, name in ASYNC_ONLY if cls is type(theirs)}
            names = public(type(theirs), theirs) - left_out
            assert public(type(mine), mine) == names
            for name in names - verbs(type(theirs)):
                assert type(getattr(mine, name)) is type(getattr(theirs, name))
            assert hasattr(mine, "__enter__") == hasattr(theirs, "__aenter__")


@pytest.mark.parametrize(("asynchronous", "blocking", "name"), each_verb())
def test_every_verb_has_the_same_parameters_and_types(asynchronous: type, blocking: type, name: str) -> None:
    assert contract(getattr(blocking, name)) == contract(getattr(asynchronous, name))


@pytest.mark.parametrize(("asynchronous", "blocking", "name"), each_verb())
def test_nothing_that_is_to_be_awaited_comes_back(asynchronous: type, blocking: type, name: str) -> None:
    method = getattr(blocking, name)
    assert not inspect.iscoroutinefunction(method)
    assert not inspect.isasyncgenfunction(method)


def test_opening_takes_the_same_arguments() -> None:
    assert contract(open_graph_blocking) == contract(open_graph)


def test_exceptions_are_of_what_there_is() -> None:
    assert {name for cls, name in NO_FORWARDS if name not in verbs(cls)} == set()


class Witness:
    """What stands where the graph would: it keeps what each verb was given, bound to the names of the parameters."""

    def __init__(self, cls: type) -> None:
        self.given: list[tuple[str, dict[str, object]]] = []
        self._cls = cls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        verb = getattr(self._cls, name)

        def plain(*arguments: object, **named: object) -> None:
            bound = dict(inspect.signature(verb).bind(self, *arguments, **named).arguments)
            del bound["self"]
            self.given.append((name, bound))

        async def coroutine(*arguments: object, **named: object) -> str:
            plain(*arguments, **named)
            return "the answer"

        async def stream(*arguments: object, **named: object) -> AsyncIterator[str]:
            plain(*arguments, **named)
            yield "the answer"

        if inspect.isasyncgenfunction(verb):
            return stream
        awaited = get_origin(get_type_hints(verb)["return"]) is Coroutine
        return coroutine if awaited or inspect.iscoroutinefunction(verb) else plain


@pytest.fixture(scope="module")
def thread() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.stop()


@pytest.mark.parametrize(("asynchronous", "blocking", "name"), each_verb(forwards=True))
def test_every_argument_arrives_under_its_own_name_and_the_answer_comes_back(
    asynchronous: type, blocking: type, name: str, thread: LoopThread
) -> None:
    witness, verb = Witness(asynchronous), getattr(asynchronous, name)
    expected, arguments, named = dict[str, object](), list[object](), dict[str, object]()
    for one in list(inspect.signature(verb).parameters.values())[1:]:
        token = f"for {one.name}"
        expected[one.name] = (token,) if one.kind is one.VAR_POSITIONAL else token
        if one.kind is one.KEYWORD_ONLY:
            named[one.name] = token
        else:
            arguments.append(token)
    answer = getattr(blocking(thread, witness), name)(*arguments, **named)
    if inspect.isgenerator(answer):
        (answer,) = answer
    assert witness.given == [(name, expected)]
    assert answer == "the answer" or get_type_hints(verb)["return"] is type(None)
