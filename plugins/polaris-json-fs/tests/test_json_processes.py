"""Several processes on one store: nothing is lost, nothing is stale, and whoever dies takes nobody along."""

from __future__ import annotations

import asyncio
import shutil
import signal

import pytest
from polaris_json_fs.journal import encode_frame, encode_plan

from polaris_core import Batch, CreateNode, StoreBusyError
from polaris_core.abc import ChangeRecord, CommitPlan, NodeRecord

WRITE = """
async def main():
    store = make(path, durability=arguments.get("durability", "power"))
    await store.initialize()
    say("open")
    sys.stdin.readline()
    async def one(i):
        await store.commit(Batch(CreateNode(f"{arguments['name']} {i}")))
        say(i)
    if arguments.get("together", True):
        await asyncio.gather(*(one(i) for i in range(arguments["count"])))
    else:
        for i in range(arguments["count"]):
            await one(i)
    await store.close()
asyncio.run(main())
"""


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def finish(process, seconds=60):
    output, errors = process.communicate(timeout=seconds)
    assert process.returncode == 0, errors
    return output.split("\n")[:-1]


async def names(store):
    return set(await store.read(lambda session: session.keys("node", "", 1_000_000)))


@pytest.mark.parametrize("together", [True, False])
def test_commits_of_two_processes_at_the_same_time_are_all_kept(serve, start, together):
    async def scenario():
        async with serve() as store:
            processes = [start(WRITE, name=name, count=40, together=together) for name in "xy"]
            for process in processes:
                assert process.stdout.readline() == "open\n"
            for process in processes:
                go(process)
            mine = [store.commit(Batch(CreateNode(f"z {i}"))) for i in range(20)]
            await asyncio.gather(*mine)
            for process in processes:
                assert len(await asyncio.to_thread(finish, process)) == 40
            changes = await store.read(lambda session: session.changes(0, 1_000, None))
            assert [change.seq for change in changes] == list(range(1, 101))
            assert len({change.id for change in changes}) == 100
            assert len(await names(store)) == 100
        async with serve() as store:
            assert len(await names(store)) == 100

    asyncio.run(scenario())


def test_what_another_process_was_told_of_is_seen_here_at_once(serve, start):
    async def scenario():
        async with serve() as store:
            process = start(WRITE, name="x", count=20, together=False)
            assert process.stdout.readline() == "open\n"
            stamps = [store.storage.stamp()]
            go(process)
            for number in range(20):
                assert process.stdout.readline() == f"{number}\n"
                stamps.append(store.storage.stamp())
                assert f"x {number}" in await names(store)
            assert sorted(stamps) == stamps
            assert stamps[1] > stamps[0]
            finish(process)
            assert await names(store) == {f"x {number}" for number in range(20)}

    asyncio.run(scenario())


@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_kill_in_the_middle_of_commits_loses_nothing_that_was_acknowledged(serve, start, durability):
    async def scenario():
        told = set()
        async with serve() as store:  # a process that goes on, and takes over what the others left
            for number in range(4):
                process = start(WRITE, name=f"p{number}", count=3_000, together=number % 2 == 0, durability=durability)
                assert process.stdout.readline() == "open\n"
                go(process)
                lines = [process.stdout.readline() for _ in range(10 + 23 * number)]
                process.send_signal(signal.SIGKILL)
                rest = process.stdout.read()  # `communicate` would pass by what is buffered here
                process.communicate()
                told |= {f"p{number} {line.strip()}" for line in [*lines, *rest.split("\n")[:-1]]}
                assert told <= await names(store)
                await store.commit(Batch(CreateNode(f"after {number}")))
            seen = await names(store)
        async with serve() as store:
            assert await names(store) == seen >= told
            changes = await store.read(lambda session: session.changes(0, 1_000_000, None))
            assert [change.seq for change in changes] == list(range(1, len(changes) + 1))

    asyncio.run(scenario())


@pytest.mark.parametrize("torn", [0, 1, 40])
def test_a_frame_of_a_writer_that_died_counts_for_everybody_or_for_nobody(serve, directory, everything, torn):
    async def scenario():
        async with serve() as one, serve() as other:
            await one.commit(Batch(CreateNode("a")))
            blocking = one.storage._store
            head = blocking._records.head()
            plan = CommitPlan(
                head,
                head._replace(seq=2, next_id=3),
                put_nodes=[NodeRecord(2, "written", "t", 2, "{}")],
                changes=[ChangeRecord(2, 2, "node.created", 2, 0, 0, "{}")],
            )
            frame = encode_frame(encode_plan(plan), 2, blocking._journal.seed)
            with (directory / "journal-000001.log").open("r+b") as journal:
                journal.seek(blocking._applied - blocking._journal.base)
                journal.write(frame[: len(frame) - torn])
            for store in (one, other):
                assert await names(store) == {"a"}  # nobody was told
            await other.commit(Batch(CreateNode("b")))
            expected = {"a", "b"} if torn else {"a", "written", "b"}
            assert await everything(one) == await everything(other)
            assert await names(one) == expected
            await one.commit(Batch(CreateNode("c")))
            shutil.copytree(directory, directory.with_name("image"))
        async with serve(directory.with_name("image")) as store:
            assert await names(store) == {*expected, "c"}

    asyncio.run(scenario())


def test_deleting_what_git_ignores_while_the_store_is_open_loses_nothing(serve, directory, everything):
    async def scenario():
        async with serve() as one:
            await one.commit(Batch(CreateNode("a")))
            (directory / "lock").unlink()
            (directory / "committed").unlink()
            async with serve() as other:
                await other.commit(Batch(CreateNode("b")))
                assert await names(one) == {"a", "b"}
                await one.commit(Batch(CreateNode("c")))
                assert one.storage.stamp() == other.storage.stamp()
                assert await everything(one) == await everything(other)

    asyncio.run(scenario())


