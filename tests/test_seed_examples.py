"""The usage examples Polaris began with, run as they were written; only imports, a logger and a directory are added."""

import asyncio
import logging
from pathlib import Path

import pytest
from polaris_event_store import EventStore

from polaris_core import EventBus, Node, StorageError, StorageService, ValidationError

logger = logging.getLogger(__name__)


def test_storage_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        # Initialize storage service
        storage_service = StorageService(
            storage_dir="data",
            storage_type="json"
        )  # fmt: skip
        await storage_service.initialize()

        # Store node
        node = Node(name="example")
        await storage_service.store_node(node)

        assert await storage_service.get_node("example") is not None
        await storage_service.close()

    asyncio.run(main())
    assert (tmp_path / "data").is_dir()


@pytest.mark.parametrize("storage_type", ["json", "sqlite", "memory"])
def test_every_first_party_backend_goes_by_its_type(
    storage_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        storage_service = StorageService(storage_type=storage_type)
        await storage_service.initialize()
        stored = await storage_service.store_node(Node("example", "thing", {"a": 1}, ["text"]))
        again = await storage_service.store_node(Node("example", "thing", {"a": 2}))
        assert [item.text for item in again.observations] == ["text"]
        assert stored.provenance is not None
        await storage_service.close()

    asyncio.run(main())


def test_event_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        # Initialize event bus
        event_bus = EventBus(event_store=EventStore())

        # Subscribe to events
        async def handle_event(event):  # type: ignore[no-untyped-def]
            print(f"Processing event: {event}")  # noqa: T201

        await event_bus.subscribe("node.created", handle_event)

        # Publish event
        await event_bus.publish("node.created", {"node_id": "123"})

        await event_bus.close()

    asyncio.run(main())  # fmt: skip
    printed = capsys.readouterr().out
    assert printed.startswith("Processing event: Event(")
    assert "'node_id': '123'" in printed


@pytest.mark.parametrize(
    ("name", "raised"), [("x", None), ("", "Validation failed"), ("closed", "Storage operation failed")]
)
def test_error_handling(name: str, raised: str | None, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        storage_service, event_bus = StorageService(storage_type="memory"), EventBus()
        await storage_service.initialize()
        if name == "closed":
            await storage_service.close()

        try:
            node = Node(name=name)
            await storage_service.store_node(node)
        except StorageError as e:
            logger.error(f"Storage operation failed: {e}")  # noqa: G004, TRY400
            await event_bus.publish("storage.error", {"error": str(e)})
        except ValidationError as e:
            logger.error(f"Validation failed: {e}")  # noqa: G004, TRY400

        assert await event_bus.log.last() == (name == "closed")
        await event_bus.close()
        await storage_service.close()

    asyncio.run(main())
    assert (raised or "") in caplog.text
    assert bool(raised) == bool(caplog.records)
