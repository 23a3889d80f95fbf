"""Backends that answer queries and searches otherwise than the core."""

from __future__ import annotations

from typing import Any

import attrs

from broken.healthy import Answering, Desk, breaks
from polaris_core.abc import CommitPlan, Index, Query, Selected
from polaris_core.search import TextHits, TextQuery


@breaks("test_any_query_is_answered_as_the_core_answers_it")
class KnowsNoDescent(Desk):
    class Records(Answering):
        def select(self, query: Query) -> Selected:
            order = query.order and attrs.evolve(query.order, descending=False)
            return super().select(attrs.evolve(query, order=order))


@breaks("test_any_query_is_answered_as_the_core_answers_it")
class CountsWithoutTheFilter(Desk):
    class Records(Answering):
        def count(self, query: Query) -> int:
            return self.counts()[query.kind == "edge"]


@breaks("test_types_and_degrees_are_counted")
class OrdersTypesByNumber(Desk):
    class Records(Answering):
        def types(self, kind: Any) -> list[tuple[str, int]]:
            return sorted(super().types(kind), key=lambda row: -row[1])


@breaks("test_types_and_degrees_are_counted")
class CountsSelfLoopsAtBothEnds(Desk):
    class Records(Answering):
        def degree(self, id: int, direction: Any, types: Any) -> int:
            if direction != "both":
                return super().degree(id, direction, types)
            return super().degree(id, "out", types) + super().degree(id, "in", types)


@breaks("test_an_index_is_made_once_listed_and_dropped_and_is_no_part_of_history")
class MakesAnIndexTwice(Desk):
    async def create_index(self, index: Index) -> bool:
        await super().create_index(index)
        return True


@breaks("test_an_index_is_made_once_listed_and_dropped_and_is_no_part_of_history")
class WritesItsIndexesIntoHistory(Desk):
    async def create_index(self, index: Index) -> bool:
        head = self.image.head()
        self.image.store(CommitPlan(head, head._replace(time=head.time + 1)))
        return await super().create_index(index)


@breaks("test_an_index_is_kept_up_by_every_commit_and_over_openings")
class AnswersFromTheDayOfItsIndex(Desk):
    class Records(Answering):
        known: set[int] | None = None

        def select(self, query: Query) -> Selected:
            self.known = self.known or set(self._nodes)
            selected = super().select(query)
            return selected._replace(records=[row for row in selected.records if row.id in self.known])


@breaks("test_a_search_finds_the_nodes_that_the_core_finds")
class FindsTheDead(Desk):
    class Records(Answering):
        ever: dict[int, Any] | None = None

        def search(self, query: TextQuery) -> TextHits | None:
            hits = super().search(query)
            assert hits is not None
            self.ever = {**(self.ever or {}), **{hit.record.id: hit for hit in hits.found}}
            return hits._replace(found=sorted(self.ever.values(), key=lambda hit: -hit.score))


@breaks("test_a_search_finds_the_nodes_that_the_core_finds")
class FindsTheWorstFirst(Desk):
    class Records(Answering):
        def search(self, query: TextQuery) -> TextHits | None:
            hits = super().search(query)
            return hits and hits._replace(found=list(hits.found)[::-1])


@breaks("test_a_search_finds_the_nodes_that_the_core_finds")
class FoldsAsciiOnly(Desk):
    class Records(Answering):
        def search(self, query: TextQuery) -> TextHits | None:
            if all(word.isascii() for phrase in query.phrases for word in phrase.words):
                return super().search(query)
            return TextHits([])
