"""The format `mcp-memory`: files as @modelcontextprotocol/server-memory writes them, and what is none."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest
from polaris_formats import mcp_memory

from polaris_core import Edge, Node, UpsertEdge, UpsertNode, ValidationError
from polaris_core.abc import MAX_LINE_BYTES, Losses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# As JSON.stringify spells it, a line each, joined by line feeds, none at the end.
FILE = (
    '{"type":"entity","name":"Ada Lovelace","entityType":"person","observations":["wrote the \\"first\\" program","née Byron"]}\n'
    '{"type":"entity","name":"Note G","entityType":"text","observations":[]}\n'
    '{"type":"relation","from":"Ada Lovelace","to":"Note G","relationType":"wrote"}'
).encode()
RECORDS: list[Node | Edge] = [
    Node("Ada Lovelace", "person", {}, ['wrote the "first" program', "née Byron"]),
    Node("Note G", "text"),
    Edge("Ada Lovelace", "wrote", "Note G"),
]


def read(data: bytes) -> list[UpsertNode | UpsertEdge]:
    return list(mcp_memory.read(io.BytesIO(data), Losses("a graph", "error")))


def test_a_file_of_the_server_is_read() -> None:
    assert read(FILE) == [
        UpsertNode("Ada Lovelace", "person", {}, ['wrote the "first" program', "née Byron"]),
        UpsertNode("Note G", "text"),
        UpsertEdge("Ada Lovelace", "wrote", "Note G"),
    ]


def test_a_file_is_written_byte_for_byte_as_the_server_writes_it() -> None:
    async def records() -> AsyncIterator[Node | Edge]:
        for record in RECORDS:
            yield record

    async def body() -> bytes:
        return b"".join([piece async for piece in mcp_memory.write(records(), Losses("a file", "error"))])

    assert asyncio.run(body()) == FILE


def test_relations_may_come_first_and_empty_lines_say_nothing() -> None:
    first, second, third = FILE.split(b"\n")
    assert read(b"\n".join([third, b"", b"  ", second, first])) == [*reversed(read(FILE))]


def test_what_else_stands_on_a_line_is_kept_as_attributes() -> None:
    line = b'{"type":"entity","name":"a","entityType":"b","observations":[],"createdAt":"2026","tags":["c"]}'
    assert read(line) == [UpsertNode("a", "b", {"createdAt": "2026", "tags": ["c"]})]
    line = b'{"type":"relation","from":"a","to":"b","relationType":"c","strength":0.5}'
    assert read(line) == [UpsertEdge("a", "c", "b", {"strength": 0.5})]


HOSTILE = {
    "no JSON": b"nonsense",
    "no object": b"[1]",
    "another type": b'{"type":"person","name":"a"}',
    "a type that is no text": b'{"type":["entity"]}',
    "no name": b'{"type":"entity","entityType":"a","observations":[]}',
    "an empty name": b'{"type":"entity","name":"","entityType":"a","observations":[]}',
    "no entityType": b'{"type":"entity","name":"a","observations":[]}',
    "an entityType of null": b'{"type":"entity","name":"a","entityType":null,"observations":[]}',
    "no observations": b'{"type":"entity","name":"a","entityType":"b"}',
    "an observation that is an object": b'{"type":"entity","name":"a","entityType":"b","observations":[{"text":"c"}]}',
    "an empty observation": b'{"type":"entity","name":"a","entityType":"b","observations":[""]}',
    "observations that are a text": b'{"type":"entity","name":"a","entityType":"b","observations":"c"}',
    "no target": b'{"type":"relation","from":"a","relationType":"b"}',
    "a target that is a number": b'{"type":"relation","from":"a","to":1,"relationType":"b"}',
    "a relationType of null": b'{"type":"relation","from":"a","to":"b","relationType":null}',
    "a control character": b'{"type":"entity","name":"a\\u001b[31m","entityType":"b","observations":[]}',
    "a lone surrogate": b'{"type":"entity","name":"\\ud800","entityType":"b","observations":[]}',
    "2**64": b'{"type":"relation","from":"a","to":"b","relationType":"c","n":18446744073709551616}',
    "100,000 levels": b'{"type":"relation","from":"a","to":"b","relationType":"c","n":' + b"[" * 100_000,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_entity_or_relation_is_refused_with_its_line(line: bytes) -> None:
    with pytest.raises(ValidationError, match=r"^line 2: ") as caught:
        read(b'{"type":"entity","name":"good","entityType":"a","observations":[]}\n' + line)
    assert len(str(caught.value)) < 1_000


def test_a_line_without_an_end_is_refused_before_it_is_read_to_it() -> None:
    file = io.BytesIO(b" " * (2 * MAX_LINE_BYTES))
    with pytest.raises(ValidationError, match="line 1: longer than"):
        list(mcp_memory.read(file, Losses("a graph")))
    assert file.tell() == MAX_LINE_BYTES + 1
