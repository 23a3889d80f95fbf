"""What the tests of migrations share: stores with an eventful past, and targets that end, or go wrong, at some commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Emit,
    Graph,
    Limits,
    Location,
    OutcomeUnknownError,
    Patch,
    PatchEdge,
    PatchNode,
    RenameNode,
    SetMeta,
    StorageOptions,
    StorageService,
    UpsertEdge,
    UpsertNode,
    migrate,
)
from polaris_core.abc import CommitPlan, Head, Program, Storage
from polaris_core.registry import default
from polaris_core.testing.programs import Everything, everything

PAST = [
    Batch([CreateNode(name, "t", {"x": 1, "y": {"x": 2}}, list("opq")) for name in "abc"], author="ann"),
    Batch([CreateEdge(*triple, {"x": {"y": [1]}}) for triple in ("atb", "aub", "btc", "btb", "cta")]),
    Batch([SetMeta("m", 1.0), SetMeta("search/attributes", [["x"]])]),
    Batch(PatchNode("a", Patch(forget=["o"], observe=["r"])), author="ann", key="k"),
    Batch([RenameNode("a", "d"), RenameNode("b", "a"), RenameNode("d", "b")]),
    Batch([PatchEdge("b", "t", "a", Patch({("x", "y"): []})), Emit("told", "a", {"why": [1, None]})], key="l"),
    Batch(UpsertNode("b"), key="changed nothing"),
    Batch([DeleteEdge("b", "u", "a"), DeleteNode("c", detach=True), UpsertNode("d", "t"), UpsertEdge("d", "t", "a")]),
    Batch([CreateNode(f"n{number}", "n", {"x": "word" * number}) for number in range(5)]),
]


class KilledError(Exception):
    """What a process dies of."""


class Target(Storage):
    """A storage that ends at its n-th commit, before it is stored or after, and can be made to store something else."""

    def __init__(self, inner: Storage, at: int = 0, *, stored: bool = False) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self.at = at
        self.stored = stored
        self.commits = 0
        self.meanwhile: Callable[[int], Awaitable[object]] | None = None
        self.altered: Callable[[CommitPlan], CommitPlan] = lambda plan: plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def open(self) -> Head:
        return await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def read(self, program: Program[Any]) -> Any:
        return await self.inner.read(program)

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        self.commits += 1
        if self.meanwhile is not None:
            await self.meanwhile(self.commits)
        if self.commits == self.at and not self.stored:
            raise KilledError

        async def altered(session: Any) -> CommitPlan:
            return self.altered(await program(session))

        plan = await self.inner.commit(altered)
        if self.commits == self.at:
            raise KilledError
        return plan

    def stamp(self) -> int | None:
        return self.inner.stamp()


class Stores:
    """Stores by their URLs; one in memory stays what it is when it is closed and opened again."""

    limits = Limits(group_records=2)

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000
        self._kept: dict[str, Storage] = {}

    def _tick(self) -> int:
        self.now += 1_000
        return self.now

    def storage(self, url: str, *, read_only: bool = False) -> Storage:
        scheme, _, name = url.partition(":")
        if scheme == "memory" and name in self._kept:
            return self._kept[name]
        location = Location(scheme=scheme) if scheme == "memory" else Location.parse(url)
        options = StorageOptions(now=self._tick, read_only=read_only, durability="process")
        storage = default().storage(scheme).factory(location, options)
        self._kept[name] = storage
        return storage

    @asynccontextmanager
    async def graph(self, url: str | Storage, *, read_only: bool = False) -> AsyncIterator[Graph]:
        storage = self.storage(url, read_only=read_only) if isinstance(url, str) else url
        service = StorageService(storage=storage, options=StorageOptions(now=self._tick), limits=self.limits)
        await service.initialize()
        try:
            yield Graph(service)
        finally:
            await service.close()

    async def fill(self, graph: Graph) -> None:
        await graph.load([UpsertNode("loaded"), UpsertNode("a", "t"), UpsertEdge("loaded", "l", "a")])
        await graph.delete_node("a", detach=True)
        for batch in PAST:
            await graph.commit(batch)

    async def contents(self, url: str | Storage | Graph) -> Everything:
        if isinstance(url, Graph):
            return await url.service.read(everything)
        async with self.graph(url) as graph:
            return await graph.service.read(everything)


def as_of_source(copy: Everything, source: Everything) -> Everything:
    """What a copy holds, as if it were the source itself."""
    return copy._replace(head=copy.head._replace(store=source.head.store, epoch=source.head.epoch))


async def interrupted(stores: Stores, source: Graph, url: str, commit: int, *, stored: bool = True) -> int | None:
    """Begin or go on with a migration that ends at a commit; return how many there were where it came to its end, else None."""
    halting = Target(stores.storage(url), commit, stored=stored)
    async with stores.graph(halting) as target:
        try:
            await migrate(source, target)
        except (KilledError, OutcomeUnknownError):
            return None
    return halting.commits


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture(scope="session")
def made() -> Any:
    """The tools of this module, which is in no package."""
    return SimpleNamespace(Target=Target, Stores=Stores, as_of_source=as_of_source, interrupted=interrupted)


@pytest.fixture
def url(tmp_path: Path) -> Callable[[str, str], str]:
    """The URL of a store of some backend with some name."""

    def url(scheme: str, name: str) -> str:
        return {
            "memory": f"memory:{name}",
            "json": f"json:///{tmp_path}/{name}",
            "sqlite": f"sqlite:///{tmp_path}/{name}.db",
        }[scheme]

    return url
