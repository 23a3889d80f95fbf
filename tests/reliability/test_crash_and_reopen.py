"""However a store is used, closed, opened and crashed, it is what a dictionary would be."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from itertools import count as numbers
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from ordeal.backends import BACKENDS, VOLATILE, store_url

from polaris_core import (
    AlreadyExistsError,
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Graph,
    NodeHasEdgesError,
    NotFoundError,
    Patch,
    PatchNode,
    PutNode,
    RenameNode,
    StoreDamagedError,
    open_graph,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

METHOD = "use, crash and open again"
NAMES = st.sampled_from(["a", "b", "c", "d", "é", "日本"])
TYPES = st.sampled_from(["t", "u"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXTS)
Edge = tuple[str, str, str]


class Machine(RuleBasedStateMachine):
    """A store and its model: nodes by name, edges by key."""

    backend: ClassVar[str]
    scratch: ClassVar[Path]
    steps: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=self.scratch))
        self.places = numbers()
        self.place = self.folder / f"{next(self.places)}"
        self.place.mkdir()
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: dict[Edge, Any] = {}
        self.graph = self.opened()

    def run(self, wanted: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(wanted)

    def opened(self) -> Graph:
        async def open_it() -> Graph:
            return await open_graph(store_url(self.backend, self.place))

        return self.run(open_it())

    def teardown(self) -> None:
        self.run(self.graph.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def counted(self, what: str) -> None:
        self.steps[what] = self.steps.get(what, 0) + 1

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self, *mutations: Any) -> None:
        self.run(self.graph.commit(Batch(mutations)))

    @rule(name=NAMES, value=VALUES)
    def create(self, name: str, value: Any) -> None:
        if name in self.nodes:
            with pytest.raises(AlreadyExistsError):
                self.write(CreateNode(name, attributes={"value": value}))
        else:
            self.write(CreateNode(name, attributes={"value": value}))
            self.nodes[name] = {"value": value}

    @rule(name=NAMES, value=VALUES)
    def put(self, name: str, value: Any) -> None:
        self.write(PutNode(name, attributes={"put": value}))
        self.nodes[name] = {"put": value}

    @rule(name=NAMES, value=VALUES)
    def patch(self, name: str, value: Any) -> None:
        mutation = PatchNode(name, Patch(set={"patched": value}))
        if name in self.nodes:
            self.write(mutation)
            self.nodes[name] = {**self.nodes[name], "patched": value}
        else:
            with pytest.raises(NotFoundError):
                self.write(mutation)

    @rule(name=NAMES, to=NAMES)
    def rename(self, name: str, to: str) -> None:
        mutation = RenameNode(name, to)
        if name not in self.nodes:
            with pytest.raises(NotFoundError):
                self.write(mutation)
        elif to in self.nodes and to != name:
            with pytest.raises(AlreadyExistsError):
                self.write(mutation)
        else:
            self.write(mutation)
            self.nodes[to] = self.nodes.pop(name)

            def moved(end: str) -> str:
                return to if end == name else end

            self.edges = {(moved(one), kind, moved(two)): value for (one, kind, two), value in self.edges.items()}

    @rule(name=NAMES, detach=st.booleans())
    def delete(self, name: str, detach: bool) -> None:
        mutation = DeleteNode(name, detach=detach)
        touching = [edge for edge in self.edges if name in (edge[0], edge[2])]
        if name not in self.nodes:
            with pytest.raises(NotFoundError):
                self.write(mutation)
        elif touching and not detach:
            with pytest.raises(NodeHasEdgesError):
                self.write(mutation)
        else:
            self.write(mutation)
            del self.nodes[name]
            for edge in touching:
                del self.edges[edge]

    @rule(start=NAMES, kind=TYPES, end=NAMES, value=VALUES)
    def connect(self, start: str, kind: str, end: str, value: Any) -> None:
        mutation = CreateEdge(start, kind, end, {"value": value})
        if start not in self.nodes or end not in self.nodes:
            with pytest.raises(NotFoundError):
                self.write(mutation)
        elif (start, kind, end) in self.edges:
            with pytest.raises(AlreadyExistsError):
                self.write(mutation)
        else:
            self.write(mutation)
            self.edges[start, kind, end] = value

    @precondition(lambda self: self.edges)
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        edge = data.draw(st.sampled_from(sorted(self.edges)))
        self.write(DeleteEdge(*edge))
        del self.edges[edge]

    @precondition(lambda self: len(self.nodes) >= 2)
    @rule(data=st.data(), value=VALUES)
    def several_at_once(self, data: st.DataObject, value: Any) -> None:
        """A batch that is refused in its last mutation changes nothing."""
        one, two = data.draw(st.permutations(sorted(self.nodes)))[:2]
        with pytest.raises(AlreadyExistsError):
            self.write(PutNode(one, attributes={"never": value}), CreateNode(two))
        self.write(PutNode(one, attributes={"both": value}), PutNode(two, attributes={"both": value}))
        self.nodes[one] = self.nodes[two] = {"both": value}

    # --- ending -------------------------------------------------------------------------------------------------------

    @rule()
    def reopen(self) -> None:
        self.run(self.graph.close())
        self.graph = self.opened()
        self.counted("reopened")

    @rule()
    def crash(self) -> None:
        """Go on with what another process would find had this one died here: the files, without what only memory held."""
        left = self.folder / f"{next(self.places)}"
        shutil.copytree(self.place, left, ignore=lambda _, names: [name for name in names if name.endswith(VOLATILE)])
        self.run(self.graph.close())
        self.place = left
        self.graph = self.opened()
        self.counted("crashed")

    # --- looking ------------------------------------------------------------------------------------------------------

    @invariant()
    def it_is_what_the_model_is(self) -> None:
        async def look() -> tuple[Any, Any, Any]:
            nodes = {node.name: dict(node.attributes) async for node in self.graph.all_nodes()}
            edges = {
                (edge.source, edge.type, edge.target): edge.attributes["value"] async for edge in self.graph.all_edges()
            }
            return nodes, edges, await self.graph.names(limit=100)

        nodes, edges, names = self.run(look())
        assert nodes == self.nodes
        assert edges == self.edges
        assert list(names) == sorted(self.nodes)
        self.counted("looked_at")


def play(backend: str, scratch: Path, examples: int, **chosen: Any) -> dict[str, int]:
    """Let Hypothesis use a store in many ways, and return how often it did what."""
    steps: dict[str, int] = {}
    machine = type("Machine", (Machine,), {"backend": backend, "scratch": scratch, "steps": steps})
    all_of_them = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **chosen,
    )
    run_state_machine_as_test(machine, settings=all_of_them)
    return steps


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_store_is_what_a_dictionary_would_be(backend: str, scratch: Path, count: Callable[..., None]) -> None:
    count(METHOD, backend, **play(backend, scratch, 12))


@pytest.mark.soak
@pytest.mark.parametrize("backend", BACKENDS)
def test_in_many_lives_a_store_is_what_a_dictionary_would_be(
    backend: str, scratch: Path, count: Callable[..., None]
) -> None:
    count(METHOD, backend, **play(backend, scratch, 400))


def test_it_catches_a_store_that_forgets_what_only_its_journal_holds(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polaris_json_fs import following

    real = following.decode

    def decode(*arguments: Any) -> Any:
        said = real(*arguments)
        return said._replace(put_nodes=()) if hasattr(said, "put_nodes") else said

    monkeypatch.setattr(following, "decode", decode)
    with pytest.raises((AssertionError, NotFoundError, StoreDamagedError)):
        play("json", scratch, 100, phases=[Phase.generate], database=None, derandomize=True)
