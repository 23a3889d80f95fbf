"""Backends whose capabilities are not what they claim."""

from __future__ import annotations

from typing import Any, ClassVar

from broken.healthy import Notebook, Slate, breaks
from polaris_core.abc import Finding, VerifyReport


@breaks("test_the_capabilities_are_those_that_are_claimed")
class ClaimsWhatItCannot(Slate):
    capabilities = frozenset({"verify"})


@breaks("test_the_capabilities_are_those_that_are_claimed")
class HidesWhatItCan(Notebook):
    capabilities = frozenset()


@breaks("test_the_capabilities_are_those_that_are_claimed")
class ClaimsMoreThanItsTests(Notebook):
    claimed: ClassVar[frozenset[str]] = frozenset()


@breaks("test_the_capabilities_are_those_that_are_claimed")
class ClaimsWhatNobodyKnows(Slate):
    capabilities = frozenset({"telepathy"})


@breaks("test_verify_is_silent_about_a_healthy_store_and_changes_nothing")
class CriesWolf(Notebook):
    async def verify(self, progress: Any = None) -> VerifyReport:
        return VerifyReport(1, (Finding("node 1", "looks odd"),))


@breaks("test_verify_is_silent_about_a_healthy_store_and_changes_nothing")
class LooksAtNodesOnly(Notebook):
    async def verify(self, progress: Any = None) -> VerifyReport:
        return (await super().verify(progress))._replace(looked_at=self.image.counts()[0])
