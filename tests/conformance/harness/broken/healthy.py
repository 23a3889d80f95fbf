"""Small backends that keep every law, for others to be broken from, and the list of those that are.

A backend is made of a folder and options, so its class is an `opener`.
"""

from __future__ import annotations

import asyncio
import os
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import attrs

from polaris_core import ProgramError, StoreFormatError, StoreNotFoundError, StoreReadOnlyError, StoreUnavailableError
from polaris_core.abc import (
    BlockingSession,
    BlockingStorage,
    CommitPlan,
    Direction,
    FileLock,
    Finding,
    Head,
    Image,
    Index,
    Program,
    Progress,
    Query,
    Selected,
    Storage,
    StorageOptions,
    VerifyReport,
    interpret,
    interpret_count,
    run_program,
)
from polaris_core.search import TextHits, TextQuery, scan_text
from polaris_core.testing import Everything, everything

T = TypeVar("T")
B = TypeVar("B", bound=type)

_LENGTH = 8  # bytes before each frame of a notebook


class Breach(NamedTuple):
    """A broken backend, and the law that is there to catch it, with the arguments of that law."""

    backend: type
    law: str
    arguments: tuple[Any, ...] = ()


BREACHES: list[Breach] = []


def breaks(law: str, *arguments: Any) -> Callable[[B], B]:
    """Say which law a backend breaks."""

    def noted(backend: B) -> B:
        BREACHES.append(Breach(backend, law, arguments))
        return backend

    return noted


class Slate(BlockingStorage):
    """A store in memory, gone when it is closed; a program runs here and now."""

    Records: ClassVar[type[Image]] = Image
    persistent: ClassVar[bool] = False
    shared: ClassVar[bool] = False

    def __init__(self, folder: Path, options: StorageOptions) -> None:
        self.folder = folder
        self.options = options
        self.commits = 0

    async def open(self) -> Head:
        if self.options.read_only or not self.options.create:
            raise StoreNotFoundError("a slate is always new")
        self.image = self.Records(self.options.new_head())
        return self.image.head()

    async def close(self) -> None:
        return

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        before = self._seen()
        yield self.image
        self.commits += before != self._seen()

    def _seen(self) -> tuple[object, ...]:
        return self.image.head(), self.image.keys("receipt", "", 99), self.image.scan("node", 0, 1 << 20)

    async def run(self, function: Callable[[], T], *, write: bool) -> T:
        return function()

    def stamp(self) -> int | None:
        return self.commits


class Answering(Image):
    """Records that answer queries and searches themselves, as the core does."""

    def select(self, query: Query) -> Selected:
        """As the core."""
        return run_program(lambda session: interpret(session, query), self)

    def count(self, query: Query) -> int:
        """As the core."""
        return run_program(lambda session: interpret_count(session, query), self)

    def types(self, kind: Any) -> list[tuple[str, int]]:
        """Count them."""
        return sorted(Counter(record.type for record in self.scan(kind, 0, 1 << 30)).items())

    def degree(self, id: int, direction: Direction, types: Any) -> int:
        """Count the links."""
        return len(self.links([id], direction, types, 1 << 30, 0))

    def search(self, query: TextQuery) -> TextHits | None:
        """As the core."""
        return run_program(lambda session: scan_text(session, query), self)


class Desk(Slate):
    """A slate whose programs run in a thread, one at a time, and that answers what is asked itself."""

    Records = Answering
    capabilities = frozenset({"indexes", "query", "search"})

    def __init__(self, folder: Path, options: StorageOptions) -> None:
        super().__init__(folder, options)
        self.thread = ThreadPoolExecutor(max_workers=self.threads)
        self.declared: dict[Index, None] = {}

    threads: ClassVar[int] = 1

    async def close(self) -> None:
        self.thread.shutdown()

    async def create_index(self, index: Index) -> bool:
        """Note it."""
        new = index not in self.declared
        self.declared[index] = None
        return new

    async def drop_index(self, index: Index) -> bool:
        """Forget it."""
        there = index in self.declared
        self.declared.pop(index, None)
        return there

    async def indexes(self) -> list[Index]:
        """Return those that were noted."""
        return list(self.declared)

    async def run(self, function: Callable[[], T], *, write: bool) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self.thread, function))