def test_deleting_the_counter_while_nobody_else_is_there_loses_nothing(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
            (directory / "committed").unlink()
            stamp = store.storage.stamp()
            assert await names(store) == {"a"}
            assert store.storage.stamp() == stamp
            await store.commit(Batch(CreateNode("b")))
            assert store.storage.stamp() > stamp
            assert await names(store) == {"a", "b"}
        async with serve() as store:
            assert await names(store) == {"a", "b"}

    asyncio.run(scenario())


HOLD = """
from polaris_core.abc import FileLock
lock = FileLock(os.path.join(path, "lock"))
lock.acquire()
say("held")
sys.stdin.readline()
"""


def test_a_busy_store_is_an_error_with_the_holders_pid_after_the_deadline(serve, storage, start):
    async def scenario():
        async with serve(busy_seconds=0.05) as store:
            holder = start(HOLD)
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(StoreBusyError) as caught:
                await store.commit(Batch(CreateNode("a")))
            assert (caught.value.pid, caught.value.seconds) == (holder.pid, 0.05)
            assert await names(store) == set()  # reading needs no lock
            with pytest.raises(StoreBusyError):
                await storage(busy_seconds=0.05).open()
            holder.kill()
            holder.wait()
            await store.commit(Batch(CreateNode("a")))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "ending",
    [
        "pass",
        "sys.exit(3)",
        "raise RuntimeError('as it happens')",
        "task = asyncio.ensure_future(store.commit(Batch(CreateNode('c')))); await asyncio.sleep(0)",
        "await store.storage.run(lambda: None, write=False); asyncio.get_running_loop().stop()",
    ],
)
def test_a_store_that_nobody_closed_keeps_no_interpreter_from_ending(serve, start, ending):
    process = start(
        f"""
import warnings
warnings.simplefilter("ignore")
async def main():
    store = make(path)
    await store.initialize()
    await store.commit(Batch(CreateNode("a")))
    say("told")
    {ending}
asyncio.run(main())
"""
    )
    output, _ = process.communicate(timeout=20)
    assert output == "told\n"

    async def scenario():
        async with serve() as store:
            assert "a" in await names(store)

    asyncio.run(scenario())


def test_after_a_fork_the_child_is_refused_and_the_parent_goes_on(start):
    process = start(
        """
import warnings
warnings.simplefilter("ignore")
async def main():
    storage = make(path).storage
    await storage.open()
    async def head(session):
        return await session.head()
    child = os.fork()
    if child == 0:
        for write in (False, True):
            try:
                await storage.run(lambda: None, write=write)
            except ForkedError:
                say("refused")
        await storage.close()
        os._exit(0)
    os.waitpid(child, 0)
    say((await storage.read(head)).seq)
    await storage.close()
asyncio.run(main())
"""
    )
    assert finish(process) == ["refused", "refused", "0"]


def test_a_process_that_was_away_for_several_checkpoints_finds_its_way_back(serve, start, everything):
    async def scenario():
        async with serve() as idle:
            await idle.commit(Batch(CreateNode("mine")))
            for number in range(3):
                async with serve() as other:  # each closes with a checkpoint
                    await other.commit(Batch([CreateNode(f"{number} {i}") for i in range(10)]))
            state = await everything(idle)
            assert len(state["nodes"]) == 31
            await idle.commit(Batch(CreateNode("mine again")))
        async with serve() as store:
            assert len(await names(store)) == 32

    asyncio.run(scenario())


def test_processes_follow_a_checkpoint_that_one_of_them_writes(serve, everything):
    async def scenario():
        async with serve() as one, serve() as other:
            for number in range(6):
                writer, reader = (one, other) if number % 2 else (other, one)
                await writer.commit(Batch(CreateNode(f"n{number}")))
                await asyncio.to_thread(writer.storage._store.checkpoint)
                if number > 2:
                    await writer.commit(Batch(CreateNode(f"m{number}")))
                assert await everything(one) == await everything(other)
                assert reader.storage.stamp() == writer.storage.stamp()
        async with serve() as store:
            assert len(await names(store)) == 9

    asyncio.run(scenario())


def test_a_read_sees_no_commit_that_comes_while_it_goes_on(serve, start):
    async def scenario():
        async with serve() as store, serve() as other:
            await store.commit(Batch(CreateNode("a")))
            loop = asyncio.get_running_loop()

            async def slow(session):
                before = await session.counts()
                asyncio.run_coroutine_threadsafe(other.commit(Batch(CreateNode("b"))), loop).result()
                return before, await session.counts()

            assert await store.read(slow) == ((1, 0), (1, 0))
            assert await store.read(lambda session: session.counts()) == (2, 0)

    asyncio.run(scenario())


def test_opening_while_others_commit_and_write_checkpoints_misses_nothing(serve, start):
    async def scenario():
        process = start(
            """
async def main():
    for i in range(1_000_000):
        store = make(path, durability="process")
        await store.initialize()
        await store.apply([Batch([CreateNode(f"{i} {j}") for j in range(50)])])
        say(i)
        await store.close()
asyncio.run(main())
"""
        )
        for _ in range(15):
            number = int(process.stdout.readline())
            async with serve() as store:
                found = await names(store)
                assert {f"{i} {j}" for i in range(number + 1) for j in range(50)} <= found

    asyncio.run(scenario())
