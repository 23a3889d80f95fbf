"""Laws of links: the edges of nodes, ordered by edge id, each once, page by page."""

from __future__ import annotations

from typing import Any, Literal

from polaris_core.abc.storage import Storage
from polaris_core.mutations import CreateEdge, CreateNode, DeleteEdge, RenameNode
from polaris_core.records import Link, Session
from polaris_core.testing.laws.subject import Subject, ask, put
from polaris_core.testing.programs import pages

__all__ = ["LinkLaws"]

DIRECTIONS: tuple[Literal["out", "in", "both"], ...] = ("out", "in", "both")


async def _paged(
    storage: Storage, ids: Any, direction: Literal["out", "in", "both"], types: Any, size: int
) -> list[Link]:
    async def program(session: Session) -> list[Link]:
        return await pages(lambda after: session.links(ids, direction, types, size, after), size, lambda link: link.id)

    return await storage.read(program)


class LinkLaws(Subject):
    """What leaves or enters a node."""

    def test_links_go_out_of_their_source_and_into_their_target(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "abc"), CreateEdge("a", "x", "b"), CreateEdge("c", "x", "a"))
            out, into = Link(4, 1, "x", 2), Link(5, 3, "x", 1)
            for direction, links in (("out", [out]), ("in", [into]), ("both", [out, into])):
                found = await ask(storage, "links", [1], direction, None, 9, 0)
                assert list(found) == links
                assert {type(link) for link in found} == {Link}

        self.on_a_store(law)

    def test_a_self_loop_stands_once_in_every_direction(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, CreateNode("a"), CreateEdge("a", "x", "a"), CreateEdge("a", "y", "a"))
            for direction in DIRECTIONS:
                for limit in (1, 9):
                    links = await _paged(storage, [1], direction, None, limit)
                    assert links == [Link(2, 1, "x", 1), Link(3, 1, "y", 1)]

        self.on_a_store(law)

    def test_an_edge_between_two_of_the_nodes_stands_once(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "abc"), CreateEdge("b", "x", "a"), CreateEdge("a", "x", "b"))
            await put(storage, CreateEdge("a", "x", "a"), CreateEdge("c", "x", "a"), CreateEdge("c", "y", "c"))
            every = [
                Link(4, 2, "x", 1),
                Link(5, 1, "x", 2),
                Link(6, 1, "x", 1),
                Link(7, 3, "x", 1),
                Link(8, 3, "y", 3),
            ]
            for direction, links in (("out", every[:3]), ("in", every[:4]), ("both", every[:4])):
                for ids in ([2, 1], [1, 2, 1, 2, 2]):
                    for limit in (1, 2, 9):
                        assert await _paged(storage, ids, direction, None, limit) == links  # type: ignore[arg-type]

        self.on_a_store(law)

    def test_links_are_those_of_the_types_asked_for(self) -> None:
        async def law(storage: Storage) -> None:
            types = ["t", "u", "T", "t ", "tt", "\N{GREEK SMALL LETTER TAU}"]
            await put(storage, *map(CreateNode, "ab"))
            await put(storage, *(CreateEdge("a", type, name) for name in "ab" for type in types))
            ids = {type: [3 + place, 9 + place] for place, type in enumerate(types)}
            for wanted in ([], ["t"], ["u", "t"], ["t", "t"], ["T", "missing"], types):
                expected = sorted({id for type in wanted for id in ids.get(type, ())})
                for limit in (1, 3, 99):
                    links = await _paged(storage, [1], "out", wanted, limit)
                    assert [link.id for link in links] == expected
            assert len(await _paged(storage, [1], "out", None, 5)) == 12

        self.on_a_store(law)

    def test_the_links_of_a_hub_come_in_pages_by_edge_id(self) -> None:
        async def law(storage: Storage) -> None:
            size = 10_000
            await put(storage, CreateNode("hub"), *(CreateNode(f"n{number}") for number in range(100)))
            made = []
            for at in range(size):
                other, type = f"n{at * 37 % 100}", f"t{at // 100}"
                made.append(CreateEdge("hub", type, other) if at % 3 else CreateEdge(other, type, "hub"))
            plan = await put(storage, *made)
            ids = {edge.id: edge for edge in plan.put_edges}
            into = [id for id, edge in ids.items() if edge.target == 1]
            out = [id for id, edge in ids.items() if edge.source == 1]
            for direction, expected in (("out", out), ("in", into), ("both", list(ids))):
                for page in (999, 20_000):
                    links = await _paged(storage, [1], direction, None, page)  # type: ignore[arg-type]
                    assert [link.id for link in links] == expected, f"{direction}, {page} a page"
            middle = out[len(out) // 2]
            assert [link.id for link in await ask(storage, "links", [1], "out", None, 2, middle)] == out[
                len(out) // 2 + 1 : len(out) // 2 + 3
            ]

        self.on_a_store(law)

    def test_a_page_of_one_and_a_place_beyond_the_end(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), *(CreateEdge("a", type, "b") for type in "zyx"))
            for direction in ("out", "both"):
                assert [link.id for link in await _paged(storage, [1], direction, None, 1)] == [3, 4, 5]
                assert [link.id for link in await ask(storage, "links", [1], direction, None, 1, 3)] == [4]
                for beyond in (5, 6, 2**63 - 1, 2**63, 2**64):
                    assert list(await ask(storage, "links", [1], direction, None, 9, beyond)) == []
                    assert list(await ask(storage, "links", [1, 2], direction, ["x"], 9, beyond)) == []

        self.on_a_store(law)

    def test_nodes_that_are_not_there_have_no_links(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"))
            for ids in ([], [99], [3], [0], [-1]):
                for direction in DIRECTIONS:
                    assert list(await ask(storage, "links", ids, direction, None, 9, 0)) == []
            assert len(await ask(storage, "links", [99, 1, 3], "out", None, 9, 0)) == 1

        self.on_a_store(law)

    def test_a_deleted_edge_is_no_link_and_one_made_again_is_another(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), *(CreateEdge("a", type, "b") for type in "xyz"))
            await put(storage, DeleteEdge("a", "y", "b"))
            assert [link.id for link in await _paged(storage, [1], "both", None, 1)] == [3, 5]
            assert [link.id for link in await _paged(storage, [2], "in", ["y", "z"], 1)] == [5]
            await put(storage, CreateEdge("a", "y", "b"))
            assert [link.id for link in await _paged(storage, [1, 2], "both", None, 2)] == [3, 5, 6]

        self.on_a_store(law)

    def test_links_follow_ids_whatever_their_nodes_are_called(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"))
            await put(storage, RenameNode("a", "c"), RenameNode("b", "a"), RenameNode("c", "b"))
            assert await _paged(storage, [1], "out", None, 9) == [Link(3, 1, "x", 2)]
            assert await ask(storage, "edges", [(1, "x", 2), (2, "x", 1)]) == [
                *await ask(storage, "edges", [3]),
                None,
            ]

        self.on_a_store(law)

    def test_thousands_of_nodes_are_asked_about_at_once(self) -> None:
        async def law(storage: Storage) -> None:
            size = 3_000
            plan = await put(storage, *(CreateNode(f"n{number}") for number in range(size)))
            ids = [node.id for node in plan.put_nodes]
            edges = (
                await put(storage, *(CreateEdge(f"n{at}", "x", f"n{(at + 1) % size}") for at in range(size)))
            ).put_edges
            for direction in DIRECTIONS:
                links = await _paged(storage, ids[::-1], direction, None, 1_000)
                assert [link.id for link in links] == [edge.id for edge in edges]
            found = await ask(storage, "nodes", ids[::-1])
            assert [node and node.id for node in found] == ids[::-1]

        self.on_a_store(law)
