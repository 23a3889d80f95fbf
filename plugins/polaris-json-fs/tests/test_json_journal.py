"""The journal: what a crash leaves is told from damage, at every byte and for every bit."""

from __future__ import annotations

import asyncio
import os
import shutil

import orjson
import pytest
from polaris_json_fs.journal import content, decode, encode_frame, encode_plan, scan
from polaris_json_fs.journal_file import JournalFile, UncertainError
from polaris_json_fs.recovery import DamageError, Verdict, judge

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteNode,
    OutcomeUnknownError,
    PutNode,
    RenameNode,
    SetMeta,
    StoreDamagedError,
    StoreUnavailableError,
)
from polaris_core.abc import CommitPlan, Head

SEED = "of this journal"
JOURNAL = "journal-000001.log"


def frames(*payloads: bytes) -> bytes:
    return b"".join(encode_frame(payload, number, SEED) for number, payload in enumerate(payloads, 1))


WHOLE = frames(b"{}\n", b'{"a":1}\n{"b":2}\n', b'{"c":3}\n')
ENDS = [0, *(frame.end for frame in scan(WHOLE, 1, SEED).frames)]


def test_an_empty_journal_holds_nothing():
    assert scan(b"", 1, SEED) == ([], 0, False)


def test_whole_frames_are_found_again():
    found = scan(WHOLE, 1, SEED)
    assert [frame.payload for frame in found.frames] == [b"{}\n", b'{"a":1}\n{"b":2}\n', b'{"c":3}\n']
    assert (found.end, found.damaged) == (len(WHOLE), False)


def test_a_journal_cut_anywhere_holds_the_frames_before_the_cut():
    for length in range(len(WHOLE)):
        found = scan(WHOLE[:length], 1, SEED)
        assert (found.end, found.damaged) == (max(end for end in ENDS if end <= length), False)


