"""Backends whose commits are not what they were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from broken.healthy import Desk, Slate, breaks
from polaris_core import ProgramError, StoreUnavailableError
from polaris_core.abc import BlockingSession, CommitPlan, Head, Image, Program, run_program


@breaks("test_names_are_swapped_and_rotated_in_one_commit")
class HoldsOnToNames(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            for node in plan.put_nodes:
                if self._ids.get(node.name, node.id) not in (node.id, *plan.delete_nodes):
                    raise ProgramError(f"the name {node.name!r} is taken")
            super().store(plan)


@breaks("test_names_are_swapped_and_rotated_in_one_commit")
class GivesUpNamesAfterTheyAreTaken(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            old = [self._nodes[id].name for id in plan.renamed]
            super().store(plan)
            for name in old:
                self._ids.pop(name, None)


@breaks("test_a_name_is_free_for_another_node_in_the_commit_that_gives_it_up")
class DeletesLast(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            names = [self._nodes[id].name for id in plan.delete_nodes]
            super().store(plan)
            for name in names:
                self._ids.pop(name, None)


@breaks("test_an_edge_takes_the_place_of_one_that_the_same_commit_deletes")
class DeletesEdgesLast(Slate):
    class Records(Image):
        gone: frozenset[Any] = frozenset()

        def store(self, plan: CommitPlan) -> None:
            self.gone = frozenset(edge[1:4] for edge in self.edges(plan.delete_edges) if edge)
            super().store(plan)

        def edges(self, refs: Any) -> list[Any]:
            return super().edges([0 if ref in self.gone else ref for ref in refs])


@breaks("test_a_commit_returns_the_plan_it_stored")
class ReturnsNoOutcomes(Slate):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        return (await super().commit(program))._replace(outcomes=())


@breaks("test_a_commit_returns_the_plan_it_stored")
class RunsAProgramAgainAfterItStored(Slate):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        await super().commit(program)
        return await super().commit(program)


@breaks("test_a_load_that_is_refused_leaves_nothing")
@breaks("test_a_program_that_raises_leaves_nothing_and_its_error_comes_out_unchanged", "commit")
class GivesOutIdsWhetherOrNotAProgramEnds(Slate):
    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        try:
            with super().session(write=write) as session:
                yield session
        except BaseException:
            head = self.image.head()
            self.image.store(CommitPlan(head, head._replace(next_id=head.next_id + 1)))
            raise


@breaks("test_a_program_that_raises_leaves_nothing_and_its_error_comes_out_unchanged", "commit")
class TakesErrorsForItsOwn(Slate):
    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        try:
            with super().session(write=write) as session:
                yield session
        except OSError as error:
            raise StoreUnavailableError(f"the slate failed: {error}") from error


@breaks("test_a_program_that_raises_leaves_nothing_and_its_error_comes_out_unchanged", "read")
class AnswersAnErrorWithNothing(Slate):
    async def read(self, program: Program[Any]) -> Any:
        try:
            return await super().read(program)
        except KeyError:
            return None


class _Trusting(Slate):
    def expects(self, plan: CommitPlan, head: Head) -> bool:
        return True

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        with self.session(write=True) as session:
            plan = run_program(program, session)
            if plan.writes:
                if not self.expects(plan, session.head()):
                    raise ProgramError("another state")
                session.store(plan)
        return plan


@breaks("test_a_plan_that_expects_another_head_is_refused_and_nothing_of_it_is_stored", "seq")
@breaks("test_a_plan_made_of_an_older_state_is_refused")
class ExpectsNothing(_Trusting):
    pass


@breaks("test_a_plan_that_expects_another_head_is_refused_and_nothing_of_it_is_stored", "epoch")
class ExpectsANumberAlone(_Trusting):
    def expects(self, plan: CommitPlan, head: Head) -> bool:
        return plan.expected.seq == head.seq


@breaks("test_a_plan_that_expects_another_head_is_refused_and_nothing_of_it_is_stored", "time")
class StoresBeforeItChecks(_Trusting):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        with self.session(write=True) as session:
            head = session.head()
            plan = run_program(program, session)
            session.store(plan)
            if plan.expected != head:
                raise ProgramError("another state")
        return plan


@breaks("test_a_plan_that_writes_nothing_changes_nothing")
class StoresIdlePlans(Slate):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await super().commit(program)
        if not plan.writes:
            head = plan.head._replace(time=plan.head.time + 1)
            self.image.store(CommitPlan(plan.head, head))
        return plan


@breaks("test_records_are_stored_where_the_head_stays")
class StoresWhereTheHeadMoves(Slate):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await self.read(program)
        return await super().commit(program) if plan.head != plan.expected or plan.receipts else plan


@breaks("test_a_head_is_stored_as_the_plan_has_it")
class KeepsItsEpoch(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(head=plan.head._replace(epoch=self.head().epoch)))


@breaks("test_a_head_is_stored_as_the_plan_has_it")
class LetsNoTimeGoBack(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            time = max(plan.head.time, self.head().time)
            super().store(plan._replace(head=plan.head._replace(time=time)))


@breaks("test_a_refused_batch_leaves_nothing_and_hurts_no_neighbour")
class RefusesAllWhenItRefusesOne(Slate):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await self.read(program)
        for outcome in plan.outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return await super().commit(program)


@breaks("test_a_plan_is_net_and_stored_once")
class AppendsTheFeedTwice(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            if plan.delete_nodes:
                self._changes.extend(plan.changes)


@breaks("test_a_read_sees_one_state_while_commits_go_on")
@breaks("test_what_a_commit_is_about_to_store_is_seen_by_nobody")
class ReadsBesideItsCommits(Desk):
    """What a session has written is in the records before the commit is done, and other threads read them."""

    threads = 2

    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        with super().session(write=write) as session:
            head = self.image.head()
            if not write:
                yield session
                return
            self.image._head = head._replace(time=head.time + 1)
            yield Wandering(self.image, head)
            if self.image.head().seq == head.seq:
                self.image._head = head


class Wandering:
    """A session that hides what it has done to the records."""

    def __init__(self, image: Image, head: Head) -> None:
        self.image, self._seen = image, head

    def __getattr__(self, name: str) -> Any:
        return getattr(self.image, name)

    def head(self) -> Head:
        """As it was when the session began, until it stores."""
        return self._seen

    def store(self, plan: CommitPlan) -> None:
        """Store a plan."""
        self.image.store(plan)
        self._seen = plan.head


class _Stepwise(Slate):
    """A store that awaits between the halves of a commit."""

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = run_program(program, self.image)
        if plan.writes:
            if plan.expected != self.image.head():
                raise ProgramError("another state")
            self.image.store(CommitPlan(plan.expected, plan.expected, put_nodes=plan.put_nodes))
            await asyncio.sleep(0)
            self.image.store(plan)
            self.commits += 1
        return plan


@breaks("test_no_read_sees_half_a_commit")
@breaks("test_a_commit_that_is_cancelled_happens_whole_or_not_at_all")
class CommitsInTwoSteps(_Stepwise):
    pass


@breaks("test_commits_made_at_one_time_are_all_kept")
class ReadsThenAwaitsThenStores(Slate):
    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = run_program(program, self.image)
        await asyncio.sleep(0)
        self.image.store(plan)
        self.commits += 1
        return plan


@breaks("test_a_commit_program_reads_the_latest_state")
class CommitsFromTheStateItLastRead(Slate):
    @contextmanager
    def session(self, *, write: bool) -> Iterator[BlockingSession]:
        with super().session(write=write) as session:
            if write and session.head().seq:
                yield Lagging(self.image)
            else:
                yield session


class Lagging:
    """A session that does not see the latest node."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def __getattr__(self, name: str) -> Any:
        return getattr(self.image, name)

    def counts(self) -> tuple[int, int]:
        """One node fewer."""
        nodes, edges = self.image.counts()
        return nodes - 1, edges


