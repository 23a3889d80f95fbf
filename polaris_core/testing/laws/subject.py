"""What a third party says of its backend, and how the laws open stores of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from polaris_core.abc.storage import Storage, StorageOptions
from polaris_core.errors import PolarisError
from polaris_core.mutations import Batch, Mutation
from polaris_core.records import CommitPlan
from polaris_core.testing.companion import Companion, companion, open_place
from polaris_core.testing.programs import writing
from polaris_core.testing.skipping import not_applicable

__all__ = ["Place", "Subject", "ask", "put", "refused"]

T = TypeVar("T")

_PATIENCE = 60.0  # seconds after which a law calls a store hung


class Place:
    """Where one store is. It is opened as often as a law likes; what was stored is there again if the backend persists."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject = subject
        self.folder = folder

    @property
    def path(self) -> Path:
        """Where the store itself is: a file or directory within the folder, for backups to go to."""
        name = self.subject.file
        if name is None and self.subject.url is not None:
            name = self.subject.url.partition("{folder}/")[2].partition("?")[0]
        assert name, "a backend with backups says what its stores are called: `file`, the path within the folder"
        return self.folder / name

    def storage(self, **options: Any) -> Storage:
        """Return a storage of this place, not open yet."""
        return self.subject.open(self.folder, StorageOptions(**options))

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[Storage]:
        """Open a storage for a block."""
        storage = self.storage(**options)
        await storage.open()
        try:
            yield storage
        finally:
            await storage.close()

    def companion(self) -> AbstractContextManager[Companion]:
        """Start a process of its own that opens the store."""
        return companion(self.subject.url, self.subject.opener, self.folder)


class Subject:
    """The parameters of a kit: what a third party's class says of its backend.

    `url` is a store's URL in which `{folder}` stands for an empty directory. Where a URL does not do, override `open`. The
    same folder always means the same store.

    `capabilities` are the names the storage claims. `persistent` says that a store which is closed and opened again holds
    what it held, `shared` that several storages, in this process and in others, may have it open at one time; where not,
    opening it again raises `StoreBusyError`. `opener` is `module:function`, a function of the folder and the options
    that returns the storage; it is for backends that have no `url`, and another process can import it, which `open` cannot be.
    `file` is where in its folder a store is, for backends that make backups and have no `url`.
    `examples` is how many random series of writes are tried, 20 or more.
    """

    url: ClassVar[str | None] = None
    opener: ClassVar[str | None] = None
    file: ClassVar[str | None] = None
    capabilities: ClassVar[AbstractSet[str]] = frozenset()
    persistent: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    examples: ClassVar[int] = 20

    folder: Path

    def open(self, folder: Path, options: StorageOptions) -> Storage:
        """Return a storage of the store in this folder, not open yet."""
        return open_place(self.url, self.opener, folder, options)

    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def place(self) -> Place:
        """Return a place where no store is yet."""
        for number in count(1):
            folder = self.folder / f"place-{number}"
            if not folder.exists():
                folder.mkdir(parents=True)
                return Place(self, folder)
        raise AssertionError

    def run(self, law: Callable[[], Awaitable[T]]) -> T:
        """Run a law to its end; one that hangs fails."""

        async def bounded() -> T:
            async with asyncio.timeout(_PATIENCE):
                return await law()

        return asyncio.run(bounded())

    def on_a_store(self, law: Callable[[Storage], Awaitable[T]]) -> T:
        """Run a law on a new store."""

        async def on_it() -> T:
            async with self.place().opened() as storage:
                return await law(storage)

        return self.run(on_it)

    def searching(self) -> settings:
        """Return how random examples are looked for."""
        unbothered = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        return settings(max_examples=self.examples, deadline=None, suppress_health_check=unbothered)

    def needs_persistence(self) -> None:
        """Skip a law about what is there when a store is opened again."""
        if not self.persistent:
            not_applicable("persistent = False: what was stored ends with the storage that stored it")

    def needs_sharing(self) -> None:
        """Skip a law about several storages of one store."""
        self.needs_persistence()
        if not self.shared:
            not_applicable("shared = False: a store is open once at a time")

    def needs_companions(self) -> None:
        """Skip a law that needs a process of its own to open the store."""
        if self.url is None and self.opener is None:
            not_applicable("another process cannot open the store: give the class a `url` or an `opener`")


async def put(storage: Storage, *mutations: Mutation, now: int = 0, **of_batch: Any) -> CommitPlan:
    """Commit one batch as the core would, and return its plan; raises what refused it."""
    plan = await storage.commit(writing(Batch(mutations, **of_batch), now=now))
    (outcome,) = plan.outcomes
    if isinstance(outcome, PolarisError):
        raise outcome
    return plan


async def ask(storage: Storage, method: str, *arguments: Any) -> Any:
    """Ask a store one question of a session."""

    async def program(session: Any) -> Any:
        return await getattr(session, method)(*arguments)

    return await storage.read(program)


async def refused(call: Awaitable[object], *kinds: type[BaseException]) -> BaseException:
    """Return the error of these kinds that a call raises; it is a failure if it raises none."""
    with pytest.raises(kinds) as caught:
        await call
    return caught.value