def test_every_flipped_bit_is_damage_or_in_the_last_frame():
    for bit in range(len(WHOLE) * 8):
        flipped = bytearray(WHOLE)
        flipped[bit // 8] ^= 1 << bit % 8
        found = scan(bytes(flipped), 1, SEED)
        assert found.end <= ENDS[bisect(bit // 8)], bit
        assert found.damaged or found.end == ENDS[-2], bit


def bisect(byte: int) -> int:
    return max(place for place, end in enumerate(ENDS) if end <= byte)


def test_a_frame_of_another_place_or_journal_is_none_of_ours():
    first, second = encode_frame(b"{}\n", 1, SEED), encode_frame(b"{}\n", 2, SEED)
    assert scan(second, 1, SEED) == ([], 0, True)
    assert len(scan(first + first, 1, SEED).frames) == 1
    assert scan(encode_frame(b"{}\n", 1, "of another one"), 1, SEED) == ([], 0, False)


def test_zeros_after_the_last_frame_are_room_for_the_next_ones():
    assert content(WHOLE + bytes(5_000)) == WHOLE
    assert content(bytes(5_000)) == b""


def test_what_stands_among_those_zeros_was_torn():
    for torn in (WHOLE[:-1] + bytes(10), WHOLE[: ENDS[-2]] + bytes(20) + WHOLE[-5:] + bytes(10)):
        found = scan(content(torn), 1, SEED)
        assert (found.end, found.damaged) == (ENDS[-2], False)
        assert found.end < len(content(torn))


def test_a_header_inside_a_body_is_no_frame():
    inner = encode_frame(b"{}\n", 1, SEED).decode()
    payload = orjson.dumps({"text": inner}) + b"\n"
    torn = encode_frame(payload, 1, SEED)[:-1]
    assert scan(torn, 1, SEED) == ([], 0, False)


def test_a_plan_comes_back_from_its_lines_as_it_was():
    head = Head("store", "epoch")
    plan = CommitPlan(head, head._replace(seq=3), delete_edges=[4], delete_meta=["a\u2028"], renamed=[1, 2])
    again = decode(encode_plan(plan), head)
    assert isinstance(again, CommitPlan)
    assert again._replace(outcomes=()) == plan._replace(
        delete_nodes=(), put_nodes=[], put_edges=[], put_meta=[], changes=[], receipts=[]
    )


FOUND = scan(WHOLE[:-1], 1, SEED)


def test_a_torn_end_that_nobody_was_told_of_is_cut():
    assert judge(FOUND, len(WHOLE) - 1, ENDS[2], lost_power=False) == Verdict(ENDS[2], lost=False)


def test_a_torn_end_that_somebody_was_told_of_is_damage():
    with pytest.raises(DamageError) as caught:
        judge(FOUND, len(WHOLE) - 1, len(WHOLE) - 1, lost_power=False)
    assert caught.value.offset == ENDS[2]


def test_a_journal_shorter_than_what_was_acknowledged_is_another_history():
    assert judge(FOUND, len(WHOLE) - 1, len(WHOLE), lost_power=False) == Verdict(ENDS[2], lost=True)


def test_after_a_power_loss_below_full_durability_the_whole_prefix_is_another_history():
    damaged = scan(b"x" + WHOLE[1:], 1, SEED)
    assert judge(damaged, len(WHOLE), len(WHOLE), lost_power=True) == Verdict(0, lost=True)


# --- the same through a store -----------------------------------------------------------------------------------------

BATCHES = [
    Batch(CreateNode("a", attributes={"x": 1})),
    Batch((CreateNode("b"), CreateEdge("a", "t", "b")), key="k"),
    Batch((RenameNode("a", "c"), SetMeta("m", [1]))),
    Batch((PutNode("b", "other"), DeleteNode("c", detach=True))),
]


@pytest.fixture
def written(serve, everything, directory, tmp_path):
    """A store that was copied while it was in use: its journal, and what it held when the journal had each length."""

    async def scenario():
        states = {}
        async with serve() as store:
            journal = directory / JOURNAL
            states[0] = await everything(store)
            for batch in BATCHES:
                await store.commit(batch)
                states[len(content(journal.read_bytes()))] = await everything(store)
            shutil.copytree(directory, tmp_path / "image")
        return states

    return tmp_path / "image", asyncio.run(scenario())


def same_but_for_the_epoch(one, other):
    return {**one, "head": one["head"]._replace(epoch="")} == {**other, "head": other["head"]._replace(epoch="")}


@pytest.mark.parametrize("filled", [False, True], ids=["cut", "zeros"])
def test_every_truncation_gives_the_state_before_it(written, serve, everything, tmp_path, filled):
    image, states = written
    whole = (image / JOURNAL).stat().st_size

    async def check(length, *, counter):
        path = tmp_path / f"cut-{length}-{counter}"
        shutil.copytree(image, path)
        with (path / JOURNAL).open("r+b") as file:
            file.truncate(length)
            file.truncate(whole if filled else length)
        if not counter:
            (path / "committed").unlink()
        async with serve(path) as store:
            expected = states[max(size for size in states if size <= length)]
            found = await everything(store)
            # What somebody was told of is gone: whoever remembers it must not take what follows for it.
            lost = counter and length < max(states)
            assert same_but_for_the_epoch(found, expected)
            assert (found["head"].epoch != expected["head"].epoch) == lost
            await store.commit(Batch(CreateNode("afterwards")))
        shutil.rmtree(path)

    async def scenario():
        sizes = sorted(states)
        edges = {size + step for size in sizes for step in (-1, 0, 1)} & set(range(max(states) + 1))
        for length in sorted(edges | set(range(0, max(states), 307))):
            await check(length, counter=length % 2 == 0)

    asyncio.run(scenario())


def test_every_flipped_bit_is_refused_or_in_the_torn_end(written, serve, everything, tmp_path):
    image, states = written
    held = (image / JOURNAL).read_bytes()
    last_start = sorted(states)[-2]

    async def check(bit, *, counter):
        path = tmp_path / f"flip-{bit}-{counter}"
        shutil.copytree(image, path)
        flipped = bytearray(held)
        flipped[bit // 8] ^= 1 << bit % 8
        (path / JOURNAL).write_bytes(flipped)
        if not counter:
            (path / "committed").unlink()
        if counter or bit // 8 < last_start:
            with pytest.raises(StoreDamagedError) as caught:
                async with serve(path):
                    pass
            assert caught.value.where.startswith(f"{JOURNAL}, byte ")
            assert (path / JOURNAL).read_bytes() == flipped  # and nothing is cut
        else:
            async with serve(path) as store:
                assert await everything(store) == states[last_start]
        shutil.rmtree(path)

    async def scenario():
        for bit in range(0, max(states) * 8, 997):
            await check(bit, counter=bit % 2 == 0)

    asyncio.run(scenario())


def test_a_journal_of_another_checkpoint_is_not_taken_for_this_ones(written, serve, everything, tmp_path):
    image, _ = written

    async def scenario():
        async with serve(image):
            pass  # generation 2 now
        shutil.copytree(image, tmp_path / "older")
        async with serve(image) as store:
            await store.commit(Batch(CreateNode("left behind")))
            shutil.copy(image / "journal-000002.log", tmp_path / "stale.log")
            await store.commit(Batch(CreateNode("more")))
        shutil.rmtree(image)
        shutil.copytree(tmp_path / "older", image)
        async with serve(image) as store:
            await store.commit(Batch(CreateNode("otherwise")))
        shutil.copy(tmp_path / "stale.log", image / "journal-000003.log")
        async with serve(image) as store:
            names = await store.read(lambda session: session.keys("node", "", 100))
            assert names == ["b", "otherwise"]
            await store.commit(Batch(CreateNode("next")))

    asyncio.run(scenario())


def test_damage_that_appears_while_the_store_is_open_refuses_commits(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
            with (directory / JOURNAL).open("r+b") as file:
                file.truncate(10)
            with pytest.raises(StoreDamagedError):
                await store.commit(Batch(CreateNode("b")))

    asyncio.run(scenario())


def test_a_journal_that_is_deleted_under_an_open_store_is_noticed(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
            (directory / JOURNAL).unlink()
            with pytest.raises(StoreDamagedError, match="deleted"):
                await store.commit(Batch(CreateNode("b")))

    asyncio.run(scenario())


@pytest.fixture
def synced(monkeypatch):
    """The sizes that a file had when its data was synced."""
    sizes = []
    real = os.fdatasync

    def fdatasync(descriptor):
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    return sizes


def test_a_commit_is_one_sync_of_a_file_that_seldom_grows(serve, synced):
    async def scenario():
        async with serve() as store:
            for number in range(200):
                await store.commit(Batch(CreateNode(f"node {number}")))
            assert len(synced) == 200
            assert len(set(synced)) <= 3

    asyncio.run(scenario())


def test_a_commit_that_is_not_synced_makes_no_room(serve, directory):
    async def scenario():
        async with serve(durability="process") as store:
            await store.commit(Batch(CreateNode("a")))
            assert (directory / JOURNAL).read_bytes().endswith(b"}\n")

    asyncio.run(scenario())


def test_processes_share_the_room_that_was_made(serve, directory):
    async def scenario():
        async with serve() as one, serve() as other:
            for number in range(10):
                await (one, other)[number % 2].commit(Batch(CreateNode(f"node {number}")))
            held = (directory / JOURNAL).read_bytes()
            assert b"\0" not in content(held)
            assert len(held) < 100_000

    asyncio.run(scenario())


def test_zeros_amid_what_was_acknowledged_are_damage(written, serve):
    image, states = written
    sizes = sorted(states)

    async def scenario():
        with (image / JOURNAL).open("r+b") as file:
            file.seek(sizes[-3])
            file.write(bytes(sizes[-2] - sizes[-3]))
        with pytest.raises(StoreDamagedError, match=f"byte {sizes[-3]}"):
            async with serve(image):
                pass

    asyncio.run(scenario())


def test_a_bit_that_flips_in_the_room_for_later_commits_does_no_harm(written, serve, everything):
    image, states = written

    async def scenario():
        with (image / JOURNAL).open("r+b") as file:
            file.seek(max(states) + 1_000)
            file.write(b"\1")
        async with serve(image) as store:
            assert await everything(store) == states[max(states)]
            await store.commit(Batch(CreateNode("afterwards")))

    asyncio.run(scenario())


def test_a_frame_that_cannot_be_written_nor_taken_back_is_uncertain(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b"before")
    journal = JournalFile(tmp_path, "json:///kg", 1, write=False)  # the system refuses both
    with pytest.raises(UncertainError):
        journal.append(b"frame", 6, sync=True)
    journal.close()


def test_after_an_unknown_outcome_every_call_is_refused_until_the_store_is_opened_again(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("a")))
            blocking = store.storage._store
            blocking._journal.close()
            blocking._journal = JournalFile(directory, "json:///kg", 1, write=False)
            with pytest.raises(OutcomeUnknownError, match="open it again"):
                await store.commit(Batch(CreateNode("b")))
            with pytest.raises(StoreUnavailableError, match="open it again"):
                await store.commit(Batch(CreateNode("b")))
            with pytest.raises(StoreUnavailableError, match="open it again"):
                await store.read(lambda session: session.head())
        async with serve() as store:
            assert await store.read(lambda session: session.keys("node", "", 10)) == ["a"]

    asyncio.run(scenario())
