"""All records of a graph in memory: what every session has to answer, by the example that keeps nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core.abc import (
    ChangeRecord,
    CommitPlan,
    EdgeRecord,
    Head,
    Image,
    Link,
    MetaRecord,
    NodeRecord,
    Receipt,
)

START = Head(store="5704e", epoch="e90c4")


def node(id: int, name: str, revision: int = 1) -> NodeRecord:
    return NodeRecord(id, name, "t", revision, "{}")


def edge(id: int, source: int, type: str, target: int, revision: int = 1) -> EdgeRecord:
    return EdgeRecord(id, source, type, target, revision, "{}")


def change(seq: int, id: int, source: int = 0, target: int = 0) -> ChangeRecord:
    return ChangeRecord(seq, seq, "some.kind", id, source, target, "{}")


def holding(**rows: Any) -> Image:
    image = Image(START)
    keep(image, **rows)
    return image


def keep(image: Image, **rows: Any) -> None:
    image.store(CommitPlan(image.head(), image.head()._replace(seq=image.head().seq + 1), **rows))


def pages(ask: Any, size: int) -> list[Any]:
    """Everything, page by page, as a program reads it."""
    found: list[Any] = []
    after: Any = None
    while page := ask(after, size):
        assert len(page) <= size
        found += page
        after = getattr(page[-1], "id", page[-1])
    return found


# --- links ------------------------------------------------------------------------------------------------------------

edges = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from("tu"), st.integers(1, 4)), max_size=12, unique=True
).flatmap(lambda triples: st.permutations([edge(10 + at, *triple) for at, triple in enumerate(triples)]))
directions = st.sampled_from(["out", "in", "both"])
NODES = [node(id, f"n{id}") for id in range(1, 5)]


@given(
    edges,
    st.lists(st.integers(1, 5), max_size=4),
    directions,
    st.none() | st.lists(st.sampled_from("tuv"), max_size=2),
    st.integers(1, 4),
    st.integers(0, 25),
)
def test_links_are_those_of_the_nodes_by_edge_id_each_once_and_paged_without_loss(
    records, ids, direction, types, size, start
):
    image = holding(put_nodes=NODES, put_edges=records)
    expected = [
        Link(record.id, record.source, record.type, record.target)
        for record in sorted(records)
        if record.id > start
        and (types is None or record.type in types)
        and ((direction != "in" and record.source in ids) or (direction != "out" and record.target in ids))
    ]
    assert pages(lambda at, limit: image.links(ids, direction, types, limit, at or start), size) == expected


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_a_self_loop_is_one_link(direction):
    image = holding(put_nodes=NODES, put_edges=[edge(10, 1, "t", 1)])
    assert image.links([1], direction, None, 9, 0) == [Link(10, 1, "t", 1)]


def test_an_edge_between_two_of_the_nodes_is_one_link():
    image = holding(put_nodes=NODES, put_edges=[edge(10, 1, "t", 2)])
    assert image.links([1, 2, 1], "both", None, 9, 0) == [Link(10, 1, "t", 2)]


def test_no_types_asked_for_is_no_link_and_none_is_every_link():
    image = holding(put_nodes=NODES, put_edges=[edge(10, 1, "t", 2)])
    assert image.links([1], "out", [], 9, 0) == []
    assert len(image.links([1], "out", None, 9, 0)) == 1


@given(edges, st.data())
def test_a_deleted_edge_is_gone_from_both_its_ends(records, data):
    image = holding(put_nodes=NODES, put_edges=records)
    gone = data.draw(st.sets(st.sampled_from([record.id for record in records])) if records else st.just(set()))
    keep(image, delete_edges=sorted(gone))
    left = sorted(record for record in records if record.id not in gone)
    for direction in ("out", "in", "both"):
        assert [link.id for link in image.links([1, 2, 3, 4], direction, None, 99, 0)] == [record.id for record in left]
    assert image.scan("edge", 0, 99) == left
    assert image.edges([(record.source, record.type, record.target) for record in records]) == [
        None if record.id in gone else record for record in records
    ]
    assert image.counts() == (4, len(left))


@pytest.mark.parametrize("every", [1, 2, 3])
def test_many_edges_deleted_at_once_are_gone_and_the_others_stay(every):
    records = [edge(100 + at, 1, f"t{at}", 1 + at % 3) for at in range(300)]
    image = holding(put_nodes=NODES, put_edges=records)
    gone = [record.id for record in records[::every]]
    keep(image, delete_edges=gone)
    left = [record.id for record in records if record.id not in gone]
    assert [link.id for link in image.links([1], "both", None, 999, 0)] == left
    assert [record.id for record in image.scan("edge", 0, 999)] == left


def test_an_edge_that_takes_the_place_of_another_is_found_by_its_triple():
    image = holding(put_nodes=NODES, put_edges=[edge(10, 1, "t", 2)])
    keep(image, delete_edges=[10], put_edges=[edge(11, 1, "t", 2)])
    assert image.edges([(1, "t", 2), 10, 11]) == [edge(11, 1, "t", 2), None, edge(11, 1, "t", 2)]


# --- nodes ------------------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=4)


def test_answers_stand_in_the_order_of_what_was_asked_and_none_stands_for_what_is_not_there():
    image = holding(put_nodes=NODES, put_edges=[edge(10, 1, "t", 2)], put_meta=[MetaRecord("k", 1, "1")])
    assert image.nodes(["n2", 9, 1, "n9", "n2"]) == [NODES[1], None, NODES[0], None, NODES[1]]
    assert image.edges([(2, "t", 1), 10, 1]) == [None, edge(10, 1, "t", 2), None]
    assert image.meta(["z", "k"]) == [None, MetaRecord("k", 1, "1")]
    assert image.receipts(["k"]) == [None]


@given(st.sets(names, max_size=8), st.integers(1, 4))
def test_names_are_paged_in_code_point_order_without_loss(called, size):
    image = holding(put_nodes=[node(at, name) for at, name in enumerate(called, 1)])
    in_order = sorted(called, key=lambda name: name.encode("utf-32-be"))
    assert pages(lambda at, limit: image.keys("node", at or "", limit), size) == in_order


@given(st.sets(names, max_size=6), st.integers(1, 3))
def test_keys_of_meta_records_and_receipts_are_paged_in_code_point_order(keys, size):
    image = holding(
        put_meta=[MetaRecord(key, 1, "1") for key in keys], receipts=[Receipt(key, "d", 1, 1, 1, "[]") for key in keys]
    )
    for kind in ("meta", "receipt"):
        assert pages(lambda at, limit, kind=kind: image.keys(kind, at or "", limit), size) == sorted(keys)


def test_names_follow_what_is_renamed_created_and_deleted():
    image = holding(put_nodes=NODES)
    assert image.keys("node", "", 9) == ["n1", "n2", "n3", "n4"]
    keep(image, delete_nodes=[1], renamed=[2], put_nodes=[node(2, "z"), node(5, "a")])
    assert image.keys("node", "", 9) == ["a", "n3", "n4", "z"]
    assert image.nodes(["n1", "n2", "z"]) == [None, None, node(2, "z")]


def test_two_nodes_swap_names_in_one_commit():
    image = holding(put_nodes=NODES)
    keep(image, renamed=[1, 2], put_nodes=[node(1, "n2", 2), node(2, "n1", 3)])
    assert image.nodes(["n1", "n2"]) == [node(2, "n1", 3), node(1, "n2", 2)]
    assert image.counts() == (4, 0)


def test_a_name_given_up_is_free_for_a_new_node_in_the_same_commit():
    image = holding(put_nodes=NODES)
    keep(image, delete_nodes=[1], renamed=[2], put_nodes=[node(2, "n1", 2), node(5, "n2", 3)])
    assert image.nodes(["n1", "n2"]) == [node(2, "n1", 2), node(5, "n2", 3)]


@given(st.permutations(range(1, 9)), st.integers(1, 4), st.integers(0, 9))
def test_a_scan_is_ordered_by_id_and_paged_without_loss(ids, size, start):
    image = holding(put_nodes=[node(id, f"n{id}") for id in ids])
    found = pages(lambda at, limit: image.scan("node", at or start, limit), size)
    assert [record.id for record in found] == [id for id in range(1, 9) if id > start]


def test_a_record_put_again_replaces_the_one_of_its_id():
    image = holding(put_nodes=NODES, put_edges=[edge(10, 1, "t", 2)], put_meta=[MetaRecord("k", 1, "1")])
    keep(image, put_nodes=[node(1, "n1", 7)], put_edges=[edge(10, 1, "t", 2, 8)], put_meta=[MetaRecord("k", 9, "2")])
    assert (image.nodes([1]), image.edges([10]), image.meta(["k"])) == (
        [node(1, "n1", 7)], [edge(10, 1, "t", 2, 8)], [MetaRecord("k", 9, "2")],
    )  # fmt: skip
    assert image.counts() == (4, 1)
    assert len(image.links([1], "both", None, 9, 0)) == 1


def test_what_is_deleted_beside_the_graph_is_gone():
    image = holding(put_meta=[MetaRecord("k", 1, "1")])
    keep(image, delete_meta=["k"])
    assert image.meta(["k"]) == [None]
    assert image.keys("meta", "", 9) == []


# --- changes ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=9),
    st.none() | st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 10),
)
def test_changes_of_an_id_are_those_it_or_its_edges_have_in_order_and_paged_without_loss(rows, id, size, start):
    records = [change(seq, *row) for seq, row in enumerate(rows, 1)]
    image = holding(changes=records)
    found: list[ChangeRecord] = []
    while page := image.changes(found[-1].seq if found else start, size, id):
        found += page
    assert found == [
        record
        for record in records
        if record.seq > start and (id is None or id in (record.id, record.source, record.target))
    ]


def test_changes_after_a_trimmed_beginning_are_found_by_their_numbers():
    image = Image(START._replace(seq=5, floor=5))
    keep(image, changes=[change(6, 1), change(7, 2)])
    assert image.changes(6, 9, None) == [change(7, 2)]
    assert image.changes(5, 1, None) == [change(6, 1)]


def test_receipts_are_forgotten_by_their_time_in_whatever_order_they_came():
    image = holding(receipts=[Receipt(key, "d", 1, 1, time, "[]") for key, time in (("a", 9), ("b", 3), ("c", 5))])
    keep(image, forget_receipts=5)
    assert image.keys("receipt", "", 9) == ["a", "c"]


def test_a_receipt_replaces_the_one_of_its_key():
    image = holding(receipts=[Receipt("k", "d", 1, 1, 1, "[]")])
    keep(image, receipts=[Receipt("k", "e", 2, 2, 2, "[]")])
    assert image.receipts(["k"]) == [Receipt("k", "e", 2, 2, 2, "[]")]


def test_the_head_is_the_last_plans():
    image = holding()
    keep(image)
    assert image.head() == START._replace(seq=2)
