"""Backends that answer links and keys wrongly."""

from __future__ import annotations

from typing import Any

from broken.healthy import Slate, breaks
from polaris_core.abc import CommitPlan, Image


@breaks("test_links_go_out_of_their_source_and_into_their_target")
class TurnsLinksAround(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            turned: Any = {"out": "in", "in": "out", "both": "both"}[direction]
            return super().links(ids, turned, types, limit, after)


@breaks("test_a_self_loop_stands_once_in_every_direction")
class CountsSelfLoopsTwice(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            found = super().links(ids, direction, types, limit, after)
            if direction != "both":
                return found
            return [link for link in found for _ in range(1 + (link.source == link.target))][:limit]


@breaks("test_an_edge_between_two_of_the_nodes_stands_once")
class JoinsAnswersOfEachNode(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            found = [link for id in ids for link in super(type(self), self).links([id], direction, types, limit, after)]
            return sorted(found)[:limit]


@breaks("test_links_are_those_of_the_types_asked_for")
class IgnoresTypes(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            return super().links(ids, direction, None, limit, after)


@breaks("test_links_are_those_of_the_types_asked_for")
class TakesNoTypesForAll(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            return super().links(ids, direction, types or None, limit, after)


@breaks("test_links_are_those_of_the_types_asked_for")
class LimitsBeforeItFilters(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            found = super().links(ids, direction, None, limit, after)
            return [link for link in found if types is None or link.type in types]


@breaks("test_the_links_of_a_hub_come_in_pages_by_edge_id")
class OrdersLinksByTarget(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            found = super().links(ids, direction, types, 1 << 30, after)
            return sorted(found, key=lambda link: link.target)[:limit]


@breaks("test_the_links_of_a_hub_come_in_pages_by_edge_id")
class GivesAtMostFiveThousandLinks(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            found = super().links(ids, direction, types, 5_000, 0)
            return [link for link in found if link.id > after][:limit]


@breaks("test_a_page_of_one_and_a_place_beyond_the_end")
class BeginsPagesWithTheLastLink(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            return super().links(ids, direction, types, limit, after - 1)


@breaks("test_a_page_of_one_and_a_place_beyond_the_end")
class WrapsLargePlaces(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            return super().links(ids, direction, types, limit, after % 2**63)


@breaks("test_nodes_that_are_not_there_have_no_links")
class TakesNoNodesForAll(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            return super().links(ids or list(self._nodes), direction, types, limit, after)


@breaks("test_a_deleted_edge_is_no_link_and_one_made_again_is_another")
class GivesAnEdgeItsOldPlaceBack(Slate):
    class Records(Image):
        def __init__(self, head: Any) -> None:
            super().__init__(head)
            self.first: dict[Any, int] = {}

        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            for edge in plan.put_edges:
                self.first.setdefault(edge[1:4], edge.id)

        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            found = super().links(ids, direction, types, limit, after)
            return [link._replace(id=self.first[link[1:]]) for link in found]


@breaks("test_links_follow_ids_whatever_their_nodes_are_called")
class LinksByName(Slate):
    class Records(Image):
        def __init__(self, head: Any) -> None:
            super().__init__(head)
            self.made: dict[int, tuple[str, str]] = {}

        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            names = {node.id: node.name for node in self._nodes.values()}
            self.made.update({edge.id: (names[edge.source], names[edge.target]) for edge in plan.put_edges})

        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            now = {node.name: node.id for node in self._nodes.values()}
            by_name = [
                edge._replace(source=now[self.made[edge.id][0]], target=now[self.made[edge.id][1]])
                for edge in self._edges.values()
            ]
            other = Image(self.head())
            other.store(CommitPlan(self.head(), self.head(), put_edges=by_name))
            return other.links(ids, direction, types, limit, after)


@breaks("test_thousands_of_nodes_are_asked_about_at_once")
class AsksAboutThousandNodes(Slate):
    class Records(Image):
        def links(self, ids: Any, direction: Any, types: Any, limit: int, after: int) -> list[Any]:
            return super().links(ids[:1_000], direction, types, limit, after)


class _Ordered(Image):
    """Records whose keys come in another order."""

    def order(self, key: str) -> Any:
        return key

    def keys(self, kind: Any, after: str, limit: int) -> list[str]:
        table: Any = {"node": self._ids, "meta": self._meta, "receipt": self._receipts}[kind]
        return sorted((key for key in table if not after or self.order(key) > self.order(after)), key=self.order)[
            :limit
        ]


@breaks("test_names_come_in_the_order_of_their_code_points")
class OrdersKeysWithoutCase(Slate):
    class Records(_Ordered):
        def order(self, key: str) -> Any:
            return key.casefold(), key


@breaks("test_keys_of_meta_records_and_receipts_come_in_the_order_of_their_code_points")
class OrdersKeysByCodeUnit(Slate):
    class Records(_Ordered):
        def order(self, key: str) -> Any:
            return key.encode("utf-16-be")


@breaks("test_keys_follow_the_text_they_are_asked_to_follow_whether_it_is_a_key_or_not")
class FollowsOnlyKeysThatExist(Slate):
    class Records(Image):
        def keys(self, kind: Any, after: str, limit: int) -> list[str]:
            every = super().keys(kind, "", 1 << 30)
            return every[every.index(after) + 1 if after in every else 0 :][:limit]


@breaks("test_names_follow_what_is_created_renamed_and_deleted")
class KeepsOldNames(Slate):
    class Records(Image):
        def __init__(self, head: Any) -> None:
            super().__init__(head)
            self.seen: set[str] = set()

        def keys(self, kind: Any, after: str, limit: int) -> list[str]:
            self.seen |= self._ids.keys()
            return sorted(key for key in self.seen if key > after)[:limit]
