"""Backends that lose, change or confuse records."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from broken.healthy import Slate, breaks
from polaris_core.abc import CommitPlan, Head, Image


class _Edited(Image):
    """Records whose bodies are stored in another form."""

    def edit(self, body: str) -> str:
        return body

    def store(self, plan: CommitPlan) -> None:
        nodes = [row._replace(body=self.edit(row.body)) for row in plan.put_nodes]
        meta = [row._replace(body=self.edit(row.body)) for row in plan.put_meta]
        super().store(plan._replace(put_nodes=nodes, put_meta=meta))


@breaks("test_values_of_every_shape_keep_their_bytes")
class WritesFloatsAsIntegers(Slate):
    class Records(_Edited):
        def edit(self, body: str) -> str:
            return re.sub(r"(\d)\.0\b", r"\1", body)


@breaks("test_values_of_every_shape_keep_their_bytes")
class TakesLineSeparatorsForLineEnds(Slate):
    class Records(_Edited):
        def edit(self, body: str) -> str:
            return " ".join(body.splitlines())


@breaks("test_values_of_every_shape_keep_their_bytes")
class EscapesWhatIsBeyondTheBasicPlane(Slate):
    class Records(_Edited):
        def edit(self, body: str) -> str:
            return body.encode("ascii", "backslashreplace").decode()


@breaks("test_a_body_of_a_mebibyte_comes_back_whole")
class CutsLongBodies(Slate):
    class Records(_Edited):
        def edit(self, body: str) -> str:
            return body[: 1 << 16]


class _Looked(Image):
    """Records whose names and keys are looked up in another form."""

    def form(self, name: str) -> str:
        return name

    def nodes(self, refs: Any) -> list[Any]:
        names = {self.form(name): name for name in self._ids}
        return super().nodes([names.get(self.form(ref), "") if isinstance(ref, str) else ref for ref in refs])


@breaks("test_names_and_keys_are_compared_code_point_by_code_point")
class IgnoresCase(Slate):
    class Records(_Looked):
        def form(self, name: str) -> str:
            return name.casefold()


@breaks("test_names_and_keys_are_compared_code_point_by_code_point")
class IgnoresCompatibility(Slate):
    class Records(_Looked):
        def form(self, name: str) -> str:
            return unicodedata.normalize("NFKC", name)


@breaks("test_names_and_keys_are_compared_code_point_by_code_point")
class IgnoresSpaceAtTheEnd(Slate):
    class Records(_Looked):
        def form(self, name: str) -> str:
            return name.rstrip()


@breaks("test_what_cannot_be_stored_is_found_nowhere")
class EndsTextsAtNul(Slate):
    class Records(_Looked):
        def form(self, name: str) -> str:
            return name.partition("\x00")[0]


@breaks("test_what_cannot_be_stored_is_found_nowhere")
class WrapsLargeIntegers(Slate):
    class Records(Image):
        def nodes(self, refs: Any) -> list[Any]:
            return super().nodes([ref % 2**63 if isinstance(ref, int) else ref for ref in refs])


@breaks("test_what_cannot_be_stored_is_found_nowhere")
class FailsOnSurrogates(Slate):
    class Records(Image):
        def meta(self, keys: Any) -> list[Any]:
            return super().meta([key.encode().decode() for key in keys])


@breaks("test_answers_stand_in_the_order_of_what_was_asked")
class LeavesOutWhatIsMissing(Slate):
    class Records(Image):
        def edges(self, refs: Any) -> list[Any]:
            return [edge for edge in super().edges(refs) if edge]


@breaks("test_answers_stand_in_the_order_of_what_was_asked")
class AnswersARepeatedQuestionOnce(Slate):
    class Records(Image):
        def receipts(self, keys: Any) -> list[Any]:
            return super().receipts(list(dict.fromkeys(keys)))


@breaks("test_an_edge_is_found_from_its_source_to_its_target_only")
class TakesEdgesForUndirected(Slate):
    class Records(Image):
        def edges(self, refs: Any) -> list[Any]:
            turned = [ref if isinstance(ref, int) else (ref[2], ref[1], ref[0]) for ref in refs]
            return [one or other for one, other in zip(super().edges(refs), super().edges(turned), strict=True)]


@breaks("test_an_id_means_one_record_whatever_its_kind")
class CountsNodesAndEdgesApart(Slate):
    class Records(Image):
        def edges(self, refs: Any) -> list[Any]:
            offset = min(self._edges, default=1) - 1
            return super().edges([ref + offset if isinstance(ref, int) else ref for ref in refs])


@breaks("test_a_record_put_again_replaces_the_one_of_its_id_or_key")
class KeepsTheFirstMeta(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(put_meta=[row for row in plan.put_meta if row.key not in self._meta]))


@breaks("test_every_kind_of_record_comes_back_as_it_was_stored")
class ForgetsMeta(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(put_meta=()))


@breaks("test_every_kind_of_record_comes_back_as_it_was_stored")
class ForgetsReceipts(Slate):
    class Records(Image):
        def store(self, plan: CommitPlan) -> None:
            super().store(plan._replace(receipts=()))


@breaks("test_what_is_deleted_is_nowhere")
class CountsWhatIsDeleted(Slate):
    class Records(Image):
        made = 0

        def store(self, plan: CommitPlan) -> None:
            self.made += sum(node.id not in self._nodes for node in plan.put_nodes)
            super().store(plan)

        def counts(self) -> tuple[int, int]:
            return self.made, super().counts()[1]


@breaks("test_what_is_deleted_is_nowhere")
class LinksWhatIsDeleted(Slate):
    class Records(Image):
        def __init__(self, head: Head) -> None:
            super().__init__(head)
            self.graveyard = Image(head)

        def store(self, plan: CommitPlan) -> None:
            super().store(plan)
            self.graveyard.store(
                plan._replace(delete_edges=(), delete_nodes=(), renamed=(), put_nodes=(), delete_meta=())
            )

        def links(self, *asked: Any) -> list[Any]:
            return self.graveyard.links(*asked)


@breaks("test_what_is_created_where_something_was_deleted_is_something_new")
class FindsEdgesOfTheDead(Slate):
    class Records(Image):
        def __init__(self, head: Head) -> None:
            super().__init__(head)
            self.ever: dict[str, int] = {}

        def edges(self, refs: Any) -> list[Any]:
            for name, id in self._ids.items():
                self.ever.setdefault(name, id)
            known = {first: self._ids[name] for name, first in self.ever.items() if name in self._ids}
            asked = [ref if isinstance(ref, int) else (known.get(ref[0], ref[0]), *ref[1:]) for ref in refs]
            return super().edges(asked)


@breaks("test_a_scan_goes_by_id_and_loses_nothing_between_pages")
class ScansFromTheLastRowOfThePage(Slate):
    class Records(Image):
        def scan(self, kind: Any, after: int, limit: int) -> list[Any]:
            return super().scan(kind, max(after - 1, 0), limit)


@breaks("test_a_scan_goes_by_id_and_loses_nothing_between_pages")
class ScansWithoutLimit(Slate):
    class Records(Image):
        def scan(self, kind: Any, after: int, limit: int) -> list[Any]:
            return super().scan(kind, after, 1_000)


@breaks("test_a_scan_goes_by_id_and_loses_nothing_between_pages")
class ScansByName(Slate):
    class Records(Image):
        def scan(self, kind: Any, after: int, limit: int) -> list[Any]:
            rows = super().scan(kind, after, limit)
            return rows if kind == "edge" else sorted(rows, key=lambda node: node.name)


@breaks("test_ten_thousand_records_are_stored_in_one_commit")
class TakesThousandParameters(Slate):
    class Records(Image):
        def nodes(self, refs: Any) -> list[Any]:
            return super().nodes(refs[:1_000]) + [None] * max(len(refs) - 1_000, 0)


@breaks("test_a_new_store_is_empty_and_says_where_it_stands")
class GivesEveryStoreOneIdentity(Slate):
    async def open(self) -> Head:
        head = await super().open()
        self.image = self.Records(head._replace(store="0" * 32))
        return self.image.head()


@breaks("test_a_new_store_is_empty_and_says_where_it_stands")
class BeginsWithChangeOne(Slate):
    async def open(self) -> Head:
        head = await super().open()
        self.image = self.Records(head._replace(seq=1))
        return self.image.head()
