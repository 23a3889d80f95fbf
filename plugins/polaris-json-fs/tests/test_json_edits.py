"""Edits by hand while nothing runs: they become one commit by `edit`, or an error that names file and line."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import zlib

import pytest

from polaris_core import (
    Batch,
    CreateEdge,
    CreateNode,
    EditConflictError,
    Observation,
    SetMeta,
    SetSchema,
    StoreDamagedError,
    open_graph,
)

NODES, EDGES, META = "nodes/000000.jsonl", "edges/000000.jsonl", "meta.jsonl"


@pytest.fixture
def closed(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(
                Batch(
                    (
                        CreateNode("Ada", "person", {"born": 1815}, ["wrote a program"]),
                        CreateNode("Babbage", "person", {"x": 1}),
                        CreateNode("Engine", "machine"),
                        CreateEdge("Ada", "knows", "Babbage", {"since": 1833}),
                        CreateEdge("Babbage", "designs", "Engine"),
                        SetMeta("rules", {"a": 1}),
                    )
                )
            )

    asyncio.run(scenario())
    return directory


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def opened(directory, question):
    async def scenario():
        async with open_graph(f"json:///{directory}") as graph:
            return await question(graph)

    return asyncio.run(scenario())


def refused(serve):
    async def scenario():
        with pytest.raises(EditConflictError) as caught:
            async with serve():
                pass
        return caught.value

    return asyncio.run(scenario())


async def feed(graph):
    return await graph.changes()


def test_edits_of_nodes_become_one_commit_with_ordinary_changes(closed):
    before = opened(closed, feed)
    rows = lines(closed / NODES)
    rows[0]["body"]["attributes"]["born"] = 1816
    rows[0]["body"]["observations"].append({"text": "was tutored", "source": "letters", "recorded_at": None})
    rows[1]["name"] = "Charles Babbage"
    rows[2]["type"] = "engine"
    rows.append({"name": "Menabrea", "type": "person", "body": {"observations": ["wrote notes"]}})
    write(closed / NODES, rows)

    async def question(graph):
        ada, menabrea = await graph.get_node("Ada"), await graph.get_node("Menabrea")
        assert ada.attributes == {"born": 1816}
        assert [observation.text for observation in ada.observations] == ["wrote a program", "was tutored"]
        assert ada.observations[1].source == "letters"
        assert ada.provenance.version > 1
        assert menabrea.observations[0] == Observation("wrote notes", None, menabrea.observations[0].recorded_at)
        assert (await graph.get_node("Engine")).type == "engine"
        assert await graph.get_edge("Ada", "knows", "Charles Babbage")
        return await graph.changes()

    changes = opened(closed, question)
    assert changes[: len(before)] == before
    made = changes[len(before) :]
    assert {change.author for change in made} == {"edit"}
    assert len({change.commit for change in made}) == 1
    assert {change.kind for change in made} >= {"node.created", "node.renamed"}
    assert opened(closed, feed) == changes  # and it is taken in once
    assert '"target":"Charles Babbage"' in (closed / EDGES).read_text()


def test_edits_of_edges_and_meta_are_taken_in_too(closed):
    rows = lines(closed / EDGES)
    rows[0]["body"]["attributes"] = {"since": 1834}
    rows[1]["type"] = "draws"
    rows.append({"source": "Ada", "type": "describes", "target": "Engine"})
    write(closed / EDGES, rows)
    write(closed / META, [{"key": "rules", "body": {"a": 2}}, {"key": "more", "body": [1]}])

    async def question(graph):
        assert (await graph.get_edge("Ada", "knows", "Babbage")).attributes == {"since": 1834}
        assert await graph.get_edge("Ada", "describes", "Engine")
        assert await graph.get_edge("Babbage", "draws", "Engine")
        keys = [("Babbage", "designs", "Engine")]
        assert await graph.get_edges(keys) == {}
        found = await graph.service.read(lambda session: session.meta(["rules", "more"]))
        assert [record.body for record in found] == ['{"a":2}', "[1]"]

    opened(closed, question)


def test_names_that_are_swapped_by_hand_are_swapped(closed):
    rows = lines(closed / NODES)
    rows[0]["name"], rows[1]["name"] = rows[1]["name"], rows[0]["name"]
    write(closed / NODES, rows)

    async def question(graph):
        assert (await graph.get_node("Babbage")).attributes == {"born": 1815}
        assert await graph.get_edge("Babbage", "knows", "Ada")

    opened(closed, question)


def test_a_line_that_is_deleted_deletes_its_record_and_its_edges(closed):
    write(closed / NODES, lines(closed / NODES)[:2])

    async def question(graph):
        assert await graph.names() == ["Ada", "Babbage"] or tuple(await graph.names()) == ("Ada", "Babbage")
        assert (await graph.statistics()).edges == 1
        return [change.kind for change in await graph.changes()][-2:]

    assert set(opened(closed, question)) == {"node.deleted", "edge.deleted"}


def test_an_edit_that_says_the_same_makes_no_change_and_the_file_is_written_again(closed):
    content, before = (closed / NODES).read_text(), opened(closed, feed)
    write(closed / NODES, lines(closed / NODES))
    assert (closed / NODES).read_text() != content
    assert opened(closed, feed) == before
    assert (closed / NODES).read_text() == content


@pytest.mark.parametrize(
    ("path", "line", "text"),
    [
        (NODES, 2, "not JSON"),
        (NODES, 2, "[]"),
        (NODES, 2, '{"id": 2, "type": "person"}'),
        (NODES, 2, '{"id": 1, "name": "twice", "type": "person"}'),
        (NODES, 2, '{"id": 2, "name": "Ada", "type": "person"}'),
        (NODES, 2, '{"id": 2, "name": "\\u0000", "type": "person"}'),
        (NODES, 3, '{"id": 3, "name": "Engine", "type": "machine", "body": {"observations": [1]}}'),
        (EDGES, 1, '{"source": "Ada", "type": "knows", "target": "Nobody"}'),
        (EDGES, 2, '{"source": "Ada", "type": "knows"}'),
        (META, 1, '{"body": 1}'),
        (META, 1, '{"key": "rules", "value": 1, "body": {"a": 1}}'),
        (NODES, 2, '{"name": "Babbage", "attributes": {"x": 1}}'),
        (NODES, 2, '{"id": 2, "name": "Babbage", "type": "person", "body": {"x": 2}}'),
        (
            NODES,
            2,
            '{"id": 2, "name": "Babbage", "type": "person", "body": {"attributes": {"x": 18446744073709551616}}}',
        ),
        (NODES, 1, '{"id": 1, "name": "Ada", "body": {"observations": [{"text": "wrote", "when": 1843}]}}'),
        (EDGES, 1, '{"id": 4, "source": "Ada", "type": "knows", "target": "Babbage", "body": {"observations": []}}'),
    ],
)
def test_what_cannot_be_taken_in_is_refused_with_file_and_line_and_nothing_is_written(closed, serve, path, line, text):
    rows = (closed / path).read_text().splitlines()
    rows[line - 1] = text
    (closed / path).write_text("\n".join(rows) + "\n")
    held = (closed / path).read_bytes()
    for _ in range(2):
        assert refused(serve).where == f"{path}:{line}"
    assert (closed / path).read_bytes() == held


def test_a_file_that_is_added_by_hand_is_taken_in_like_a_line(serve, directory):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch((CreateNode("Ada"), CreateNode("Babbage"))))

    asyncio.run(scenario())
    (directory / "edges").mkdir(exist_ok=True)
    write(directory / EDGES, [{"source": "Ada", "type": "knows", "target": "Babbage"}])
    write(directory / META, [{"key": "rules", "body": {"a": 1}}])
    for _ in range(2):
        changes = opened(directory, feed)[2:]
        assert [(change.kind, change.author) for change in changes] == [("edge.created", "edit"), ("meta.set", "edit")]


def test_an_added_file_to_which_no_record_belongs_is_refused_and_stays(serve, closed):
    (closed / "nodes/000007.jsonl").write_text('{"name": "later"}\n')
    for _ in range(2):
        assert refused(serve).where == "nodes/000007.jsonl:1"
    assert (closed / "nodes/000007.jsonl").exists()


@pytest.mark.parametrize("pulled", [False, True])
def test_a_clone_that_was_opened_once_can_be_edited(serve, closed, pulled):
    """One that was `pulled` has copies of what its files held before that."""
    for copy in (closed / "written").iterdir():
        copy.unlink()
        if pulled:
            copy.write_bytes(zlib.compress(b"old"))

    async def open_and_close():
        async with serve():
            pass

    text = (closed / NODES).read_text()
    (closed / NODES).write_text(text.replace("1815", "1816"))
    assert refused(serve).where == NODES
    (closed / NODES).write_text(text)
    asyncio.run(open_and_close())
    (closed / NODES).write_text(text.replace("1815", "1816"))
    (closed / EDGES).write_text((closed / EDGES).read_text().replace("1833", "1834"))
    changes = opened(closed, feed)[6:]
    assert [(change.kind, change.author) for change in changes] == [("node.updated", "edit"), ("edge.updated", "edit")]


def test_an_edit_beside_a_journal_is_refused_with_file_and_line(serve, closed, tmp_path):
    async def scenario():
        async with serve() as store:
            await store.commit(Batch(CreateNode("more")))
            shutil.copytree(closed, tmp_path / "image")

    asyncio.run(scenario())
    shutil.rmtree(closed)
    shutil.copytree(tmp_path / "image", closed)
    rows = (closed / NODES).read_text().splitlines()
    (closed / NODES).write_text("\n".join([rows[0], rows[1].replace('"x":1', '"x":2'), *rows[2:]]) + "\n")
    held = (closed / NODES).read_bytes()
    assert refused(serve).where == f"{NODES}:2"
    assert (closed / NODES).read_bytes() == held


def test_a_file_that_lost_its_last_line_end_only_is_told_by_its_last_line(serve, closed):
    async def scenario():
        async with serve() as store:
            (closed / NODES).write_bytes((closed / NODES).read_bytes()[:-1])
            assert [finding.where for finding in (await store.verify()).findings] == [f"{NODES}:3"]

    asyncio.run(scenario())


def test_an_edit_of_the_feed_or_of_receipts_is_refused(closed, serve):
    path = closed / "changes/000000.jsonl"
    path.write_text(path.read_text().replace('"born":1815', '"born":1816'))
    assert refused(serve).where == "changes/000000.jsonl"


def test_who_only_reads_is_told_of_an_edit_and_who_takes_it_in(closed, serve):
    (closed / NODES).write_text((closed / NODES).read_text().replace("1815", "1816"))

    async def scenario():
        with pytest.raises(EditConflictError, match=r"nodes/000000\.jsonl.* an opening for writing takes the edit in"):
            async with serve(read_only=True):
                pass
        async with serve() as store:
            (node,) = await store.read(lambda session: session.nodes(["Ada"]))
            assert "1816" in node.body

    asyncio.run(scenario())


@pytest.mark.parametrize("read_only", [False, True])
def test_who_meets_a_flipped_bit_is_told_of_damage_and_of_no_edit(closed, serve, read_only):
    time = (closed / NODES).stat().st_mtime_ns
    (closed / NODES).write_text((closed / NODES).read_text().replace("1815", "1805"))
    os.utime(closed / NODES, ns=(time, time))

    async def scenario():
        with pytest.raises(StoreDamagedError) as caught:
            async with serve(read_only=read_only):
                pass
        assert caught.value.where == f"{NODES}:1"

    asyncio.run(scenario())


def test_an_edit_is_seen_by_a_process_that_had_the_store_open(closed, serve):
    async def scenario():
        async with serve() as idle:
            (closed / NODES).write_text((closed / NODES).read_text().replace("1815", "1816"))
            async with serve() as store:
                (node,) = await idle.read(lambda session: session.nodes(["Ada"]))
                assert "1816" in node.body
                await idle.commit(Batch(CreateNode("after")))
                assert await store.read(lambda session: session.counts()) == (4, 2)

    asyncio.run(scenario())


def test_many_edits_are_taken_in_however_much_work_their_schema_is(serve, directory, monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)  # which counts an eighth

    async def scenario():
        async with serve() as store:
            await store.commit(
                Batch((SetSchema("node", "t", {"properties": {"a": {"items": {"anyOf": [True] * 60}}}}),))
            )
            await store.commit(Batch(tuple(CreateNode(f"n{number}", "t", {"a": [1] * 90}) for number in range(20))))
            await store.commit(Batch(tuple(CreateNode(f"m{number}", "t", {"a": [1] * 90}) for number in range(20))))

    asyncio.run(scenario())
    path = directory / NODES
    path.write_text(path.read_text().replace("[1,", "[2,"))
    assert opened(directory, lambda graph: graph.count_nodes(where={"a": [2] + [1] * 89})) == 40