class Line:
    """A session at the other end of a network: every answer takes a turn of the loop."""

    def __init__(self, image: Image) -> None:
        self.image = image

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Return what the records answer."""
        await asyncio.sleep(0)
        return getattr(self.image, method)(*arguments)

    def __getattr__(self, name: str) -> Any:
        if name not in BlockingSession.__dict__:
            raise AttributeError(name)
        return partial(self.ask, name)


class Cable(Storage):
    """A store that awaits its programs, as one over a network does."""

    persistent: ClassVar[bool] = False
    shared: ClassVar[bool] = False

    def __init__(self, folder: Path, options: StorageOptions) -> None:
        self.options = options
        self.commits = 0

    async def open(self) -> Head:
        if self.options.read_only or not self.options.create:
            raise StoreNotFoundError("nobody is at the other end")
        self.turn = asyncio.Lock()
        self.image = Image(self.options.new_head())
        return self.image.head()

    async def close(self) -> None:
        return

    async def read(self, program: Program[T]) -> T:
        async with self.turn:
            return await program(Line(self.image))

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        return await asyncio.shield(self.store(program))

    async def store(self, program: Program[CommitPlan]) -> CommitPlan:
        """Run a program and store its plan, whatever becomes of the caller."""
        async with self.turn:
            plan = await program(Line(self.image))
            if plan.expected != self.image.head():
                raise ProgramError("the plan was made from another state")
            if plan.writes:
                self.image.store(plan)
                self.commits += 1
            return plan

    def stamp(self) -> int | None:
        return self.commits


class Restored(NamedTuple):
    """What a restore puts into the place of everything."""

    held: Everything
    head: Head

    def image(self, records: type[Image]) -> Image:
        """Return it as records."""
        held = self.held
        image = records(held.head._replace(seq=held.head.floor))
        image.store(
            CommitPlan(
                image.head(),
                held.head,
                put_nodes=held.nodes,
                put_edges=held.edges,
                put_meta=[row for row in held.meta if row],
                changes=held.changes,
                receipts=[row for row in held.receipts if row],
            )
        )
        image.store(CommitPlan(held.head, self.head))
        return image


class Notebook(Slate):
    """A store in a file of plans, appended under a lock, for any number of processes."""

    capabilities = frozenset({"backup", "verify"})
    persistent = True
    shared = True

    def __init__(self, folder: Path, options: StorageOptions) -> None:
        super().__init__(folder, options)
        self.path = folder / "notebook"
        self.lock = FileLock(folder / "lock", seconds=options.busy_seconds)
        self.read_to = 0
        self.file = -1

    async def open(self) -> Head:
        if not self.path.exists() and (self.options.read_only or not self.options.create):
            raise StoreNotFoundError(f"there is no notebook in {self.folder}")
        with self.lock:
            if not self.path.exists():
                self.begin(self.options.new_head())
            self.file = os.open(self.path, os.O_RDWR | os.O_APPEND)
            self.catch_up()
            os.ftruncate(self.file, self.read_to)  # what a dying process left half written was acknowledged to nobody
        return self.image.head()

    def begin(self, head: Head) -> None:
        """Make the file with its first plan."""
        self.path.write_bytes(self.frame(CommitPlan(head, head)))

    async def close(self) -> None:
        os.close(self.file)
        self.lock.close()

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        if write and self.options.read_only:
            raise StoreReadOnlyError("the notebook was opened for reading")
        with self.lock if write else nullcontext():
            self.catch_up()
            yield Entry(self)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Compare what is in memory with what is in the file."""
        again = type(self)(self.folder, self.options)
        await again.open()
        held, found = run_program(everything, self.image), run_program(everything, again.image)
        await again.close()
        rows = sum(map(len, (held.nodes, held.edges, held.meta, held.receipts, held.changes)))
        if progress:
            progress(rows, rows)
        return VerifyReport(
            rows, () if held == found else (Finding(str(self.path), "does not hold what is in memory"),)
        )

    async def backup(self, target: Path, progress: Progress | None = None) -> Head:
        """Copy the file."""
        if target.exists():
            raise StoreUnavailableError(f"something is at {target}")
        self.catch_up()
        target.write_bytes(self.path.read_bytes()[: self.read_to])
        if progress:
            progress(self.read_to, self.read_to)
        return self.image.head()

    async def restore(self, source: Path, progress: Progress | None = None) -> Head:
        """Append what a backup holds, as one frame."""
        if self.options.read_only:
            raise StoreReadOnlyError("the notebook was opened for reading")
        with self.lock:
            self.catch_up()
            restored = self.read_backup(source)
            os.write(self.file, self.frame(restored))
            self.catch_up()
        return self.image.head()

    def read_backup(self, source: Path) -> Restored:
        """Return what a backup holds, and the head it gets here."""
        if not source.exists():
            raise StoreNotFoundError(f"there is no backup at {source}")
        backup = type(self)(source.parent, attrs.evolve(self.options, read_only=True))
        backup.file = os.open(source, os.O_RDONLY)
        try:
            backup.catch_up()
            there = backup.image.head()
        except (pickle.UnpicklingError, AttributeError) as error:
            raise StoreFormatError(f"{source} is no notebook") from error
        finally:
            os.close(backup.file)
            backup.lock.close()
        return Restored(run_program(everything, backup.image), self.restored_head(there, self.image.head()))

    def restored_head(self, there: Head, here: Head) -> Head:
        """Return the head of what a backup holds, in this store."""
        return there._replace(
            store=here.store,
            epoch=self.options.unique(),
            seq=max(there.seq, here.seq),
            next_id=max(there.next_id, here.next_id),
            time=max(there.time, here.time),
            floor=max(there.seq, here.seq) if here.seq > there.seq else there.floor,
        )

    def frame(self, plan: CommitPlan | Restored) -> bytes:
        """Return a plan as bytes."""
        content = pickle.dumps(plan._replace(outcomes=()) if isinstance(plan, CommitPlan) else plan)
        return len(content).to_bytes(_LENGTH, "big") + content

    def catch_up(self) -> None:
        """Apply the plans that others appended."""
        while length := os.pread(self.file, _LENGTH, self.read_to):
            size = int.from_bytes(length, "big")
            if self.read_to + _LENGTH + size > os.fstat(self.file).st_size:
                return
            content = os.pread(self.file, size, self.read_to + _LENGTH)
            self.take(pickle.loads(content))
            self.read_to += _LENGTH + len(content)

    def take(self, plan: CommitPlan | Restored) -> None:
        """Apply a plan that was read."""
        if isinstance(plan, Restored):
            self.image = plan.image(self.Records)
            return
        if not self.read_to:
            self.image = self.Records(plan.head)
        self.image.store(plan)

    def append(self, plan: CommitPlan) -> None:
        """Write a plan to the file."""
        os.write(self.file, self.frame(plan))

    def stamp(self) -> int | None:
        return self.path.stat().st_size


class Entry:
    """The session of a notebook: its records to read, its file to write."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook

    def __getattr__(self, name: str) -> Any:
        return getattr(self.notebook.image, name)

    def store(self, plan: CommitPlan) -> None:
        """Append the plan, and read it back like everybody else."""
        self.notebook.append(plan)
        self.notebook.catch_up()
