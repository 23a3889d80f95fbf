"""Indexes on paths: declared, kept up by every commit, and used, as the query plan shows."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from polaris_sqlite.conditions import Parameters, condition
from polaris_sqlite.selecting import _Selection
from polaris_sqlite.session import SqliteSession

from polaris_core import (
    BlockingGraph,
    CreateEdge,
    CreateNode,
    Index,
    InvalidValueError,
    LimitExceededError,
    Limits,
    Node,
    StoreReadOnlyError,
    UnsupportedError,
    open_graph_blocking,
    parse_filter,
)
from polaris_core.abc import Order, Position, Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def graph(path: Path) -> Iterator[BlockingGraph]:
    with open_graph_blocking(f"sqlite:///{path}") as graph:
        yield graph


def fill(graph: BlockingGraph, count: int = 50) -> None:
    graph.commit(
        [CreateNode(f"n{number:03}", f"t{number % 5}", {"v": number % 10, "w": number}) for number in range(count)]
    )
    graph.commit([CreateEdge(f"n{number:03}", "x", f"n{number + 1:03}", {"v": number}) for number in range(count - 1)])


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(
            "SELECT kind, path, rank, value, id FROM indexed JOIN indexes USING (number)"
        ).fetchall()


# --- declaring --------------------------------------------------------------------------------------------------------


def test_an_index_is_declared_once_listed_and_dropped(graph: BlockingGraph) -> None:
    assert graph.create_index("node", "v")
    assert not graph.create_index("node", "attributes.v")
    assert not graph.create_index("node", ("v",))
    assert graph.create_index("edge", "v")
    assert graph.create_index("node", ("a.b", "name"))
    assert graph.indexes() == (Index("node", "v"), Index("edge", "v"), Index("node", '"a.b".name'))
    assert graph.drop_index("node", "v")
    assert not graph.drop_index("node", "v")
    assert graph.indexes() == (Index("edge", "v"), Index("node", '"a.b".name'))


@pytest.mark.parametrize("wrong", ["name", "attributes", "provenance.version", "observations", "a..b", "", 3, "source"])
def test_an_index_is_on_a_path_into_the_attributes(graph: BlockingGraph, wrong: Any) -> None:
    with pytest.raises(InvalidValueError):
        graph.create_index("node", wrong)
    with pytest.raises(InvalidValueError):
        graph.create_index("graph", "v")  # type: ignore[arg-type]


def test_an_index_is_no_part_of_the_history(graph: BlockingGraph) -> None:
    fill(graph)
    before = graph.cursor()
    graph.create_index("node", "v")
    graph.drop_index("node", "v")
    assert graph.cursor() == before


def test_an_index_of_a_graph_that_is_read_only_is_refused(path: Path, graph: BlockingGraph) -> None:
    with open_graph_blocking(f"sqlite:///{path}", read_only=True) as reader, pytest.raises(StoreReadOnlyError):
        reader.create_index("node", "v")


def test_a_backend_without_indexes_names_one_that_has_them() -> None:
    with open_graph_blocking("memory:") as graph, pytest.raises(UnsupportedError, match="sqlite has"):
        graph.create_index("node", "v")


# --- keeping up -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False])
def test_an_index_holds_a_row_for_each_record_whatever_is_written(
    path: Path, graph: BlockingGraph, first: bool
) -> None:
    def declare() -> None:
        graph.create_index("node", "v")
        graph.create_index("edge", "v")

    if first:
        declare()
    graph.create_node("a", attributes={"v": 1})
    graph.create_node("b", attributes={"v": "x" * 300})
    graph.create_node("c")
    graph.create_node("gone", attributes={"v": 5})
    graph.create_edge("a", "x", "b", {"v": [1]})
    graph.create_edge("a", "x", "gone", {"v": 1})
    graph.patch_node("a", set={"v": True})
    graph.patch_node("c", set={"u": 1})
    graph.rename_node("b", "d")
    graph.delete_node("gone", detach=True)
    graph.load([Node("loaded", attributes={"v": 2.5})])
    if not first:
        declare()
    assert sorted(rows_of(path), key=repr) == [
        ("edge", "v", 5, 0, 5),
        ("node", "v", 0, 0, 3),
        ("node", "v", 2, 1, 1),
        ("node", "v", 3, 2.5, graph_id(graph, "loaded")),
        ("node", "v", 4, "x" * 256, 2),
    ]
    graph.drop_index("node", "v")
    assert rows_of(path) == [("edge", "v", 5, 0, 5)]


def graph_id(graph: BlockingGraph, name: str) -> int:
    async def program(session: Any) -> int:
        (record,) = await session.nodes((name,))
        return int(record.id)

    return asyncio.run_coroutine_threadsafe(graph._state.service.read(program), graph._thread.loop).result()


def test_an_index_of_another_process_is_kept_up_by_this_one(path: Path, graph: BlockingGraph, processes: Any) -> None:
    fill(graph, 3)
    processes.run(
        """
        from polaris_core import open_graph_blocking
        with open_graph_blocking(f"sqlite:///{path}") as graph:
            graph.create_index("node", "v")
        """
    )
    graph.create_node("new", attributes={"v": 77})
    assert [node.name for node in graph.find_nodes(where={"v": {"$gt": 50}})] == ["new"]
    assert len(rows_of(path)) == 4


def test_a_backup_holds_the_indexes(path: Path, graph: BlockingGraph, tmp_path: Path) -> None:
    fill(graph, 10)
    graph.create_index("node", "v")
    graph.backup(tmp_path / "copy.db")
    with open_graph_blocking(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert copy.indexes() == (Index("node", "v"),)
        assert copy.count_nodes(where={"v": 3}) == 1


# --- being used -------------------------------------------------------------------------------------------------------


def plan_of(path: Path, query: Query) -> list[str]:
    """The steps of every statement that answers a query, as SQLite plans them."""
    database = sqlite3.connect(path)
    statements: list[str] = []
    database.set_trace_callback(statements.append)
    session = SqliteSession(database)
    _Selection(session, database, query).select()
    database.set_trace_callback(None)
    steps = []
    for statement in statements:
        if "r.body" in statement.partition("FROM")[0]:
            steps += [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()]
    database.close()
    return steps


FETCHED = "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ({"filter": {"v": 3}}, ["SEARCH k USING PRIMARY KEY (number=? AND rank=? AND value=?)", FETCHED]),
        (
            {"filter": {"v": 3}, "after": Position(17)},
            ["SEARCH k USING PRIMARY KEY (number=? AND rank=? AND value=? AND id>?)", FETCHED],
        ),
        ({"filter": {"v": {"$exists": False}}}, ["SEARCH k USING PRIMARY KEY (number=? AND rank=? AND value=?)", FETCHED]),
        ({"order": "v"}, ["SEARCH k USING PRIMARY KEY (number=?)", FETCHED]),
        (
            {"order": "v", "after": Position(17, (3, 5))},
            ["SEARCH k USING PRIMARY KEY (number=? AND (rank,value,id)>(?,?,?))", FETCHED],
        ),
        (
            {"order": "-v", "after": Position(17, (3, 5))},
            ["SEARCH k USING PRIMARY KEY (number=? AND (rank,value,id)<(?,?,?))", FETCHED],
        ),
        (
            {"order": "v", "filter": {"v": {"$gte": 2, "$lt": 8}}, "after": Position(17, (3, 5))},
            ["SEARCH k USING PRIMARY KEY (number=? AND rank=? AND (value,id)>(?,?) AND value<?)", FETCHED],
        ),
        (
            {"filter": {"v": {"$gte": 8}}},
            ["SEARCH k USING PRIMARY KEY (number=? AND rank=? AND value>?)", FETCHED, "USE TEMP B-TREE FOR ORDER BY"],
        ),
        ({"filter": {"type": "t1"}}, ["SEARCH r USING INDEX nodes_type (type=?)"]),
        ({"filter": {"type": "t1"}, "after": Position(17)}, ["SEARCH r USING INDEX nodes_type (type=? AND rowid>?)"]),
        (
            {"filter": {"name": {"$startsWith": "n00"}}, "order": "name"},
            ["SEARCH r USING INDEX sqlite_autoindex_nodes_1 (name>? AND name<?)"],
        ),
        ({"order": "name", "after": Position(17, (4, "n016"))}, ["SEARCH r USING INDEX sqlite_autoindex_nodes_1 (name>?)"]),
        ({"after": Position(17)}, ["SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"]),
        ({"kind": "edge", "filter": {"v": 3}}, ["SEARCH k USING PRIMARY KEY (number=? AND rank=? AND value=?)", FETCHED]),
        ({"kind": "edge", "filter": {"source": "n003"}}, ["SEARCH r USING INDEX edges_out (source=?)"]),
        ({"kind": "edge", "filter": {"type": "x"}}, ["SEARCH r USING INDEX edges_type (type=?)"]),
    ],
)  # fmt: skip
def test_the_query_plan_uses_the_index(
    path: Path, graph: BlockingGraph, asked: dict[str, Any], steps: list[str]
) -> None:
    fill(graph)
    graph.create_index("node", "v")
    graph.create_index("edge", "v")
    assert plan_of(path, Query(**{"kind": "node", "limit": 5, **asked})) == steps


def test_counts_by_type_read_an_index_alone(path: Path, graph: BlockingGraph) -> None:
    fill(graph)
    with closing(sqlite3.connect(path)) as database:
        ((*_, step),) = database.execute(
            "EXPLAIN QUERY PLAN SELECT type, count(*) FROM nodes GROUP BY type ORDER BY type"
        ).fetchall()
    assert step == "SCAN nodes USING COVERING INDEX nodes_type"
    assert graph.statistics().node_types == {f"t{number}": 10 for number in range(5)}


@pytest.mark.parametrize("order", ["v", "-v", "name", None])
@pytest.mark.parametrize("indexed", [True, False])
def test_pages_look_at_no_more_than_they_may_and_still_find_everything(
    path: Path, order: str | None, indexed: bool
) -> None:
    with open_graph_blocking(f"sqlite:///{path}", limits=Limits(scan=7)) as graph:
        fill(graph)
        graph.create_index("node", "v")
        where: Any = {"w": {"$gte": 40}} if indexed else {"$text": "n04"}
        found, cursor = [], None
        for _ in range(100):
            page = graph.find_nodes(where=where, order=order, limit=4, cursor=cursor)
            found += [node.attributes["w"] for node in page]
            if (cursor := page.next) is None:
                break
        expected = list(range(40, 50))
        assert (found if order != "-v" else found[::-1]) == expected
        with pytest.raises(LimitExceededError):
            graph.find_nodes(where=where, order="w")
        with pytest.raises(LimitExceededError):
            graph.count_nodes(where=where)
        assert graph.count_nodes(where={"v": {"$gte": 3}}) == 35  # an index says it all, and nothing is looked at
        assert graph.count_nodes(type="t3") == 10
        assert [node.attributes["w"] for node in graph.find_nodes(where={"v": 3}, order="-w")] == [43, 33, 23, 13, 3]


def test_what_an_index_leads_to_in_order_is_not_sorted_however_much_there_is(path: Path, graph: BlockingGraph) -> None:
    fill(graph)
    graph.create_index("node", "v")
    for asked in (
        {"order": "v"},
        {"order": "-v", "filter": {"v": {"$gt": 3}}},
        {"filter": {"v": 3}},
        {"order": "name"},
    ):
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan_of(path, Query(kind="node", **asked))  # type: ignore[arg-type]


# --- damage -----------------------------------------------------------------------------------------------------------


def test_a_body_that_is_no_json_is_damage_and_not_an_error_of_sql(path: Path, graph: BlockingGraph) -> None:
    from polaris_core import StoreDamagedError

    fill(graph, 5)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE nodes SET body = '{' WHERE name = 'n003'")
    database.close()
    for ask in (
        lambda: graph.find_nodes(where={"v": 4}),
        lambda: graph.count_nodes(where={"v": "x"}),
        lambda: graph.find_nodes(order="v"),
    ):
        with pytest.raises(StoreDamagedError) as error:
            ask()
        assert error.value.where == "node 4"
    assert [node.name for node in graph.find_nodes(where={"name": "n002"})] == ["n002"]


def test_a_statement_holds_nothing_of_what_a_caller_sent(path: Path, graph: BlockingGraph) -> None:
    fill(graph, 5)
    graph.create_index("node", "v")
    poison = "zz'; DROP TABLE nodes; --"
    queries = [
        Query(kind="node", filter={key: {operator: poison}})
        for key in ("name", "v", f'"{poison}"', "type")
        for operator in ("$eq", "$gt", "$contains", "$startsWith", "$ne")
    ]
    queries += [Query(kind="node", filter={"v": {"$in": [poison, 1]}}), Query(kind="edge", filter={"source": poison})]
    statements: list[str] = []

    class Recording(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
            statements.append(sql)
            return super().execute(sql, parameters)

    database = sqlite3.connect(path, factory=Recording)
    for query in [*queries, Query(kind="node", order=Order((poison,)))]:
        _Selection(SqliteSession(database), database, query).select()
    database.close()
    assert len(statements) > len(queries)
    assert not any("zz" in statement for statement in statements)


@pytest.mark.parametrize("operator", ["$in", "$nin"])
@pytest.mark.parametrize("value", [7, 7.5, None, [7]], ids=str)
def test_a_thousand_values_to_be_among_take_a_few_parameters(operator: str, value: Any) -> None:
    """SQLite finds a parameter's name by going through all that stand before it."""
    parameters = Parameters()
    written = condition(parse_filter({"v": {operator: [value] * 1000}}), parameters)
    assert len(parameters) < 10
    assert len(written.sql) < 1000
