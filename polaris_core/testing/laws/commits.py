"""Laws of commits: a plan is stored whole, into the state it was made from, or not at all."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from polaris_core.abc.storage import Storage
from polaris_core.errors import NodeExistsError, ProgramError
from polaris_core.mutations import (
    Batch,
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteNode,
    Emit,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
)
from polaris_core.outcomes import Commit
from polaris_core.records import CommitPlan, Session
from polaris_core.testing.laws.subject import Subject, ask, put, refused
from polaris_core.testing.programs import everything, writing

__all__ = ["CommitLaws", "rich"]


def rich(name: str) -> Batch:
    """Return a batch that writes a record of every kind."""
    return Batch(
        (
            CreateNode(name),
            CreateNode(f"{name}'s friend"),
            CreateEdge(name, "knows", f"{name}'s friend"),
            SetMeta(name, 1),
            Emit("created", name),
        ),
        key=name,
    )


class CommitLaws(Subject):
    """All of a plan, or nothing of it."""

    def test_names_are_swapped_and_rotated_in_one_commit(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "abc"))
            await put(storage, RenameNode("a", "z"), RenameNode("b", "a"), RenameNode("z", "b"))
            nodes = await ask(storage, "nodes", [1, 2, 3, "a", "b", "z"])
            assert [node and node.name for node in nodes] == ["b", "a", "c", "a", "b", None]
            assert [node and node.id for node in nodes[3:]] == [2, 1, None]
            await put(storage, *(RenameNode(a, b) for a, b in ("az", "ba", "cb", "zc")))
            assert [node and node.name for node in await ask(storage, "nodes", [1, 2, 3])] == ["a", "c", "b"]
            assert (await storage.read(everything)).names == ["a", "b", "c"]

        self.on_a_store(law)

    def test_a_name_is_free_for_another_node_in_the_commit_that_gives_it_up(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"))
            await put(storage, DeleteNode("a"), RenameNode("b", "a"), CreateNode("b"))
            assert [node and node.id for node in await ask(storage, "nodes", ["a", "b"])] == [2, 3]
            await put(storage, RenameNode("a", "c"), CreateNode("a"))
            assert [node and node.id for node in await ask(storage, "nodes", ["a", "b", "c"])] == [4, 3, 2]

        self.on_a_store(law)

    def test_an_edge_takes_the_place_of_one_that_the_same_commit_deletes(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"), CreateEdge("a", "x", "b"))
            plan = await put(storage, DeleteEdge("a", "x", "b"), CreateEdge("a", "x", "b", {"n": 1}))
            assert [edge.id for edge in plan.put_edges] == [4]
            assert await ask(storage, "edges", [(1, "x", 2), 3, 4]) == [plan.put_edges[0], None, plan.put_edges[0]]
            assert [link.id for link in await ask(storage, "links", [1, 2], "both", None, 9, 0)] == [4]

        self.on_a_store(law)

    def test_a_commit_returns_the_plan_it_stored(self) -> None:
        async def law(storage: Storage) -> None:
            made: list[CommitPlan] = []

            async def program(session: Session) -> CommitPlan:
                made.append(await writing(rich("a"), Batch(CreateNode("a")))(session))
                return made[-1]

            plan = await storage.commit(program)
            assert plan == made[-1]
            assert plan.writes
            assert [type(outcome) for outcome in plan.outcomes] == [Commit, NodeExistsError]
            assert (await storage.read(everything)).head == plan.head

        self.on_a_store(law)

    @pytest.mark.parametrize("call", ["commit", "read"])
    def test_a_program_that_raises_leaves_nothing_and_its_error_comes_out_unchanged(self, call: str) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, CreateNode("before"))
            before, stamp = await storage.read(everything), storage.stamp()
            for error in (KeyError("its own"), OSError(28, "not about the store"), ProgramError("its own")):

                async def program(session: Session, error: Exception = error) -> Any:
                    await writing(rich("a"))(session)
                    raise error

                assert await refused(getattr(storage, call)(program), type(error)) is error
                assert await storage.read(everything) == before, "a program that raised left something behind"
                assert storage.stamp() == stamp
            await storage.commit(writing(rich("a")))

        self.on_a_store(law)

    @pytest.mark.parametrize("field", ["store", "epoch", "seq", "next_id", "floor", "time", "format"])
    def test_a_plan_that_expects_another_head_is_refused_and_nothing_of_it_is_stored(self, field: str) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, CreateNode("before"))
            before, stamp = await storage.read(everything), storage.stamp()

            async def program(session: Session) -> CommitPlan:
                plan = await writing(rich("a"))(session)
                value = getattr(plan.expected, field)
                wrong: Any = value + "0" if isinstance(value, str) else value + 1
                return plan._replace(expected=plan.expected._replace(**{field: wrong}))

            await refused(storage.commit(program), ProgramError)
            assert await storage.read(everything) == before
            assert storage.stamp() == stamp
            await storage.commit(writing(rich("a")))

        self.on_a_store(law)

    def test_a_plan_made_of_an_older_state_is_refused(self) -> None:
        async def law(storage: Storage) -> None:
            stale = await storage.read(writing(rich("a")))
            await put(storage, CreateNode("between"))
            before = await storage.read(everything)

            async def program(_: Session) -> CommitPlan:
                return stale

            await refused(storage.commit(program), ProgramError)
            assert await storage.read(everything) == before

        self.on_a_store(law)

    def test_a_refused_batch_leaves_nothing_and_hurts_no_neighbour(self) -> None:
        async def law(storage: Storage) -> None:
            batches = [rich("a"), Batch((CreateNode("b"), CreateNode("a"))), rich("c")]
            plan = await storage.commit(writing(*batches))
            assert [isinstance(outcome, Exception) for outcome in plan.outcomes] == [False, True, False]
            held = await storage.read(everything)
            assert held.names == ["a", "a's friend", "c", "c's friend"]
            assert [change.seq for change in held.changes] == list(range(1, 11))

        self.on_a_store(law)

    def test_a_plan_that_writes_nothing_changes_nothing(self) -> None:
        async def law(storage: Storage) -> None:
            await storage.commit(writing(rich("a")))
            before, stamp = await storage.read(everything), storage.stamp()
            for idle in (Batch(CreateNode("a")), Batch(PutNode("a")), rich("a")):
                assert not (await storage.commit(writing(idle, now=2**50))).writes
                assert await storage.read(everything) == before
                assert storage.stamp() == stamp

        self.on_a_store(law)

    def test_records_are_stored_where_the_head_stays(self) -> None:
        async def law(storage: Storage) -> None:
            await storage.commit(writing(rich("a")))
            held, stamp = await storage.read(everything), storage.stamp()
            rows = [row._replace(body=row.body.replace("{", "{ ", 1)) for row in held.nodes]

            async def program(session: Session) -> CommitPlan:
                head = await session.head()
                return CommitPlan(expected=head, head=head, put_nodes=rows)

            await storage.commit(program)
            assert await storage.read(everything) == held._replace(nodes=rows)
            assert stamp is None or storage.stamp() != stamp

        self.on_a_store(law)

    def test_a_head_is_stored_as_the_plan_has_it(self) -> None:
        async def law(storage: Storage) -> None:
            async def program(session: Session) -> CommitPlan:
                head = await session.head()
                elsewhere = head._replace(epoch=uuid4().hex, seq=7, next_id=20, floor=7, time=5)
                return CommitPlan(expected=head, head=elsewhere)

            plan = await storage.commit(program)
            assert (await storage.read(everything)).head == plan.head
            await put(storage, CreateNode("a"))
            (node,) = await ask(storage, "nodes", ["a"])
            assert (node.id, node.revision) == (20, 8)
            assert [change.seq for change in await ask(storage, "changes", 7, 9, None)] == [8]

        self.on_a_store(law)

    def test_a_plan_is_net_and_stored_once(self) -> None:
        async def law(storage: Storage) -> None:
            await put(storage, *map(CreateNode, "ab"))
            plan = await put(
                storage, CreateEdge("a", "x", "b"), PutEdge("a", "x", "b", {"n": 1}), DeleteNode("b", detach=True)
            )
            assert (plan.put_edges, [change.seq for change in plan.changes]) == ([], [3, 4, 5, 6])
            held = await storage.read(everything)
            assert (held.counts, held.edges, held.links, held.head) == ((1, 0), [], [], plan.head)
            assert len(held.changes) == 6

        self.on_a_store(law)
