"""Laws of single records: what is stored comes back byte for byte, under its keys and no others, until it is deleted."""

from __future__ import annotations

from typing import Any

from polaris_core.abc.storage import Storage
from polaris_core.codec import dumps, loads
from polaris_core.model import Patch
from polaris_core.mutations import (
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    Emit,
    PatchNode,
    PutEdge,
    SetMeta,
)
from polaris_core.records import FORMAT, ChangeRecord, EdgeRecord, MetaRecord, NodeRecord, Receipt, Session
from polaris_core.testing.laws.samples import NAMES, VALUES
from polaris_core.testing.laws.subject import Subject, ask, put
from polaris_core.testing.programs import everything, pages
from polaris_core.values import freeze

__all__ = ["RecordLaws"]


class RecordLaws(Subject):
    """Records are there as they were stored, and nothing else is."""

    def test_a_new_store_is_empty_and_says_where_it_stands(self) -> None:
        async def law() -> None:
            identities = []
            for _ in range(2):
                storage = self.place().storage()
                head = await storage.open()
                try:
                    assert (head.seq, head.next_id, head.floor, head.format) == (0, 1, 0, FORMAT)
                    assert head.store
                    assert head.epoch
                    held = await storage.read(everything)
                    assert held.head == head
                    assert held[1:] == ((0, 0), [], [], [], [], [], [], []), "a new store holds nothing"
                finally:
                    await storage.close()
                identities.append(head.store)
            assert identities[0] != identities[1], "each store has an identity of its own"

        self.run(law)

    def test_every_kind_of_record_comes_back_as_it_was_stored(self) -> None:
        async def law(storage: Storage) -> None:
            plan = await put(
                storage,
                CreateNode("Ada", "person", VALUES, ["wrote a program"]),
                CreateNode("Babbage"),
                CreateEdge("Ada", "knows", "Babbage", {"since": 1833}),
                SetMeta("schema", VALUES),
                Emit("greeting", "Ada", VALUES),
                key="first",
                author="me",
            )
            held = await storage.read(everything)
            assert held.head == plan.head
            assert (held.nodes, held.edges) == (list(plan.put_nodes), list(plan.put_edges))
            assert (held.meta, held.receipts) == (list(plan.put_meta), list(plan.receipts))
            assert (held.changes, held.counts) == (list(plan.changes), (2, 1))
            kinds = {
                NodeRecord: held.nodes,
                EdgeRecord: held.edges,
                MetaRecord: held.meta,
                Receipt: held.receipts,
                ChangeRecord: held.changes,
            }
            for kind, rows in kinds.items():
                assert {type(row) for row in rows} == {kind}

        self.on_a_store(law)

    def test_values_of_every_shape_keep_their_bytes(self) -> None:
        async def law(storage: Storage) -> None:
            bodies = {}
            for name, value in VALUES.items():
                plan = await put(storage, CreateNode(name, attributes={"value": value}), SetMeta(name, value))
                bodies[name] = plan.put_nodes[0].body, plan.put_meta[0].body
            for name, (body, meta) in bodies.items():
                (node,) = await ask(storage, "nodes", [name])
                (beside,) = await ask(storage, "meta", [name])
                assert node.body == body, "a body is stored and answered byte for byte"
                assert beside.body == meta
                assert dumps(loads(node.body)["attributes"]["value"]) == dumps(freeze(VALUES[name]))

        self.on_a_store(law)

    def test_names_and_keys_are_compared_code_point_by_code_point(self) -> None:
        async def law(storage: Storage) -> None:
            created = [CreateNode(name, name[:60]) for name in NAMES]
            plan = await put(storage, *created, *(SetMeta(name, name) for name in NAMES))
            await put(storage, *(CreateEdge(name, name[:60], NAMES[0]) for name in NAMES))
            ids = {node.name: node.id for node in plan.put_nodes}
            assert [node and node.name for node in await ask(storage, "nodes", NAMES)] == list(NAMES)
            for name in NAMES:
                (node,) = await ask(storage, "nodes", [name])
                assert (node.id, node.name, node.type) == (ids[name], name, name[:60])
                (edge,) = await ask(storage, "edges", [(ids[name], name[:60], ids[NAMES[0]])])
                assert (edge.source, edge.type, edge.target) == (ids[name], name[:60], ids[NAMES[0]])
                (row,) = await ask(storage, "meta", [name])
                assert (row.key, loads(row.body)) == (name, name)
            for near in ("fOO", "trailin", "trailing  ", "e\u0301", "n" * 1_023, "n" * 1_025, "2", "\\u0042", "B"):
                assert await ask(storage, "nodes", [near]) == [None], f"no node is called {near!r}"

        self.on_a_store(law)

    def test_answers_stand_in_the_order_of_what_was_asked(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "abc"), SetMeta("k", 1), SetMeta("l", 2), key="first")
            await put(storage, CreateEdge("a", "x", "b"), CreateEdge("b", "x", "c"), key="second")
            nodes = await ask(storage, "nodes", ["c", 1, "missing", "c", 99, 2, "a"])
            assert [node and node.name for node in nodes] == ["c", "a", None, "c", None, "b", "a"]
            edges = await ask(storage, "edges", [(2, "x", 3), 4, (3, "x", 2), 5, (1, "x", 2), (1, "y", 2), 5])
            assert [edge and edge.id for edge in edges] == [5, 4, None, 5, 4, None, 5]
            meta = await ask(storage, "meta", ["l", "missing", "k", "l"])
            assert [row and row.key for row in meta] == ["l", None, "k", "l"]
            receipts = await ask(storage, "receipts", ["second", "missing", "first", "second"])
            assert [row and row.key for row in receipts] == ["second", None, "first", "second"]
            for method in ("nodes", "edges", "meta", "receipts"):
                assert list(await ask(storage, method, [])) == []

        self.on_a_store(law)

    def test_an_edge_is_found_from_its_source_to_its_target_only(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"), CreateEdge("a", "x", "a"))
            triples = [(1, "x", 2), (2, "x", 1), (1, "x", 1), (2, "x", 2), (1, "X", 2), (1, "", 2)]
            assert [edge and edge.id for edge in await ask(storage, "edges", triples)] == [3, None, 4, None, None, None]

        self.on_a_store(law)

    def test_an_id_means_one_record_whatever_its_kind(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"), CreateNode("c"))
            assert [node and node.id for node in await ask(storage, "nodes", [1, 2, 3, 4])] == [1, 2, None, 4]
            assert [edge and edge.id for edge in await ask(storage, "edges", [1, 2, 3, 4])] == [None, None, 3, None]

        self.on_a_store(law)

    def test_what_cannot_be_stored_is_found_nowhere(self) -> None:
        hostile = [
            "\ud800",
            "a\ud800",
            "a\x00",
            "a\x00b",
            "",
            "x" * 100_000,
            "'",
            "1",
            0,
            -1,
            2**63,
            2**63 + 1,
            2**64 + 1,
            -(2**70),
        ]

        async def law(storage: Storage) -> None:
            await put(storage, CreateNode("a"), CreateEdge("a", "a", "a"), SetMeta("a", 1), key="a")
            for key in hostile:
                assert await ask(storage, "nodes", [key]) == [None]
                assert (await ask(storage, "nodes", ["a", key, 1]))[1] is None
                text = str(key)
                triples = [(1, text, 1), (1, "a", key), (key, "a", 1)] if isinstance(key, int) else [(1, text, 1)]
                for triple in triples:
                    assert await ask(storage, "edges", [triple]) == [None]
                    assert (await ask(storage, "edges", [triple, (1, "a", 1)]))[0] is None
                assert list(await ask(storage, "links", [1], "both", [text], 9, 0)) == []
                if isinstance(key, str):
                    for method in ("meta", "receipts"):
                        assert await ask(storage, method, [key]) == [None]
                        assert (await ask(storage, method, ["a", key]))[1] is None
                else:
                    assert await ask(storage, "edges", [key]) == [None]
                    assert list(await ask(storage, "links", [key], "both", None, 9, 0)) == []
                    assert len(await ask(storage, "links", [key, 1], "both", None, 9, 0)) == 1

        self.on_a_store(law)

    def test_a_record_put_again_replaces_the_one_of_its_id_or_key(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"), SetMeta("k", 1))
            patch = PatchNode("a", Patch(set={"n": 1}, type="other"))
            plan = await put(storage, patch, PutEdge("a", "x", "b", {"n": 1}), SetMeta("k", 2))
            held = await storage.read(everything)
            assert held.nodes[0] == plan.put_nodes[0]
            assert (held.edges, held.meta) == (list(plan.put_edges), list(plan.put_meta))
            assert (held.counts, held.names) == ((2, 1), ["a", "b"])
            assert await ask(storage, "nodes", ["a", 1]) == [plan.put_nodes[0]] * 2
            assert await ask(storage, "edges", [(1, "x", 2), 3]) == [plan.put_edges[0]] * 2

        self.on_a_store(law)

    def test_what_is_deleted_is_nowhere(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "abc"), SetMeta("k", 1), SetMeta("l", 1))
            await put(storage, CreateEdge("a", "x", "b"), CreateEdge("b", "x", "c"), CreateEdge("c", "x", "c"))
            await put(storage, DeleteEdge("a", "x", "b"), DeleteNode("c", detach=True), DeleteMeta("k"))
            held = await storage.read(everything)
            assert ([node.name for node in held.nodes], held.names) == (["a", "b"], ["a", "b"])
            assert ([row and row.key for row in held.meta], held.counts) == (["l"], (2, 0))
            assert (held.edges, held.links) == ([], [])
            assert await ask(storage, "nodes", ["c", 3]) == [None, None]
            assert await ask(storage, "edges", [4, 5, 6, (1, "x", 2), (2, "x", 3), (3, "x", 3)]) == [None] * 6
            assert await ask(storage, "meta", ["k"]) == [None]
            for direction in ("out", "in", "both"):
                assert list(await ask(storage, "links", [1, 2, 3], direction, None, 9, 0)) == []

        self.on_a_store(law)

    def test_what_is_created_where_something_was_deleted_is_something_new(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"))
            await put(storage, DeleteNode("a", detach=True))
            plan = await put(storage, CreateNode("a", "again"), CreateEdge("a", "x", "b", {"n": 1}))
            assert await ask(storage, "nodes", ["a", 1, 4]) == [plan.put_nodes[0], None, plan.put_nodes[0]]
            assert await ask(storage, "edges", [(4, "x", 2), 3, (1, "x", 2)]) == [plan.put_edges[0], None, None]

        self.on_a_store(law)

    def test_a_scan_goes_by_id_and_loses_nothing_between_pages(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *(CreateNode(f"n{9 - number}") for number in range(9)))
            await put(storage, *(CreateEdge(f"n{number}", "x", "n5") for number in range(1, 10)))
            await put(storage, DeleteNode("n3", detach=True), DeleteNode("n9", detach=True))

            async def program(session: Session) -> None:
                for kind, size in (("node", 7), ("edge", 7)):
                    whole: Any = await session.scan(kind, 0, 99)  # type: ignore[arg-type]
                    assert len(whole) == size
                    for limit in (1, 2, 3, 7):
                        paged = await pages(
                            lambda after, limit=limit, kind=kind: session.scan(kind, after, limit),  # type: ignore[misc]
                            limit,
                            lambda row: row.id,
                        )
                        assert paged == list(whole)
                    last = whole[-1].id
                    for beyond in (last, last + 1, 2**63 - 1, 2**63, 2**64):
                        assert list(await session.scan(kind, beyond, 9)) == []  # type: ignore[arg-type]

            await storage.read(program)

        self.on_a_store(law)

    def test_a_body_of_a_mebibyte_comes_back_whole(self) -> None:
        async def law(storage: Storage) -> None:
            text = '\N{GREEK SMALL LETTER ALPHA}\u2028\U0001f600\\"' * 80_000
            plan = await put(storage, CreateNode("large", attributes={"text": text}), SetMeta("large", text))
            assert len(plan.put_nodes[0].body.encode()) > 900_000
            held = await storage.read(everything)
            assert held.nodes == list(plan.put_nodes)
            assert held.meta == list(plan.put_meta)
            assert held.changes == list(plan.changes)

        self.on_a_store(law)

    def test_ten_thousand_records_are_stored_in_one_commit(self) -> None:
        async def law(storage: Storage) -> None:
            nodes = [CreateNode(f"n{number}", attributes={"number": number}) for number in range(5_000)]
            edges = [CreateEdge(f"n{number}", "x", f"n{number * 7 % 5_000}") for number in range(5_000)]
            plan = await put(storage, *nodes, *edges)
            held = await storage.read(everything)
            assert held.counts == (5_000, 5_000)
            assert (held.nodes, held.edges) == (list(plan.put_nodes), list(plan.put_edges))
            names = [f"n{number}" for number in range(4_999, -1, -1)]
            assert [node and node.name for node in await ask(storage, "nodes", names)] == names
            refs = [(edge.source, edge.type, edge.target) for edge in plan.put_edges]
            assert list(await ask(storage, "edges", refs)) == list(plan.put_edges)

        self.on_a_store(law)
