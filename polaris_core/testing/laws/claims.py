"""Laws of capabilities: what is claimed is there, what is there is claimed, and each does what its protocol says."""

from __future__ import annotations

from polaris_core.abc.capabilities import Backup, Indexes, Load, QuerySession, SearchSession, Verify
from polaris_core.abc.storage import Storage
from polaris_core.records import Session
from polaris_core.testing.laws.commits import rich
from polaris_core.testing.laws.subject import Subject
from polaris_core.testing.programs import everything, writing
from polaris_core.testing.skipping import not_applicable

__all__ = ["ClaimLaws"]

PROTOCOLS: dict[str, type] = {"backup": Backup, "indexes": Indexes, "load": Load, "verify": Verify}
"""The capabilities that are methods of a storage, and their protocols."""
OF_SESSIONS: dict[str, type] = {"query": QuerySession, "search": SearchSession}
"""The capabilities that are methods of its sessions."""


async def _itself(session: Session) -> Session:
    return session


class ClaimLaws(Subject):
    """A capability is a promise."""

    def _needs(self, capability: str) -> None:
        if capability not in self.capabilities:
            not_applicable(f"{capability!r} is not among the capabilities")

    def test_the_capabilities_are_those_that_are_claimed(self) -> None:
        async def law(storage: Storage) -> None:
            assert set(storage.capabilities) == set(self.capabilities), "the storage and its test class claim the same"
            session = await storage.read(_itself)
            for name, protocol in (PROTOCOLS | OF_SESSIONS).items():
                offered = isinstance(session if name in OF_SESSIONS else storage, protocol)
                claimed = name in storage.capabilities
                assert offered or not claimed, f"{name!r} is claimed, and {protocol.__name__} is not implemented"
                assert claimed or not offered, f"{protocol.__name__} is implemented, and {name!r} is not claimed"
            assert set(storage.capabilities) <= (PROTOCOLS | OF_SESSIONS).keys(), "a capability that nobody knows"

        self.on_a_store(law)

    def test_verify_is_silent_about_a_healthy_store_and_changes_nothing(self) -> None:
        self._needs("verify")

        async def law(storage: Storage) -> None:
            assert isinstance(storage, Verify)
            assert not (await storage.verify()).findings
            await storage.commit(writing(rich("a"), rich("b")))
            held = await storage.read(everything)
            told: list[tuple[int, int | None]] = []
            report = await storage.verify(lambda done, of: told.append((done, of)))
            assert report.findings == ()
            rows = (held.nodes, held.edges, held.meta, held.receipts, held.changes)
            assert report.looked_at == sum(map(len, rows))
            assert [done for done, _ in told] == sorted(done for done, _ in told)
            assert await storage.read(everything) == held

        self.on_a_store(law)