@breaks("test_a_program_run_again_on_one_state_makes_the_same_plan")
class StoresThePlansItReads(Slate):
    async def read(self, program: Program[Any]) -> Any:
        answer = await super().read(program)
        if isinstance(answer, CommitPlan):
            self.image.store(answer)
        return answer


@breaks("test_a_program_run_again_on_one_state_makes_the_same_plan")
class GivesOutIdsAsItIsAsked(Slate):
    async def read(self, program: Program[Any]) -> Any:
        answer = await super().read(program)
        head = self.image.head()
        self.image._head = head._replace(next_id=head.next_id + 1)
        return answer


@breaks("test_a_program_that_awaits_something_else_is_refused_and_leaves_nothing", "commit")
@breaks("test_a_program_that_awaits_something_else_is_refused_and_leaves_nothing", "read")
class LetsProgramsAwaitAnything(Slate):
    async def read(self, program: Program[Any]) -> Any:
        return await program(Awaiting(self.image))

    async def commit(self, program: Program[CommitPlan]) -> CommitPlan:
        plan = await program(Awaiting(self.image))
        self.image.store(plan)
        return plan


class Awaiting:
    """A session whose methods are coroutines, for programs that are awaited."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def __getattr__(self, name: str) -> Any:
        async def asked(*arguments: Any) -> Any:
            return getattr(self.image, name)(*arguments)

        return asked


@breaks("test_what_a_session_answered_stays_as_it_was")
class HandsOutItsOwnLists(Slate):
    class Records(Image):
        def changes(self, after: int, limit: int, id: int | None) -> list[Any]:
            return self._changes if after == 0 and id is None else super().changes(after, limit, id)
